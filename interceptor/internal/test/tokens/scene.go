package tokens

import (
	"slices"
	"strings"
)

// A Scene holds the time and the server that tokens are forged for.
type Scene struct {
	// Now is the time in seconds since 1970, and Leeway the leeway of the verifier in seconds.
	Now, Leeway int64
	// Slack is the number of seconds for which the verdicts hold. With 0, the verdicts are exact, and hold
	// while the clock stands still.
	Slack int64
	// Attacker is the URL of a server that must get no request.
	Attacker string
}

// Payload returns the payload of a good token of an issuer, with changes: see [With].
func (s Scene) Payload(issuer string, changes ...any) string {
	return With(map[string]any{
		"iss": issuer, "sub": "user_1", "client_id": "app_1", "jti": "token_1", "aud": API,
		"scope": "read:a write:b", "iat": s.Now, "exp": s.Now + 300,
	}, changes...)
}

// Token returns a good token with changes to its payload: see [With].
func (s Scene) Token(k *Key, changes ...any) string {
	return k.Mint(k.Header(), s.Payload(k.Issuer, changes...))
}

// A Verdict is the decision of a verifier on a token.
type Verdict int

// The verdicts.
const (
	Accepted Verdict = iota
	Malformed
	Invalid
	Expired
	NotYetValid
)

// A Trial is a token with the verdict of a verifier that has the keys of the first issuer and allows all
// [Algorithms]. Accepted tokens are the control for the others.
type Trial struct {
	// Row is the group of cases in SECURITY.md, such as "D07", or empty.
	Row, Name string
	Raw       string
	Verdict   Verdict
}

// String names the trial.
func (t Trial) String() string { return strings.Trim(t.Row+"/"+t.Name, "/") }

// Trials returns all trials, ordered by row. The most telling trial of a row comes first.
func (s Scene) Trials() []Trial {
	trials := slices.Concat(
		s.good(), s.malformed(), s.looseEncodings(), s.brokenJSON(), s.algorithms(), s.macs(), s.headers(), s.kinds(), s.mixedKeys(),
		s.curves(), s.changed(), s.otherSchemes(), s.times(), s.claims(), s.wrongTypes(), s.controls(),
	)
	slices.SortStableFunc(trials, func(a, b Trial) int { return strings.Compare(a.Row, b.Row) })
	return trials
}
