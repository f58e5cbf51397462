package main

import (
	"errors"
	"fmt"
	"slices"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// required adds the fields of organizations, subjects and clients that protovalidate lets a request leave out. A request
// may leave out a field that some way of the rule does not read.
func (f findings) required(r ruleset) error {
	seen := map[protoreflect.FieldDescriptor]bool{}
	var validator protovalidator
	for _, rule := range r.rules {
		for _, named := range namedFields(rule) {
			field := named.path[len(named.path)-1]
			if seen[field] || !usesProtovalidate(field.ParentFile()) {
				continue
			}
			seen[field] = true
			refused, err := validator.refusesEmpty(field)
			if err != nil {
				return err
			}
			if !refused {
				f.add(named.id, r.fieldPlace(field, named.place), fmt.Sprintf("%s: protovalidate accepts a request that leaves out %s, which names the %s: "+
					"set (buf.validate.field).required", rule.Method.FullName(), field.FullName(), named.part))
			}
		}
	}
	return nil
}

// A namedField is a field of a request that must name the organization, the subject or the client.
type namedField struct {
	id    string            // of the rule of lint
	part  protoreflect.Name // the field of the annotation
	place policy.Place      // of the annotation
	path  []protoreflect.FieldDescriptor
}

// namedFields returns the fields that each way of a rule reads, as its first way names them.
func namedFields(rule *policy.Rule) []namedField {
	var common []namedField
	for i, way := range rule.Ways() {
		fields := fieldsOf(way)
		if i == 0 {
			common = fields
			continue
		}
		common = slices.DeleteFunc(common, func(named namedField) bool {
			return !slices.ContainsFunc(fields, func(other namedField) bool { return slices.Equal(named.path, other.path) })
		})
	}
	return common
}

func fieldsOf(way *policy.Way) []namedField {
	var fields []namedField
	if way.Organization != nil && way.Organization.Location == policy.LocationField {
		fields = append(fields, namedField{bufrules.OrganizationRequired, "organization", way.FieldPlace("organization"), way.Organization.Path()})
	}
	if way.Subject != nil {
		fields = append(fields, namedField{bufrules.SubjectRequired, "subject", way.FieldPlace("subject"), way.Subject.Path()})
	}
	if way.Client != nil {
		fields = append(fields, namedField{bufrules.SubjectRequired, "client", way.FieldPlace("client"), way.Client.Path()})
	}
	return fields
}

// fieldPlace returns the place of a field or, if the field belongs to another module, of the annotation that names it.
func (r ruleset) fieldPlace(field protoreflect.FieldDescriptor, annotation policy.Place) policy.Place {
	file := field.ParentFile()
	if !slices.Contains(r.own, file) {
		return annotation
	}
	return policy.Place{File: file, Path: file.SourceLocations().ByDescriptor(field).Path}
}

func usesProtovalidate(file protoreflect.FileDescriptor) bool {
	for i := range file.Imports().Len() {
		if file.Imports().Get(i).Path() == "buf/validate/validate.proto" {
			return true
		}
	}
	return false
}

// A protovalidator asks protovalidate, once for each question: protovalidate takes a good
// part of a millisecond to compile the rules of a message.
type protovalidator struct {
	validator protovalidate.Validator
	verdicts  map[question]bool
}

// A question is all that a verdict depends on.
type question struct {
	options        string // of field and message, encoded
	list, presence bool
}

// refusesEmpty reports whether protovalidate refuses a message because the field is left
// out. Other faults of the message do not count. Rules of the field that protovalidate
// cannot compile refuse nothing.
func (p *protovalidator) refusesEmpty(field protoreflect.FieldDescriptor) (bool, error) {
	if p.validator == nil {
		validator, err := protovalidate.New()
		if err != nil {
			return false, err
		}
		p.validator, p.verdicts = validator, map[question]bool{}
	}
	var options []byte
	for _, o := range []proto.Message{field.Options(), field.ContainingMessage().Options()} {
		encoded, err := proto.MarshalOptions{AllowPartial: true, Deterministic: true}.Marshal(o)
		if err != nil {
			return false, err
		}
		options = protowire.AppendBytes(options, encoded)
	}
	key := question{string(options), field.IsList(), field.HasPresence()}
	refused, ok := p.verdicts[key]
	if !ok {
		only := protovalidate.FilterFunc(func(_ protoreflect.Message, d protoreflect.Descriptor) bool { return d == field })
		_, refused = errors.AsType[*protovalidate.ValidationError](
			p.validator.Validate(dynamicpb.NewMessage(field.ContainingMessage()), protovalidate.WithFilter(only)))
		p.verdicts[key] = refused
	}
	return refused, nil
}
