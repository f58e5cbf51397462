package rpctest

import (
	"maps"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/internal/tokentest"
)

// streams are calls of several messages.
func (f forge) streams() []Case {
	inA := f.resource(orgA, "read:data")
	return everywhere([]Case{
		{ID: "D48", Name: "A, then B", Service: "Field", Authorization: inA, Messages: naming(orgA, orgB), Seen: []string{orgA}, Want: Organization},
		{ID: "D48", Name: "A, then B, swallowed", Service: "Field", Authorization: inA, Messages: naming(orgA, orgB), Seen: []string{orgA}, Want: Organization, Swallow: true},
		{ID: "D48", Name: "A, B, A", Service: "Field", Authorization: inA, Messages: naming(orgA, orgB, orgA), Seen: []string{orgA}, Want: Organization},
		{ID: "D48", Name: "A, B, A, swallowed", Service: "Field", Authorization: inA, Messages: naming(orgA, orgB, orgA), Seen: []string{orgA}, Want: Organization, Swallow: true},
		{ID: "D48", Name: "A, A, none", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming(orgA, orgA, ""), Seen: []string{orgA, orgA}, Want: Organization},
		{ID: "D48", Name: "A, A, none, swallowed", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming(orgA, orgA, ""), Seen: []string{orgA, orgA}, Want: Organization, Swallow: true},
		{ID: "D48", Name: "B, then A", Service: "Field", Authorization: inA, Messages: naming(orgB, orgA), Want: Organization},
		{ID: "D48", Name: "B, then A, swallowed", Service: "Field", Authorization: inA, Messages: naming(orgB, orgA), Want: Organization, Swallow: true},
		{ID: "D48", Name: "no message", Service: "Field", Authorization: inA, Messages: naming(), Want: Organization},
		{ID: "D48", Name: "no message, swallowed", Service: "Field", Authorization: inA, Messages: naming(), Want: Organization, Swallow: true},
		{ID: "D48", Name: "A, A, A", Service: "Field", Authorization: inA, Messages: naming(orgA, orgA, orgA)},
		{ID: "D49", Name: "request B, token A", Service: "Field", Authorization: inA, Messages: naming(orgB), Want: Organization},
		{ID: "D49", Name: "request B, token A, swallowed", Service: "Field", Authorization: inA, Messages: naming(orgB), Want: Organization, Swallow: true},
		{ID: "D49", Name: "request B, aud A", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming(orgB), Want: Organization},
	})
}

// everywhere is for calls that may be checked in another way over another transport.
func everywhere(cases []Case) []Case {
	for n := range cases {
		cases[n].Everywhere = true
	}
	return cases
}

// nested are calls whose organization stands in a message inside of the message.
func (f forge) nested() []Case {
	document := func(name string) Message { return Message{Document: &name} }
	inA := f.resource(orgA, "read:data")
	nested := func(name string, want Answer, messages ...Message) Case {
		return Case{ID: "D50", Name: name, Service: "Nested", Authorization: inA, Messages: messages, Want: want}
	}
	beside := document("")
	beside.Organization = orgA
	later := nested("A, then no document", Organization, document(orgA), Message{})
	later.Seen = []string{orgA}
	neither := nested("no document, no organization", Model, Message{})
	neither.Authorization = f.global("read:data")
	empty := nested("name empty, organization empty", Model, document(""))
	empty.Authorization = f.resource("", "read:data")
	return everywhere([]Case{
		nested("document unset", Organization, Message{}),
		nested("name unset", Organization, document("")),
		nested("document unset, another field names it", Organization, Message{Organization: orgA}),
		nested("name unset, another field names it", Organization, beside),
		nested("B", Organization, document(orgB)),
		nested("A", Answer{}, document(orgA)),
		later, neither, empty,
	})
}

// anywhere are calls without a token, of all kinds.
func (f forge) anywhere() []Case {
	var cases []Case
	for _, service := range []string{"Global", "Field", "Member"} {
		cases = append(cases,
			Case{ID: "D51", Name: "no token, " + service, Service: service, Want: Missing},
			Case{ID: "D51", Name: "no token, several messages, " + service, Service: service, Messages: naming(orgA, orgA), Want: Missing},
			Case{ID: "D51", Name: "no token, swallowed, " + service, Service: service, Swallow: true, Want: Missing})
	}
	return everywhere(cases)
}

// ruleless are calls of methods that nobody annotated.
func (f forge) ruleless() []Case {
	return everywhere([]Case{
		{ID: "D52", Name: "no token", Service: Unruled, Want: Ruleless},
		{ID: "D52", Name: "a good token", Service: Unruled, Authorization: f.good(), Want: Ruleless},
		{ID: "D52", Name: "an organization's token", Service: Unruled, Authorization: f.resource(orgA, "read:data"), Want: Ruleless},
		{ID: "D52", Name: "a bad token", Service: Unruled, Authorization: bearer("a.b"), Want: Ruleless},
	})
}

// publics are calls of methods that read no token: a broken one does no harm.
func (f forge) publics() []Case {
	var cases []Case
	for _, service := range []string{"Public", Opened} {
		for _, test := range []struct {
			name          string
			authorization []string
		}{
			{"no token", nil},
			{"a bad token", bearer("a.b")},
			{"a good token", f.good()},
			{"an expired token", f.good("exp", 1)},
			{"a forged token", bearer(f.Token(tokentest.I2.ES256, "iss", tokentest.I1.URL))},
			{"a token whose keys cannot be had", f.good("iss", down)},
			{"another scheme", []string{"Basic dXNlcjpwYXNz"}},
			{"an empty header", []string{""}},
			{"two headers", []string{"", ""}},
		} {
			cases = append(cases, Case{ID: "D53", Name: test.name + ", " + service, Service: service, Authorization: test.authorization})
		}
	}
	return append(cases, Case{ID: "D53", Name: "several messages", Service: "Public", Messages: naming("", orgA, orgB)})
}

// reasons are one call for every reason: each is told on every protocol.
func (f forge) reasons() []Case {
	cases := []Case{
		{Service: "Read", Want: Missing},
		{Service: "Read", Authorization: []string{"Basic dXNlcjpwYXNz"}, Want: Unsupported},
		{Service: "Read", Authorization: bearer("a.b"), Want: Malformed},
		{Service: "Read", Authorization: f.good("iss", tokentest.I2.URL), Want: Invalid},
		{Service: "Read", Authorization: f.good("exp", 1), Want: Expired},
		{Service: "Read", Authorization: f.good("nbf", int64(253402300799)), Want: NotYetValid},
		{Service: "Read", Authorization: f.good("aud", tokentest.OtherAPI), Want: Audience},
		{Service: "Read", Authorization: f.resource(orgA, "read:a"), Want: Model},
		{Service: "Field", Authorization: f.resource(orgB, "read:data"), Want: Organization},
		{Service: "Any", Authorization: f.global("read:a"), Want: Insufficient("read:a sell buy", "sell", "buy")},
		{Service: "Client", Authorization: f.good(), Want: Caller},
		{Service: Unruled, Want: Ruleless},
		{Service: "Read", Authorization: f.good("iss", down), Want: Unavailable},
		{Service: "Read", Authorization: bearer("panic"), Want: Failed},
	}
	for n := range cases {
		cases[n].ID, cases[n].Name = "D55", cases[n].Want.Reason
	}
	return everywhere(cases)
}

// whims are verifiers that do not keep to their contract.
func (f forge) whims() []Case {
	return []Case{
		{Name: "a verifier's own error", Service: "Read", Authorization: bearer("foreign"), Want: Failed, Cause: ErrForeign},
		{Name: "a verifier with neither claims nor error", Service: "Read", Authorization: bearer("nothing"), Want: Failed},
		{Name: "a verifier that panics", Service: "Read", Authorization: bearer("panic"), Want: Failed},
	}
}

// Reasons are all reasons that occur in cases, sorted.
func Reasons(cases []Case) []string {
	reasons := map[string]bool{}
	for _, c := range cases {
		reasons[c.Want.Reason] = true
	}
	return slices.Sorted(maps.Keys(reasons))
}
