// Package policydiff finds the changes between two versions of the rules, and which of
// them let in calls that were refused before.
//
// The package is for tools that review the rules of package [policy]. A server does not
// need it.
package policydiff

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// Compare returns the changes between two versions of the rules, sorted by procedure. The
// rules are the result of [policy.Table.Rules], or the Rules of a [policy.Error] if not all
// rules compile. A change is looser exactly if it may let in a call that was refused before.
// A change that lets in some calls and refuses others is looser too. Compare does not
// compare an audience that is empty before (see [policy.Error]), and takes it for one audience: a further way
// for another audience is looser. An empty issuer of a subject or a client stands for any issuer.
//
// A rule lets in what one of its ways lets in. Compare pairs the ways that differ least, and
// finds the changes of each pair. Compare reports neither another order of the ways,
// nor a way whose calls other ways let in.
//
// A rule in shadow lets in every call, so that Compare finds no change between two rules in
// shadow. A method that is refused for want of an annotation counts as a method without a
// rule, as the guard answers both alike. But it is looser to let everybody call such a method.
func Compare(before, after []*policy.Rule) []*Change {
	c := &comparison{}
	olds, news := indexOf(before), indexOf(after)
	for _, rule := range after {
		if refused(rule) {
			continue
		}
		if old := olds.find(rule.Procedure); old != nil && (!refused(old) || open(rule)) {
			c.rule(old, rule)
			continue
		}
		c.old, c.new = nil, rule
		c.add(ChangeMethodAdded, policy.Place{}, "takes %s", takes(rule))
	}
	for _, rule := range before {
		switch found := news.find(rule.Procedure); {
		case refused(rule) && (found == nil || refused(found)):
		case found == nil:
			c.old, c.new = rule, nil
			c.add(ChangeMethodRemoved, policy.Place{}, "took %s", takes(rule))
		case refused(found):
			c.old, c.new = rule, nil
			c.add(ChangeMethodRemoved, found.Place(), "the method has no annotation any more, and every call is refused; it took %s", takes(rule))
		case found.Procedure != rule.Procedure: // the rule of the service name
			c.rule(rule, found)
		}
	}
	slices.SortStableFunc(c.changes, func(a, b *Change) int { return strings.Compare(a.Procedure(), b.Procedure()) })
	return c.changes
}

// An index holds rules by procedure.
type index map[string]*policy.Rule

func indexOf(rules []*policy.Rule) index {
	i := make(index, len(rules))
	for _, rule := range rules {
		i[rule.Procedure] = rule
	}
	return i
}

// find returns the rule of a procedure as [policy.Table.Lookup] does: the rule of the method,
// else the rule of the service name, else nil.
func (i index) find(procedure string) *policy.Rule {
	if rule, ok := i[procedure]; ok {
		return rule
	}
	return i[path.Dir(procedure)+"/*"]
}

// refused reports whether the guard refuses every call for want of an annotation.
func refused(rule *policy.Rule) bool { return rule.Unannotated && rule.Enforced() }

// open reports whether the guard lets in every call.
func open(rule *policy.Rule) bool { return rule.Public || rule.Shadow }

// takes returns what a call needs, as the object of a sentence.
func takes(rule *policy.Rule) string {
	switch {
	case rule.Shadow:
		return "every call, as the rule is not enforced"
	case refused(rule):
		return "no call"
	case rule.Public:
		return "no token"
	}
	var ways []string
	for _, w := range rule.Ways() {
		if needs := takesWay(w); !slices.Contains(ways, needs) {
			ways = append(ways, needs)
		}
	}
	return strings.Join(ways, "; or ")
}

// takesWay returns what a call needs for a way, as the object of a sentence.
func takesWay(w *policy.Way) string {
	needs := w.Needs()
	if authenticated(w) {
		needs = "any token of the model"
	}
	if w.Subject != nil {
		needs += ", with the subject in " + w.Subject.String()
	}
	if w.Client != nil {
		needs += ", with the client in " + w.Client.String()
	}
	return needs
}

// authenticated reports whether a way needs no scope.
func authenticated(w *policy.Way) bool { return len(w.Scopes)+len(w.AnyScopes) == 0 }

// A comparison compares two rules at a time, and collects the changes.
type comparison struct {
	old, new *policy.Rule
	changes  []*Change
}

// add adds a change. The zero place stands for the place of the method.
func (c *comparison) add(kind ChangeKind, place policy.Place, format string, args ...any) {
	change := &Change{Kind: kind, Old: c.old, New: c.new, Detail: fmt.Sprintf(format, args...), Place: place}
	for _, rule := range []*policy.Rule{c.new, c.old} {
		if change.Place.File == nil && rule != nil {
			change.Place = rule.Place()
		}
	}
	c.changes = append(c.changes, change)
}

// rule compares two rules of one procedure.
func (c *comparison) rule(before, after *policy.Rule) {
	c.old, c.new = before, after
	switch {
	case open(before) && open(after):
	case after.Shadow:
		c.add(ChangeEnforcementDropped, policy.Place{}, "the rule is not enforced, and every call is let in; it took %s", takes(before))
	case after.Unannotated:
		c.add(ChangeMadePublic, policy.Place{}, "the method has no annotation, and anybody may call; it took %s", takes(before))
	case before.Shadow:
		c.add(ChangeEnforcementAdded, policy.Place{}, "the rule is enforced, and takes %s; every call was let in", takes(after))
	case after.Public:
		c.add(ChangeMadePublic, after.FieldPlace("public"), "anybody may call; it took %s", takes(before))
	case before.Public:
		c.add(ChangePublicDropped, after.FieldPlace("public"), "anybody could call; it takes %s", takes(after))
	default:
		c.ways(waysOf(before), waysOf(after))
	}
}
