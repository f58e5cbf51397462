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

// A ruleset holds the rules and faults of one version of a module.
type ruleset struct {
	own    []protoreflect.FileDescriptor // the files of the module
	files  policy.Files                  // the files of the module that declare methods
	rules  []*policy.Rule
	faults []*policy.Fault
}

// compile compiles the files that belong to the module and declare methods.
func compile(files []descriptor.FileDescriptor, c config, named services) (r ruleset, err error) {
	set := new(descriptorpb.FileDescriptorSet)
	for _, file := range files {
		set.File = append(set.File, file.FileDescriptorProto())
	}
	// The descriptors of bufplugin find imports for options only by chance.
	linked, _, err := fileset.Link(set) // policy reports a missing file if a rule needs the file
	if err != nil {
		return r, err
	}
	for _, file := range files {
		if file.IsImport() {
			continue
		}
		proto, err := linked.FindFileByPath(file.FileDescriptorProto().GetName())
		if err != nil {
			return r, err
		}
		r.own = append(r.own, proto)
		if declaresMethods(proto) {
			r.files = append(r.files, proto)
		}
	}
	compiled := r.files
	switch {
	case len(r.own) == 0, len(r.files)+len(named.public) == 0:
		return r, nil
	case len(r.files) == 0: // services of the option public may have been in files that are deleted
		compiled = r.own
	}
	slices.SortFunc(compiled, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	table, err := policy.Compile(compiled, append(c.compile(), policy.WithPublic(named.public...),
		policy.WithUnannotatedRefused(r.among(named.unannotatedRefused)...), policy.WithUnannotatedOpen(r.among(named.unannotatedOpen)...))...)
	if faulty, ok := errors.AsType[*policy.Error](err); ok {
		r.rules, r.faults = faulty.Rules, faulty.Faults
		return r, nil
	}
	r.rules = table.Rules()
	return r, nil
}

// compileOld compiles the old version, without the services of the options: they may have had other rules. But a method
// without annotation was refused if unannotated_refused names its service, or if the service was annotated in part and
// unannotated_open does not name it: no server starts without one of the two choices.
func compileOld(files []descriptor.FileDescriptor, c config) (ruleset, error) {
	old, err := compile(files, c, services{})
	if err != nil {
		return old, err
	}
	refused := slices.Clone(c.services.unannotatedRefused)
	for _, rule := range old.rules {
		if service := string(rule.Method.Parent().FullName()); !slices.Contains(c.services.unannotatedOpen, service) {
			refused = append(refused, service)
		}
	}
	return compile(files, c, services{unannotatedRefused: refused})
}

// among leaves out the names of services that the module does not declare: they may belong to another module. It leaves
// other names for policy to refuse.
func (r ruleset) among(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		full := protoreflect.FullName(name)
		return full.IsValid() && !slices.ContainsFunc(r.files, func(file protoreflect.FileDescriptor) bool {
			service := file.Services().ByName(full.Name())
			return service != nil && service.FullName() == full
		})
	})
}

func declaresMethods(file protoreflect.FileDescriptor) bool {
	for i := range file.Services().Len() {
		if file.Services().Get(i).Methods().Len() > 0 {
			return true
		}
	}
	return false
}

// faultOf returns the fault of a method of the old version, or nil if the method was
// deleted.
func (r ruleset) faultOf(method protoreflect.MethodDescriptor) *policy.Fault {
	for _, fault := range r.faults {
		if name := protoreflect.FullName(fault.Subject); name == method.FullName() || name == method.Parent().FullName() && r.declares(method) {
			return fault
		}
	}
	return nil
}

func (r ruleset) declares(method protoreflect.MethodDescriptor) bool {
	for _, file := range r.files {
		if service := file.Services().ByName(method.Parent().Name()); service != nil && service.FullName() == method.Parent().FullName() {
			return service.Methods().ByName(method.Name()) != nil
		}
	}
	return false
}
