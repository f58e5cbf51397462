package tokens

import (
	"slices"
	"strings"
)

// A Scene is when tokens are forged, and for whom.
type Scene struct {
	// Now is the moment, and Leeway the verifier's, in seconds.
	Now, Leeway int64
	// Slack is for how many seconds verdicts hold. Without any they are exact, and
	// hold while the clock stands still.
	Slack int64
	// Attacker is the URL of a server that nobody has any business with.
	Attacker string
}

// Payload is that of a good token of an issuer, with changes as [With] makes them.
func (s Scene) Payload(issuer string, changes ...any) string {
	return With(map[string]any{
		"iss": issuer, "sub": "user_1", "client_id": "app_1", "jti": "token_1", "aud": API,
		"scope": "read:a write:b", "iat": s.Now, "exp": s.Now + 300,
	}, changes...)
}

// Token is a good token with changes to its payload.
func (s Scene) Token(k *Key, changes ...any) string {
	return k.Mint(k.Header(), s.Payload(k.Issuer, changes...))
}

// A Verdict is what a verifier must say of a token.
type Verdict int

// The verdicts.
const (
	Accepted Verdict = iota
	Malformed
	Invalid
	Expired
	NotYetValid
)

// A Trial is a token and the verdict on it, by a verifier that knows the keys of the
// first issuer and allows all of [Algorithms]. Tokens that are accepted are the
// control of those that are not.
type Trial struct {
	// Row is the group of cases in SECURITY.md, or empty if there is none.
	Row, Name string
	Raw       string
	Verdict   Verdict
}

// String names the trial.
func (t Trial) String() string { return strings.Trim(t.Row+"/"+t.Name, "/") }

// Trials are all forgeries, by row, the most telling of each row first.
func (s Scene) Trials() []Trial {
	trials := slices.Concat(
		s.good(), s.malformed(), s.looseEncodings(), s.brokenJSON(), s.algorithms(), s.macs(), s.headers(), s.kinds(), s.mixedKeys(),
		s.curves(), s.changed(), s.otherSchemes(), s.times(), s.claims(), s.wrongTypes(), s.controls(),
	)
	slices.SortStableFunc(trials, func(a, b Trial) int { return strings.Compare(a.Row, b.Row) })
	return trials
}
