package tokentest

import (
	"encoding/json"
	"fmt"
)

// MaxDate is the largest NumericDate that is taken: the last second of the year 9999.
const MaxDate int64 = 253402300799

// times are tokens before, at and after the edges of their life. The edges are
// exact where the time that verdicts must hold is on their side.
func (s Scene) times() []Trial {
	k := I1.ES256
	at := func(name string, value any) string { return s.Token(k, name, value) }
	fraction := func(seconds int64, digits string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf("%d.%s", seconds, digits))
	}
	end, begin := s.Now-s.Leeway, s.Now+s.Leeway // the latest exp that has passed, the last nbf that has come
	soon := begin + s.Slack                      // and the last that comes while verdicts hold
	trials := []Trial{
		{"D20", "exp a second past the leeway", at("exp", end-1), Expired},
		{"D20", "exp at the leeway", at("exp", end), Expired},
		{"D20", "exp inside the leeway", at("exp", end+1+s.Slack), Accepted},
		{"D20", "a fraction does not prolong", at("exp", fraction(end, "999")), Expired},
		{"D20", "exp with a fraction", at("exp", fraction(end+1+s.Slack, "5")), Accepted},
		{"D20", "expired and not yet valid", s.Token(k, "exp", 1, "nbf", soon+1), Expired},
		{"D20", "expired and forged", I2.ES256.Mint(I2.ES256.Header(), s.Payload(k.Issuer, "exp", 1)), Expired},
		{"D21", "exp missing", at("exp", Absent{}), Invalid},
		{"D21", "exp in another case", s.Token(k, "exp", Absent{}, "EXP", s.Now+300), Invalid},
		{"D21", "exp in 9999", at("exp", MaxDate), Accepted},
		{"D22", "exp 0", at("exp", 0), Expired},
		{"D22", "exp -0", at("exp", json.RawMessage("-0")), Expired},
		{"D22", "exp with an exponent", at("exp", json.RawMessage("4.1024448e9")), Accepted},
		{"D23", "nbf past the leeway", at("nbf", soon+1), NotYetValid},
		{"D23", "nbf at the leeway", at("nbf", begin), Accepted},
		{"D23", "a fraction does not hasten", at("nbf", fraction(soon, "001")), NotYetValid},
		{"D23", "nbf in 9999", at("nbf", MaxDate), NotYetValid},
		{"D23", "nbf 0", at("nbf", 0), Accepted},
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		row := map[string]string{"exp": "D21", "nbf": "D23", "iat": "D23"}[name]
		for _, value := range []string{"null", `"9999999999"`, `"0"`, `""`, "true", "false", "{}", "[]", "[9999999999]"} {
			trials = append(trials, Trial{row, name + " " + value, at(name, json.RawMessage(value)), Invalid})
		}
		if name == "exp" {
			row = "D22"
		}
		for _, value := range []string{
			"-1", "-1e30", "1e30", "9.3e18", "1e400", "-1e400",
			"253402300799.5", "253402300800", "9223372036854775808", "18446744073709551616",
		} {
			trials = append(trials, Trial{row, name + " " + value, at(name, json.RawMessage(value)), Invalid})
		}
	}
	return trials
}

// claims are tokens of another issuer, or of nobody.
func (s Scene) claims() []Trial {
	k := I1.ES256
	var trials []Trial
	for _, iss := range []struct {
		name  string
		value any
	}{
		{"another issuer's", I2.URL},
		{"with a slash", I1.URL + "/"},
		{"over http", "http://idp.test/oidc"},
		{"with an upper-case host", "https://IDP.test/oidc"},
		{"missing", Absent{}},
		{"array", []string{I1.URL}},
		{"array of two", []string{I1.URL, I2.URL}},
		{"with the default port", "https://idp.test:443/oidc"},
		{"with a query", I1.URL + "?"},
		{"with a fragment", I1.URL + "#"},
		{"with user information", "https://x@idp.test/oidc"},
		{"prefix", "https://idp.test"},
		{"longer", I1.URL + ".evil.test"},
		{"with a space", I1.URL + " "},
		{"with a NUL", I1.URL + "\x00"},
		{"empty", ""},
		{"null", nil},
		{"number", 1},
		{"object", map[string]any{"iss": I1.URL}},
	} {
		trials = append(trials, Trial{"D24", "iss " + iss.name, s.Token(k, "iss", iss.value), Invalid})
	}
	trials = append(trials,
		Trial{"D24", "iss in another case", s.Token(k, "iss", Absent{}, "ISS", I1.URL), Invalid},
		Trial{"D29", "another issuer's own", s.Token(I2.ES256), Invalid},
		Trial{"D29", "another issuer's own, ES384", s.Token(I2.ES384), Invalid},
		Trial{"D29", "another issuer's own, unknown kid", I2.ES256.Mint(I2.ES256.Header("kid", "x"), s.Payload(I2.URL)), Invalid},
		Trial{"D30", "by another issuer's key of the same kid", s.Token(I2.ES256, "iss", I1.URL), Invalid},
		Trial{"D30", "by another issuer's key, no kid", I2.ES256.Mint(I2.ES256.Header("kid", Absent{}), s.Payload(I1.URL)), Invalid},
	)
	for _, claim := range []struct {
		name  string
		value any
	}{{"DPoP", map[string]any{"jkt": "x"}}, {"mTLS", map[string]any{"x5t#S256": "x"}}, {"nothing", map[string]any{}}, {"null", nil}} {
		trials = append(trials, Trial{"", "cnf, bound to " + claim.name, s.Token(k, "cnf", claim.value), Invalid})
	}
	return trials
}

// wrongTypes are claims that are there and yet not of their type: they never count
// as absent.
func (s Scene) wrongTypes() []Trial {
	k := I1.ES256
	var trials []Trial
	for _, claim := range []struct {
		row, name string
		values    []string
	}{
		{"D25", "aud", []string{
			"1", "{}", `["` + API + `",5]`, `["` + API + `",null]`, "true", "false", "null", `{"0":"` + API + `"}`, "[null]", "[1]", `[["` + API + `"]]`,
		}},
		{"D34", "scope", []string{`["read:a"]`, "{}", "1", "true", "null", "[]", `["read:a",1]`, `{"read:a":true}`, "false"}},
		{"D39", "organization_id", []string{"null", "[]", "0", "42", "true", "false", "{}", `["A"]`}},
		{"", "sub", []string{`""`, "null", "1", `["user_1"]`, "{}"}},
		{"", "client_id", []string{`""`, "null", "1", `["app_1"]`, "{}"}},
		{"", "jti", []string{"null", "1", "[]"}},
	} {
		for _, value := range claim.values {
			trials = append(trials, Trial{claim.row, claim.name + " " + value, s.Token(k, claim.name, json.RawMessage(value)), Invalid})
		}
	}
	return append(trials, Trial{"", "sub missing", s.Token(k, "sub", Absent{}), Invalid})
}
