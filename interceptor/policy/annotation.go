package policy

import (
	"cmp"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// methodRule returns the option (protoauthz.v1.method), or nil without the option.
func methodRule(method protoreflect.MethodDescriptor, seen *declarations) (*authzv1.MethodRule, error) {
	return read[*authzv1.MethodRule](method, new(descriptorpb.MethodOptions), authzv1.E_Method, seen.method)
}

// serviceRule returns the option (protoauthz.v1.service), or nil without the option.
func serviceRule(service protoreflect.ServiceDescriptor, seen *declarations) (*authzv1.ServiceRule, error) {
	return read[*authzv1.ServiceRule](service, new(descriptorpb.ServiceOptions), authzv1.E_Service, seen.service)
}

// A ruleMessage is the message of one of our options.
type ruleMessage interface {
	comparable
	proto.Message
}

// read returns one of our options, or nil if the file does not see its declaration.
func read[Rule ruleMessage](described protoreflect.Descriptor, into proto.Message, extension protoreflect.ExtensionType, d declaration) (rule Rule, err error) {
	var none Rule
	switch {
	case d.fault != nil:
		return none, d.fault
	case d.doubt == nil && !d.seen:
		return none, nil // an option with our number belongs to another package
	case d.doubt == nil:
		return decode[Rule](described.Options(), into, extension)
	}
	// Linked descriptors decode their options on demand, and panic if an option does not have the
	// type that is linked for its number.
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

// decode decodes options again, with our own extension type. So it finds the rule in
// descriptors of any origin: the rule may be a generated message, a dynamic message, or
// an unknown field, as in descriptors that were decoded without our package.
func decode[Rule ruleMessage](options, into proto.Message, extension protoreflect.ExtensionType) (none Rule, err error) {
	wire, err := proto.MarshalOptions{AllowPartial: true}.Marshal(options)
	if err != nil {
		return none, fmt.Errorf("encode options: %w", err)
	}
	// The resolver knows our option alone: other options need not be readable.
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
	// An option that is not encoded as a message stays an unknown field.
	if hasField(into.ProtoReflect().GetUnknown(), extension.TypeDescriptor().Number()) {
		return none, errors.New("decode options: the rule is not encoded as a message")
	}
	rule := proto.GetExtension(into, extension).(Rule) //nolint:errcheck // the type of our own extension; nil without the option
	return rule, checkKnown(rule.ProtoReflect())
}

// checkKnown returns an error for a field or a value of a newer version: a restriction
// that this version does not know must not be dropped.
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
		case field.IsList() && field.Kind() == protoreflect.MessageKind:
			for i := range value.List().Len() {
				err = cmp.Or(err, checkKnown(value.List().Get(i).Message()))
			}
		case field.Kind() == protoreflect.MessageKind:
			err = checkKnown(value.Message())
		}
		return err == nil
	})
	return err
}
