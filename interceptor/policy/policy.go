// Package policy compiles the rules in .proto files into a table of who may call
// what.
//
// [Compile] takes the descriptors of a server's services and reads the options
// (protoauthz.v1.method) and (protoauthz.v1.service). It returns a [Table] with one
// [Rule] for each procedure, or an [Error] with every [Fault] of the rules. Call it
// once, when the server starts. A procedure that was not compiled has no rule, and
// the guard refuses its calls.
//
// The package knows nothing of tokens and does no I/O. Linked descriptors and
// descriptors that a program builds (protodesc, dynamicpb) give the same rules, so
// that tools see what the server sees. Each [Fault] has its [Place] in the .proto
// file. Package policydiff compares two versions of the rules.
package policy

import (
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A Rule is what a caller of one procedure must have: the annotation of the method,
// filled in from the annotation of its service and from the options of [Compile].
//
// A Rule that a [Table] returns is a copy: a change of the copy changes no decision.
type Rule struct {
	// Procedure is the method's full name in the form "/pkg.Service/Method".
	Procedure string
	// Method is the annotated method. It is nil for a service of [WithPublic] whose
	// methods are not known.
	Method protoreflect.MethodDescriptor
	// Unannotated means that the method has no annotation, and that an option of [Compile]
	// covers the method: [WithUnannotatedOpen] if the rule is Public, or
	// [WithUnannotatedRefused] if every call is refused. All fields below are then empty,
	// but for Public and Shadow.
	Unannotated bool
	// Shadow means that the rule is judged and observed, and not enforced (see [WithShadow]).
	// It is false if the rule is Public.
	Shadow bool
	// Public means that the method needs no token. All fields below are then empty.
	Public bool
	// Scopes must all be granted.
	Scopes []string
	// AnyScopes are alternatives: one of them must be granted, unless the list is
	// empty. With neither Scopes nor AnyScopes, any token of the model will do.
	AnyScopes []string
	// Caller is the kind of caller that the token must be for.
	Caller authzv1.Caller
	// Model is the permission model. It is never MODEL_UNSPECIFIED unless Public or
	// Unannotated.
	Model authzv1.Model
	// Audience is the resource indicator (RFC 8707) of the API. It may be empty
	// for MODEL_ORGANIZATION, whose audience is the organization.
	Audience string
	// Organization is where the request must name the organization of the token. It
	// is nil exactly if the rule is Public, Unannotated or of MODEL_GLOBAL_RESOURCE.
	Organization *Organization

	inherited []protoreflect.Name // the fields that come from the service
}

// A Table holds the rule of every procedure. It is immutable and safe for
// concurrent use. The zero Table has no rules, so that the guard refuses every call.
type Table struct {
	rules    map[string]*Rule // by procedure
	audience string
}

// Audience returns the resource indicator of [WithAudience], or "" without the option.
// The audience that a rule requires is [Rule.Audience].
func (t *Table) Audience() string { return t.audience }

// Lookup returns a copy of the rule of a procedure, which is given as
// "/pkg.Service/Method". It reports false if the procedure has no rule: then the call
// must be refused.
func (t *Table) Lookup(procedure string) (*Rule, bool) {
	rule, ok := t.rules[procedure]
	if !ok {
		method := strings.LastIndexByte(procedure, '/') + 1
		rule, ok = t.rules[procedure[:method]+"*"]
		ok = ok && method < len(procedure)
	}
	if !ok {
		return nil, false
	}
	return rule.clone(), true
}

// Rules returns copies of all rules, sorted by procedure. A service of [WithPublic]
// whose methods are not known has one rule, of the procedure "/pkg.Service/*".
func (t *Table) Rules() []*Rule {
	rules := slices.Collect(maps.Values(t.rules))
	for i, rule := range rules {
		rules[i] = rule.clone()
	}
	slices.SortFunc(rules, func(a, b *Rule) int { return strings.Compare(a.Procedure, b.Procedure) })
	return rules
}

// String returns one line for each procedure, sorted, for people who review and
// compare rules.
func (t *Table) String() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, rule := range t.Rules() {
		_, _ = w.Write([]byte(strings.Join(rule.columns(), "\t") + "\n"))
	}
	_ = w.Flush()
	lines := strings.Split(out.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// procedure returns the name that a method has in a call.
func procedure(method protoreflect.MethodDescriptor) string {
	return "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
}

// clone returns a copy that shares no mutable memory with r.
func (r *Rule) clone() *Rule {
	clone := *r
	clone.Scopes, clone.AnyScopes = slices.Clone(r.Scopes), slices.Clone(r.AnyScopes)
	if r.Organization != nil {
		organization := *r.Organization
		clone.Organization = &organization
	}
	return &clone
}

// String returns the rule in one line.
func (r *Rule) String() string {
	columns := slices.DeleteFunc(r.columns(), func(column string) bool { return column == "" })
	return strings.Join(columns, " ")
}

func (r *Rule) columns() []string {
	columns := []string{r.Procedure, r.Needs(), "", "", "", ""} // tabwriter ends a column at a row without the column's cell
	if !r.Public && !r.Unannotated {
		columns = r.restrictions()
	}
	if r.Shadow {
		columns = append(columns, "shadow (not enforced)")
	}
	return columns
}

func (r *Rule) restrictions() []string {
	audience := r.Audience
	if r.Model == authzv1.Model_MODEL_ORGANIZATION {
		audience = "organization"
	}
	organization := "-"
	if r.Organization != nil {
		organization = r.Organization.String()
	}
	return []string{
		r.Procedure,
		lowerName(r.Model.String(), "MODEL_"),
		"audience=" + audience,
		r.Needs(),
		"caller=" + lowerName(r.Caller.String(), "CALLER_"),
		"organization=" + organization,
	}
}

// Needs returns the scopes that a token must have, as in "all of read:a write:a, any of
// read:b write:b". It returns "authenticated" if a token needs no scope, and "public" if
// a call needs no token. For an Unannotated rule, it returns "public (no annotation)" or
// "refused (no annotation)".
func (r *Rule) Needs() string {
	switch {
	case r.Unannotated && r.Public:
		return "public (no annotation)"
	case r.Unannotated:
		return "refused (no annotation)"
	case r.Public:
		return "public"
	case len(r.Scopes)+len(r.AnyScopes) == 0:
		return "authenticated"
	}
	needs := make([]string, 0, 2)
	if len(r.Scopes) > 0 {
		needs = append(needs, "all of "+strings.Join(r.Scopes, " "))
	}
	if len(r.AnyScopes) > 0 {
		needs = append(needs, "any of "+strings.Join(r.AnyScopes, " "))
	}
	return strings.Join(needs, ", ")
}

func lowerName(enum, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(enum, prefix))
}
