// Package policy reads the rules that stand in .proto files and checks that
// they make sense.
//
// [Compile] takes the descriptors of the services that a server offers, reads
// the options (protoauthz.v1.method) and (protoauthz.v1.service) of every
// method, and returns a [Table] with one [Rule] for each procedure. It runs
// once, when the server starts, and reports every [Fault] it finds at once.
// There is no lazy path: a procedure that was not compiled has no rule, and a
// procedure without a rule is refused.
//
// The package knows nothing of tokens and does no I/O. It works on linked
// descriptors and on those built at run time (protodesc, dynamicpb) alike, so
// that a tool and the server read the rules the same way. For tools, each
// [Fault] has its [Place] in the source. Package policydiff compares two
// versions of the rules.
package policy

import (
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A Rule says who may call one procedure. It is the annotation of the method
// with everything filled in that it takes from its service and from the options
// of [Compile].
//
// A Rule that a [Table] returns is a copy: a change of it changes no decision.
type Rule struct {
	// Procedure is the method's full name in the form "/pkg.Service/Method".
	Procedure string
	// Method is the method that the rule stands at. It is nil for services of
	// [WithPublic] whose methods are not known.
	Method protoreflect.MethodDescriptor
	// Public means that no token is read. All fields below are then empty.
	Public bool
	// Scopes must all be granted.
	Scopes []string
	// AnyScopes are alternatives: unless empty, one of them must be granted.
	// With neither Scopes nor AnyScopes, any token of the model will do.
	AnyScopes []string
	// Caller is the kind of party that the token must speak for.
	Caller authzv1.Caller
	// Model is the permission model. It is never MODEL_UNSPECIFIED unless
	// Public.
	Model authzv1.Model
	// Audience is the resource indicator (RFC 8707) of the API. It may be empty
	// for MODEL_ORGANIZATION, whose audience is the organization.
	Audience string
	// Organization says where the request names its organization. It is nil
	// exactly if Public or MODEL_GLOBAL_RESOURCE.
	Organization *Organization

	inherited []protoreflect.Name // the fields that are the service's
}

// A Table holds the rule of every procedure. It is immutable and safe for
// concurrent use. The zero Table refuses everything.
type Table struct {
	rules    map[string]*Rule // by procedure
	audience string
}

// Audience returns the resource indicator that [WithAudience] has set, or "" if none was.
// The audience that a rule requires is [Rule.Audience].
func (t *Table) Audience() string { return t.audience }

// Lookup returns the rule of a procedure, given as "/pkg.Service/Method", as a copy
// of the caller's own. It reports false if there is none; such a procedure must be
// refused.
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

// Rules returns all rules, sorted by procedure, as copies of the caller's own.
// Services that [WithPublic] names and whose methods are not known stand as
// "/pkg.Service/*".
func (t *Table) Rules() []*Rule {
	rules := slices.Collect(maps.Values(t.rules))
	for i, rule := range rules {
		rules[i] = rule.clone()
	}
	slices.SortFunc(rules, func(a, b *Rule) int { return strings.Compare(a.Procedure, b.Procedure) })
	return rules
}

// String prints one line for each procedure, sorted: a form made to be reviewed
// and compared.
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

// clone returns a copy that shares no memory which can be written to.
func (r *Rule) clone() *Rule {
	clone := *r
	clone.Scopes, clone.AnyScopes = slices.Clone(r.Scopes), slices.Clone(r.AnyScopes)
	if r.Organization != nil {
		organization := *r.Organization
		clone.Organization = &organization
	}
	return &clone
}

// String prints the rule in one line.
func (r *Rule) String() string { return strings.TrimRight(strings.Join(r.columns(), " "), " ") }

func (r *Rule) columns() []string {
	if r.Public { // a row that ends early would end the columns for the rows below it
		return []string{r.Procedure, r.Needs(), "", "", "", ""}
	}
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

// Needs says which scopes a token must have, as in "all of read:a write:a, any of
// read:b write:b": "authenticated" if none, and "public" if no token is needed.
func (r *Rule) Needs() string {
	switch {
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
