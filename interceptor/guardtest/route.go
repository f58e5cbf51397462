package guardtest

import (
	"errors"
	"regexp"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
)

// A route is one way to call a method over REST.
type route struct {
	verb, path, body string
	unbound          bool // the method does not have the option
}

// routesOf returns the routes in the google.api.http option of a method, whether the declaration of the
// option is linked or not.
func routesOf(method protoreflect.MethodDescriptor) ([]route, error) {
	options, optionsErr := proto.Marshal(method.Options())
	var rule []byte // all fields of the option: later fields override or follow earlier ones, as in a merge of messages
	fieldErr := eachField(options, func(number protowire.Number, value []byte) error {
		if number == 72295728 {
			rule = append(rule, value...)
		}
		return nil
	})
	routes, ruleErr := routesIn(rule)
	for i := range routes {
		routes[i].path = expand(routes[i].path, method.Input())
		routes[i].body = emptyBody(routes[i].body, method)
	}
	return routes, errors.Join(optionsErr, fieldErr, ruleErr)
}

// verbs are the HTTP methods by their fields in google.api.HttpRule.
var verbs = map[protowire.Number]string{2: "GET", 3: "PUT", 4: "POST", 5: "DELETE", 6: "PATCH"}

// routesIn returns the routes in a google.api.HttpRule.
func routesIn(rule []byte) ([]route, error) {
	var own route
	var body string
	var more []route
	err := eachField(rule, func(number protowire.Number, value []byte) error {
		switch {
		case verbs[number] != "":
			own = route{verb: verbs[number], path: string(value)}
		case number == 7:
			body = string(value)
		case number == 8: // a google.api.CustomHttpPattern
			own = route{}
			return eachField(value, func(number protowire.Number, value []byte) error {
				if number == 1 {
					own.verb = string(value)
				} else if number == 2 {
					own.path = string(value)
				}
				return nil
			})
		case number == 11: // another google.api.HttpRule
			additional, err := routesIn(value)
			more = append(more, additional...)
			return err
		}
		return nil
	})
	own.body = body
	if own.path == "" {
		return more, err
	}
	return append([]route{own}, more...), err
}

// eachField visits the fields of a message that are strings or messages.
func eachField(message []byte, visit func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeField(message)
		if err := protowire.ParseError(size); err != nil {
			return err
		}
		if kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(message)
			value, _ := protowire.ConsumeBytes(message[tag:])
			if err := visit(number, value); err != nil {
				return err
			}
		}
		message = message[size:]
	}
	return nil
}

// emptyBody returns the JSON of an empty message, such as "1970-01-01T00:00:00Z" for a
// google.protobuf.Timestamp, or "" for client streams and for fields that are not messages.
func emptyBody(body string, method protoreflect.MethodDescriptor) string {
	message := method.Input()
	if body != "*" {
		field := message.Fields().ByName(protoreflect.Name(body))
		if field == nil || field.IsList() || field.IsMap() {
			return ""
		}
		message = field.Message()
	}
	if message == nil || method.IsStreamingClient() {
		return ""
	}
	empty, err := protojson.MarshalOptions{AllowPartial: true}.Marshal(unguarded.Message(message))
	if err != nil { // a google.protobuf.Value, which takes any JSON
		return "{}"
	}
	return string(empty)
}

var (
	stars     = regexp.MustCompile(`\*\*?`)
	variables = regexp.MustCompile(`\{([^}=]*)=?([^}]*)\}`)
)

// expand makes a path of a template (google/api/http.proto): a star becomes an x, and a variable becomes a
// value that its field can hold.
func expand(template string, input protoreflect.MessageDescriptor) string {
	template = stars.ReplaceAllString(template, "x")
	return variables.ReplaceAllStringFunc(template, func(variable string) string {
		parts := variables.FindStringSubmatch(variable)
		if parts[2] == "" || parts[2] == "x" {
			return valueOf(input, strings.TrimSpace(parts[1]))
		}
		return parts[2]
	})
}

// valueOf returns a value that a field can hold, in the form that a path has.
func valueOf(message protoreflect.MessageDescriptor, path string) string {
	first, rest, _ := strings.Cut(path, ".")
	field := message.Fields().ByName(protoreflect.Name(first))
	if field == nil {
		return "x"
	}
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		switch name := field.Message().FullName(); {
		case name == "google.protobuf.Timestamp":
			return "2006-01-02T15:04:05Z"
		case name == "google.protobuf.Duration":
			return "1s"
		case name == "google.protobuf.Value":
			return "1"
		case name.Parent() == "google.protobuf": // of google/protobuf/wrappers.proto
			rest = "value"
		}
		return valueOf(field.Message(), rest)
	case protoreflect.StringKind:
		return "x"
	case protoreflect.BytesKind:
		return "eHh4"
	case protoreflect.BoolKind:
		return "true"
	case protoreflect.EnumKind:
		return string(field.Enum().Values().Get(0).Name())
	default:
		return "1"
	}
}
