package policydiff_test

import (
	"slices"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// TestCompareEnforcement compares each two versions of a rule that differ in whether the rule is enforced, and in
// whether the method has an annotation.
func TestCompareEnforcement(t *testing.T) {
	t.Parallel()
	const service = "order.v1.OrderService"
	const scoped, other, public, bare = `option (protoauthz.v1.method) = {scopes: ["a"]};`, `option (protoauthz.v1.method) = {authenticated: true};`,
		`option (protoauthz.v1.method) = {public: true};`, ` `
	compiled := func(option string, choices ...policy.Option) []*policy.Rule {
		table, err := policy.Compile(compile(t, protos.OrderService(global, option, public)), append(choices, policy.WithAudience("https://api.example.com"))...)
		if err != nil {
			t.Fatal(err)
		}
		return table.Rules()[:1] // without the method that makes the service annotated in part
	}
	versions := []struct {
		name  string
		rules []*policy.Rule
	}{
		{"enforced", compiled(scoped)},
		{"shadow", compiled(scoped, policy.WithShadow(service))},
		{"other shadow", compiled(other, policy.WithShadow(service))},
		{"public", compiled(public)},
		{"unannotated open", compiled(bare, policy.WithUnannotatedOpen(service))},
		{"unannotated shadow", compiled(bare, policy.WithUnannotatedRefused(service), policy.WithShadow(service))},
		{"unannotated refused", compiled(bare, policy.WithUnannotatedRefused(service))},
		{"no rule", nil},
	}
	const (
		shadowed    = "ENFORCEMENT_DROPPED: the rule is not enforced, and every call is let in; it took all of a"
		enforced    = "ENFORCEMENT_ADDED: the rule is enforced, and takes all of a; every call was let in"
		madePublic  = "MADE_PUBLIC: anybody may call; it took all of a"
		opened      = "MADE_PUBLIC: the method has no annotation, and anybody may call; it took all of a"
		dropped     = "PUBLIC_DROPPED: anybody could call; it takes all of a"
		added       = "METHOD_ADDED: takes all of a"
		addedShadow = "METHOD_ADDED: takes every call, as the rule is not enforced"
		addedOpen   = "METHOD_ADDED: takes no token"
		letIn       = "ENFORCEMENT_DROPPED: the rule is not enforced, and every call is let in; it took no call"
		letAnybody  = "MADE_PUBLIC: anybody may call; it took no call"
		letUnmarked = "MADE_PUBLIC: the method has no annotation, and anybody may call; it took no call"
		removed     = "METHOD_REMOVED: took all of a"
		lostShadow  = "METHOD_REMOVED: the method has no annotation any more, and every call is refused; it took every call, as the rule is not enforced"
		lostPublic  = "METHOD_REMOVED: the method has no annotation any more, and every call is refused; it took no token"
		lost        = "METHOD_REMOVED: the method has no annotation any more, and every call is refused; it took all of a"
		goneShadow  = "METHOD_REMOVED: took every call, as the rule is not enforced"
		gonePublic  = "METHOD_REMOVED: took no token"
	)
	for i, want := range [][]string{ // by the version before, then by the version after
		{"", shadowed, shadowed, madePublic, opened, shadowed, lost, removed},
		{enforced, "", "", "", "", "", lostShadow, goneShadow},
		{enforced, "", "", "", "", "", lostShadow, goneShadow},
		{dropped, "", "", "", "", "", lostPublic, gonePublic},
		{dropped, "", "", "", "", "", lostPublic, gonePublic},
		{enforced, "", "", "", "", "", lostShadow, goneShadow},
		{added, letIn, letIn, letAnybody, letUnmarked, letIn, "", ""},
		{added, addedShadow, addedShadow, addedOpen, addedOpen, addedShadow, "", ""},
	} {
		for j, version := range versions {
			var got, wanted []string
			for _, change := range policydiff.Compare(versions[i].rules, version.rules) {
				got = append(got, string(change.Kind)+": "+change.Detail)
				if added, removed := change.Kind == policydiff.ChangeMethodAdded, change.Kind == policydiff.ChangeMethodRemoved; (change.Old == nil) != added || (change.New == nil) != removed {
					t.Errorf("from %s to %s: the old rule is %v, and the new rule is %v", versions[i].name, version.name, change.Old, change.New)
				}
				if place, ok := change.Place.Position(); !ok || place.StartLine == 0 {
					t.Errorf("from %s to %s: no place", versions[i].name, version.name)
				}
			}
			if want[j] != "" {
				wanted = []string{want[j]}
			}
			if !slices.Equal(got, wanted) {
				t.Errorf("from %s to %s: got %q, want %q", versions[i].name, version.name, got, wanted)
			}
		}
	}
}
