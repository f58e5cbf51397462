package guardtest

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A name is what a field of a request must name, and how a request does that.
type name struct {
	field    string // the dotted path
	path     []protoreflect.FieldDescriptor
	segments []string
	id       string
	check    func(message proto.Message, id string) error
}

// newName returns a name by its pattern, whose placeholder stands for the id.
func newName(field, pattern, placeholder, id string, path []protoreflect.FieldDescriptor, check func(proto.Message, string) error) name {
	segments := []string{id}
	if pattern != "" {
		segments = strings.Split(pattern, "/")
	}
	for n, segment := range segments {
		if segment == placeholder {
			segments[n] = id
		}
	}
	return name{field, path, segments, id, check}
}

// names returns what the messages of a call must name for a way.
func (c call) names(way *policy.Way) (names []name) {
	if o := way.Organization; o != nil && o.Location == policy.LocationField {
		names = append(names, newName(o.Name, o.Pattern, "{organization}", c.claims.OrganizationID(), o.Path(), o.Check))
	}
	if s := way.Subject; s != nil {
		names = append(names, newName(s.Name, s.Pattern, "{subject}", c.claims.Subject(), s.Path(), s.Check))
	}
	if client := way.Client; client != nil {
		names = append(names, newName(client.Name, client.Pattern, "{client}", c.claims.ClientID(), client.Path(), client.Check))
	}
	return names
}

// request returns a request that names, for a way, what the claims hold.
func (c call) request(way *policy.Way) proto.Message {
	if c.rule.Method == nil {
		return nil
	}
	request := dynamicpb.NewMessage(c.rule.Method.Input())
	fields := map[string][]string{} // two names may be segments of one field
	for _, n := range c.names(way) {
		for i, segment := range fields[n.field] {
			if i < len(n.segments) && segment != "*" {
				n.segments[i] = segment
			}
		}
		fields[n.field] = n.segments
		set(request, n.path, strings.Join(n.segments, "/"))
	}
	return request
}

// set sets the field at the end of a path. Of a list it sets the only element, which it adds.
func set(message protoreflect.Message, path []protoreflect.FieldDescriptor, text string) {
	field, value := path[0], protoreflect.ValueOfString(text)
	switch {
	case field.IsList():
		list := message.Mutable(field).List()
		switch last := len(path) == 1; {
		case list.Len() == 0 && last:
			list.Append(value)
		case list.Len() == 0:
			list.AppendMutable()
		case last:
			list.Set(0, value)
		}
		if len(path) > 1 {
			set(list.Get(0).Message(), path[1:], text)
		}
	case len(path) > 1:
		set(message.Mutable(field).Message(), path[1:], text)
	default:
		message.Set(field, value)
	}
}
