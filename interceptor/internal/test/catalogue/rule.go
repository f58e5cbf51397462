package catalogue

import (
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// anywhere are calls without a token, of every kind of method.
func (f forge) anywhere() []Case {
	var cases []Case
	for _, service := range []string{"Global", "Field", "Member"} {
		cases = append(cases,
			Case{Row: "D51", Name: "no token, " + service, Service: service, Want: Missing},
			Case{Row: "D51", Name: "no token, several messages, " + service, Service: service, Messages: naming(orgA, orgA), Want: Missing},
			Case{Row: "D51", Name: "no token, swallowed, " + service, Service: service, Swallow: true, Want: Missing})
	}
	return everywhere(cases)
}

// ruleless are calls of methods without a rule.
func (f forge) ruleless() []Case {
	return everywhere([]Case{
		{Row: "D52", Name: "no token", Service: Unruled, Want: Ruleless},
		{Row: "D52", Name: "a good token", Service: Unruled, Authorization: f.good(), Want: Ruleless},
		{Row: "D52", Name: "an organization's token", Service: Unruled, Authorization: f.resource(orgA, "read:data"), Want: Ruleless},
		{Row: "D52", Name: "a bad token", Service: Unruled, Authorization: bearer("a.b"), Want: Ruleless},
	})
}

// publics are calls of public methods: no token is verified, so a bad token does no harm.
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
			{"a forged token", bearer(f.Token(tokens.I2.ES256, "iss", tokens.I1.URL))},
			{"a token whose keys cannot be had", f.good("iss", down)},
			{"another scheme", []string{"Basic dXNlcjpwYXNz"}},
			{"an empty header", []string{""}},
			{"two headers", []string{"", ""}},
		} {
			cases = append(cases, Case{Row: "D53", Name: test.name + ", " + service, Service: service, Authorization: test.authorization})
		}
	}
	return append(cases, Case{Row: "D53", Name: "several messages", Service: "Public", Messages: naming("", orgA, orgB)})
}
