package policydiff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A pair is a way before and the way that has come of it.
type pair struct {
	was, is  *way
	distance int
}

// ways compares the ways of two rules. A change that lets in fewer calls is left out if other ways let in the
// calls of the way before.
func (c *comparison) ways(olds, news []*way) {
	sameAudience(olds, news)
	became, came := match(olds, news)
	for _, is := range news {
		if was := came[is]; was != nil {
			d := &difference{rule: c, was: was, is: is, lost: !was.covered(news...)}
			d.compare()
		} else if !is.covered(olds...) {
			c.add(ChangeAlternativeAdded, accessPlace(is), "%s is one more way in, and takes %s", is.title(), takesWay(is.Way))
		}
	}
	for _, was := range olds {
		if became[was] == nil && !was.covered(news...) {
			c.add(ChangeAlternativeRemoved, c.new.FieldPlace("alternatives"), "%s is gone; it took %s", was.title(), takesWay(was.Way))
		}
	}
}

// match pairs the ways that differ least, and of equals the ways with the same number. A way
// comes of a way before only if the way lets in more, or lets in a part of the calls of the way before.
func match(olds, news []*way) (became, came map[*way]*way) {
	var pairs []pair
	for _, is := range news {
		gained := !is.covered(olds...)
		for _, was := range olds {
			if gained || is.covered(was) {
				pairs = append(pairs, pair{was, is, was.distance(is)})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.apart(), b.apart()))
	})
	became, came = map[*way]*way{}, map[*way]*way{}
	for _, p := range pairs {
		if became[p.was] == nil && came[p.is] == nil {
			became[p.was], came[p.is] = p.is, p.was
		}
	}
	return became, came
}

// apart is 0 for ways with the same number, and else 1.
func (p pair) apart() int { return min(1, max(p.was.number-p.is.number, p.is.number-p.was.number)) }

// title returns the name of a way in a text.
func (w *way) title() string { return fmt.Sprintf("way %d", w.number) }

// accessPlace returns the place of the field that each way has.
func accessPlace(w *way) policy.Place {
	switch {
	case authenticated(w.Way):
		return w.FieldPlace("authenticated")
	case len(w.Scopes) > 0:
		return w.FieldPlace("scopes")
	default:
		return w.FieldPlace("any_scopes")
	}
}

// A difference finds the changes of one way.
type difference struct {
	rule    *comparison
	was, is *way
	lost    bool // no way lets in what the way before let in
}

func (d *difference) compare() {
	d.model()
	d.caller()
	d.scopes()
	d.organization()
	d.identifier((*way).meetsSubject, "subject", d.was.Subject, d.is.Subject, ChangeSubjectLoosened, ChangeSubjectTightened)
	d.identifier((*way).meetsClient, "client", d.was.Client, d.is.Client, ChangeClientLoosened, ChangeClientTightened)
}

// add adds a change, unless other ways make up for it. A way that lets in nothing more has no looser change, as
// it is a part of the way before: see [match].
func (d *difference) add(kind ChangeKind, place policy.Place, format string, args ...any) {
	if !kind.Looser() && !d.lost {
		return
	}
	if d.is.number > 0 {
		format = d.is.title() + ": " + format
	}
	d.rule.add(kind, place, format, args...)
}

func (d *difference) model() {
	if was, is := modelName(d.was.Model), modelName(d.is.Model); was != is {
		d.add(ChangeModel, d.is.FieldPlace("model"), "the model is %s, and was %s", is, was)
	}
	if !d.was.meetsAudience(d.is.calls[0]) {
		d.add(ChangeAudience, d.is.FieldPlace("audience"), "the audience is %q, and was %q", d.is.Audience, d.was.Audience)
	}
}

func modelName(model authzv1.Model) string {
	return strings.ToLower(strings.TrimPrefix(model.String(), "MODEL_"))
}

// caller leaves out what a subject changes: that is a change of the subject.
func (d *difference) caller() {
	was, is := d.was.caller(), d.is.caller()
	if was == is || d.was.Caller == d.is.Caller {
		return
	}
	kind := ChangeCallerLoosened
	if was == authzv1.Caller_CALLER_ANY {
		kind = ChangeCallerTightened
	}
	d.add(kind, d.is.FieldPlace("caller"), "%s may call; %s could", whichCaller(is), whichCaller(was))
}

func whichCaller(caller authzv1.Caller) string {
	if caller == authzv1.Caller_CALLER_ANY {
		return "any caller"
	}
	return "only a " + strings.ToLower(strings.TrimPrefix(caller.String(), "CALLER_"))
}

// scopes compares both lists of scopes together: a scope may move from one list to the other
// and be required as before.
func (d *difference) scopes() {
	if !authenticated(d.was.Way) && authenticated(d.is.Way) {
		d.add(ChangeMadeAuthenticated, d.is.FieldPlace("authenticated"), "any token of the model will do; it took %s", takesWay(d.was.Way))
		return
	}
	d.missing(d.was, d.is, ChangeScopeRemoved, ChangeAnyScopeAdded, "%s not required any more", "%s enough now")
	d.missing(d.is, d.was, ChangeScopeAdded, ChangeAnyScopeRemoved, "%s required now", "%s not enough any more")
}

// missing adds a change for each scope that one way asks for and the other way does not imply.
func (d *difference) missing(w, other *way, scope, anyScope ChangeKind, scopeText, anyScopeText string) {
	for _, s := range w.Scopes {
		if !requires(other, s) {
			d.add(scope, d.is.ScopePlace(s), scopeText, fmt.Sprintf("scope %q is", s))
		}
	}
	if len(w.AnyScopes) == 0 || requires(other, w.AnyScopes...) {
		return
	}
	if len(other.AnyScopes) == 0 {
		d.add(scope, d.is.FieldPlace("any_scopes"), scopeText, fmt.Sprintf("one of the scopes %q is", w.AnyScopes))
		return
	}
	for _, s := range other.AnyScopes {
		if slices.Contains(w.AnyScopes, s) {
			continue
		}
		place := d.is.ScopePlace(s)
		if other != d.is {
			place = d.is.FieldPlace("any_scopes")
		}
		d.add(anyScope, place, anyScopeText, fmt.Sprintf("scope %q is", s))
	}
}

// requires reports whether the way refuses each token that has none of the given scopes.
func requires(w *way, anyOf ...string) bool {
	given := func(scope string) bool { return slices.Contains(anyOf, scope) }
	if slices.ContainsFunc(w.Scopes, given) {
		return true
	}
	return len(w.AnyScopes) > 0 && !slices.ContainsFunc(w.AnyScopes, func(scope string) bool { return !given(scope) })
}

func (d *difference) organization() {
	was, is := d.was.Organization, d.is.Organization
	if was == nil || is == nil {
		return // neither has an organization, or the models differ
	}
	d.named((*way).meetsOrganization, "organization", was.String(), is.String(), ChangeOrganizationLoosened, ChangeOrganizationTightened)
}

func (d *difference) identifier(meets condition, noun protoreflect.Name, was, is *policy.Identifier, looser, tighter ChangeKind) {
	text := func(i *policy.Identifier) string {
		switch {
		case i == nil:
			return ""
		case i.Issuer == "":
			return i.String()
		default:
			return i.String() + " for tokens of " + i.Issuer
		}
	}
	d.named(meets, noun, text(was), text(is), looser, tighter)
}

// named compares where a request names the organization, the subject or the client. It takes a text for each
// version, which is empty if nothing is named.
func (d *difference) named(meets condition, noun protoreflect.Name, was, is string, looser, tighter ChangeKind) {
	loosened, tightened := !meets(d.was, d.is.calls[0]), !meets(d.is, d.was.calls[0])
	if !loosened && !tightened {
		return
	}
	place := d.is.FieldPlace(noun)
	switch {
	case is == "":
		d.add(looser, place, "the %s is not checked any more, and was taken from %s", noun, was)
	case was == "":
		d.add(tighter, place, "the %s is taken from %s, and was not checked", noun, is)
	case loosened && was == is:
		d.add(looser, place, "%s is another field than it was, or no list or not in its oneof any more", is)
	case loosened:
		d.add(looser, place, "the %s is taken from %s, and %s is not checked any more", noun, is, was)
	case was == is:
		d.add(tighter, place, "%s is a list, or in a oneof, and the client must name the %s in all of the field", is, noun)
	default:
		d.add(tighter, place, "the %s is taken from %s, and was taken from %s", noun, is, was)
	}
}
