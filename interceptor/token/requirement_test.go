package token_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// readMembers reads a payload with some members, which stand behind exp and sub.
func readMembers(issuer token.Issuer, members string) (*token.Claims, error) {
	if members != "" {
		members = "," + members
	}
	return unverified.Claims(issuer, `{"exp":4102444800,"sub":"user_1"`+members+"}")
}

const sendAccessToken = "the client must send the access token, and must request it for this API (as resource or audience)"

// TestRequiredClaims has values of all types.
func TestRequiredClaims(t *testing.T) {
	t.Parallel()
	const (
		missing = "invalid token: the token has no %s, which Issuer.RequiredClaims names, so it may be an ID token, or for another API: " + sendAccessToken
		none    = "invalid token: %s has none of the values that Issuer.RequiredClaims lists, so the token may be an ID token, or for another API: " + sendAccessToken
		there   = "invalid token: the token has %s, which Issuer.RequiredClaims does not allow, so it may be an ID token, or for another API: " + sendAccessToken
		typ     = "invalid token: %s has a value that is not a string, a number or a boolean"
		through = "invalid token: %s leads through a value that is neither an object nor, at *, an array"
	)
	for _, test := range []struct {
		claim  string
		values []string
		faults map[string]string // by members of the payload: the error, or "" for an accepted token
	}{
		{"x", []string{"a"}, map[string]string{
			`"x":"a"`: "", `"x":"\u0061"`: "", `"x":"b"`: none, `"x":"A"`: none, `"x":"ab"`: none, `"x":" a"`: none, `"x":"a\u0000"`: none, `"x":"*"`: none, `"x":""`: none, ``: missing, `"X":"a"`: missing, `"y":{"x":"a"}`: missing,
			`"x":["a"]`: "", `"x":["b","a"]`: "", `"x":["a","b"]`: "", `"x":[1,true,"a"]`: "", `"x":["b"]`: none, `"x":[]`: none, `"x":[""]`: none, `"x":["b",1]`: none,
			`"x":["a",null]`: typ, `"x":[{},"a"]`: typ, `"x":["a",["a"]]`: typ, `"x":null`: typ, `"x":{}`: typ, `"x":{"a":"a"}`: typ,
			`"x":1`: none, `"x":true`: none,
		}},
		{"x", []string{"b", "a"}, map[string]string{`"x":"a"`: "", `"x":"b"`: "", `"x":"ba"`: none, `"x":["c","b"]`: ""}},
		{"x", []string{"true"}, map[string]string{`"x":true`: "", `"x":"true"`: "", `"x":[false,true]`: "", `"x":false`: none, `"x":1`: none, `"x":"True"`: none}},
		{"x", []string{"false"}, map[string]string{`"x":false`: "", `"x":"false"`: "", `"x":true`: none, `"x":0`: none, `"x":null`: typ, ``: missing}},
		{"x", []string{"1"}, map[string]string{`"x":1`: "", `"x": 1 `: "", `"x":"1"`: "", `"x":[0,1]`: "", `"x":1.0`: none, `"x":1e0`: none, `"x":10`: none, `"x":-1`: none, `"x":true`: none}},
		{"x", []string{"1.0"}, map[string]string{`"x":1.0`: "", `"x":1`: none, `"x":1.00`: none}},
		{"x", []string{"1e0"}, map[string]string{`"x":1e0`: "", `"x":1E0`: none, `"x":1`: none}},
		{"x", []string{"null"}, map[string]string{`"x":"null"`: "", `"x":null`: typ}},
		{"x", []string{token.AnyValue}, map[string]string{
			`"x":"a"`: "", `"x":"*"`: "", `"x":" "`: "", `"x":0`: "", `"x":false`: "", `"x":["","a"]`: "", `"x":[0]`: "",
			`"x":""`: none, `"x":[]`: none, `"x":[""]`: none, `"x":null`: typ, `"x":{}`: typ, `"x":{"a":1}`: typ, `"x":[null]`: typ, ``: missing,
		}},
		{"x", []string{"", "a"}, map[string]string{``: "", `"x":"a"`: "", `"x":["a"]`: "", `"x":""`: none, `"x":"b"`: none, `"x":[]`: none, `"x":[""]`: none, `"x":null`: typ}},
		{"x", []string{token.NoValue}, map[string]string{``: "", `"X":"a"`: "", `"y":{"x":"a"}`: "", `"x":"a"`: there, `"x":""`: there, `"x":null`: there, `"x":false`: there, `"x":[]`: there, `"x":{}`: there, `"x":"!*"`: there}},
		{"/x/y", []string{token.NoValue}, map[string]string{``: "", `"x":{}`: "", `"x":{"y":null}`: there, `"x":null`: typ, `"x":"a"`: typ}},
		{"/x/*", []string{token.NoValue}, map[string]string{``: "", `"x":[]`: there, `"x":["a"]`: there}},
		{"/x/y", []string{"a"}, map[string]string{
			`"x":{"y":"a"}`: "", `"x":{"z":1,"y":["a"]}`: "", `"x":{"y":"b"}`: none, `"x":{"Y":"a"}`: missing, `"x":{}`: missing, ``: missing, `"y":"a"`: missing, `"x/y":"a"`: missing,
			`"x":{"y":{}}`: typ, `"x":{"y":null}`: typ, `"x":null`: typ, `"x":"a"`: typ, `"x":["a"]`: typ, `"x":[{"y":"a"}]`: typ,
		}},
		{"/x/0", []string{"a"}, map[string]string{`"x":{"0":"a"}`: "", `"x":["a"]`: typ}},
		{"/x~1y~0", []string{"a"}, map[string]string{`"x/y~":"a"`: "", `"x":{"y~":"a"}`: missing}},
		{"/x/y", []string{"", "a"}, map[string]string{``: "", `"x":{}`: "", `"x":{"y":"a"}`: "", `"x":{"y":""}`: none, `"x":{"y":null}`: typ, `"x":null`: typ, `"x":[]`: typ}},
		{"/x/*", []string{"a"}, map[string]string{
			`"x":["a"]`: "", `"x":["b","a"]`: "", `"x":{"k":"a"}`: "", `"x":[["b","a"]]`: "", `"x":["b"]`: none, `"x":{"a":"b"}`: none, `"x":[]`: none, `"x":{}`: none, ``: missing,
			`"x":["a",{}]`: typ, `"x":[null,"a"]`: typ, `"x":"a"`: through, `"x":null`: through, `"x":1`: through,
		}},
		{"/x/*/y", []string{"a"}, map[string]string{
			`"x":[{"y":"a"}]`: "", `"x":[{},{"y":"a"}]`: "", `"x":[{"y":"b"},{"y":"a"}]`: "", `"x":{"k":{"y":"a"}}`: "", `"x":[{}]`: none, `"x":[{"y":"b"}]`: none, `"x":[{"y":""}]`: none,
			`"x":[{"y":"a"},1]`: through, `"x":[{"y":"a"},null]`: through, `"x":[[{"y":"a"}]]`: through, `"x":[{"y":"a"},{"y":null}]`: typ,
		}},
		{"/x/*/y", []string{"", "a"}, map[string]string{``: "", `"x":[{"y":"a"}]`: "", `"x":[]`: none, `"x":[{}]`: none}}, // the claim is there
		{"/x/y/*", []string{"a"}, map[string]string{`"x":{"y":["a"]}`: "", `"x":{}`: missing, `"x":1`: through}},
	} {
		issuer := configured(func(i *token.Issuer) { i.RequiredClaims = lists{test.claim: test.values} })
		for members, want := range test.faults {
			_, err := readMembers(issuer, members)
			text := ""
			if err != nil {
				checkError(t, err, token.ErrInvalid)
				text = err.Error()
			}
			if want != "" {
				want = fmt.Sprintf(want, test.claim)
			}
			if text != want {
				t.Errorf("%s %q: {%s}:\n got %q\nwant %q", test.claim, test.values, members, text, want)
			}
		}
	}
}

// TestAllRequiredClaims makes sure that one entry that is not met refuses a token.
func TestAllRequiredClaims(t *testing.T) {
	t.Parallel()
	issuer := configured(func(i *token.Issuer) { i.RequiredClaims = lists{"x": {"a"}, "/y/z": {token.AnyValue}, "w": {"", "1"}} })
	for members, ok := range map[string]bool{
		`"x":"a","y":{"z":1}`: true, `"x":"a","y":{"z":1},"w":1`: true, `"x":"a"`: false, `"y":{"z":1}`: false, `"x":"a","y":{"z":1},"w":2`: false, `"x":"b","y":{"z":1},"w":1`: false, ``: false,
	} {
		if _, err := readMembers(issuer, members); (err == nil) != ok {
			t.Errorf("{%s}: %v", members, err)
		}
	}
}

// TestOtherKinds has claims that refuse a token unless RequiredClaims names them.
func TestOtherKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range otherKindsOfToken {
		for _, test := range []struct {
			required lists
			value    string
			ok       bool
		}{
			{nil, `"a"`, false}, {nil, `""`, false}, {nil, `null`, false}, {nil, `{}`, false}, {nil, `false`, false},
			{lists{"x": {"", "a"}}, `"a"`, false}, {lists{"/x/" + kind: {"", "a"}}, `"a"`, false}, {lists{"/" + kind + "/x": {"", "a"}}, `{"x":"a"}`, false},
			{lists{kind: {"a"}}, `"a"`, true}, {lists{kind: {"a"}}, `"b"`, false}, {lists{kind: {token.AnyValue}}, `"b"`, true}, {lists{kind: {token.AnyValue}}, ``, false},
			{lists{kind: {"", token.AnyValue}}, `"b"`, true}, {lists{kind: {"", token.AnyValue}}, ``, true}, {lists{"/" + kind: {"", token.AnyValue}}, `1`, true},
			{lists{kind: {"", token.AnyValue}}, `""`, false}, {lists{kind: {"", token.AnyValue}}, `null`, false}, {lists{kind: {"", token.AnyValue}}, `{}`, false},
		} {
			members := ""
			if test.value != "" {
				members = `"` + kind + `":` + test.value
			}
			_, err := readMembers(configured(func(i *token.Issuer) { i.RequiredClaims = test.required }), members)
			if (err == nil) != test.ok {
				t.Errorf("%q: {%s}: %v", test.required, members, err)
			}
		}
		if _, err := readMembers(configured(func(*token.Issuer) {}), `"x":{"`+kind+`":1}`); err != nil {
			t.Errorf("inside another claim: %v", err)
		}
	}
	_, err := readMembers(configured(func(i *token.Issuer) { i.RequiredClaims = lists{"cnf": {"", "a"}} }), `"cnf":"a"`)
	checkError(t, err, token.ErrInvalid)
}

// TestCallers has tokens of users and of clients.
func TestCallers(t *testing.T) {
	t.Parallel()
	const refused = token.Caller(-1)
	app := lists{"idtyp": {"app"}}
	delegated := lists{"scp": {token.AnyValue}}
	self := lists{"sub": {"{client}"}}
	for _, test := range []struct {
		clients, users lists
		callers        map[string]token.Caller
	}{
		{nil, nil, map[string]token.Caller{``: token.CallerUnknown, `"client_id":"user_1"`: token.CallerUnknown}},
		{lists{}, lists{}, map[string]token.Caller{`"client_id":"user_1"`: token.CallerUnknown}},
		{self, nil, map[string]token.Caller{
			`"client_id":"user_1"`: token.CallerClient, `"client_id":"app_1"`: token.CallerUser, `"client_id":"user_"`: token.CallerUser, `"client_id":"{client}"`: token.CallerUser, ``: token.CallerUnknown, `"client_id":""`: refused,
		}},
		{lists{"sub": {"x"}, "kind": {"<{client}>"}}, nil, map[string]token.Caller{`"client_id":"c","kind":"<c>"`: token.CallerUser}},
		{lists{"sub": {"user_1"}, "kind": {"<{client}>"}}, nil, map[string]token.Caller{
			`"client_id":"c","kind":"<c>"`: token.CallerClient, `"client_id":"c","kind":["d","<c>"]`: token.CallerClient, `"client_id":"c","kind":"<>"`: token.CallerUser, `"client_id":"c","kind":"<cc>"`: token.CallerUser, `"client_id":"c","kind":"<c> "`: token.CallerUser, `"client_id":"c","kind":"c"`: token.CallerUser,
			`"kind":"<>"`: token.CallerUnknown, `"client_id":"c"`: token.CallerUser, `"client_id":"c","kind":null`: refused, `"client_id":"c","kind":{}`: refused,
		}},
		{lists{"sub": {"{client}", "user_1"}}, nil, map[string]token.Caller{`"client_id":"c"`: token.CallerClient, ``: token.CallerUnknown}},
		{app, nil, map[string]token.Caller{`"idtyp":"app"`: token.CallerClient, ``: token.CallerUser, `"idtyp":"user"`: token.CallerUser, `"idtyp":""`: token.CallerUser, `"idtyp":null`: refused}},
		{nil, delegated, map[string]token.Caller{`"scp":"a"`: token.CallerUser, `"scp":""`: token.CallerClient, ``: token.CallerClient, `"scp":{}`: refused}},
		{app, delegated, map[string]token.Caller{`"idtyp":"app"`: token.CallerClient, `"scp":"a"`: token.CallerUser, `"idtyp":"app","scp":"a"`: token.CallerUnknown, ``: token.CallerUnknown, `"idtyp":"app","scp":null`: refused, `"idtyp":null,"scp":"a"`: refused}},
		{app, lists{"amr": {"{client}"}}, map[string]token.Caller{`"idtyp":"app"`: token.CallerUnknown, `"idtyp":"app","client_id":"c"`: token.CallerClient, `"amr":"c","client_id":"c"`: token.CallerUser, `"amr":""`: token.CallerUnknown}},
		{lists{"a": {"1"}, "b": {"2"}}, nil, map[string]token.Caller{`"a":1,"b":2`: token.CallerClient, `"a":1`: token.CallerUser, `"b":2`: token.CallerUser, ``: token.CallerUser}},
		{nil, lists{"a": {"1"}, "b": {"2"}}, map[string]token.Caller{`"a":1,"b":2`: token.CallerUser, `"a":1`: token.CallerClient}},
		{lists{"act": {"", "x{client}"}}, nil, map[string]token.Caller{`"client_id":"c"`: token.CallerClient, `"act":"xc","client_id":"c"`: token.CallerClient, `"act":"x","client_id":"c"`: token.CallerUser, `"act":"c","client_id":"c"`: token.CallerUser, `"act":"xcc","client_id":"c"`: token.CallerUser, `"act":"","client_id":"c"`: token.CallerUser, ``: token.CallerUnknown}},
		{lists{"act": {token.NoValue}}, nil, map[string]token.Caller{``: token.CallerClient, `"act":"x"`: token.CallerUser, `"act":""`: token.CallerUser, `"act":null`: token.CallerUser, `"act":{}`: token.CallerUser}},
		{lists{"/gty/*": {"cc"}}, nil, map[string]token.Caller{`"gty":["a","cc"]`: token.CallerClient, `"gty":[]`: token.CallerUser, ``: token.CallerUser, `"gty":"cc"`: refused}},
	} {
		issuer := configured(func(i *token.Issuer) { i.ClientTokens, i.UserTokens = test.clients, test.users })
		for members, want := range test.callers {
			claims, err := readMembers(issuer, members)
			if (err != nil) != (want == refused) || err == nil && claims.Caller() != want {
				t.Errorf("%q, %q: {%s}: %v, %v, want %v", test.clients, test.users, members, claims.Caller(), err, want)
			}
		}
	}
}

// TestAudience has tokens with and without `aud`.
func TestAudience(t *testing.T) {
	t.Parallel()
	with := configured(func(i *token.Issuer) {
		i.Audience, i.RequiredClaims, i.OrganizationAudience = api, lists{"client_id": {"app_1"}}, "org:"
	})
	without := configured(func(i *token.Issuer) { i.OrganizationAudience = "org:" })
	for members, want := range map[string][2][]string{
		``: {{api}, nil}, `"aud":""`: {{""}, {""}}, `"aud":[]`: {{}, {}}, `"aud":[""]`: {{""}, {""}}, `"aud":"other"`: {{"other"}, {"other"}}, `"aud":["other","` + api + `"]`: {{"other", api}, {"other", api}}, `"AUD":"other"`: {{api}, nil},
		`"aud":"org:acme"`: {{"org:acme"}, {"org:acme"}},
	} {
		for n, issuer := range []token.Issuer{with, without} {
			claims, err := readMembers(issuer, members+map[bool]string{true: ","}[members != ""]+`"client_id":"app_1"`)
			if err != nil || !slices.Equal(claims.Audience(), want[n]) || claims.HasAudience(api) != slices.Contains(want[n], api) || claims.HasOrganizationAudience() != (members == `"aud":"org:acme"`) {
				t.Errorf("{%s}: %q, %v, want %q", members, claims.Audience(), err, want[n])
			}
		}
	}
	for _, aud := range []string{"null", "1", "{}", "[null]", `["` + api + `",1]`, "true"} {
		for _, issuer := range []token.Issuer{with, without} {
			_, err := readMembers(issuer, `"client_id":"app_1","aud":`+aud)
			checkError(t, err, token.ErrInvalid)
		}
	}
	_, err := readMembers(with, "")
	checkError(t, err, token.ErrInvalid)
}

// TestSubjectClaims has tokens whose subject stands in one of several claims.
func TestSubjectClaims(t *testing.T) {
	t.Parallel()
	several := []string{"sub", "/user/id", "client_id"}
	for _, test := range []struct {
		claims   []string
		payload  string
		want     string
		accepted bool
	}{
		{nil, `"sub":"a"`, "a", true}, {nil, `"client_id":"c"`, "", false}, {[]string{}, `"sub":"a"`, "a", true},
		{several, `"sub":"a","user":{"id":"b"},"client_id":"c"`, "a", true}, {several, `"user":{"id":"b"},"client_id":"c"`, "b", true}, {several, `"user":{},"client_id":"c"`, "c", true}, {several, `"client_id":"c"`, "c", true},
		{several, `"sub":"a","user":null`, "a", true}, {several, `"x":1`, "", false},
		{several, `"sub":"","client_id":"c"`, "", false}, {several, `"sub":null,"client_id":"c"`, "", false}, {several, `"sub":1,"client_id":"c"`, "", false}, {several, `"sub":["a"],"client_id":"c"`, "", false},
		{several, `"user":null,"client_id":"c"`, "", false}, {several, `"user":"b","client_id":"c"`, "", false}, {several, `"user":{"id":""},"client_id":"c"`, "", false}, {several, `"user":{"id":{}},"client_id":"c"`, "", false},
		{several, `"user":{"id":"b\n"}`, "", false}, {[]string{"uid"}, `"sub":"a"`, "", false}, {[]string{"uid"}, `"sub":null,"uid":"b"`, "b", true},
	} {
		claims, err := unverified.Claims(configured(func(i *token.Issuer) { i.SubjectClaims = test.claims }), `{"exp":4102444800,`+test.payload+"}")
		if test.accepted != (err == nil) || claims.Subject() != test.want {
			t.Errorf("%q: {%s}: %q, %v", test.claims, test.payload, claims.Subject(), err)
		}
		if err != nil {
			checkError(t, err, token.ErrInvalid)
		}
	}
}

// TestSubjectOfClient makes sure that the identifier of a client never passes for a user's.
func TestSubjectOfClient(t *testing.T) {
	t.Parallel()
	several := []string{"sub", "client_id"}
	for _, test := range []struct {
		claims  []string
		payload string
		want    token.Caller
	}{
		{several, `"sub":"alice","client_id":"app"`, token.CallerUser},
		{several, `"sub":"app","client_id":"app"`, token.CallerUser}, // the issuer says so
		{several, `"client_id":"alice"`, token.CallerUnknown},
		{several, `"client_id":"alice","kind":"client"`, token.CallerClient},
		{[]string{"client_id"}, `"sub":"bob","client_id":"alice"`, token.CallerUnknown},
	} {
		claims, err := unverified.Claims(configured(func(i *token.Issuer) {
			i.SubjectClaims, i.ClientTokens = test.claims, lists{"kind": {"client"}}
		}), `{"exp":4102444800,`+test.payload+"}")
		if err != nil || claims.Caller() != test.want {
			t.Errorf("%q: {%s}: %q, %v", test.claims, test.payload, claims.Caller(), err)
		}
	}
}

// TestRequiredHeader has members of the JOSE header, which Verify judges before it caches a token.
func TestRequiredHeader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		member  string
		values  []string
		headers map[string]bool // accepted or not
	}{
		{"cat", []string{"x", "1"}, map[string]bool{`"x"`: true, `1`: true, `["y","x"]`: true, `"y"`: false, `"X"`: false, `""`: false, `null`: false, `{}`: false, `[{},"x"]`: false, ``: false}},
		{"cat", []string{"", "x"}, map[string]bool{`"x"`: true, ``: true, `""`: false, `"y"`: false, `null`: false}},
		{"cat", []string{token.AnyValue}, map[string]bool{`"x"`: true, `""`: false, ``: false}},
		{"cat", []string{token.NoValue}, map[string]bool{``: true, `"x"`: false, `""`: false, `null`: false}},
		{"/cat/kind", []string{"x"}, map[string]bool{`{"kind":"x"}`: true, `{}`: false, `"x"`: false, `null`: false, `[{"kind":"x"}]`: false}},
		{"/cat/*", []string{"x"}, map[string]bool{`["x"]`: true, `{"a":"x"}`: true, `[]`: false, `"x"`: false}},
	} {
		mine := issuer(issuerURL)
		mine.RequiredHeader = lists{test.member: test.values}
		verifier := must(token.NewVerifier(mine, token.WithTransport(newIDP(eddsa.JWK()))))
		for value, ok := range test.headers {
			header := eddsa.Header()
			if value != "" {
				header = `{"cat":` + value + "," + header[1:]
			}
			raw := eddsa.Mint(header, payload("exp", never, "iat", absent{}, "cat", "x"))
			for range 2 {
				_, err := verifier.Verify(t.Context(), raw)
				want := token.ErrInvalid
				if ok {
					want = nil
				}
				checkError(t, err, want)
				checkSilent(t, err, raw)
				if t.Failed() {
					t.Fatalf("%s %q: %s", test.member, test.values, header)
				}
			}
		}
	}
	mine := issuer(issuerURL)
	mine.RequiredHeader = lists{"cat": {"x"}}
	verifier := must(token.NewVerifier(mine, token.WithTransport(newIDP(eddsa.JWK()))))
	for value, want := range map[any]string{1: "the header's cat is not what Issuer.RequiredHeader asks for, so the token may be an ID token: " + sendAccessToken, nil: "cat has a value that is not a string, a number or a boolean"} {
		if _, err := verifier.Verify(t.Context(), eddsa.Mint(eddsa.Header("cat", value), payload("exp", never))); err == nil || err.Error() != "invalid token: "+want {
			t.Errorf("%v: %v, want %s", value, err, want)
		}
	}
}

// TestGranted has the values of members whose names are scopes or organizations.
func TestGranted(t *testing.T) {
	t.Parallel()
	scopes := configured(func(i *token.Issuer) { i.ScopeClaims = []string{"/x/{scope}"} })
	organizations := configured(func(i *token.Issuer) { i.OrganizationClaim = "/x/{organization}" })
	for value, granted := range map[string]bool{
		"true": true, "1": true, "-1": true, "0.5": true, "9": true, "-0.01e9": true, "1e-400": true, `"a"`: true, `"false"`: true, `"0"`: true, `" "`: true, "{}": true, "[]": true, `{"a":0}`: true, "[false]": true,
		"false": false, "0": false, "-0": false, "0.00": false, "0e9": false, "-0.0E+1": false, `""`: false,
	} {
		claims, err := readMembers(scopes, `"x":{"acme":`+value+`}`)
		if err != nil || claims.HasScope("acme") != granted || len(claims.Scopes()) > 1 {
			t.Errorf("%s: %q, %v", value, claims.Scopes(), err)
		}
		claims, err = readMembers(organizations, `"x":{"acme":`+value+`}`)
		id, claimed := claims.OrganizationClaim()
		if err != nil || (id == "acme") != granted || !claimed {
			t.Errorf("%s: %q, %v", value, id, err)
		}
	}
	for _, issuer := range []token.Issuer{scopes, organizations} {
		_, err := readMembers(issuer, `"x":{"acme":null}`)
		checkError(t, err, token.ErrInvalid)
	}
}

// TestBelow has pointers with members behind and between placeholders.
func TestBelow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		organization, scopes, members, id string
		want                              []string
	}{
		{"/x/{organization}/y", "scp", `"x":{"acme":{"y":1}}`, "acme", nil},
		{"/x/{organization}/y", "scp", `"x":{"acme":{}}`, "", nil},
		{"/x/*/y/{organization}", "scp", `"x":[{"y":{"acme":1}}]`, "acme", nil},
		{"/x/*/y/{organization}", "scp", `"x":[{}]`, "", nil},
		{"/x/*/y/{organization}", "scp", `"x":[{"y":{"acme":1}},{"y":{"acme":1}}]`, "", nil},
		{"org", "/x/{organization}/y", `"org":"acme","x":{"acme":{"y":"a b"},"globex":{"y":"c"}}`, "acme", []string{"a", "b"}},
		{"org", "/x/{organization}/y", `"org":"acme","x":{"acme":{"y":["a b"]}}`, "acme", []string{"a b"}},
		{"org", "/x/{organization}/y/*", `"org":"acme","x":{"acme":{"y":["a b","c"]}}`, "acme", []string{"a b", "c"}},
		{"org", "/x/*/y", `"org":"acme","x":[{"y":"a b"},{"y":["c d"]}]`, "acme", []string{"a b", "c d"}},
		{"org", "/x/*/y/{scope}", `"org":"acme","x":[{"y":{"a":1}},{},{"y":{"b":1}}]`, "acme", []string{"a", "b"}},
		{"org", "/x/{scope}/y/{organization}", `"org":"acme","x":{"a":{"y":{"acme":1}},"b":{"y":{"globex":1}},"c":{}}`, "acme", []string{"a"}},
		{"org", "/x/{organization}/y/{scope}", `"org":"acme","x":{"acme":{"y":{"a":1}},"globex":{"y":{"b":1}}}`, "acme", []string{"a"}},
	} {
		claims, err := readMembers(configured(func(i *token.Issuer) { i.OrganizationClaim, i.ScopeClaims = test.organization, []string{test.scopes} }), test.members)
		if id, claimed := claims.OrganizationClaim(); err != nil || id != test.id || !claimed || !slices.Equal(claims.Scopes(), test.want) {
			t.Errorf("%s, %s: {%s}: %q, %q, %v", test.organization, test.scopes, test.members, id, claims.Scopes(), err)
		}
	}
}
