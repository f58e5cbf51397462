package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A compiled input holds its rules and faults.
type compiled struct {
	in        *input
	selection *selection
	table     *policy.Table   // nil if the rules do not compile
	rules     []*policy.Rule  // of the methods without a fault, sorted
	faults    []*policy.Fault // of the rules
	unknown   []*undescribed  // services whose rules nobody can tell: each counts as a fault
	faulty    map[string]bool // the methods and services that have faults
}

// compileAll compiles an input with the options of the selection. If rules do not compile, the result
// holds the faults, and the rules of [policy.Error].
func compileAll(in *input, s *selection) (*compiled, error) {
	a := &compiled{in: in, selection: s, unknown: in.unknown, faulty: map[string]bool{}}
	if in.chosen {
		faults := new(policy.Error)
		table, err := policy.Compile(in.files, s.options()...)
		if err != nil && !errors.As(err, &faults) {
			return nil, fmt.Errorf("%s: %w", in.name, err)
		}
		if a.table, a.faults, a.rules = table, faults.Faults, faults.Rules; table != nil {
			a.rules = table.Rules()
		}
	}
	for _, fault := range a.faults {
		a.faulty[fault.Subject] = true
	}
	for _, u := range a.unknown {
		a.faulty[u.service] = true
	}
	return a, nil
}

// compile is compileAll without the rules of methods with faults. If an option has a fault, there are no
// rules, as they would be other rules without the option.
func compile(in *input, s *selection) (*compiled, error) {
	a, err := compileAll(in, s)
	if err != nil {
		return nil, err
	}
	a.dropFaulty()
	return a, nil
}

// dropFaulty drops the rules of methods with faults, and all rules if an option has a fault.
func (a *compiled) dropFaulty() {
	ofOption := func(fault *policy.Fault) bool { return fault.Kind == policy.FaultOption }
	if a.rules = slices.DeleteFunc(a.rules, a.isFaulty); slices.ContainsFunc(a.faults, ofOption) {
		a.rules = nil
	}
}

// compileSome is compile, and fails if nothing compiles, or if the document lacks subjectIssuer.
func compileSome(in *input, s *selection) (*compiled, error) {
	a, err := compileAll(in, s)
	if err != nil {
		return nil, err
	}
	a.addLackingIssuer()
	if a.dropFaulty(); len(a.rules) == 0 {
		return a, a.err()
	}
	return a, nil
}

// compileOne compiles the rule of one method without a fault, as if there were no other methods and no shadow.
func compileOne(in *input, s *selection, rule *policy.Rule) (*policy.Table, error) {
	one := &selection{hasAudience: s.hasAudience}
	one.deployment.Audience, one.deployment.SharedScopes, one.deployment.Public = s.deployment.Audience, s.deployment.SharedScopes, s.deployment.Public
	one.deployment.SubjectIssuer = s.deployment.SubjectIssuer
	switch {
	case rule.Unannotated && rule.Public: // which is a fault beside no annotated method
		service := string(rule.Method.Parent().FullName())
		one.deployment.UnannotatedOpen = []string{service}
		in.publish(service, string(rule.Method.Name()))
	case rule.Unannotated:
		one.deployment.UnannotatedRefused = []string{string(rule.Method.Parent().FullName())}
	}
	if err := in.link(func(service, method string) bool {
		return "/"+service+"/"+method == rule.Procedure || slices.Contains(one.deployment.UnannotatedOpen, service)
	}); err != nil {
		return nil, err
	}
	table, err := policy.Compile(in.files, one.options()...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.name, err)
	}
	return table, nil
}

// isFaulty reports whether a rule, perhaps of another version, belongs to a method with a fault.
func (a *compiled) isFaulty(rule *policy.Rule) bool {
	service, method, _ := strings.Cut(strings.TrimPrefix(rule.Procedure, "/"), "/")
	return a.faulty[service] || a.faulty[service+"."+method]
}

// missing returns the procedures that have faults and no rule, sorted: "/pkg.Service/*" for a service
// whose methods are not known, or that has a fault and no methods.
func (a *compiled) missing() []string {
	there, missing := map[string]bool{}, []string{}
	for _, rule := range a.rules {
		there[rule.Procedure] = true
	}
	for _, file := range a.in.files {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			if service.Methods().Len() == 0 && a.faulty[string(service.FullName())] {
				missing = append(missing, "/"+string(service.FullName())+"/*")
			}
			for j := range service.Methods().Len() {
				if procedure := "/" + string(service.FullName()) + "/" + string(service.Methods().Get(j).Name()); !there[procedure] {
					missing = append(missing, procedure)
				}
			}
		}
	}
	for _, u := range a.unknown {
		missing = append(missing, "/"+u.service+"/*")
	}
	slices.Sort(missing)
	return missing
}

// err returns the error of a command that has printed all rules that compile, or nil without faults.
func (a *compiled) err() error {
	title := "the rules do not compile"
	if n := len(a.rules); n > 0 {
		title += ": the answer has " + count(n, "rule that does", "rules that do")
	}
	return a.describe(title, all)
}

// all accepts each subject.
func all(string) bool { return true }

// errOf is the error for a single procedure, or nil if neither it nor an option has a fault.
func (a *compiled) errOf(procedure string) error {
	service, method, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
	return a.describe("the rules do not compile", func(subject string) bool {
		return subject == service || subject == service+"."+method
	})
}

// hints name the flag for the option that a fault asks for.
var hints = []struct {
	kind           policy.FaultKind
	flag, document string // without and with a document, whose name the text gets
}{
	{policy.FaultAudienceMissing, "give -audience the audience that the server gives to policy.WithAudience", "write audience in %s"},
	{policy.FaultScopeShared, "give -shared-scope each scope that the server gives to policy.WithSharedScopes", "write each scope that two models share on purpose in sharedScopes of %s"},
	{policy.FaultRuleMissing, "give -public, -unannotated-refused or -unannotated-open each service that the server gives to the policy option of the same name; give -skip each service that the server does not serve", "write a service without annotations in public of %s, if everybody may call it, and a service that is annotated in part in unannotatedRefused or unannotatedOpen; give -skip each service that the server does not serve"},
}

// describe returns an error with a line for each fault of an option, for each fault of a wanted subject, and
// for each wanted service without a descriptor. It returns nil without such a fault.
func (a *compiled) describe(title string, wanted func(subject string) bool) error {
	var lines []error
	kinds, lacking := map[policy.FaultKind]bool{}, false
	for _, fault := range a.faults {
		if fault.Kind != policy.FaultOption && !wanted(fault.Subject) {
			continue
		}
		kinds[fault.Kind] = true
		lacking = lacking || a.in.served && a.in.missing && strings.Contains(fault.Detail, "give the image with its imports")
		shown := *fault
		shown.Subject = flagOf(fault.Subject)
		if subject := a.selection.subject(fault); subject != "" {
			lines = append(lines, fmt.Errorf("%s: %s (%s)", subject, detailOf(a.selection.document, fault), fault.Kind))
			continue
		}
		if place := terminal.Escape(fault.Place.String()); place != "" {
			lines = append(lines, fmt.Errorf("%s: %w", place, &shown))
		} else {
			lines = append(lines, &shown)
		}
	}
	for _, u := range a.unknown {
		if wanted(u.service) {
			kinds[policy.FaultRuleMissing] = true
			lines = append(lines, u)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	for _, hint := range hints {
		if kinds[hint.kind] {
			text := hint.flag
			if a.selection.document != nil {
				text = fmt.Sprintf(hint.document, a.selection.file)
			}
			lines = append(lines, errors.New("hint: "+text))
		}
	}
	if lacking {
		lines = append(lines, errors.New("hint: the server lacks a file: import its generated Go package there, or give an image of buf build"))
	}
	return fmt.Errorf("%s: %w", a.in.name, errors.Join(append([]error{errors.New(title)}, lines...)...))
}
