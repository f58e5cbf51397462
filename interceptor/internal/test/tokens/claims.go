package tokens

import (
	"encoding/json"
	"fmt"
	"strings"
)

// MaxDate is the largest NumericDate that is accepted: the last second of the year 9999.
const MaxDate int64 = 253402300799

// times are tokens before, at and after the edges of their life. An edge is exact if the verdict on its side still
// holds after the scene's slack.
func (s Scene) times() []Trial {
	k := I1.ES256
	at := func(name string, value any) string { return s.Token(k, name, value) }
	fraction := func(seconds int64, digits string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf("%d.%s", seconds, digits))
	}
	end, begin := s.Now-s.Leeway, s.Now+s.Leeway // the latest exp that has passed, the last nbf that has come
	soon := begin + s.Slack                      // the last nbf that comes while verdicts hold
	ahead := s.Now + min(max(s.Leeway, 10), 60)  // the last iat
	later := ahead + s.Slack
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
		{"D23", "iat ahead", at("iat", later+1), NotYetValid},
		{"D23", "iat as far ahead as may be", at("iat", ahead), Accepted},
		{"D23", "iat ahead by a fraction", at("iat", fraction(later, "001")), NotYetValid},
		{"D23", "iat ahead by less than a float64 holds", at("iat", fraction(later, "0000000001")), NotYetValid},
		{"D23", "iat ahead by a day", at("iat", s.Now+86400), NotYetValid},
		{"D23", "iat in 9999", at("iat", MaxDate), NotYetValid},
		{"D23", "iat ahead, expired", s.Token(k, "iat", s.Now+86400, "exp", 1), Expired},
		{"D23", "iat ahead and forged", I2.ES256.Mint(I2.ES256.Header(), s.Payload(k.Issuer, "iat", s.Now+86400)), NotYetValid},
		{"D23", "iat missing", at("iat", Absent{}), Accepted},
		{"D23", "iat 0", at("iat", 0), Accepted},
		{"D23", "iat in another case", s.Token(k, "iat", Absent{}, "IAT", MaxDate), Accepted},
		{"D23", "nbf ahead by less than a float64 holds", at("nbf", fraction(soon, "0000000001")), NotYetValid},
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

// claims are tokens whose iss is another issuer or not an issuer, and tokens that are bound to a key.
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

// wrongTypes are claims of another type: such a claim does not count as absent.
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

// controls are tokens with a control character in a claim that identifies the caller.
func (s Scene) controls() []Trial {
	k := I1.ES256
	trials := []Trial{
		{"D57", "another space in sub", s.Token(k, "sub", "user\u00a01\u200b\u2028"), Accepted},
		{"D57", "a line break in a claim that nobody reads", s.Token(k, "name", "a\nb\x00"), Accepted},
	}
	for _, character := range []string{"\x00", "\n", "\r", "\t", "\x1b", "\x1f", "\x7f", "\u0080", "\u0085", "\u009f"} {
		for _, name := range []string{"sub", "client_id", "jti", "organization_id"} {
			for _, value := range []string{"a" + character, character + "a", "a" + character + "b"} {
				trials = append(trials, Trial{"D57", fmt.Sprintf("%+q in %s", value, name), s.Token(k, name, value), Invalid})
			}
		}
		for _, audience := range []any{"urn:logto:organization:a" + character, []string{API, "urn:logto:organization:" + character}} {
			trials = append(trials, Trial{"D57", fmt.Sprintf("an organization in aud %+q", audience), s.Token(k, "aud", audience), Invalid})
		}
	}
	return append(trials,
		Trial{"D57", "NUL as it stands in sub", k.Mint(k.Header(), strings.Replace(s.Payload(k.Issuer), "user_1", "user_1\x00", 1)), Malformed},
		Trial{"D57", "DEL as it stands in sub", k.Mint(k.Header(), strings.Replace(s.Payload(k.Issuer), "user_1", "user_1\x7f", 1)), Invalid},
		Trial{"D57", "NUL in sub, forged", I2.ES256.Mint(I2.ES256.Header(), s.Payload(k.Issuer, "sub", "\x00")), Invalid})
}
