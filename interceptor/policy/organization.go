package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A Source is that part of a request which can name its organization.
type Location int

// The sources. The zero Source is none of them.
const (
	// LocationField is a field of the request message.
	LocationField Location = iota + 1
	// LocationHeader is a request header.
	LocationHeader
	// LocationToken is the token itself.
	LocationToken
)

// An Organization says where a request names its organization.
type Organization struct {
	// Source is the part of the request.
	Location Location
	// Name is the dotted field path for LocationField and the header's name, in
	// lower case, for LocationHeader.
	Name string
	// Pattern is the pattern of the resource name in the field, or empty.
	Pattern string

	path []protoreflect.FieldDescriptor
}

// String names the source, as in "field:organization_id".
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

// Path returns the fields of the path for LocationField, of which the last holds the
// organization, in a slice of the caller's own.
func (o *Organization) Path() []protoreflect.FieldDescriptor { return slices.Clone(o.path) }

// Check returns nil if a request message names the organization id, and no other,
// in the field that o points to. Every element of a repeated field counts. It returns
// an error if the message names no organization at all, if id is empty, and if the
// message is not of the type that o was compiled for.
//
// The error is for logs. It tells a message that names no organization from one that
// names another, names the field, and says what the client must do. It holds neither id
// nor anything that the message says.
func (o *Organization) Check(message proto.Message, id string) error {
	if o.Location != LocationField || len(o.path) == 0 || id == "" || message == nil {
		return errors.New("no organization can be looked for in this message: " +
			"the server must call Check with a message and an organization, and for a rule whose source is a field")
	}
	if m := o.match(message.ProtoReflect(), o.path, id); m != nil {
		return m
	}
	return nil
}

func (o *Organization) match(message protoreflect.Message, path []protoreflect.FieldDescriptor, id string) *mismatch {
	field := fieldOf(message.Descriptor(), path[0])
	if field == nil {
		return &mismatch{what: mismatchType, rule: o}
	}
	name, rest := string(field.Name()), path[1:]
	if !field.IsList() {
		// A field's default value (proto2) is not what the caller said. Fields without
		// presence have none but the empty value, which names nothing.
		if field.HasPresence() && !message.Has(field) {
			return &mismatch{what: mismatchUnset, field: name, rule: o}
		}
		return o.value(message.Get(field), rest, id).within(name)
	}
	list := message.Get(field).List()
	for i := range list.Len() {
		if m := o.value(list.Get(i), rest, id); m != nil {
			return m.within(name + "[" + strconv.Itoa(i) + "]")
		}
	}
	if list.Len() == 0 {
		return &mismatch{what: mismatchNoElement, field: name, rule: o}
	}
	return nil
}

// value judges the value of a field, from which the rest of the path leads on.
func (o *Organization) value(value protoreflect.Value, rest []protoreflect.FieldDescriptor, id string) *mismatch {
	if len(rest) > 0 {
		return o.match(value.Message(), rest, id)
	}
	text := value.String()
	switch {
	case o.Pattern == "" && text == id, o.Pattern != "" && matchPattern(o.Pattern, text, id):
		return nil
	case text == "":
		return &mismatch{what: mismatchEmpty, rule: o}
	case o.Pattern != "" && !matchPattern(strings.ReplaceAll(o.Pattern, organizationSegment, "*"), text, ""):
		return &mismatch{what: mismatchForm, rule: o}
	default:
		return &mismatch{what: mismatchOther, rule: o}
	}
}

// fieldOf finds a compiled field in a message that may come from another copy
// of the same file: rules compiled from an image guard generated messages too.
func fieldOf(message protoreflect.MessageDescriptor, compiled protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	if compiled.ContainingMessage() == message {
		return compiled
	}
	field := message.Fields().ByNumber(compiled.Number())
	if field == nil || field.FullName() != compiled.FullName() || field.Kind() != compiled.Kind() ||
		field.IsList() != compiled.IsList() || field.IsMap() {
		return nil
	}
	return field
}

// compilePath resolves a dotted path of field names.
func compilePath(message protoreflect.MessageDescriptor, dotted string) ([]protoreflect.FieldDescriptor, error) {
	var path []protoreflect.FieldDescriptor
	names := strings.Split(dotted, ".")
	for i, name := range names {
		field := message.Fields().ByName(protoreflect.Name(name))
		switch last := i == len(names)-1; {
		case message.IsPlaceholder():
			return nil, fmt.Errorf("message %s stands in a file that is missing, so nobody can tell whether it has a field %q: give the image with its imports", message.FullName(), name)
		case field == nil:
			return nil, fmt.Errorf("message %s has no field %q", message.FullName(), name)
		case field.IsMap():
			return nil, fmt.Errorf("field %s is a map: a map's entries cannot be checked one by one", field.FullName())
		case last && field.Kind() != protoreflect.StringKind:
			return nil, fmt.Errorf("field %s is of type %s: the path must end in a string", field.FullName(), field.Kind())
		case !last && field.Message() == nil:
			return nil, fmt.Errorf("field %s is of type %s and has no fields of its own", field.FullName(), field.Kind())
		}
		path = append(path, field)
		message = field.Message()
	}
	return path, nil
}

// compileOrganization turns the annotation into a place to look at.
func compileOrganization(option *authzv1.Organization, input protoreflect.MessageDescriptor) (*Organization, FaultKind, error) {
	organization := &Organization{Pattern: option.GetPattern()}
	var err error
	switch source := option.GetLocation().(type) {
	case *authzv1.Organization_Field:
		organization.Location, organization.Name = LocationField, source.Field
		if organization.path, err = compilePath(input, source.Field); err != nil {
			return nil, FaultOrganizationField, err
		}
	case *authzv1.Organization_Header:
		organization.Location, organization.Name = LocationHeader, strings.ToLower(source.Header)
		if err := checkHeader(source.Header); err != nil {
			return nil, FaultOrganizationHeader, err
		}
	case *authzv1.Organization_Token:
		organization.Location = LocationToken
		if !source.Token {
			return nil, FaultOrganizationMissing, errors.New("organization.token is false: it names no source")
		}
	default:
		return nil, FaultOrganizationMissing, errors.New("organization names no source: give field, header or token")
	}
	if organization.Pattern == "" {
		return organization, "", nil
	}
	if organization.Location != LocationField {
		return nil, FaultOrganizationPattern, fmt.Errorf("pattern %q stands beside a source that is not a field", organization.Pattern)
	}
	if err := checkPattern(organization.Pattern); err != nil {
		return nil, FaultOrganizationPattern, err
	}
	return organization, "", nil
}

// checkHeader accepts what HTTP and gRPC both can carry as text metadata, apart
// from what the protocols keep for themselves.
func checkHeader(name string) error {
	if name == "" {
		return errors.New("organization.header is empty")
	}
	// Before it is lowered: ToLower makes ASCII of some letters that are not.
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("header %+q has a character outside of letters, digits, '-', '_' and '.'", name)
		}
	}
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, "-bin"):
		return fmt.Errorf("header %q ends in -bin: gRPC encodes such values", name)
	case strings.HasPrefix(name, "grpc-"), strings.HasPrefix(name, "connect-"):
		return fmt.Errorf("header %q belongs to an RPC protocol", name)
	}
	switch name {
	case "authorization", "accept", "accept-encoding", "connection", "content-encoding", "content-length",
		"content-type", "cookie", "host", "te", "trailer", "transfer-encoding", "upgrade", "user-agent":
		return fmt.Errorf("header %q has another meaning", name)
	}
	return nil
}
