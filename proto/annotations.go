// Package annotations holds the source of the annotations, for tools that write a copy of it.
package annotations

import _ "embed" // for go:embed

// AuthzPath is the path by which .proto files import the annotations.
const AuthzPath = "protoauthz/v1/authz.proto"

// Authz is the text of protoauthz/v1/authz.proto.
//
//go:embed protoauthz/v1/authz.proto
var Authz string
