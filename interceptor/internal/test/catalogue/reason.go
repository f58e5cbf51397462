package catalogue

import (
	"maps"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// reasons are one call for each reason of a refusal.
func (f forge) reasons() []Case {
	cases := []Case{
		{Service: "Read", Want: Missing},
		{Service: "Read", Authorization: []string{"Basic dXNlcjpwYXNz"}, Want: Unsupported},
		{Service: "Read", Authorization: bearer("a.b"), Want: Malformed},
		{Service: "Read", Authorization: f.good("iss", tokens.I2.URL), Want: Invalid},
		{Service: "Read", Authorization: f.good("exp", 1), Want: Expired},
		{Service: "Read", Authorization: f.good("nbf", tokens.MaxDate), Want: NotYetValid},
		{Service: "Read", Authorization: f.good("aud", tokens.OtherAPI), Want: Audience},
		{Service: "Read", Authorization: f.resource(orgA, "read:a"), Want: Model},
		{Service: "Field", Authorization: f.resource(orgB, "read:data"), Want: Organization},
		{Service: "Own", Authorization: f.good(), Want: Subject},
		{Service: "Any", Authorization: f.global("read:a"), Want: Insufficient("read:a sell buy", "sell", "buy")},
		{Service: "Client", Authorization: f.good(), Want: Caller},
		{Service: Unruled, Want: Ruleless},
		{Service: "Read", Authorization: f.good("iss", down), Want: Unavailable},
		{Service: "Read", Authorization: bearer("unanswered"), Want: Unanswered},
		{Service: "Read", Authorization: bearer("busy"), Want: Busy},
		{Service: "Read", Authorization: bearer("panic"), Want: Failed},
	}
	for n := range cases {
		cases[n].Row, cases[n].Name = "D55", cases[n].Want.Reason
	}
	return everywhere(cases)
}

// verifiers are calls to a server whose verifier breaks its contract.
func (f forge) verifiers() []Case {
	return []Case{
		{Name: "a verifier's own error", Service: "Read", Authorization: bearer("foreign"), Want: Failed, Cause: ErrForeign},
		{Name: "a verifier with neither claims nor error", Service: "Read", Authorization: bearer("nothing"), Want: Failed},
		{Name: "a verifier that panics", Service: "Read", Authorization: bearer("panic"), Want: Failed},
	}
}

// Reasons returns all reasons in cases, sorted.
func Reasons(cases []Case) []string {
	reasons := map[string]bool{}
	for _, c := range cases {
		reasons[c.Want.Reason] = true
	}
	return slices.Sorted(maps.Keys(reasons))
}
