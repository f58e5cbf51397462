package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/visible"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// An answer is what is known of the rules of an input.
type answer struct {
	table *policy.Table  // nil if the rules do not compile
	rules []*policy.Rule // of the methods without a fault, sorted
	// faults are nil, or the end of a command that has printed what it knows.
	faults error

	faulty map[string]bool // the methods and services that have faults
}

// options returns the options in the flags.
func options(c *cli.Command, s *selection) []policy.Option {
	options := []policy.Option{policy.WithPublic(s.public...), policy.WithSharedScopes(c.StringSlice("shared-scope")...)}
	if c.IsSet("audience") {
		options = append(options, policy.WithAudience(c.String("audience")))
	}
	return options
}

// compile compiles an input with the options in the flags. The error is nil if anything compiles; what
// does not is in the answer. A fault of the options themselves is an error: the rules would mean
// something else.
func compile(c *cli.Command, in *input, s *selection) (*answer, error) {
	a := &answer{faulty: map[string]bool{}}
	faults := new(policy.Error)
	if in.chosen {
		table, err := policy.Compile(in.files, options(c, s)...)
		if err != nil && !errors.As(err, &faults) {
			return nil, fmt.Errorf("%s: %w", in.name, err)
		}
		if a.table = table; table != nil {
			a.rules = table.Rules()
		}
	}
	if len(faults.Faults)+len(in.unknown) == 0 {
		return a, nil
	}
	for _, fault := range faults.Faults {
		a.faulty[fault.Subject] = true
	}
	for _, u := range in.unknown {
		a.faulty[u.service] = true
	}
	if !slices.ContainsFunc(faults.Faults, func(fault *policy.Fault) bool { return fault.Kind == policy.FaultOption }) {
		a.rules = slices.DeleteFunc(append(a.rules, faults.Rules...), a.isFaulty)
	}
	a.faults = fmt.Errorf("%s: %w", in.name, describe(faults, in.unknown, len(a.rules)))
	if len(a.rules) == 0 {
		return nil, a.faults
	}
	return a, nil
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

// isFaulty reports whether a rule, perhaps of another version, is that of a method with a fault.
func (a *answer) isFaulty(rule *policy.Rule) bool {
	service, method, _ := strings.Cut(strings.TrimPrefix(rule.Procedure, "/"), "/")
	return a.faulty[service] || a.faulty[service+"."+method]
}

// hints say which flag stands for the option that a fault asks for.
var hints = []struct {
	kind policy.FaultKind
	text string
}{
	{policy.FaultAudienceMissing, "what the server gives to policy.WithAudience, give with -audience"},
	{policy.FaultScopeShared, "what the server gives to policy.WithSharedScopes, give with -shared-scope"},
	{policy.FaultRuleMissing, "what the server gives to policy.WithPublic, give with -public; services that it does not serve, leave out with -skip"},
}

// describe gives each fault a line that begins with its place, and each service without a descriptor
// one.
func describe(faults *policy.Error, unknown []*undescribed, rules int) error {
	title := "the rules do not compile"
	if rules > 0 {
		title += ": the answer is about the " + count(rules, "rule that does", "rules that do")
	}
	lines := []error{errors.New(title)}
	kinds := map[policy.FaultKind]bool{}
	for _, fault := range faults.Faults {
		kinds[fault.Kind] = true
		if place := visible.Text(fault.Place.String()); place != "" {
			lines = append(lines, fmt.Errorf("%s: %w", place, fault))
		} else {
			lines = append(lines, fault)
		}
	}
	for _, u := range unknown {
		kinds[policy.FaultRuleMissing] = true
		lines = append(lines, u)
	}
	for _, hint := range hints {
		if kinds[hint.kind] {
			lines = append(lines, errors.New("hint: "+hint.text))
		}
	}
	return errors.Join(lines...)
}
