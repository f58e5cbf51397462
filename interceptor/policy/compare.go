package policy

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// Compare returns what differs between two versions of the rules, sorted by
// procedure: those of [Table.Rules], or of [Error] if not all compile. A change is
// looser exactly if a call may be let in for it that was refused; one that lets in
// some and refuses others is looser, too. An audience that is not known before (see
// [Error]) is not compared.
func Compare(before, after []*Rule) []*Change {
	c := &comparison{}
	olds, news := tableOf(before), tableOf(after)
	for _, rule := range after {
		if old, ok := olds.lookup(rule.Procedure); ok {
			c.rule(old, rule)
			continue
		}
		c.old, c.new = nil, rule
		c.add(ChangeMethodAdded, Place{}, "takes %s", rule.takes())
	}
	for _, rule := range before {
		switch opened, ok := news.lookup(rule.Procedure); {
		case !ok:
			c.old, c.new = rule, nil
			c.add(ChangeMethodRemoved, Place{}, "took %s", rule.takes())
		case opened.Procedure != rule.Procedure: // with its service, by name
			c.rule(rule, opened)
		}
	}
	slices.SortStableFunc(c.changes, func(a, b *Change) int { return strings.Compare(a.Procedure(), b.Procedure()) })
	return c.changes
}

// tableOf makes the table again that rules come from, or would.
func tableOf(rules []*Rule) *Table {
	t := &Table{rules: make(map[string]*Rule, len(rules)), publicServices: map[string]*Rule{}}
	for _, rule := range rules {
		if service, ok := strings.CutSuffix(rule.Procedure, "/*"); ok {
			t.publicServices[strings.TrimPrefix(service, "/")] = rule
			continue
		}
		t.rules[rule.Procedure] = rule
	}
	return t
}

// takes says what a call needs, in a sentence.
func (r *Rule) takes() string {
	switch {
	case r.Public:
		return "no token"
	case r.authenticated():
		return "any token of the model"
	default:
		return r.Needs()
	}
}

type comparison struct {
	old, new *Rule
	changes  []*Change
}

// add notes a change, by default at the whole method.
func (c *comparison) add(kind ChangeKind, place Place, format string, args ...any) {
	change := &Change{Kind: kind, Old: c.old, New: c.new, Detail: fmt.Sprintf(format, args...), Place: place}
	for _, rule := range []*Rule{c.new, c.old} {
		if change.Place.File == nil && rule != nil && rule.Method != nil {
			change.Place = methodPlace(rule.Method)
		}
	}
	c.changes = append(c.changes, change)
}

func (c *comparison) rule(before, after *Rule) {
	c.old, c.new = before, after
	switch {
	case before.Public && after.Public:
	case after.Public:
		c.add(ChangeMadePublic, after.Place("public"), "anybody may call; it took %s", before.takes())
	case before.Public:
		c.add(ChangePublicDropped, after.Place("public"), "anybody could call; it takes %s", after.takes())
	default:
		c.model()
		c.caller()
		c.scopes()
		c.organization()
	}
}

func (c *comparison) model() {
	was, is := lowerName(c.old.Model.String(), "MODEL_"), lowerName(c.new.Model.String(), "MODEL_")
	if was != is {
		c.add(ChangeModel, c.new.Place("model"), "the model is %s, and was %s", is, was)
	}
	// The audience of organization tokens is the organization. One that is not known cannot be
	// compared.
	if c.old.Audience != "" && c.old.Model != authzv1.Model_MODEL_ORGANIZATION && c.new.Model != authzv1.Model_MODEL_ORGANIZATION && c.old.Audience != c.new.Audience {
		c.add(ChangeAudience, c.new.Place("audience"), "the audience is %q, and was %q", c.new.Audience, c.old.Audience)
	}
}

func (c *comparison) caller() {
	if c.old.Caller == c.new.Caller {
		return
	}
	kind := ChangeCallerLoosened
	if c.old.Caller == authzv1.Caller_CALLER_ANY {
		kind = ChangeCallerTightened
	}
	c.add(kind, c.new.Place("caller"), "%s may call; %s could", whichCaller(c.new.Caller), whichCaller(c.old.Caller))
}

func whichCaller(caller authzv1.Caller) string {
	if caller == authzv1.Caller_CALLER_ANY {
		return "any caller"
	}
	return "only a " + lowerName(caller.String(), "CALLER_")
}

// scopes compares what the rules say as a whole: a scope may move from one list to the
// other without being required less.
func (c *comparison) scopes() {
	if !c.old.authenticated() && c.new.authenticated() {
		c.add(ChangeMadeAuthenticated, c.new.Place("authenticated"), "any token of the model will do; it took %s", c.old.takes())
		return
	}
	c.lost(c.old, c.new, ChangeScopeRemoved, ChangeAlternativeAdded, "%s not required any more", "%s enough now")
	c.lost(c.new, c.old, ChangeScopeAdded, ChangeAlternativeRemoved, "%s required now", "%s not enough any more")
}

// lost adds what one rule asks for and another does not imply.
func (c *comparison) lost(rule, other *Rule, scope, alternative ChangeKind, scopeText, alternativeText string) {
	for _, s := range rule.Scopes {
		if !other.requires(s) {
			c.add(scope, c.new.ScopePlace(s), scopeText, fmt.Sprintf("scope %q is", s))
		}
	}
	if len(rule.AnyScopes) == 0 || other.requires(rule.AnyScopes...) {
		return
	}
	if len(other.AnyScopes) == 0 {
		c.add(scope, c.new.Place("any_scopes"), scopeText, fmt.Sprintf("one of the scopes %q is", rule.AnyScopes))
		return
	}
	for _, s := range other.AnyScopes {
		if slices.Contains(rule.AnyScopes, s) {
			continue
		}
		place := c.new.ScopePlace(s)
		if other != c.new {
			place = c.new.Place("any_scopes")
		}
		c.add(alternative, place, alternativeText, fmt.Sprintf("scope %q is", s))
	}
}

// requires reports whether no token satisfies the rule without one of the given
// scopes.
func (r *Rule) requires(anyOf ...string) bool {
	given := func(scope string) bool { return slices.Contains(anyOf, scope) }
	if slices.ContainsFunc(r.Scopes, given) {
		return true
	}
	return len(r.AnyScopes) > 0 && !slices.ContainsFunc(r.AnyScopes, func(scope string) bool { return !given(scope) })
}

func (c *comparison) organization() {
	was, is := c.old.Organization, c.new.Organization
	if was == nil || is == nil {
		return // the model says it all, or there is nothing to say
	}
	place := c.new.Place("organization")
	switch same := was.String() == is.String(); {
	case same && is.reads(was) && was.reads(is):
	case same && is.implies(was):
		c.add(ChangeOrganizationTightened, place, "%s is a list, and each element must name the organization", is)
	case same:
		c.add(ChangeOrganizationLoosened, place, "%s is another field than it was, or no list any more", is)
	case is.implies(was):
		c.add(ChangeOrganizationTightened, place, "the organization is taken from %s, and was taken from %s", is, was)
	default:
		c.add(ChangeOrganizationLoosened, place, "the organization is taken from %s, and %s is not checked any more", is, was)
	}
}

// reads reports whether o finds in each encoded request what other finds there, and perhaps more:
// of a list that is read as a single field, only the last element counts.
func (o *Organization) reads(other *Organization) bool {
	return slices.EqualFunc(o.path, other.path, func(a, b protoreflect.FieldDescriptor) bool {
		return a.Number() == b.Number() && a.Kind() == b.Kind() && (a.IsList() || !b.IsList())
	})
}

// implies reports whether each request that names an organization in o names the
// same one in other.
func (o *Organization) implies(other *Organization) bool {
	switch {
	case other.Source == SourceToken:
		return true
	case o.Source != other.Source || o.Name != other.Name || !o.reads(other):
		return false
	case o.Pattern == other.Pattern:
		return true
	case other.Pattern == "":
		return o.Pattern == organizationSegment
	case o.Pattern == "":
		return false
	}
	narrow, wide := strings.Split(o.Pattern, "/"), strings.Split(other.Pattern, "/")
	return slices.EqualFunc(narrow, wide, func(narrow, wide string) bool {
		return narrow == wide || wide == "*"
	})
}
