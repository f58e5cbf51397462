package main

import (
	"net/http"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// A message is a message of the suite, without generated code. Its fields are named. An unknown name
// panics.
type message struct{ protoreflect.Message }

// newMessage makes a message by its name in the suite's package.
func newMessage(name protoreflect.FullName) message {
	found, err := protoregistry.GlobalTypes.FindMessageByName(pkg + "." + name)
	if err != nil {
		panic(err) // the names are constants
	}
	return message{found.New()}
}

func (m message) field(name protoreflect.Name) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(name)
}

func (m message) has(name protoreflect.Name) bool { return m.Has(m.field(name)) }

func (m message) get(name protoreflect.Name) protoreflect.Value { return m.Get(m.field(name)) }

func (m message) message(name protoreflect.Name) message { return message{m.get(name).Message()} }

func (m message) set(name protoreflect.Name, value any) {
	if value, ok := value.(message); ok {
		m.Set(m.field(name), protoreflect.ValueOfMessage(value.Message))
		return
	}
	m.Set(m.field(name), protoreflect.ValueOf(value))
}

func (m message) clear(name protoreflect.Name) { m.Clear(m.field(name)) }

// add adds an element to a repeated field of messages.
func (m message) add(name protoreflect.Name) message {
	return message{m.Mutable(m.field(name)).List().AppendMutable().Message()}
}

// addFields adds names with their values to a repeated field of headers.
func (m message) addFields(name protoreflect.Name, fields map[string][]string) {
	for key, values := range fields {
		field := m.add(name)
		field.set("name", key)
		list := field.Mutable(field.field("value")).List()
		for _, value := range values {
			list.Append(protoreflect.ValueOfString(value))
		}
	}
}

// header is a repeated field of headers.
func (m message) header(name protoreflect.Name) http.Header {
	header := http.Header{}
	list := m.get(name).List()
	for n := range list.Len() {
		field := message{list.Get(n).Message()}
		values := field.get("value").List()
		for v := range values.Len() {
			header.Add(field.get("name").String(), values.Get(v).String())
		}
	}
	return header
}

// A definition tells how to respond to a request.
type definition struct {
	header, trailer http.Header
	data            [][]byte
	delay           time.Duration // before each response
	failure         *message      // an error, or nil
}

// definitionOf reads the definition for one response or for several.
func definitionOf(request *dynamicpb.Message) definition {
	m := message{request}.message("response_definition")
	d := definition{
		header:  m.header("response_headers"),
		trailer: m.header("response_trailers"),
		delay:   time.Duration(m.get("response_delay_ms").Uint()) * time.Millisecond, //nolint:gosec // it has 32 bits
	}
	if m.has("error") {
		failure := m.message("error")
		d.failure = &failure
	}
	if data := m.field("response_data"); data.IsList() {
		list := m.Get(data).List()
		for n := range list.Len() {
			d.data = append(d.data, list.Get(n).Bytes())
		}
	} else {
		d.data = [][]byte{m.Get(data).Bytes()}
	}
	return d
}
