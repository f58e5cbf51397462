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

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// Compare returns the changes between two versions of the rules, sorted by procedure. The
// rules are the result of [policy.Table.Rules], or the Rules of a [policy.Error] if not all
// rules compile. A change is looser exactly if it may let in a call that was refused before.
// A change that lets in some calls and refuses others is looser too. Compare does not
// compare an audience that is empty before (see [policy.Error]).
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
	case authenticated(rule):
		return "any token of the model"
	default:
		return rule.Needs()
	}
}

// authenticated reports whether a rule that is not public needs no scope.
func authenticated(rule *policy.Rule) bool { return len(rule.Scopes)+len(rule.AnyScopes) == 0 }

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
		c.model()
		c.caller()
		c.scopes()
		c.organization()
	}
}

func (c *comparison) model() {
	if was, is := modelName(c.old.Model), modelName(c.new.Model); was != is {
		c.add(ChangeModel, c.new.FieldPlace("model"), "the model is %s, and was %s", is, was)
	}
	// The audience of an organization token is the organization. An empty audience is not known.
	if c.old.Audience != "" && c.old.Model != authzv1.Model_MODEL_ORGANIZATION && c.new.Model != authzv1.Model_MODEL_ORGANIZATION && c.old.Audience != c.new.Audience {
		c.add(ChangeAudience, c.new.FieldPlace("audience"), "the audience is %q, and was %q", c.new.Audience, c.old.Audience)
	}
}

func modelName(model authzv1.Model) string {
	return strings.ToLower(strings.TrimPrefix(model.String(), "MODEL_"))
}

func (c *comparison) caller() {
	if c.old.Caller == c.new.Caller {
		return
	}
	kind := ChangeCallerLoosened
	if c.old.Caller == authzv1.Caller_CALLER_ANY {
		kind = ChangeCallerTightened
	}
	c.add(kind, c.new.FieldPlace("caller"), "%s may call; %s could", whichCaller(c.new.Caller), whichCaller(c.old.Caller))
}

func whichCaller(caller authzv1.Caller) string {
	if caller == authzv1.Caller_CALLER_ANY {
		return "any caller"
	}
	return "only a " + strings.ToLower(strings.TrimPrefix(caller.String(), "CALLER_"))
}

// scopes compares both lists of scopes together: a scope may move from one list to the other
// and be required as before.
func (c *comparison) scopes() {
	if !authenticated(c.old) && authenticated(c.new) {
		c.add(ChangeMadeAuthenticated, c.new.FieldPlace("authenticated"), "any token of the model will do; it took %s", takes(c.old))
		return
	}
	c.lost(c.old, c.new, ChangeScopeRemoved, ChangeAnyScopeAdded, "%s not required any more", "%s enough now")
	c.lost(c.new, c.old, ChangeScopeAdded, ChangeAnyScopeRemoved, "%s required now", "%s not enough any more")
}

// lost adds a change for each scope that one rule asks for and the other rule does not imply.
func (c *comparison) lost(rule, other *policy.Rule, scope, alternative ChangeKind, scopeText, alternativeText string) {
	for _, s := range rule.Scopes {
		if !requires(other, s) {
			c.add(scope, c.new.ScopePlace(s), scopeText, fmt.Sprintf("scope %q is", s))
		}
	}
	if len(rule.AnyScopes) == 0 || requires(other, rule.AnyScopes...) {
		return
	}
	if len(other.AnyScopes) == 0 {
		c.add(scope, c.new.FieldPlace("any_scopes"), scopeText, fmt.Sprintf("one of the scopes %q is", rule.AnyScopes))
		return
	}
	for _, s := range other.AnyScopes {
		if slices.Contains(rule.AnyScopes, s) {
			continue
		}
		place := c.new.ScopePlace(s)
		if other != c.new {
			place = c.new.FieldPlace("any_scopes")
		}
		c.add(alternative, place, alternativeText, fmt.Sprintf("scope %q is", s))
	}
}

// requires reports whether the rule refuses each token that has none of the given scopes.
func requires(rule *policy.Rule, anyOf ...string) bool {
	given := func(scope string) bool { return slices.Contains(anyOf, scope) }
	if slices.ContainsFunc(rule.Scopes, given) {
		return true
	}
	return len(rule.AnyScopes) > 0 && !slices.ContainsFunc(rule.AnyScopes, func(scope string) bool { return !given(scope) })
}

func (c *comparison) organization() {
	was, is := c.old.Organization, c.new.Organization
	if was == nil || is == nil {
		return // neither has an organization, or the models differ
	}
	place := c.new.FieldPlace("organization")
	switch same := was.String() == is.String(); {
	case same && reads(is, was) && reads(was, is):
	case same && implies(is, was):
		c.add(ChangeOrganizationTightened, place, "%s is a list, and each element must name the organization", is)
	case same:
		c.add(ChangeOrganizationLoosened, place, "%s is another field than it was, or no list any more", is)
	case implies(is, was):
		c.add(ChangeOrganizationTightened, place, "the organization is taken from %s, and was taken from %s", is, was)
	default:
		c.add(ChangeOrganizationLoosened, place, "the organization is taken from %s, and %s is not checked any more", is, was)
	}
}

// reads reports whether one organization finds all values in each encoded request that another
// organization finds. Of a list that is read as a single field, only the last element counts.
func reads(one, another *policy.Organization) bool {
	return slices.EqualFunc(one.Path(), another.Path(), func(a, b protoreflect.FieldDescriptor) bool {
		return a.Number() == b.Number() && a.Kind() == b.Kind() && (a.IsList() || !b.IsList())
	})
}

// implies reports whether each request that passes the check of one organization passes the
// check of another organization too.
func implies(one, another *policy.Organization) bool {
	switch {
	case another.Location == policy.LocationToken:
		return true
	case one.Location != another.Location || one.Name != another.Name || !reads(one, another):
		return false
	case one.Pattern == another.Pattern:
		return true
	case another.Pattern == "":
		return one.Pattern == "{organization}"
	}
	// Without a pattern there is one segment, which is empty. No pattern has an empty segment.
	narrow, wide := strings.Split(one.Pattern, "/"), strings.Split(another.Pattern, "/")
	return slices.EqualFunc(narrow, wide, func(narrow, wide string) bool {
		return narrow == wide || wide == "*"
	})
}
