package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A Location is a part of a request that can name its organization.
type Location int

// The locations. The zero Location is not valid.
const (
	// LocationField is a field of the request message.
	LocationField Location = iota + 1
	// LocationHeader is a request header.
	LocationHeader
	// LocationToken is the token itself: the request does not name the organization.
	LocationToken
)

// An Organization is where a request names its organization.
type Organization struct {
	// Location is the part of the request.
	Location Location
	// Name is the dotted field path for LocationField, the header's name in lower case
	// for LocationHeader, and empty for LocationToken.
	Name string
	// Pattern is the pattern of the resource name in the field. It is empty if the field
	// holds the organization and nothing else.
	Pattern string

	where *field // nil for other locations
}

// String returns the location and the name, as in "field:organization_id".
func (o *Organization) String() string {
	switch o.Location {
	case LocationField:
		if o.Pattern != "" {
			return "field:" + o.Name + "=" + o.Pattern
		}
		return "field:" + o.Name
	case LocationHeader:
		return "header:" + o.Name
	case LocationToken:
		return "token"
	default:
		return "none"
	}
}

// Path returns a copy of the field path for LocationField, whose last field holds the
// organization. For other locations, the path is empty.
func (o *Organization) Path() []protoreflect.FieldDescriptor { return o.where.pathCopy() }

// Check returns nil if a request message names the organization id, and no other
// organization, in the field of o. Each element of a repeated field must name id. Check
// returns an error if the message names no organization, if id is empty, if the location
// of o is not a field, and if the message is not of the type that o was compiled for.
//
// The error is for logs. Its text tells a missing organization from another
// organization, names the field, and ends in what the client must do. The text holds
// neither id nor a value of the message.
func (o *Organization) Check(message proto.Message, id string) error {
	if o.Location != LocationField {
		return errNoField
	}
	return o.where.check(message, id)
}

// field returns the field of an organization, or nil for nil and for another location.
func (o *Organization) field() *field {
	if o == nil {
		return nil
	}
	return o.where
}

// organization compiles where the request of a way names its organization.
func (c *compiler) organization(way *Way, about Place, option wayOption, service *authzv1.ServiceRule) {
	named := option.GetOrganization()
	overridden := option.GetModel() != authzv1.Model_MODEL_UNSPECIFIED
	// A way that overrides the model with the global one does not inherit an organization.
	if named == nil && (!overridden || way.Model != authzv1.Model_MODEL_GLOBAL_RESOURCE) {
		if named = service.GetOrganization(); named != nil {
			way.inherited = append(way.inherited, "organization")
		}
	}
	switch global := way.Model == authzv1.Model_MODEL_GLOBAL_RESOURCE; {
	case global && named != nil:
		c.wayFault(way, way.FieldPlace("organization"), FaultOrganizationUnexpected, "organization is set beside MODEL_GLOBAL_RESOURCE, which has none: remove organization, or choose an organization model")
	case global:
	case named == nil:
		c.wayFault(way, about, FaultOrganizationMissing, "no organization: set organization.field, organization.header or organization.token")
	default:
		organization, kind, err := compileOrganization(named, way.method.Input())
		switch {
		case err == nil:
		case way.number > 0 && slices.Contains(way.inherited, "organization"):
			c.wayFault(way, way.organizationPlace(kind), kind, "%v: the way takes the organization from its service: set organization in the way, or model: MODEL_GLOBAL_RESOURCE for no organization", err)
		default:
			c.wayFault(way, way.organizationPlace(kind), kind, "%v", err)
		}
		way.Organization = organization
	}
}

// compileOrganization compiles the organization of an annotation. With an error, it returns
// the kind of fault.
func compileOrganization(option *authzv1.Organization, input protoreflect.MessageDescriptor) (*Organization, FaultKind, error) {
	organization := &Organization{Pattern: option.GetPattern()}
	switch location := option.GetLocation().(type) {
	case *authzv1.Organization_Field:
		organization.Location, organization.Name = LocationField, location.Field
		path, err := compilePath(input, location.Field)
		if err != nil {
			return nil, FaultOrganizationField, err
		}
		organization.where = &field{organizationNoun, location.Field, organization.Pattern, path}
	case *authzv1.Organization_Header:
		organization.Location, organization.Name = LocationHeader, strings.ToLower(location.Header)
		if err := checkHeader(location.Header); err != nil {
			return nil, FaultOrganizationHeader, err
		}
	case *authzv1.Organization_Token:
		organization.Location = LocationToken
		if !location.Token {
			return nil, FaultOrganizationMissing, errors.New("organization.token is false: set it to true, or set organization.field or organization.header instead")
		}
	default:
		return nil, FaultOrganizationMissing, errors.New("organization has no location: set organization.field, organization.header or organization.token")
	}
	if organization.Pattern == "" {
		return organization, "", nil
	}
	if organization.Location != LocationField {
		return nil, FaultOrganizationPattern, fmt.Errorf("pattern %q is set without organization.field: set organization.field, or remove the pattern", organization.Pattern)
	}
	if err := checkPattern(organization.Pattern, organizationNoun); err != nil {
		return nil, FaultOrganizationPattern, err
	}
	return organization, "", nil
}

// checkHeader accepts the names of headers that HTTP and gRPC can both carry as text, and
// that have no meaning in either protocol.
func checkHeader(name string) error {
	if name == "" {
		return errors.New("organization.header is empty: name a request header")
	}
	// ToLower, below, makes ASCII letters of some other letters.
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("header %+q has a character outside of letters, digits, '-', '_' and '.'", name)
		}
	}
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, "-bin"):
		return fmt.Errorf("header %q ends in -bin, and gRPC encodes the values of such headers: name another header", name)
	case strings.HasPrefix(name, "grpc-"), strings.HasPrefix(name, "connect-"):
		return fmt.Errorf("header %q belongs to an RPC protocol: name another header", name)
	}
	switch name {
	case "authorization", "accept", "accept-encoding", "connection", "content-encoding", "content-length",
		"content-type", "cookie", "host", "te", "trailer", "transfer-encoding", "upgrade", "user-agent":
		return fmt.Errorf("header %q has another meaning: name another header", name)
	}
	return nil
}
