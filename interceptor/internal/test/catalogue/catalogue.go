package catalogue

import (
	"slices"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// Cases returns all cases, ordered by row, with the URL of an attacker's server. The tokens are good for ten
// minutes, and for four minutes in the rows that are [Fleeting].
func Cases(attacker string) []Case {
	f := forge{tokens.Scene{
		Now: time.Now().Unix(), Leeway: int64(leeway / time.Second), Slack: int64(slack / time.Second), Attacker: attacker,
	}}
	cases := slices.Concat(
		f.carried(), f.schemes(), f.issuers(), f.audiences(), f.scopes(), f.otherScopeClaims(), f.callers(),
		f.globals(), f.resources(), f.members(), f.confusions(), f.streams(), f.nested(), f.otherPlaces(),
		f.anywhere(), f.ruleless(), f.publics(), f.reasons(), f.secrets(), f.verifiers(), f.trials(),
		f.subjects(), f.subjectPaths(), f.subjectNames(), f.clients(), f.subjectsIn(), f.subjectStreams(), f.twoIssuers(),
		f.waysOfTwo(), f.places(), f.waysOfThree(), f.wayStreams(),
	)
	for n := range cases {
		c := &cases[n]
		if c.Trust == "" {
			c.Trust = Both
		}
		if c.Messages == nil {
			c.Messages = naming(tokens.OrganizationA)
		}
		if c.Cause == nil {
			c.Cause = causes[c.Want.Reason]
		}
	}
	slices.SortStableFunc(cases, func(a, b Case) int { return strings.Compare(a.Row, b.Row) })
	for n := range cases {
		cases[n].Everywhere = cases[n].Everywhere || n == 0 || cases[n].Row != cases[n-1].Row
	}
	return cases
}

// trials are the forged and good tokens of package tokens: the token alone decides.
func (f forge) trials() []Case {
	answers := map[tokens.Verdict]Answer{
		tokens.Malformed: Malformed, tokens.Invalid: Invalid, tokens.Expired: Expired, tokens.NotYetValid: NotYetValid,
	}
	var cases []Case
	for _, trial := range f.Trials() {
		c := Case{
			Row: trial.Row, Name: trial.Name, Service: "Read", Authorization: bearer(trial.Raw), Want: answers[trial.Verdict],
		}
		if trial.Row == "D29" {
			c.Trust, c.Everywhere = Alone, true
		}
		cases = append(cases, c)
	}
	return cases
}
