package policy

import (
	"cmp"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// An Identifier is where a request names the user or the client of the token.
type Identifier struct {
	// Name is the dotted field path into the request message.
	Name string
	// Pattern is the pattern of the resource name in the field. It is empty if the field
	// holds the identifier and nothing else.
	Pattern string
	// Issuer is the issuer whose identifiers the field names: see [WithSubjectIssuer]. It
	// is empty without the option.
	Issuer string

	where *field
}

// String returns the field, as in "field:user_id" or "field:name=users/{subject}".
func (i *Identifier) String() string {
	if i.Pattern != "" {
		return "field:" + i.Name + "=" + i.Pattern
	}
	return "field:" + i.Name
}

// Path returns a copy of the field path, whose last field holds the identifier.
func (i *Identifier) Path() []protoreflect.FieldDescriptor { return i.where.pathCopy() }

// Check returns nil if a request message names id, and nobody else, in the field of i. Each
// element of a repeated field must name id. Check returns an error if the message names
// nobody, if id is empty, and if the message is not of the type that i was compiled for.
//
// The error is for logs, as the error of [Organization.Check] is.
func (i *Identifier) Check(message proto.Message, id string) error {
	return i.where.check(message, id)
}

// WithSubjectIssuer names the issuer whose users and clients the requests name, as `iss` has
// it byte for byte. A subject or client of a token is unique within its issuer alone (OpenID
// Connect Core section 5.7), so that a server which accepts several issuers, or a template of
// issuers, must choose one: the tokens of the others do not meet a subject or client of a rule.
// Without the option, the server must accept one issuer.
func WithSubjectIssuer(issuer string) Option {
	return func(c *compiler) {
		switch {
		case issuer == "":
			c.argumentFault(Place{}, "WithSubjectIssuer", "", "issuer is empty: give the issuer's iss, or leave the option out")
		case strange(issuer):
			c.argumentFault(Place{}, "WithSubjectIssuer", issuer, "issuer %q has a space, or a character that cannot be printed: give the issuer's iss as its tokens have it", issuer)
		case strings.ContainsAny(issuer, "{}"):
			c.argumentFault(Place{}, "WithSubjectIssuer", issuer, "issuer %q has a placeholder, and tokens have none: give the iss of one tenant, as its tokens have it", issuer)
		case c.subjectIssuer != "" && c.subjectIssuer != issuer:
			c.argumentFault(Place{}, "WithSubjectIssuer", issuer, "given twice, as %q and %q: give one issuer", c.subjectIssuer, issuer)
		}
		c.subjectIssuer = cmp.Or(c.subjectIssuer, issuer)
	}
}

// identifiers compiles the subject and the client of a way.
func (c *compiler) identifiers(way *Way, option wayOption) {
	way.Subject = c.identifier(way, subjectNoun, option.GetSubject())
	way.Client = c.identifier(way, clientNoun, option.GetClient())
	if way.Subject != nil && way.Caller == authzv1.Caller_CALLER_CLIENT {
		c.wayFault(way, way.FieldPlace("subject"), FaultRuleConflict, "subject is set beside CALLER_CLIENT, and names a user: set client in its place, or remove caller")
	}
	for _, pair := range [][2]*field{
		{way.Organization.field(), way.Subject.field()},
		{way.Organization.field(), way.Client.field()},
		{way.Subject.field(), way.Client.field()},
	} {
		if why := contradiction(pair[0], pair[1]); why != "" {
			c.wayFault(way, way.FieldPlace(protoreflect.Name(pair[1].noun)), FaultRuleConflict, "%s", why)
		}
	}
}

// identifier compiles the subject or the client of an annotation. It returns nil without one, and after a fault.
func (c *compiler) identifier(way *Way, noun noun, option *authzv1.Identifier) *Identifier {
	if option == nil {
		return nil
	}
	fault := func(part string, kind FaultKind, err error) *Identifier {
		number := option.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(part)).Number()
		c.wayFault(way, way.FieldPlace(protoreflect.Name(noun)).below(int32(number)), kind, "%v", err)
		return nil
	}
	if option.GetField() == "" {
		return fault("field", FaultSubjectField, fmt.Errorf("%s has no field: set %s.field", noun, noun))
	}
	path, err := compilePath(way.method.Input(), option.GetField())
	if err != nil {
		return fault("field", FaultSubjectField, err)
	}
	if pattern := option.GetPattern(); pattern != "" {
		if err := checkPattern(pattern, noun); err != nil {
			return fault("pattern", FaultSubjectPattern, err)
		}
	}
	where := &field{noun, option.GetField(), option.GetPattern(), path}
	return &Identifier{Name: where.name, Pattern: where.pattern, Issuer: c.subjectIssuer, where: where}
}

// field returns the field of an identifier, or nil for nil.
func (i *Identifier) field() *field {
	if i == nil {
		return nil
	}
	return i.where
}
