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
	// Way is the rule's own way in.
	Way
	// Alternatives are further ways in: see [Rule.Ways].
	Alternatives []Way
	// OrganizationOptional means that the handler copes with a caller without an organization, though one way takes
	// the organization from the token. It changes no decision.
	OrganizationOptional bool
}

// A Table holds the rule of every procedure. It is immutable and safe for
// concurrent use. The zero Table has no rules, so that the guard refuses every call.
type Table struct {
	rules         map[string]*Rule // by procedure
	audience      string
	subjectIssuer string
}

// Audience returns the resource indicator of [WithAudience], or "" without the option.
// The audience that a way requires is [Way.Audience].
func (t *Table) Audience() string { return t.audience }

// SubjectIssuer returns the issuer of [WithSubjectIssuer], or "" without the option.
func (t *Table) SubjectIssuer() string { return t.subjectIssuer }

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
// compare rules. Each of the Alternatives of a rule has a line below, which begins with "or".
func (t *Table) String() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, rule := range t.Rules() {
		for i, row := range rule.rows() {
			if i > 0 {
				row[0] = "  " + row[0]
			}
			_, _ = w.Write([]byte(strings.Join(row, "\t") + "\n"))
		}
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
	clone.Way, clone.Alternatives = r.Way.clone(), slices.Clone(r.Alternatives)
	for i := range clone.Alternatives {
		clone.Alternatives[i] = clone.Alternatives[i].clone()
	}
	return &clone
}

// String returns the rule in one line.
func (r *Rule) String() string {
	ways := make([]string, 0, 1+len(r.Alternatives))
	for _, columns := range r.rows() {
		columns = slices.DeleteFunc(columns, func(column string) bool { return column == "" })
		ways = append(ways, strings.Join(columns, " "))
	}
	return strings.Join(ways, " ")
}

// rows returns the columns of each way.
func (r *Rule) rows() [][]string {
	rows := [][]string{{r.Procedure, r.Needs(), "", "", "", ""}} // tabwriter ends a column at a row without the column's cell
	for i, way := range r.Ways() {
		if i == 0 {
			rows[0] = append([]string{r.Procedure}, way.columns()...)
		} else {
			rows = append(rows, append([]string{"or"}, way.columns()...))
		}
	}
	if r.Shadow {
		rows[0] = append(rows[0], "shadow (not enforced)")
	}
	return rows
}

// Needs returns the scopes that a token must have, for each way: see [Way.Needs]. The word
// "or" stands between the ways. Needs returns "public" if a call needs no token. For an
// Unannotated rule, Needs returns "public (no annotation)" or "refused (no annotation)".
func (r *Rule) Needs() string {
	switch {
	case r.Unannotated && r.Public:
		return "public (no annotation)"
	case r.Unannotated:
		return "refused (no annotation)"
	case r.Public:
		return "public"
	}
	var needs []string
	for _, way := range r.Ways() {
		if need := way.Needs(); !slices.Contains(needs, need) {
			needs = append(needs, need)
		}
	}
	return strings.Join(needs, " or ")
}
