package catalogue

import (
	"fmt"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

const (
	orgA = tokens.OrganizationA
	orgB = tokens.OrganizationB
	urn  = tokens.OrganizationAudience
)

// issuers are tokens of several issuers that one server trusts.
func (f forge) issuers() []Case {
	i1, i2 := tokens.I1, tokens.I2
	cases := []Case{{Row: "D29", Name: "the issuer that is trusted", Service: "Read", Trust: Alone, Authorization: f.good()}}
	for n, k := range i1.Keys() {
		theirs := i2.Keys()[n]
		cases = append(cases,
			Case{Row: "D30", Name: "as I1, by the key of I2, " + k.Alg, Service: "Read", Authorization: bearer(f.Token(theirs, "iss", i1.URL)), Want: Invalid},
			Case{Row: "D30", Name: "as I2, by the key of I1, " + k.Alg, Service: "Read", Authorization: bearer(f.Token(k, "iss", i2.URL)), Want: Invalid},
			Case{Row: "D30", Name: "I1, " + k.Alg, Service: "Read", Authorization: bearer(f.Token(k))},
			Case{Row: "D30", Name: "I2, " + k.Alg, Service: "Read", Authorization: bearer(f.Token(theirs))})
	}
	return append(cases,
		Case{Row: "D30", Name: "I2, after it was rotated", Service: "Read", Authorization: bearer(f.Token(i2.Retired)), Want: Invalid},
		Case{Row: "", Name: "an issuer whose keys cannot be had", Service: "Read", Authorization: f.good("iss", down), Want: Unavailable})
}

// audiences are tokens for somebody else.
func (f forge) audiences() []Case {
	const api, other = tokens.API, tokens.OtherAPI
	var cases []Case
	refuse := func(id, name string, changes ...any) {
		cases = append(cases, Case{Row: id, Name: name, Service: "Read", Authorization: f.good(changes...), Want: Audience})
	}
	refuse("D25", "another API", "aud", other)
	refuse("D25", "missing", "aud", tokens.Absent{})
	refuse("D25", "empty", "aud", "")
	refuse("D25", "none", "aud", []string{})
	refuse("D25", "other APIs", "aud", []string{other, "https://third.test"})
	refuse("D25", "one that is empty", "aud", []string{""})
	refuse("D25", "aud in another case", "aud", tokens.Absent{}, "AUD", api)
	refuse("D25", "in another claim", "aud", other, "resource", api, "azp", api)
	for _, audience := range []string{
		api + "/", "api.test", "HTTPS://API.TEST", "https://API.test", api + ".evil", "https://api.tes", "https://api", "http://api.test",
		"//api.test", api + ":443", api + "?", api + "#", api + "/v1", " " + api, api + " ", api + " " + other, api + "," + other, api + "\x00",
		"https://xn--api.test", "https://api%2Etest", "*", "https://*.test",
	} {
		refuse("D26", fmt.Sprintf("%q", audience), "aud", audience)
	}
	refuse("D26", "several", "aud", []string{api + "/", "API", other})
	return append(cases,
		Case{Row: "D25", Name: "another API, a method without scopes", Service: "Authenticated", Authorization: f.good("aud", other), Want: Audience},
		Case{Row: "D25", Name: "another API, an organization's method", Service: "Field", Authorization: f.good("aud", other, "scope", "read:data", "organization_id", orgA), Want: Audience},
		Case{Row: "D25", Name: "another API, an organization's method by its token", Service: "Member", Authorization: f.good("aud", other, "scope", "invite:member"), Want: Audience},
		Case{Row: "D25", Name: "ours in an array", Service: "Read", Authorization: f.good("aud", []string{api})},
		Case{Row: "D25", Name: "ours among others", Service: "Read", Authorization: f.good("aud", []string{other, api})})
}

// scopes are tokens with the wrong scopes, and with the right ones in disorder.
func (f forge) scopes() []Case {
	var cases []Case
	refuse := func(id, name string, scope any) {
		cases = append(cases, Case{Row: id, Name: name, Service: "Read", Authorization: f.good("scope", scope), Want: Insufficient("read:a")})
	}
	refuse("D32", "missing", tokens.Absent{})
	refuse("D32", "empty", "")
	refuse("D32", "spaces", "   ")
	for _, scope := range []string{
		"read:ab", "read", "xread:a", "read:a:b", "READ:A", "Read:a", "read:", "read:*", "*", "ead:a", "read:a,write:b", "read:a,", "read:a;",
		"read:a\twrite:b", "read:a\n", "read:a\u00a0write:b", "read:a\x00", "read :a", "read%3Aa", "read:\u0430", "read:a\u200b", "a:read", "write:b",
	} {
		refuse("D33", fmt.Sprintf("%q", scope), scope)
	}
	cases = append(cases,
		Case{Row: "D32", Name: "missing, for an organization", Service: "Field", Authorization: f.good("scope", tokens.Absent{}, "organization_id", orgA), Want: Insufficient("read:data")},
		Case{Row: "D35", Name: "the first of two", Service: "Global", Authorization: f.global("read:a"), Want: Insufficient("read:a write:b")},
		Case{Row: "D35", Name: "the second of two", Service: "Global", Authorization: f.global("write:b"), Want: Insufficient("read:a write:b")},
		Case{Row: "D35", Name: "the first twice", Service: "Global", Authorization: f.global("read:a read:a"), Want: Insufficient("read:a write:b")},
		Case{Row: "D35", Name: "two of two", Service: "Global", Authorization: f.global("read:a write:b")},
		Case{Row: "D35", Name: "one alternative", Service: "Any", Authorization: f.global("buy read:a")},
		Case{Row: "D35", Name: "the other alternative", Service: "Any", Authorization: f.global("read:a sell")},
		Case{Row: "D35", Name: "no alternative", Service: "Any", Authorization: f.global("read:a sellall"), Want: Insufficient("read:a sell buy", "sell", "buy")},
		Case{Row: "D35", Name: "an alternative alone", Service: "Any", Authorization: f.global("sell buy"), Want: Insufficient("read:a sell buy", "sell", "buy")},
		Case{Row: "D35", Name: "one alternative of an organization", Service: "Member", Authorization: f.member(orgA, "manage:members")},
		Case{
			Row: "D35", Name: "no alternative of an organization", Service: "Member", Authorization: f.member(orgA, "read:members"),
			Want: Insufficient("invite:member manage:members", "invite:member", "manage:members"),
		},
		Case{Row: "D35", Name: "none is required", Service: "Authenticated", Authorization: f.global("")})
	for _, scope := range []string{"read:a x", "x read:a", "write:b read:a", "read:a read:a", "x  read:a", " read:a", "read:a ", "  read:a   y  "} {
		cases = append(cases, Case{Row: "D36", Name: fmt.Sprintf("%q", scope), Service: "Read", Authorization: f.global(scope)})
	}
	return cases
}

// otherScopeClaims are tokens whose scopes stand where other issuers have them.
func (f forge) otherScopeClaims() []Case {
	var cases []Case
	for _, claim := range []string{"scp", "scopes", "permissions", "roles", "SCOPE", "Scope", "scope ", "authorities", "realm_access"} {
		for _, value := range []any{"read:a", []string{"read:a"}} {
			cases = append(cases,
				Case{Row: "D37", Name: fmt.Sprintf("%s %q", claim, value), Service: "Read", Authorization: f.good("scope", tokens.Absent{}, claim, value), Want: Insufficient("read:a")},
				Case{Row: "D37", Name: fmt.Sprintf("%s %q beside an empty scope", claim, value), Service: "Read", Authorization: f.good("scope", "", claim, value), Want: Insufficient("read:a")})
		}
	}
	return cases
}

// callers are users and clients.
func (f forge) callers() []Case {
	client := f.good("sub", "app_1", "client_id", "app_1")
	return []Case{
		{Name: "a client for users", Service: "User", Authorization: client, Want: Caller},
		{Name: "a user for users", Service: "User", Authorization: f.good()},
		{Name: "a client for clients", Service: "Client", Authorization: client},
		{Name: "a user for clients", Service: "Client", Authorization: f.good(), Want: Caller},
		{Name: "nobody knows who for clients", Service: "Client", Authorization: f.good("client_id", tokens.Absent{}), Want: Caller},
		{Name: "nobody knows who for users", Service: "User", Authorization: f.good("client_id", tokens.Absent{}), Want: Caller},
	}
}

// twoIssuers are tokens of two issuers with the same user and client. The rules name users and clients of
// the first issuer.
func (f forge) twoIssuers() []Case {
	theirs := func(changes ...any) []string { return bearer(f.Token(tokens.I2.ES256, changes...)) }
	in := user(userID)
	in.Organization = orgB
	cases := []Case{
		{Name: "I1, the user", Authorization: f.good(), Messages: []Message{user(userID)}},
		{Name: "I2, the same user", Authorization: theirs(), Messages: []Message{user(userID)}, Want: Subject},
		{Name: "I2, another user", Authorization: theirs("sub", otherUser), Messages: []Message{user(otherUser)}, Want: Subject},
		{Name: "I2, nobody", Authorization: theirs(), Messages: []Message{user("")}, Want: Subject},
		{Name: "I2, as I1", Authorization: theirs("iss", tokens.I1.URL), Messages: []Message{user(userID)}, Want: Invalid},
		{Name: "I1, the client", Service: "OwnClient", Authorization: f.good(), Messages: []Message{client(clientID)}},
		{Name: "I2, the same client", Service: "OwnClient", Authorization: theirs(), Messages: []Message{client(clientID)}, Want: Subject},
		{Name: "I2, the same client's own token", Service: "OwnClient", Authorization: theirs("sub", clientID), Messages: []Message{client(clientID)}, Want: Subject},
		{Name: "I2, the same name", Service: "OwnName", Authorization: theirs(), Messages: bodies(`{"name":"users/user_1/settings"}`), Want: Subject},
		{Name: "I2, the same user in another organization", Service: "OwnIn", Authorization: theirs("scope", "read:data", "organization_id", orgA), Messages: []Message{in}, Want: Subject},
		{Name: "I2, no scope", Service: "OwnIn", Authorization: theirs("scope", "", "organization_id", orgA), Messages: []Message{in}, Want: Insufficient("read:data")},
		{Name: "I2, as staff", Service: "SelfOrStaff", Authorization: theirs("scope", "read:accounts"), Messages: []Message{user(userID)}, Ways: [][]int{{1}}, Told: []int{1}},
		{Name: "I2, neither self nor staff", Service: "SelfOrStaff", Authorization: theirs("scope", ""), Messages: []Message{user(userID)}, Ways: [][]int{{0}}, Want: Subject},
		{Name: "I2, user and client", Service: "SelfOrClient", Authorization: theirs(), Messages: bodies(`{"userId":"user_1","clientId":"app_1"}`), Ways: [][]int{{0}}, Want: Subject},
		{Name: "I2, an issuer alone", Trust: Alone, Authorization: theirs(), Messages: []Message{user(userID)}, Want: Invalid},
		{Name: "I1, an issuer alone", Trust: Alone, Authorization: f.good(), Messages: []Message{user(userID)}},
	}
	for n := range cases {
		cases[n].ByHeader = strings.HasPrefix(cases[n].Name, "I2") && cases[n].Want == Subject
	}
	return everywhere(inRow("D60", "Own", cases))
}
