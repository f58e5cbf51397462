// Package guide holds the issuers of interceptor/token/README.md, so that they compile, for tests and for tools.
// Nothing that runs in production imports it.
package guide

import (
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Literal is an issuer of the guide, with values that are examples.
type Literal struct {
	Section string // of the guide
	Name    string // of the literal, and of the setup that holds it in interceptor/internal/test/providers
	Issuer  token.Issuer
}

// Literals returns the issuers of the guide.
func Literals() []Literal {
	return slices.Concat(services(), moreServices(), servers(), workloads())
}
