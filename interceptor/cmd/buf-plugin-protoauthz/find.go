package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/descriptor"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"pluginrpc.com/pluginrpc"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/fileset"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// find compiles what the request asks about, and what to compare it with. Its
// error is about the configuration, and ends the run whatever rules are in use.
func find(request check.Request) (findings, error) {
	config, configErr := readConfig(request.Options())
	now, err := compile(request.FileDescriptors(), config, config.public)
	if err != nil {
		return nil, err
	}
	found := findings{}
	if err := errors.Join(configErr, found.faults(now)); err != nil {
		return nil, pluginrpc.NewError(pluginrpc.CodeInvalidArgument, err)
	}
	found.kept(now, config)
	if err := found.required(now); err != nil {
		return nil, err
	}
	if files := request.AgainstFileDescriptors(); len(files) > 0 {
		// Not WithPublic: what a service said for itself must be seen, although it is
		// opened by name now.
		old, err := compile(files, config, nil)
		if err != nil {
			return nil, err
		}
		found.changes(old, now)
	}
	return found, nil
}

// A version is what is known of the rules of one module at one time.
type version struct {
	own    []protoreflect.FileDescriptor // the files of the module
	files  policy.Files                  // those of them that declare methods
	rules  []*policy.Rule
	faults []*policy.Fault
}

// compile compiles the files that belong to the module and declare methods.
func compile(files []descriptor.FileDescriptor, c config, public []string) (v version, err error) {
	set := new(descriptorpb.FileDescriptorSet)
	for _, file := range files {
		set.File = append(set.File, file.FileDescriptorProto())
	}
	// Those of bufplugin find what is imported for options by chance.
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

// hints say what a fault's own words, made for the server, do not.
var hints = map[policy.FaultKind]string{
	policy.FaultRuleMissing:     "; a service that cannot be annotated is opened by the option " + optionPublic + " of this plugin in buf.yaml",
	policy.FaultAudienceMissing: "; here it comes from the option " + optionAudience + " of this plugin in buf.yaml",
	policy.FaultScopeShared:     "; here that is the option " + optionSharedScopes + " of this plugin in buf.yaml",
}

// faults reports what does not compile. What has no place in the module, or no
// rule, is the error: no fault may get lost.
func (f findings) faults(v version) error {
	var errs []error
	for _, fault := range v.faults {
		id, subject := ruleID(fault.Kind), fault.Subject
		if option, ok := optionOf[subject]; ok {
			subject = "option " + option
		}
		known := slices.ContainsFunc(lintRules, func(r rule) bool { return r.id == id })
		if known && slices.Contains(v.files, fault.Place.File) {
			f.add(id, fault.Place, subject+": "+fault.Detail+hints[fault.Kind])
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %s", subject, fault.Detail))
	}
	return errors.Join(errs...)
}
