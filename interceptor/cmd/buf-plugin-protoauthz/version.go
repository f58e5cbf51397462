package main

import (
	"errors"
	"slices"
	"strings"

	"buf.build/go/bufplugin/descriptor"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/fileset"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A version is what is known of the rules of one module at one time.
type version struct {
	own    []protoreflect.FileDescriptor // the files of the module
	files  policy.Files                  // the files of the module that declare methods
	rules  []*policy.Rule
	faults []*policy.Fault
}

// compile compiles the files that belong to the module and declare methods.
func compile(files []descriptor.FileDescriptor, c config, public []string) (v version, err error) {
	set := new(descriptorpb.FileDescriptorSet)
	for _, file := range files {
		set.File = append(set.File, file.FileDescriptorProto())
	}
	// The descriptors of bufplugin find what is imported for options by chance.
	linked, _, err := fileset.Link(set) // policy knows whether it matters that a file is missing
	if err != nil {
		return v, err
	}
	for _, file := range files {
		if file.IsImport() {
			continue
		}
		proto, err := linked.FindFileByPath(file.FileDescriptorProto().GetName())
		if err != nil {
			return v, err
		}
		v.own = append(v.own, proto)
		if declaresMethods(proto) {
			v.files = append(v.files, proto)
		}
	}
	services := v.files
	switch {
	case len(v.own) == 0, len(v.files)+len(public) == 0:
		return v, nil
	case len(v.files) == 0: // and some were, perhaps, that are only opened by name now
		services = v.own
	}
	slices.SortFunc(services, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	table, err := policy.Compile(services, append(c.compile(), policy.WithPublic(public...))...)
	if faulty, ok := errors.AsType[*policy.Error](err); ok {
		v.rules, v.faults = faulty.Rules, faulty.Faults
		return v, nil
	}
	v.rules = table.Rules()
	return v, nil
}

func declaresMethods(file protoreflect.FileDescriptor) bool {
	for i := range file.Services().Len() {
		if file.Services().Get(i).Methods().Len() > 0 {
			return true
		}
	}
	return false
}

// faultOf is the fault that has cost a method of the old version its rule, or nil if the
// method is not there any more.
func (v version) faultOf(method protoreflect.MethodDescriptor) *policy.Fault {
	for _, fault := range v.faults {
		if name := protoreflect.FullName(fault.Subject); name == method.FullName() || name == method.Parent().FullName() && v.declares(method) {
			return fault
		}
	}
	return nil
}

func (v version) declares(method protoreflect.MethodDescriptor) bool {
	for _, file := range v.files {
		if service := file.Services().ByName(method.Parent().Name()); service != nil && service.FullName() == method.Parent().FullName() {
			return service.Methods().ByName(method.Name()) != nil
		}
	}
	return false
}
