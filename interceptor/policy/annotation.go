package policy

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// methodRule reads the option (protoauthz.v1.method); nil means that there is
// none.
func methodRule(method protoreflect.MethodDescriptor, seen *declarations) (*authzv1.MethodRule, error) {
	return read[*authzv1.MethodRule](method, new(descriptorpb.MethodOptions), authzv1.E_Method, seen.method)
}

// serviceRule reads the option (protoauthz.v1.service); nil means that there is
// none.
func serviceRule(service protoreflect.ServiceDescriptor, seen *declarations) (*authzv1.ServiceRule, error) {
	return read[*authzv1.ServiceRule](service, new(descriptorpb.ServiceOptions), authzv1.E_Service, seen.service)
}

// A ruleMessage is the message of one of our options.
type ruleMessage interface {
	comparable
	proto.Message
}

// read reads one of our options, if the file of a method or service sees it.
func read[Rule ruleMessage](described protoreflect.Descriptor, into proto.Message, extension protoreflect.ExtensionType, d declaration) (rule Rule, err error) {
	var none Rule
	switch {
	case d.fault != nil:
		return none, d.fault
	case d.doubt == nil && !d.seen:
		return none, nil // whatever has our number is another package's
	case d.doubt == nil:
		return decode[Rule](described.Options(), into, extension)
	}
	// Linked descriptors decode their options when somebody asks for them, and panic if an option
	// is not of the type that has the number here.
	defer func() {
		if recover() != nil {
			rule, err = none, d.doubt
		}
	}()
	if found, err := decode[Rule](described.Options(), into, extension); err != nil || found != none {
		return none, d.doubt
	}
	return none, nil
}

// decode decodes options again, with our own extension type. However the
// descriptor came about, the rule is found: as a generated message, as a dynamic
// one, or among the unknown fields, where it stands when the descriptor was
// decoded without our package.
func decode[Rule ruleMessage](options, into proto.Message, extension protoreflect.ExtensionType) (none Rule, err error) {
	wire, err := proto.MarshalOptions{AllowPartial: true}.Marshal(options)
	if err != nil {
		return none, fmt.Errorf("encode options: %w", err)
	}
	// The resolver knows nothing but our option: others need not be readable.
	types := new(protoregistry.Types)
	if err := types.RegisterExtension(extension); err != nil {
		return none, fmt.Errorf("register options: %w", err)
	}
	if err := (proto.UnmarshalOptions{AllowPartial: true, Resolver: types}).Unmarshal(wire, into); err != nil {
		return none, fmt.Errorf("decode options: %w", err)
	}
	if message := into.ProtoReflect(); message.Has(message.Descriptor().Fields().ByName("uninterpreted_option")) {
		return none, errors.New("decode options: the compiler has left them uninterpreted")
	}
	// An option that is not encoded as a message stays unknown, and is an option all the same.
	if hasField(into.ProtoReflect().GetUnknown(), extension.TypeDescriptor().Number()) {
		return none, errors.New("decode options: the rule is not encoded as a message")
	}
	// Without the option it is nil.
	rule := proto.GetExtension(into, extension).(Rule) //nolint:errcheck // the type of our own extension: there is no other
	return rule, checkKnown(rule.ProtoReflect())
}

// checkKnown refuses what a newer version of the annotations may say: a
// restriction that is not understood must not be dropped.
func checkKnown(message protoreflect.Message) error {
	if len(message.GetUnknown()) > 0 {
		return fmt.Errorf("%s has fields that this version does not know: update the module", message.Descriptor().FullName())
	}
	var err error
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Kind() == protoreflect.EnumKind:
			if number := value.Enum(); field.Enum().Values().ByNumber(number) == nil {
				err = fmt.Errorf("%s is %d, which this version does not know: update the module", field.FullName(), number)
			}
		case field.Kind() == protoreflect.MessageKind: // the annotations have no list of messages
			err = checkKnown(value.Message())
		}
		return err == nil
	})
	return err
}
