package main

import (
	"context"
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

// selectionOf returns the options of the document for the services of a side: the others belong to another table.
func (f *findings) selectionOf(has func(service string) bool) *selection {
	s := &selection{deployment: *f.document, hasAudience: true, document: f.document, file: f.file, met: map[string]bool{}}
	for _, o := range options {
		if list := o.list(&s.deployment); !o.scopes {
			*list = slices.DeleteFunc(slices.Clone(*list), func(name string) bool { return !has(name) })
		}
	}
	return s
}

// checkServer checks a server alone.
func (f *findings) checkServer(ctx context.Context, server string, headers []string) (*side, error) {
	r, err := reflect(ctx, server, headers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", inputName(server), err)
	}
	f.about = append(f.about, inputName(server))
	s, err := f.serverSide(server, r)
	if err != nil {
		return nil, err
	}
	s.open = f.checkReflection(server, headers)
	f.checkHealth(ctx, server, s)
	f.checkSide(s, "lists")
	return s, nil
}

// serverSide compiles what a server lists.
func (f *findings) serverSide(server string, r *reflected) (*side, error) {
	s := &side{name: inputName(server), services: map[string]bool{}}
	for service := range r.services {
		s.services[service] = true
	}
	chosen := f.selectionOf(func(service string) bool { return s.services[service] })
	in, err := servedInput(server, r, chosen)
	if errors.Is(err, errNoServices) {
		return s, nil
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	s.compiled, err = compileAll(in, chosen)
	return s, err
}

// inputSide compiles an image.
func (f *findings) inputSide(argument string, data []byte) (*side, error) {
	s := &side{name: inputName(argument), services: map[string]bool{}}
	set, err := readImage(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	for _, file := range set.GetFile() {
		for _, service := range file.GetService() {
			s.services[string(serviceName(file, service))] = true
		}
	}
	chosen := f.selectionOf(s.has)
	in, err := imageInput(s.name, set, chosen)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	for service := range s.services {
		s.services[service] = in.left[service] == ""
	}
	s.compiled, err = compileAll(in, chosen)
	return s, err
}

// has reports whether a side has a service, perhaps in an imported file.
func (s *side) has(service string) bool {
	_, has := s.services[service]
	return has
}

// checkSide finds services without rules, and rules that do not compile with the options of the document.
func (f *findings) checkSide(s *side, verb string) {
	if s.compiled == nil {
		return
	}
	for _, u := range s.compiled.unknown {
		f.addUnruled(s.name, verb, u.service, "without a descriptor")
	}
	bare := s.compiled.bare()
	for _, service := range slices.Sorted(maps.Keys(bare)) {
		if !s.open || !strings.HasPrefix(service, reflectionPackage) {
			f.addUnruled(s.name, verb, service, "which has no rules")
		}
	}
	for _, fault := range s.compiled.faults {
		subject := fault.Subject
		if member := memberOf(f.document, fault); member != "" {
			see := ""
			if fault.Place.File != nil {
				see = ": see " + s.name
			}
			f.add(f.document.Place(member), "%s: %s (%s)%s", member, detailOf(f.document, fault), fault.Kind, see)
			continue
		}
		service := subject[:max(strings.LastIndexByte(subject, '.'), 0)]
		if fault.Kind == policy.FaultRuleMissing && bare[service] {
			continue
		}
		if place := fault.Place.String(); place != "" {
			subject = place + ": " + subject
		}
		f.add(s.name, "with %s, no server starts: %s: %s (%s)", f.file, subject, fault.Detail, fault.Kind)
	}
}

// addUnruled adds a service that a guard refuses, or that no guard stands before.
func (f *findings) addUnruled(name, verb, service, why string) {
	f.add(name, "it %s %s, %s, and %s does not make it public: if everybody may call it, write it in public; if not, annotate its methods, or do not serve it", verb, service, why, f.file)
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

// checkForm finds what keeps a server from reading the document, or from starting with it, and which rules are not
// enforced.
func (f *findings) checkForm(content []byte) {
	if !isJSON(content) {
		f.add(lineOf(f.file, 1), "the document is YAML, and a server reads JSON: write it in JSON")
	}
	if len(f.document.Issuers) == 0 {
		f.note(f.document.Place("issuers"), `issuers is empty or missing, so that a server with these issuers does not start: write one, such as {"preset": ["logto", "https://tenant.logto.app"]}`)
	}
	for n, name := range f.document.Shadow {
		f.note(f.document.Place(fmt.Sprintf("shadow[%d]", n)), "rules of %s are not enforced", name)
	}
	for n, name := range f.document.UnannotatedOpen {
		f.note(f.document.Place(fmt.Sprintf("unannotatedOpen[%d]", n)), "everybody may call the methods of %s that have no annotation", name)
	}
}

// checkDocument finds faults of the document that need no descriptors. Compile finds the faults: it gets a file without
// services, since Compile takes no less than a file.
func (f *findings) checkDocument() {
	_, err := policy.Compile(policy.Files{authzv1.File_protoauthz_v1_authz_proto}, f.selectionOf(func(service string) bool {
		return !protoreflect.FullName(service).IsValid() || slices.Contains(f.document.Public, service)
	}).options()...)
	faults := new(policy.Error)
	errors.As(err, &faults)
	for _, fault := range faults.Faults {
		if member := memberOf(f.document, fault); member != "" { // the file lacks methods, too
			f.add(f.document.Place(member), "%s: %s (%s)", member, detailOf(f.document, fault), fault.Kind)
		}
	}
}

const reflectionPackage = "grpc.reflection."

// checkReflection finds that a server answers everybody who asks for its services.
func (f *findings) checkReflection(server string, headers []string) (open bool) {
	u, err := url.Parse(server)
	public := slices.Contains(f.document.Public, grpcreflect.ReflectV1ServiceName) || slices.Contains(f.document.Public, grpcreflect.ReflectV1AlphaServiceName)
	if public || len(headers) > 0 || err != nil || u.User != nil {
		return false
	}
	f.addOpen(server, grpcreflect.ReflectV1ServiceName)
	return true
}

// checkDeployed finds what servers and INPUT do not have in common.
func (f *findings) checkDeployed(servers []*side, input *side) {
	listed := map[string]bool{}
	for _, s := range servers {
		for service := range s.services {
			listed[service] = true
			if !input.services[service] && !slices.Contains(f.document.Public, service) {
				f.add(s.name, "it lists %s, which %s does not declare: build %[2]s of all modules", service, input.name)
			}
		}
		if s.compiled.isVoid() || input.compiled.isVoid() {
			continue
		}
		common := func(rules []*policy.Rule) []*policy.Rule {
			var both []*policy.Rule
			for _, rule := range rules {
				if service, _, _ := strings.Cut(rule.Procedure[1:], "/"); s.services[service] && input.services[service] && !slices.Contains(f.document.Public, service) {
					both = append(both, rule)
				}
			}
			return both
		}
		for _, change := range policydiff.Compare(asEnforced(common(s.compiled.rules)), asEnforced(common(input.compiled.rules))) {
			switch {
			case change.Old == nil && !s.compiled.isFaulty(change.New):
				f.add(s.name, "it lacks %s of %s: deploy the server", change.Procedure(), input.name)
			case change.New == nil && !input.compiled.isFaulty(change.Old):
				f.add(s.name, "it has %s, which %s lacks: deploy the server", change.Procedure(), input.name)
			case change.Old != nil && change.New != nil:
				f.add(s.name, "its rule of %s is not the rule of %s, by which %s: deploy the server", change.Procedure(), input.name, change.Detail)
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(input.services)) {
		if input.services[service] && !listed[service] && !slices.Contains(f.document.Public, service) {
			f.add(input.name, "no server lists %s, which it declares: deploy the server, or check the server that serves it too", service)
		}
	}
}
