package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A compiled input is what is known of its rules.
type compiled struct {
	in      *input
	table   *policy.Table   // nil if the rules do not compile
	rules   []*policy.Rule  // of the methods without a fault, sorted
	faults  []*policy.Fault // of the rules
	unknown []*undescribed  // services that have a fault each, as nobody can tell their rules
	faulty  map[string]bool // the methods and services that have faults
}

// options returns the options in the flags.
func options(c *cli.Command, s *selection) []policy.Option {
	options := []policy.Option{policy.WithPublic(s.public...), policy.WithSharedScopes(c.StringSlice("shared-scope")...)}
	if c.IsSet("audience") {
		options = append(options, policy.WithAudience(c.String("audience")))
	}
	return options
}

// compileAll compiles an input with the options in the flags. What does not compile is in the result,
// beside the rules of [policy.Error].
func compileAll(c *cli.Command, in *input, s *selection) (*compiled, error) {
	a := &compiled{in: in, unknown: in.unknown, faulty: map[string]bool{}}
	if in.chosen {
		faults := new(policy.Error)
		table, err := policy.Compile(in.files, options(c, s)...)
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

// compile is compileAll without the rules of methods with faults. If an option itself has a fault, there
// are no rules: they would mean something else.
func compile(c *cli.Command, in *input, s *selection) (*compiled, error) {
	a, err := compileAll(c, in, s)
	if err != nil {
		return nil, err
	}
	ofOption := func(fault *policy.Fault) bool { return fault.Kind == policy.FaultOption }
	if a.rules = slices.DeleteFunc(a.rules, a.isFaulty); slices.ContainsFunc(a.faults, ofOption) {
		a.rules = nil
	}
	return a, nil
}

// compileSome is compile, and fails if nothing compiles.
func compileSome(c *cli.Command, in *input, s *selection) (*compiled, error) {
	a, err := compile(c, in, s)
	if err == nil && len(a.rules) == 0 {
		err = a.err()
	}
	return a, err
}

// compileOne compiles the rule of one method, which has no fault, as if there were no others.
func compileOne(c *cli.Command, in *input, s *selection, rule *policy.Rule) (*policy.Table, error) {
	if err := in.link(func(service, method string) bool { return "/"+service+"/"+method == rule.Procedure }); err != nil {
		return nil, err
	}
	table, err := policy.Compile(in.files, options(c, s)...)
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

// missing returns the procedures that have no rule, for their faults, sorted: "/pkg.Service/*" for a
// service whose methods are not known, or that has a fault and no methods.
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

// err is nil, or the end of a command that has printed what it knows.
func (a *compiled) err() error {
	title := "the rules do not compile"
	if n := len(a.rules); n > 0 {
		title += ": the answer is about the " + count(n, "rule that does", "rules that do")
	}
	return a.describe(title, all)
}

// all wants each subject.
func all(string) bool { return true }

// errOf is the error for a single procedure, or nil if neither it nor an option has a fault.
func (a *compiled) errOf(procedure string) error {
	service, method, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
	return a.describe("the rules do not compile", func(subject string) bool {
		return subject == service || subject == service+"."+method
	})
}

// flagOf is the flag for one of policy's options.
var flagOf = map[string]string{"WithAudience": "-audience", "WithPublic": "-public", "WithSharedScopes": "-shared-scope"}

// hints say which flag stands for the option that a fault asks for.
var hints = []struct {
	kind policy.FaultKind
	text string
}{
	{policy.FaultAudienceMissing, "what the server gives to policy.WithAudience, give with -audience"},
	{policy.FaultScopeShared, "what the server gives to policy.WithSharedScopes, give with -shared-scope"},
	{policy.FaultRuleMissing, "give -public each service that the server names in policy.WithPublic, and -skip each service that it does not serve"},
}

// describe gives each fault of an option or of a subject that is wanted a line that begins with its place,
// and each service without a descriptor one. It returns nil if there are none.
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
		shown.Subject = cmp.Or(flagOf[fault.Subject], fault.Subject)
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
			lines = append(lines, errors.New("hint: "+hint.text))
		}
	}
	if lacking {
		lines = append(lines, errors.New("hint: the server lacks a file: import its generated Go package there, or give an image of buf build"))
	}
	return fmt.Errorf("%s: %w", a.in.name, errors.Join(append([]error{errors.New(title)}, lines...)...))
}
