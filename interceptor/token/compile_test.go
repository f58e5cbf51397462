package token_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// lists are the values of claims, by their names.
type lists = map[string][]string

const keysURL = "https://keys.test/jwks"

// configured returns an issuer without faults, with a change.
func configured(change func(*token.Issuer)) token.Issuer {
	issuer := token.Issuer{URL: issuerURL, Algorithms: []string{"ES256"}}
	change(&issuer)
	return issuer
}

// multi returns an issuer of several tenants, with a change.
func multi(change func(*token.Issuer)) token.Issuer {
	return configured(func(i *token.Issuer) {
		i.URL, i.KeySetURL, i.RequiredClaims = "https://idp.test/{tid}/v2", keysURL, lists{"tid": {"a", "b"}}
		change(i)
	})
}

// A configuration is an issuer with its faults.
type configuration struct {
	name   string
	issuer token.Issuer
	others []token.Issuer
	faults []string
}

// checkFaults fails unless a verifier has exactly the faults.
func checkFaults(t *testing.T, configurations []configuration) {
	t.Helper()
	for _, test := range configurations {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var opts []token.Option
			for _, other := range test.others {
				opts = append(opts, token.WithIssuer(other))
			}
			_, err := token.NewVerifier(test.issuer, opts...)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if want := strings.Join(test.faults, "\n"); text != want {
				t.Errorf("faults are\n%s\nwant\n%s", text, want)
			}
		})
	}
}

func quoted(name string) string { return strconv.Quote(name) }

const ofIssuer = `token: issuer "https://idp.test/oidc": `

// TestNameFaults has the faults of names of claims, and the neighbours that are none.
func TestNameFaults(t *testing.T) {
	t.Parallel()
	const (
		nested      = `: a nested claim is written as a JSON Pointer, such as `
		example     = `"/realm_access/roles"`
		placeholder = `: a placeholder stands in a JSON Pointer, such as "/roles/*" or "/roles/{scope}"`
		blank       = "is blank: write the name of a claim; if a variable or a file should supply it, set the variable or fill the file"
		braces      = "has braces that are not a placeholder: the placeholders are *, {scope} and {organization}, each as a whole step"
		tilde       = "has a ~ that begins neither ~0 nor ~1: write ~0 for ~, and ~1 for a slash (RFC 6901)"
		empty       = "has an empty step: write the name of a member behind each slash"
		first       = "begins with a placeholder: name a claim first"
		deep        = "has more than 32 steps, and no token is nested so deeply"
		noneHere    = ", and must name one claim: write a pointer without placeholders"
	)
	member := func(step string) string {
		return "has the step " + quoted(step) + ": write the name of a member as the token has it, or a placeholder (*, {scope} or {organization})"
	}
	fields := map[string]func(*token.Issuer, string){
		"OrganizationClaim": func(i *token.Issuer, name string) { i.OrganizationClaim = name },
		"ScopeClaims":       func(i *token.Issuer, name string) { i.ScopeClaims, i.OrganizationClaim = []string{name}, "org" },
		"ClientClaims":      func(i *token.Issuer, name string) { i.ClientClaims = []string{name} },
		"SubjectClaims":     func(i *token.Issuer, name string) { i.SubjectClaims = []string{name} },
		"RequiredClaims":    func(i *token.Issuer, name string) { i.RequiredClaims = lists{name: {"x"}} },
		"RequiredHeader":    func(i *token.Issuer, name string) { i.RequiredHeader = lists{name: {"x"}} },
		"ClientTokens":      func(i *token.Issuer, name string) { i.ClientTokens = lists{name: {"x"}} },
		"UserTokens":        func(i *token.Issuer, name string) { i.UserTokens = lists{name: {"x"}} },
	}
	everywhere := map[string]string{ // the fault of a name in each field
		"org": "", "org_id": "", "cognito:groups": "", "https://acme.example/roles": "", "urn:a:b.c": "", "http://schemas.acme.example/ws/claims/~x?a=b": "", "org-id": "", "/org": "", "/org.id": "", "/a/b": "", "/a~1b/~0": "", "/~01": "", "/a b": "", "/0": "", "/é": "",
		strings.Repeat("/a", 32): "", strings.Repeat("/a", 33): deep,
		" ": blank, "\t": blank, "\u00a0": blank,
		"firebase.tenant":      "has '.' in it" + nested + `"/firebase/tenant"; write "/firebase.tenant" if '.' belongs to the name`,
		"realm_access.roles":   "has '.' in it" + nested + `"/realm_access/roles"; write "/realm_access.roles" if '.' belongs to the name`,
		"$.realm_access.roles": "has '$' in it" + nested + `"/realm_access/roles"; write "/$.realm_access.roles" if '$' belongs to the name`,
		"a/b":                  "has '/' in it" + nested + `"/a/b"; write "/a~1b" if '/' belongs to the name`,
		"a/~b":                 "has '/' in it" + nested + example + `; write "/a~1~0b" if '/' belongs to the name`,
		"roles.*":              "has '.' in it" + nested + `"/roles/*"`,
		"roles/{scope}":        "has '/' in it" + nested + `"/roles/{scope}"`,
		".":                    "has '.' in it" + nested + example + `; write "/." if '.' belongs to the name`,
		"a[0]":                 "has '[' in it" + nested + example,
		"scp roles":            `has ' ' in it: write "/scp roles" if ' ' belongs to the name`,
		"org\n":                `has '\n' in it: remove the white space, also where a variable or a file supplies the name`,
		" org":                 `has ' ' in it: remove the white space, also where a variable or a file supplies the name`,
		"org|id":               `has '|' in it: write "/org|id" if '|' belongs to the name`,
		"é":                    `has 'é' in it: write "/é" if 'é' belongs to the name`,
		"\ufefforg":            `has '\ufeff' in it: remove the character`,
		"a<b>":                 `has '<' in it: remove the character`,
		"org~1id":              "has '~' in it" + nested + `"/org~1id"; write "/org~01id" if '~' belongs to the name`,
		"urn:a/b":              "has '/' in it" + nested + `"/urn:a/b"; write "/urn:a~1b" if '/' belongs to the name`,
		"https://a.test/a~1b":  "has '~' in it" + nested + example + `; write "/https:~1~1a.test~1a~01b" if '~' belongs to the name`,
		"https://a.test/#/b":   "has '#' in it" + nested + example + `; write "/https:~1~1a.test~1#~1b" if '#' belongs to the name`,
		"#/a":                  "has '#' in it" + nested + `"/a"; write "/#~1a" if '#' belongs to the name`,
		`a\b`:                  `has '\\' in it: write "/a\\b" if '\\' belongs to the name`,
		"{org}":                "has '{' in it" + placeholder,
		"urn:{tid}":            "has '{' in it" + placeholder,
		"urn:a b":              `has ' ' in it: write "/urn:a b" if ' ' belongs to the name`,
		"*":                    "has '*' in it" + placeholder,
		"/":                    empty, "//": empty, "/a/": empty, "/a//b": empty, "//a": empty,
		"/a~b": tilde, "/a~": tilde, "/~2": tilde, "/a/~~0": tilde, "/~/b": tilde,
		"/a/{tenant}": braces, "/a/x{scope}": braces, "/a/{scope}{scope}": braces, "/a/{": braces, "/a/}": braces, "/{}": braces, "/a/{Scope}": braces,
		"/{client}/a": braces,
		"/a/ b":       member(" b"), "/a /b": member("a "), "/a\u200b": member("a\u200b"), "/a[*]/id": member("a[*]"), "/a[0]": member("a[0]"), "/a*": member("a*"), "/a\x01b": member("a\x01b"), "/a\u200bb": member("a\u200bb"), "/a/:org": member(":org"), "/a/<org>": member("<org>"), "/a/**": member("**"),
	}
	several := map[string]map[string]string{ // the faults of a placeholder, by fields
		"/a/*":                          {"ClientClaims": "has the placeholder *" + noneHere, "SubjectClaims": "has the placeholder *" + noneHere},
		"/*":                            {"": first, "ClientClaims": "has the placeholder *" + noneHere, "SubjectClaims": "has the placeholder *" + noneHere},
		"/a/*/*/b":                      {"ClientClaims": "has the placeholder *" + noneHere, "SubjectClaims": "has the placeholder *" + noneHere},
		"/a/{scope}":                    {"": "has the placeholder {scope}, which has no meaning here: write a pointer whose placeholders are *", "OrganizationClaim": "has the placeholder {scope}, which has no meaning here: write a pointer whose placeholders are * or {organization}", "ClientClaims": "has the placeholder {scope}" + noneHere, "SubjectClaims": "has the placeholder {scope}" + noneHere, "ScopeClaims": ""},
		"/a/{organization}":             {"": "has the placeholder {organization}, which has no meaning here: write a pointer whose placeholders are *", "ScopeClaims": "", "OrganizationClaim": "", "ClientClaims": "has the placeholder {organization}" + noneHere, "SubjectClaims": "has the placeholder {organization}" + noneHere},
		strings.Repeat("/a", 32) + "/*": {"": deep, "ClientClaims": "has the placeholder *" + noneHere, "SubjectClaims": "has the placeholder *" + noneHere},
	}
	for name, fault := range everywhere {
		several[name] = map[string]string{"": fault}
	}
	for field, set := range fields {
		for name, faults := range several {
			fault, ok := faults[field]
			if !ok {
				fault = faults[""]
			}
			var want []string
			if fault != "" {
				want = []string{ofIssuer + field + ": " + quoted(name) + " " + fault}
			}
			checkFaults(t, []configuration{{field + "/" + name, configured(func(i *token.Issuer) { set(i, name) }), nil, want}})
		}
	}
	scopes := func(organization, name string) token.Issuer {
		return configured(func(i *token.Issuer) { i.OrganizationClaim, i.ScopeClaims = organization, []string{name} })
	}
	checkFaults(t, []configuration{
		{"scopes and organizations", scopes("org", "/a/{scope}/{organization}"), nil, nil},
		{"organizations and scopes", scopes("org", "/a/*/{organization}/b/{scope}/*"), nil, nil},
		{"scopes twice", scopes("org", "/a/{scope}/{scope}"), nil, []string{ofIssuer + `ScopeClaims: "/a/{scope}/{scope}" has the placeholder {scope} twice: write it once`}},
		{"organizations twice", scopes("/a/{organization}/{organization}", "scp"), nil, []string{ofIssuer + `OrganizationClaim: "/a/{organization}/{organization}" has the placeholder {organization} twice: write it once`}},
		{"no organization", scopes("", "/a/{organization}"), nil, []string{ofIssuer + `ScopeClaims: "/a/{organization}" has the placeholder {organization}, and the issuer has no organizations: set OrganizationClaim or OrganizationAudience`}},
		{"organizations in aud alone", configured(func(i *token.Issuer) { i.OrganizationAudience, i.ScopeClaims = "org:", []string{"/a/{organization}"} }), nil, nil},
		{"permissions of Clerk", scopes("", token.ClerkPermissions), nil, nil},
		{"permissions of Clerk as an organization", scopes(token.ClerkPermissions, "scp"), nil, []string{ofIssuer + `OrganizationClaim: "/o/{permissions}" ` + braces}},
		{"no organization at all", scopes("", "scp"), nil, nil},
	})
}

// TestRequirementFaults has the faults of lists of values, and the neighbours that are none.
func TestRequirementFaults(t *testing.T) {
	t.Parallel()
	const (
		empty    = "has an empty list: list the values to accept, or token.AnyValue alone for any value"
		alone    = `lists "" alone: list the values to accept, and "" beside them if the claim may be absent, or token.NoValue if it must be`
		anyOr    = `lists "" beside token.AnyValue, so every token is accepted: leave the claim out, or list the values to accept`
		beside   = `lists token.AnyValue or token.NoValue beside other values: list the values to accept, or one of the two alone`
		optional = `lists "", so a token without the claim would count as one of this kind: leave out "", or list token.NoValue alone if the tokens of this kind do not have the claim`
		space    = `lists " a", which has white space around it: remove the white space, also where a variable or a file supplies it`
		blank    = "lists a blank value: if a variable or a file should supply it, set the variable or fill the file"
		twice    = `lists "{client}-{client}", which holds {client} twice: write it once`
		clients  = `lists "a-{client}", and {client} has a meaning in ClientTokens and UserTokens only: list the values themselves`
	)
	fields := map[string]func(*token.Issuer, lists){
		"RequiredClaims": func(i *token.Issuer, l lists) { i.RequiredClaims = l },
		"RequiredHeader": func(i *token.Issuer, l lists) { i.RequiredHeader = l },
		"ClientTokens":   func(i *token.Issuer, l lists) { i.ClientTokens = l },
		"UserTokens":     func(i *token.Issuer, l lists) { i.UserTokens = l },
	}
	for field, set := range fields {
		for _, test := range []struct {
			name, claim string
			values      []string
			fault       string
		}{
			{"a value", "x", []string{"a"}, ""},
			{"values, one twice", "x", []string{"b", "a", "b"}, ""},
			{"any value", "x", []string{token.AnyValue}, ""},
			{"no value", "x", []string{token.NoValue}, ""},
			{"no value, or absent", "x", []string{"", token.NoValue}, `lists "" beside token.NoValue, which means the same: leave out ""`},
			{"no value beside a value", "x", []string{"a", token.NoValue}, beside},
			{"no value beside any", "x", []string{token.AnyValue, token.NoValue}, beside},
			{"a value with white space around", "x", []string{" a"}, space},
			{"a value that holds a star", "x", []string{"a*", "**"}, ""},
			{"nil", "x", nil, empty},
			{"empty", "x", []string{}, empty},
			{"absent alone", "x", []string{""}, alone},
			{"absent alone, of another kind", "nonce", []string{""}, alone},
			{"absent twice", "x", []string{"", ""}, alone},
			{"any value or absent", "x", []string{"", token.AnyValue}, anyOr},
			{"any value or absent, inside another kind", "/nonce/x", []string{"", token.AnyValue}, anyOr},
			{"any value or absent, of all of another kind", "/nonce/*", []string{"", token.AnyValue}, anyOr},
			{"any value beside a value", "x", []string{token.AnyValue, "a"}, beside},
			{"any value beside a value, or absent", "x", []string{"", "a", token.AnyValue}, beside},
			{"any value beside a value, of another kind", "nonce", []string{"", "a", token.AnyValue}, beside},
			{"blank", "x", []string{"a", " "}, blank},
			{"a line break", "x", []string{"\n"}, blank},
			{"the client twice", "x", []string{"{client}-{client}"}, twice},
		} {
			var want []string
			if test.fault != "" {
				want = []string{ofIssuer + field + ": " + quoted(test.claim) + " " + test.fault}
			}
			checkFaults(t, []configuration{{field + "/" + test.name, configured(func(i *token.Issuer) { set(i, lists{test.claim: test.values}) }), nil, want}})
		}
		var want, kind, kinds, other []string
		if strings.HasPrefix(field, "Required") {
			want = []string{ofIssuer + field + `: "x" ` + clients}
		} else {
			kind = []string{ofIssuer + field + `: "x" ` + optional}
			other = []string{ofIssuer + field + `: "x" lists "{7baee083}", whose braces are not {client}: write the value itself, or {client} for the client`}
		}
		if field != "RequiredClaims" {
			kinds = []string{ofIssuer + field + `: "nonce" ` + anyOr}
		}
		checkFaults(t, []configuration{
			{field + "/a value, or absent", configured(func(i *token.Issuer) { set(i, lists{"x": {"", "a"}}) }), nil, kind},
			{field + "/braces that are not the client", configured(func(i *token.Issuer) { set(i, lists{"x": {"{7baee083}"}}) }), nil, other},
			{field + "/the client, or absent", configured(func(i *token.Issuer) { set(i, lists{"x": {"", "a-{client}"}}) }), nil, want},
			{field + "/any value or absent, of another kind", configured(func(i *token.Issuer) { set(i, lists{"nonce": {"", token.AnyValue}}) }), nil, kinds},
			{field + "/the client", configured(func(i *token.Issuer) { set(i, lists{"x": {"a-{client}"}}) }), nil, want},
			{field + "/none", configured(func(i *token.Issuer) { set(i, lists{}) }), nil, nil},
			{field + "/several faults, sorted", configured(func(i *token.Issuer) { set(i, lists{"b": nil, "a": {""}, "c": {"x"}}) }), nil, []string{ofIssuer + field + `: "a" ` + alone, ofIssuer + field + `: "b" ` + empty}},
		})
	}
	checkFaults(t, []configuration{
		{"alg in the header", configured(func(i *token.Issuer) { i.RequiredHeader = lists{"alg": {"ES256"}} }), nil, []string{ofIssuer + `RequiredHeader: "alg" is judged already: use Algorithms and Types`}},
		{"typ in the header", configured(func(i *token.Issuer) { i.RequiredHeader = lists{"typ": {"JWT"}} }), nil, []string{ofIssuer + `RequiredHeader: "typ" is judged already: use Algorithms and Types`}},
		{"typ in the payload", configured(func(i *token.Issuer) { i.RequiredClaims = lists{"typ": {"Bearer"}, "alg": {"x"}} }), nil, nil},
	})
}

// TestMandatoryFaults has the faults of Types and Audience, which need mandatory entries in RequiredClaims, and of
// MaxLifetime.
func TestMandatoryFaults(t *testing.T) {
	t.Parallel()
	const (
		noTyp = ofIssuer + `Types: "" accepts tokens without typ, which ID tokens are too, and RequiredClaims requires nothing that access tokens alone have: name such a claim there, such as "client_id", with token.AnyValue`
		noAud = ofIssuer + `Audience: without aud nothing tells for which API a token is: list in RequiredClaims the clients of this API, as values of a claim in ClientClaims or SubjectClaims; if the issuer's keys serve this API alone, list "https://idp.test/oidc" for "iss"`
		blank = ofIssuer + `Audience: it is blank: give the audience that rules name; if a variable or a file should supply it, set the variable or fill the file`
	)
	types := func(required lists, types ...string) token.Issuer {
		return configured(func(i *token.Issuer) { i.Types, i.RequiredClaims = types, required })
	}
	audience := func(audience string, required lists) token.Issuer {
		return configured(func(i *token.Issuer) { i.Audience, i.RequiredClaims = audience, required })
	}
	checkFaults(t, []configuration{
		{"no typ, any value", types(lists{"client_id": {token.AnyValue}}, "JWT", ""), nil, nil},
		{"no typ, a value", types(lists{"x": {"", "a"}, "token_use": {"access"}}, ""), nil, nil},
		{"no typ, nothing", types(nil, "JWT", ""), nil, []string{noTyp}},
		{"no typ, optional entries", types(lists{"a": {"", "x"}, "nonce": {"", token.AnyValue}}, "JWT", ""), nil, []string{noTyp}},
		{"no typ, what every token has", types(lists{"iss": {issuerURL}, "sub": {token.AnyValue}, "aud": {token.AnyValue}, "exp": {token.AnyValue}, "/iat": {token.AnyValue}, "x": {token.NoValue}}, ""), nil, []string{noTyp}},
		{"no typ, inside what every token has", types(lists{"/sub/x": {token.AnyValue}}, ""), nil, nil},
		{"no typ, elements of what every token has", types(lists{"/aud/*": {token.AnyValue}}, ""), nil, nil},
		{"no typ, inside the issuer", types(lists{"/iss/x": {"a"}}, ""), nil, nil},
		{"no typ, and an empty list", types(lists{"x": {}}, ""), nil, []string{ofIssuer + `RequiredClaims: "x" has an empty list: list the values to accept, or token.AnyValue alone for any value`}},
		{"no typ, a subject", types(lists{"sub": {"a"}}, ""), nil, nil},
		{"no typ, the header alone", configured(func(i *token.Issuer) { i.Types, i.RequiredHeader = []string{""}, lists{"cat": {"x"}} }), nil, []string{noTyp}},
		{"no typ, client tokens alone", configured(func(i *token.Issuer) { i.Types, i.ClientTokens = []string{""}, lists{"gty": {"x"}} }), nil, []string{noTyp}},
		{"a typ, nothing", types(nil, "JWT"), nil, nil},
		{"a typ that is blank", types(nil, "JWT", " "), nil, []string{ofIssuer + `Types: " " is blank: "" stands for a token without typ`}},

		{"audience, values", audience(api, lists{"client_id": {"a", "b"}}), nil, nil},
		{"audience, the issuer", audience(api, lists{"iss": {issuerURL}}), nil, nil},
		{"audience, a subject", audience(api, lists{"sub": {"a"}}), nil, nil},
		{"audience, clients in a pointer", audience(api, lists{"/client_id/*": {"a"}}), nil, []string{noAud}},
		{"audience, and an empty list", audience(api, lists{"x": {}}), nil, []string{ofIssuer + `RequiredClaims: "x" has an empty list: list the values to accept, or token.AnyValue alone for any value`}},
		{"any issuer", audience("", lists{"iss": {token.AnyValue}}), nil, nil},
		{"audience, the kind of token", audience(api, lists{"token_use": {"access"}}), nil, []string{noAud}},
		{"audience, another issuer", audience(api, lists{"iss": {"https://idp.test"}}), nil, []string{ofIssuer + `RequiredClaims: "iss" does not list Issuer.URL, so every token would be refused: list "https://idp.test/oidc"`}},
		{"audience of an organization", configured(func(i *token.Issuer) {
			i.Audience, i.OrganizationAudience, i.RequiredClaims = "org:a", "org:", lists{"sub": {"a"}}
		}), nil, []string{ofIssuer + `Audience: "org:a" names an organization by OrganizationAudience: give the audience of the API`}},
		{"audience, nothing", audience(api, nil), nil, []string{noAud}},
		{"audience, any value", audience(api, lists{"client_id": {token.AnyValue}}), nil, []string{noAud}},
		{"audience, optional values", audience(api, lists{"client_id": {"", "a"}}), nil, []string{noAud}},
		{"audience, any value and optional ones", audience(api, lists{"client_id": {token.AnyValue}, "a": {"", "b"}}), nil, []string{noAud}},
		{"audience, the header alone", configured(func(i *token.Issuer) { i.Audience, i.RequiredHeader = api, lists{"cat": {"x"}} }), nil, []string{noAud}},
		{"audience that is blank", audience(" ", lists{"client_id": {"a"}}), nil, []string{blank}},
		{"no audience", audience("", nil), nil, nil},

		{"a client that may have no sub", configured(func(i *token.Issuer) {
			i.SubjectClaims, i.ClientTokens = []string{"sub", "client_id"}, lists{"sub": {"{client}"}}
		}), nil, []string{ofIssuer + `ClientTokens: a token without sub, which SubjectClaims lets have another subject, would count as a user's: list "" beside "{client}" for "sub", so that such a token of a client counts as the client's own`}},
		{"a client that may have no sub, and users", configured(func(i *token.Issuer) {
			i.SubjectClaims, i.ClientTokens, i.UserTokens = []string{"sub", "client_id"}, lists{"sub": {"{client}"}}, lists{"sub": {token.AnyValue}}
		}), nil, nil},
		{"a client that may have no sub, which is listed", configured(func(i *token.Issuer) {
			i.SubjectClaims, i.ClientTokens = []string{"sub", "client_id"}, lists{"sub": {"", "{client}"}}
		}), nil, nil},
		{"a client that has another claim", configured(func(i *token.Issuer) {
			i.SubjectClaims, i.ClientTokens = []string{"sub", "client_id"}, lists{"sub": {"a"}}
		}), nil, nil},

		{"a lifetime of a second", configured(func(i *token.Issuer) { i.MaxLifetime = time.Second }), nil, nil},
		{"a lifetime without its unit", configured(func(i *token.Issuer) { i.MaxLifetime = 3600 }), nil, []string{ofIssuer + "MaxLifetime: 3.6µs is less than a second: 0 stands for any lifetime"}},
		{"a lifetime below zero", configured(func(i *token.Issuer) { i.MaxLifetime = -time.Hour }), nil, []string{ofIssuer + "MaxLifetime: -1h0m0s is less than a second: 0 stands for any lifetime"}},
	})
}

// TestURLFaults has the faults of templates and of identifiers that are no URL, and the neighbours that are none.
func TestURLFaults(t *testing.T) {
	t.Parallel()
	const (
		braces   = "URL: its braces are not one placeholder such as {tid}, which stands for the claim of that name as a whole segment of the path: write https://host/{tid}/…"
		noScheme = "URL: it does not begin with https://"
		noHost   = "URL: it names no host: a part of the URL seems to be missing; if a variable or a file should supply it, set the variable or fill the file"
		space    = "URL: it holds white space, such as a line break at its end: if a variable or a file supplies it, remove the white space there"
		notHost  = ` is not the name of a host: write the host as the URL has it, without scheme, port, path and wildcards, such as "logto"`
		noURI    = "; if the issuer's iss is not a URL, set KeySetURL"
		of       = `token: issuer "https://idp.test/{tid}/v2": `
		noKeys   = "URL: {tid} needs a KeySetURL: set it to the key set that all tenants share"
		unlisted = `URL: {tid} stands for a claim that RequiredClaims does not require: list the tenants to accept there, "tid": {"…"}, or token.AnyValue for all tenants of the provider`
		others   = `is not the claim of {tid} in URL, and the administrators of a tenant may write other claims as they like: set OrganizationClaim to "tid"`
		segment  = `, which cannot stand for {tid} in URL: a value has letters, digits, -, _ and . only`
	)
	url := func(url string) token.Issuer { return multi(func(i *token.Issuer) { i.URL = url }) }
	fault := func(url, fault string) configuration {
		return configuration{url, multi(func(i *token.Issuer) { i.URL = url }), nil, []string{`token: issuer "` + url + `": ` + fault}}
	}
	required := func(required lists) token.Issuer {
		return multi(func(i *token.Issuer) { i.RequiredClaims = required })
	}
	organization := func(claim string) token.Issuer {
		return multi(func(i *token.Issuer) { i.OrganizationClaim = claim })
	}
	checkFaults(t, []configuration{
		{"tenants", multi(func(*token.Issuer) {}), nil, nil},
		{"any tenant", required(lists{"tid": {token.AnyValue}}), nil, []string{of + `OrganizationClaim: it is empty, while {tid} in URL stands for any tenant, so that each tenant's tokens would count for all: set OrganizationClaim to "tid"`}},
		{"any tenant, as the organization", multi(func(i *token.Issuer) { i.RequiredClaims, i.OrganizationClaim = lists{"tid": {token.AnyValue}}, "tid" }), nil, nil},
		{"tenants in an empty list", required(lists{"tid": {}}), nil, []string{of + `RequiredClaims: "tid" has an empty list: list the values to accept, or token.AnyValue alone for any value`}},
		{"no tenant", required(lists{"tid": {token.NoValue}}), nil, []string{of + unlisted}},
		{"tenants and their issuer", required(lists{"tid": {"a"}, "iss": {"https://idp.test/a/v2"}}), nil, nil},
		{"a name of the organization that is a fault", organization("a.b"), nil, []string{
			of + `OrganizationClaim: "a.b" has '.' in it: a nested claim is written as a JSON Pointer, such as "/a/b"; write "/a.b" if '.' belongs to the name`, of + `OrganizationClaim: "a.b" ` + others,
		}},
		{"two different faults", configured(func(i *token.Issuer) { i.URL, i.KeySetURL = "https://", "https://a b" }), nil, []string{
			`token: issuer "https://": ` + noHost, `token: issuer "https://": KeySetURL: it holds white space, such as a line break at its end: if a variable or a file supplies it, remove the white space there`,
		}},
		{"tenants by a pointer", required(lists{"/tid": {"a"}}), nil, nil},
		{"a tenant twice", required(lists{"tid": {"a", "b", "a"}}), nil, nil},
		{"at the end", url("https://idp.test/{tid}"), nil, nil},
		{"with a slash at the end", url("https://idp.test/{tid}/"), nil, nil},
		{"in a name that is no URL", url("urn:idp/a/b/{tid}"), nil, nil},
		{"the organization", organization("tid"), nil, nil},
		{"the organization by a pointer", organization("/tid"), nil, nil},
		fault("https://idp.test/{}/v2", braces), fault("https://idp.test/{}", braces), fault("https://idp.test/a{tid}", braces), fault("https://idp.test/{tid}b", braces), fault("https://idp.test/{tid", braces), fault("https://idp.test/tid}", braces),
		fault("https://{tid}/v2", braces), fault("https://{tid}.idp.test", braces), fault("{tid}", braces), fault("urn:{tid}", braces), fault("https://idp.test/{tid}/{tid}", braces), fault("https://idp.test/{{tid}}", braces), fault("https://idp.test/}{", braces),
		fault("https://idp.test/{a.b}", "URL: {a.b} names no claim: write the name of a claim of the payload, such as {tid}"),
		fault("https://idp.test/{/a}", "URL: {/a} names no claim: write the name of a claim of the payload, such as {tid}"),
		fault("https://idp.test/{*}", "URL: {*} names no claim: write the name of a claim of the payload, such as {tid}"),
		fault("https://idp.test/{ }", "URL: { } names no claim: write the name of a claim of the payload, such as {tid}"),
		fault("https:///{tid}", noHost),
		{"bad braces twice", url("https://idp.test/a{tid}"), []token.Issuer{url("https://idp.test/b{tid}")}, []string{`token: issuer "https://idp.test/a{tid}": ` + braces, `token: issuer "https://idp.test/b{tid}": ` + braces}},
		{"a query", url("https://idp.test/?t=/{tid}"), nil, []string{`token: issuer "https://idp.test/?…": URL: it has a query: leave it out`}},
		{"metadata", url("https://idp.test/{tid}/.well-known/openid-configuration"), nil, []string{`token: issuer "https://idp.test/{tid}/.well-known/openid-configuration": URL: it is where the issuer's metadata is: leave out /.well-known/openid-configuration`}},

		{"no key set", multi(func(i *token.Issuer) { i.KeySetURL = "" }), nil, []string{of + noKeys}},
		{"no key set and no requirement", multi(func(i *token.Issuer) { i.KeySetURL, i.RequiredClaims = "", nil }), nil, []string{of + noKeys, of + unlisted}},
		{"Entra ID's metadata", configured(func(i *token.Issuer) { i.URL = "https://login.microsoftonline.com/{tenantid}/v2.0" }), nil, []string{
			`token: issuer "https://login.microsoftonline.com/{tenantid}/v2.0": URL: {tenantid} needs a KeySetURL: set it to the key set that all tenants share`,
			`token: issuer "https://login.microsoftonline.com/{tenantid}/v2.0": URL: {tenantid} stands for a claim that RequiredClaims does not require: list the tenants to accept there, "tenantid": {"…"}, or token.AnyValue for all tenants of the provider`,
		}},
		{"a key set of each tenant", multi(func(i *token.Issuer) { i.KeySetURL = "https://keys.test/{tid}/jwks" }), nil, []string{of + "KeySetURL: it has braces, and is the same for all tenants: write the URL of the key set that they share"}},
		{"no requirement", required(nil), nil, []string{of + unlisted}},
		{"another requirement", required(lists{"tenant": {"a"}}), nil, []string{of + unlisted}},
		{"a requirement inside", required(lists{"/tid/*": {"a"}}), nil, []string{of + unlisted}},
		{"optional tenants", required(lists{"tid": {"", "a"}}), nil, []string{of + unlisted}},
		{"a tenant with a slash", required(lists{"tid": {"a", "a/b"}}), nil, []string{of + `RequiredClaims: "tid" lists "a/b"` + segment}},
		{"a tenant that is dots", required(lists{"tid": {"..", ".", "..."}}), nil, []string{of + `RequiredClaims: "tid" lists "."` + segment, of + `RequiredClaims: "tid" lists ".."` + segment}},
		{"another organization", organization("org"), nil, []string{of + `OrganizationClaim: "org" ` + others}},
		{"an organization inside", organization("/tid/x"), nil, []string{of + `OrganizationClaim: "/tid/x" ` + others}},
		{"an organization with a placeholder", organization("/tid/*"), nil, []string{of + `OrganizationClaim: "/tid/*" ` + others}},
		{"an organization in aud", multi(func(i *token.Issuer) { i.OrganizationAudience = "org:" }), nil, []string{of + `OrganizationAudience: with {tid} in URL the organization is that claim: set OrganizationClaim to "tid", and leave OrganizationAudience empty`}},

		{"no URL", url("P2abc"), nil, nil},
		{"a domain", url("acme.com"), nil, nil},
		{"a URN", url("urn:acme:idp"), nil, nil},
		{"plain http", url("http://idp.test"), nil, nil},
		fault("https:idp.test", noScheme), fault("https://", noHost), fault("http://", noHost), fault("file:///x", noHost), fault("a b", space), fault(":", noScheme), fault("https://idp.test:", noHost),
		{"a query on this machine", url("http://localhost/oidc?a=b"), nil, []string{`token: issuer "http://localhost/oidc?…": URL: it has a query: leave it out`}},
		{"a colon without a key set", configured(func(i *token.Issuer) { i.URL = ":" }), nil, []string{`token: issuer ":": ` + noScheme}},
		{"no URL without a key set", configured(func(i *token.Issuer) { i.URL = "P2abc" }), nil, []string{`token: issuer "P2abc": ` + noScheme + noURI}},
		{"a domain without a key set", configured(func(i *token.Issuer) { i.URL = "acme.com" }), nil, []string{`token: issuer "acme.com": ` + noScheme + noURI}},
		{"a URN without a key set", configured(func(i *token.Issuer) { i.URL = "urn:acme:idp" }), nil, []string{`token: issuer "urn:acme:idp": ` + noScheme + noURI}},
		{"a path without a key set", configured(func(i *token.Issuer) { i.URL = "idp.test/oidc" }), nil, []string{`token: issuer "idp.test/oidc": ` + noScheme}},
		{"half a scheme without a key set", configured(func(i *token.Issuer) { i.URL = "https:idp.test" }), nil, []string{`token: issuer "https:idp.test": ` + noScheme}},
		{"hosts for plain http", configured(func(i *token.Issuer) {
			i.URL, i.InsecureHTTPHosts = "http://idp.test:3001/oidc", []string{"IDP.test", "keys.test"}
		}), nil, nil},
		{"a host of the key set", configured(func(i *token.Issuer) {
			i.KeySetURL, i.InsecureHTTPHosts = "http://keys.test/jwks", []string{"keys.test"}
		}), nil, nil},
		{"a host of an identifier", configured(func(i *token.Issuer) {
			i.URL, i.KeySetURL, i.InsecureHTTPHosts = "http://idp.test", keysURL, []string{"idp.test"}
		}), nil, nil},
		{"hosts that are none", configured(func(i *token.Issuer) { i.InsecureHTTPHosts = []string{"*", "a.test:80"} }), nil, []string{
			ofIssuer + `Issuer.InsecureHTTPHosts: "*"` + notHost, ofIssuer + `Issuer.InsecureHTTPHosts: "a.test:80"` + notHost}},
		{"a host that nothing uses", configured(func(i *token.Issuer) { i.KeySetURL, i.InsecureHTTPHosts = keysURL, []string{"keys.test"} }), nil, []string{
			ofIssuer + `Issuer.InsecureHTTPHosts: "keys.test" is the host of no http URL here: correct the entry or leave it out`}},
		{"a file of a token", configured(func(i *token.Issuer) { i.KeySetURL, i.KeySetTokenFile = keysURL, "/nowhere" }), nil, nil},
		{"a file of a token without a key set", configured(func(i *token.Issuer) { i.KeySetTokenFile = "/nowhere" }), nil, []string{ofIssuer + "KeySetTokenFile: it needs a KeySetURL, so that the token goes to no other host: set KeySetURL to the URL of the key set"}},
	})
}
