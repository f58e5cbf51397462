package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// A side is a server or INPUT, with its services and rules.
type side struct {
	name     string
	services map[string]bool // that it lists or declares
	compiled *compiled       // nil without services
	open     bool            // it answers reflection to everybody, and the document does not say so
}

// options returns the document's options for the services of a side: the others belong to another table.
func (d *config) options(has func(service string) bool) *selection {
	here := func(services []string) []string {
		return slices.DeleteFunc(slices.Clone(services), func(name string) bool { return !has(name) })
	}
	return &selection{
		config: d, audience: &d.Audience, sharedScopes: d.SharedScopes, public: here(d.Public), shadow: here(d.Shadow),
		unannotatedRefused: here(d.UnannotatedRefused), unannotatedOpen: here(d.UnannotatedOpen), met: map[string]bool{},
	}
}

// serverSide compiles what a server lists.
func (d *config) serverSide(server string, r *reflected) (*side, error) {
	s := &side{name: inputName(server), services: map[string]bool{}}
	for service := range r.services {
		s.services[service] = true
	}
	chosen := d.options(func(service string) bool { return s.services[service] })
	in, err := servedInput(server, r, chosen)
	if err != nil {
		if errors.Is(err, errNoServices) {
			return s, nil
		}
		return s, fmt.Errorf("%s: %w", s.name, err)
	}
	s.compiled, err = compileAll(in, chosen)
	return s, err
}

// inputSide compiles an image.
func (d *config) inputSide(argument string, data []byte) (*side, error) {
	s := &side{name: inputName(argument), services: map[string]bool{}}
	set, err := readImage(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	declared := map[string]bool{}
	for _, file := range set.GetFile() {
		for _, service := range file.GetService() {
			declared[string(serviceName(file, service))] = true
		}
	}
	chosen := d.options(func(service string) bool { return declared[service] })
	in, err := imageInput(s.name, data, chosen)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	for service := range declared {
		s.services[service] = in.left[service] == ""
	}
	s.compiled, err = compileAll(in, chosen)
	return s, err
}

// rules finds services without rules, and rules that do not compile with the options of the document.
func (f *findings) rules(s *side, d *config, verb string) {
	if s.compiled == nil {
		return
	}
	for _, u := range s.compiled.unknown {
		f.unruled(s.name, verb, u.service, "without a descriptor", d)
	}
	bare := s.compiled.bare()
	for _, service := range slices.Sorted(maps.Keys(bare)) {
		if !s.open || !strings.HasPrefix(service, reflectionPackage) {
			f.unruled(s.name, verb, service, "which has no rules", d)
		}
	}
	for _, fault := range s.compiled.faults {
		subject := fault.Subject
		if member, line := s.compiled.selection.placeOf(fault); line > 0 {
			see := ""
			if fault.Place.File != nil {
				see = ": see " + s.name
			}
			f.add(d.name, line, "%s: %s (%s)%s", member, inDocument.Replace(fault.Detail), fault.Kind, see)
			continue
		}
		service := subject[:max(strings.LastIndexByte(subject, '.'), 0)]
		if fault.Kind == policy.FaultRuleMissing && bare[service] {
			continue
		}
		if place := fault.Place.String(); place != "" {
			subject = place + ": " + subject
		}
		f.add(s.name, 0, "with %s, no server starts: %s: %s (%s)", d.name, subject, fault.Detail, fault.Kind)
	}
}

// unruled adds a service that a guard refuses, or that no guard stands before.
func (f *findings) unruled(name, verb, service, why string, d *config) {
	f.add(name, 0, "it %s %s, %s, and %s does not make it public: if everybody may call it, write it in public; if not, annotate its methods, or do not serve it", verb, service, why, d.name)
}

// isVoid reports whether the rules cannot be compared: there are none, or a fault of an option makes them other rules.
func (a *compiled) isVoid() bool {
	return a == nil || slices.ContainsFunc(a.faults, func(fault *policy.Fault) bool { return fault.Kind == policy.FaultOption })
}

// bare returns the services none of whose methods has a rule.
func (a *compiled) bare() map[string]bool {
	missing, bare := map[string]bool{}, map[string]bool{}
	for _, fault := range a.faults {
		missing[fault.Subject] = missing[fault.Subject] || fault.Kind == policy.FaultRuleMissing
	}
	for _, file := range a.in.files {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			all := service.Methods().Len() > 0
			for j := range service.Methods().Len() {
				all = all && missing[string(service.Methods().Get(j).FullName())]
			}
			if all {
				bare[string(service.FullName())] = true
			}
		}
	}
	return bare
}

// document finds faults of the document that need no descriptors.
func (f *findings) document(d *config) {
	_, err := policy.Compile(policy.Files{authzv1.File_protoauthz_v1_authz_proto}, d.options(func(service string) bool {
		return !protoreflect.FullName(service).IsValid() || slices.Contains(d.Public, service)
	}).options()...)
	faults, _ := errors.AsType[*policy.Error](err)
	if faults == nil {
		return
	}
	for _, fault := range faults.Faults {
		member, line := (&selection{config: d, audience: &d.Audience}).placeOf(fault)
		if line == 0 && fault.Subject != "Compile" { // which lacks methods
			member, line = inDocument.Replace(fault.Subject), 1
		}
		if line > 0 {
			f.add(d.name, line, "%s: %s (%s)", member, inDocument.Replace(fault.Detail), fault.Kind)
		}
	}
}

const reflectionPackage = "grpc.reflection."

// reflection finds that a server answers everybody who asks for its services.
func (f *findings) reflection(server string, headers []string, d *config) (open bool) {
	u, err := url.Parse(server)
	public := slices.Contains(d.Public, grpcreflect.ReflectV1ServiceName) || slices.Contains(d.Public, grpcreflect.ReflectV1AlphaServiceName)
	if public || len(headers) > 0 || err != nil || u.User != nil {
		return false
	}
	f.add(inputName(server), 0, "it answers %s to everybody, and %s does not make it public: write it in public, or serve it behind the guard", grpcreflect.ReflectV1ServiceName, d.name)
	return true
}

// served finds names in the document that no server lists.
func (f *findings) served(servers []*side, d *config) {
	lists := func(service string) bool {
		return slices.ContainsFunc(servers, func(s *side) bool { return s.services[service] })
	}
	for _, list := range []struct {
		member   string
		services []string
	}{{"public", d.Public}, {"shadow", d.Shadow}, {"unannotatedRefused", d.UnannotatedRefused}, {"unannotatedOpen", d.UnannotatedOpen}} {
		for n, service := range list.services {
			path := fmt.Sprintf("%s[%d]", list.member, n)
			switch {
			case lists(service), strings.HasPrefix(service, "grpc."): // such as grpc.health.v1.Health, which few servers list
			case list.member == "public":
				f.note(d.name, d.lines.Of(path), "%s: no server lists %s", path, service)
			default:
				f.add(d.name, d.lines.Of(path), "%s: no server lists %s: remove the name, or check the server that serves it too", path, service)
			}
		}
	}
}

// deployed finds what servers and INPUT do not have in common.
func (f *findings) deployed(servers []*side, input *side, d *config) {
	listed := map[string]bool{}
	for _, s := range servers {
		for service := range s.services {
			listed[service] = true
			if !input.services[service] && !slices.Contains(d.Public, service) {
				f.add(s.name, 0, "it lists %s, which %s does not declare: build %[2]s of all modules", service, input.name)
			}
		}
		if s.compiled.isVoid() || input.compiled.isVoid() {
			continue
		}
		common := func(rules []*policy.Rule) []*policy.Rule {
			var both []*policy.Rule
			for _, rule := range rules {
				if service, _, _ := strings.Cut(rule.Procedure[1:], "/"); s.services[service] && input.services[service] && !slices.Contains(d.Public, service) {
					enforced := *rule
					enforced.Shadow = false // two rules in shadow would count as one
					both = append(both, &enforced)
				}
			}
			return both
		}
		for _, change := range policydiff.Compare(common(s.compiled.rules), common(input.compiled.rules)) {
			switch {
			case change.Old == nil && !s.compiled.isFaulty(change.New):
				f.add(s.name, 0, "it lacks %s of %s: deploy the server", change.Procedure(), input.name)
			case change.New == nil && !input.compiled.isFaulty(change.Old):
				f.add(s.name, 0, "it has %s, which %s lacks: deploy the server", change.Procedure(), input.name)
			case change.Old != nil && change.New != nil:
				f.add(s.name, 0, "its rule of %s is not the rule of %s, by which %s: deploy the server", change.Procedure(), input.name, change.Detail)
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(input.services)) {
		if input.services[service] && !listed[service] && !slices.Contains(d.Public, service) {
			f.add(input.name, 0, "no server lists %s, which it declares: deploy the server, or check the server that serves it too", service)
		}
	}
}
