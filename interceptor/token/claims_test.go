package token_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMapping reads payloads by the names of each issuer.
func TestMapping(t *testing.T) {
	t.Parallel()
	logto, auth0, authAction := token.Logto("https://idp.test"), token.Auth0("idp.test"), token.AuthAction("idp.test")
	custom := token.Issuer{
		URL: "https://idp.test", Algorithms: []string{"ES256"}, ScopeClaims: []string{"scp", "scope"}, ClientClaims: []string{"cid", "azp", "appid"},
		ClientTokens: map[string][]string{"sub": {"service:{client}:x"}}, OrganizationClaim: "tid", OrganizationAudience: "org/",
	}
	bare := token.Issuer{URL: "https://idp.test", Algorithms: []string{"ES256"}}
	const urn = "urn:logto:organization:"
	tests := []struct {
		name   string
		issuer token.Issuer
		claims string // without sub and exp
		want   view   // without issuer, sub, exp and deadline
		err    error
	}{
		{"nothing", logto, ``, view{}, nil},
		{"Logto, user", logto, `"client_id":"app"`, view{Client: "app", Caller: token.CallerUser}, nil},
		{"Logto, client", logto, `"client_id":"subject"`, view{Client: "subject", Caller: token.CallerClient}, nil},
		{"Logto, azp is ignored", logto, `"azp":"subject","permissions":["a"],"org_id":"o"`, view{}, nil},
		{"Logto, scope", logto, `"scope":"b a"`, view{Scopes: []string{"b", "a"}}, nil},
		{"D36/scopes twice and wide apart", logto, `"scope":"  a  b a "`, view{Scopes: []string{"a", "b", "a"}}, nil},
		{"D36/only spaces part scopes", logto, `"scope":"a\tb\u00a0c\nd"`, view{Scopes: []string{"a\tb\u00a0c\nd"}}, nil},
		{"D32/scope empty", logto, `"scope":""`, view{Scopes: []string{}}, nil},
		{"D37/scp alone", logto, `"scp":"a","scopes":"a","permissions":["a"],"roles":["a"]`, view{}, nil},
		{"Auth0, user", auth0, `"azp":"app","scope":"openid a"`, view{Client: "app", Caller: token.CallerUser, Scopes: []string{"openid", "a"}}, nil},
		{"Auth0, client", auth0, `"azp":"app","sub":"app@clients"`, view{Subject: "app@clients", Client: "app", Caller: token.CallerClient}, nil},
		{"Auth0, another client's sub", auth0, `"azp":"app","sub":"other@clients"`, view{Subject: "other@clients", Client: "app", Caller: token.CallerUser}, nil},
		{"Auth0, sub alone tells nothing", auth0, `"sub":"app@clients"`, view{Subject: "app@clients"}, nil},
		{"Auth0, client_id", auth0, `"client_id":"app"`, view{Client: "app", Caller: token.CallerUser}, nil},
		{"Auth0, both agree", auth0, `"azp":"app","client_id":"app"`, view{Client: "app", Caller: token.CallerUser}, nil},
		{"Auth0, they differ", auth0, `"azp":"app","client_id":"other"`, view{}, token.ErrInvalid},
		{"Auth0, one is empty", auth0, `"azp":"app","client_id":""`, view{}, token.ErrInvalid},
		{"Auth0, one is null", auth0, `"azp":null,"client_id":"app"`, view{}, token.ErrInvalid},
		{"Auth0, permissions before scope", auth0, `"scope":"a b","permissions":["c"]`, view{Scopes: []string{"c"}}, nil},
		{"Auth0, no permissions granted", auth0, `"scope":"a b","permissions":[]`, view{}, nil},
		{"Auth0, permissions in a string", auth0, `"scope":"a","permissions":"b c"`, view{Scopes: []string{"b", "c"}}, nil},
		{"Auth0, a permission with a space", auth0, `"permissions":["b c"]`, view{Scopes: []string{"b c"}}, nil},
		{"Auth0, scope broken behind permissions", auth0, `"scope":1,"permissions":["c"]`, view{}, token.ErrInvalid},
		{"Auth0, scope array behind permissions", auth0, `"scope":["a"],"permissions":["c"]`, view{}, token.ErrInvalid},
		{"Auth0, permissions null", auth0, `"scope":"a","permissions":null`, view{}, token.ErrInvalid},
		{"Auth0, permissions object", auth0, `"scope":"a","permissions":{}`, view{}, token.ErrInvalid},
		{"Auth0, permissions of mixed types", auth0, `"permissions":["a",1]`, view{}, token.ErrInvalid},
		{"Auth0, organization", auth0, `"org_id":"o","org_name":"n"`, view{Organization: "o", Claim: "o", HasClaim: true}, nil},
		{"Auth0, Logto's organization", auth0, `"organization_id":"o","aud":"` + urn + `o"`, view{Audience: []string{urn + "o"}}, nil},
		{"AuthAction", authAction, `"azp":"app","scope":"a","org_id":"o"`, view{Client: "app", Scopes: []string{"a"}}, nil},
		{"AuthAction, a claim without a name", authAction, `"azp":"app","":"o"`, view{Client: "app"}, nil},
		{"AuthAction, sub is the client", authAction, `"azp":"subject"`, view{Client: "subject"}, nil},
		{"custom, array", custom, `"scp":["a","b"]`, view{Scopes: []string{"a", "b"}}, nil},
		{"custom, string", custom, `"scp":"a b"`, view{Scopes: []string{"a", "b"}}, nil},
		{"custom, the first counts alone", custom, `"scope":"c","scp":["a"]`, view{Scopes: []string{"a"}}, nil},
		{"custom, the second without the first", custom, `"scope":"c"`, view{Scopes: []string{"c"}}, nil},
		{"custom, client", custom, `"cid":"c","appid":"c","sub":"service:c:x"`, view{Subject: "service:c:x", Client: "c", Caller: token.CallerClient}, nil},
		{"custom, third client differs", custom, `"cid":"c","appid":"d"`, view{}, token.ErrInvalid},
		{"custom, organization", custom, `"aud":"org/o"`, view{Audience: []string{"org/o"}, Organization: "o", Meant: "o", HasMeant: true, HasAnyOrganizationIn: true}, nil},
		{"bare, no organization", bare, `"organization_id":1,"scope":"a","client_id":"subject","aud":["x"]`, view{Client: "subject", Scopes: []string{"a"}, Audience: []string{"x"}}, nil},
		{"D39/empty", logto, `"organization_id":""`, view{HasClaim: true}, nil},
		{"D39/null", logto, `"organization_id":null`, view{}, token.ErrInvalid},
		{"D39/number", logto, `"organization_id":0`, view{}, token.ErrInvalid},
		{"D39/array", logto, `"organization_id":[]`, view{}, token.ErrInvalid},
		{"D41/none", logto, `"aud":"` + api + `"`, view{Audience: []string{api}}, nil},
		{"D40/claim", logto, `"organization_id":"A","aud":"` + api + `"`, view{Audience: []string{api}, Organization: "A", Claim: "A", HasClaim: true}, nil},
		{"D45/audience", logto, `"aud":"` + urn + `A"`, view{Audience: []string{urn + "A"}, Organization: "A", Meant: "A", HasMeant: true, HasAnyOrganizationIn: true}, nil},
		{"D45/array of one", logto, `"aud":["` + urn + `A"]`, view{Audience: []string{urn + "A"}, Organization: "A", Meant: "A", HasMeant: true, HasAnyOrganizationIn: true}, nil},
		{"D45/empty id", logto, `"aud":"` + urn + `"`, view{Audience: []string{urn}, HasAnyOrganizationIn: true}, nil},
		{"D45/other case", logto, `"aud":"URN:logto:organization:A"`, view{Audience: []string{"URN:logto:organization:A"}}, nil},
		{"D46/two", logto, `"aud":["` + urn + `A","` + urn + `B"]`, view{Audience: []string{urn + "A", urn + "B"}, HasAnyOrganizationIn: true}, nil},
		{"D46/twice the same", logto, `"aud":["` + urn + `A","` + urn + `A"]`, view{Audience: []string{urn + "A", urn + "A"}, HasAnyOrganizationIn: true}, nil},
		{"D46/beside an API", logto, `"aud":["` + urn + `A","` + api + `"]`, view{Audience: []string{urn + "A", api}, HasAnyOrganizationIn: true}, nil},
		{"D46/claim and audience agree", logto, `"organization_id":"A","aud":"` + urn + `A"`,
			view{Audience: []string{urn + "A"}, Organization: "A", Claim: "A", HasClaim: true, Meant: "A", HasMeant: true, HasAnyOrganizationIn: true}, nil},
		{"D46/claim and audience differ", logto, `"organization_id":"B","aud":"` + urn + `A"`,
			view{Audience: []string{urn + "A"}, Claim: "B", HasClaim: true, Meant: "A", HasMeant: true, HasAnyOrganizationIn: true}, nil},
		{"D46/claim and one of two audiences differ", logto, `"organization_id":"B","aud":["` + api + `","` + urn + `A"]`,
			view{Audience: []string{api, urn + "A"}, Claim: "B", HasClaim: true, HasAnyOrganizationIn: true}, nil},
		{"D46/claim beside an empty audience", logto, `"organization_id":"B","aud":"` + urn + `"`,
			view{Audience: []string{urn}, Claim: "B", HasClaim: true, HasAnyOrganizationIn: true}, nil},
		{"D46/claim beside two audiences", logto, `"organization_id":"A","aud":["` + urn + `A","` + urn + `B"]`,
			view{Audience: []string{urn + "A", urn + "B"}, Claim: "A", HasClaim: true, HasAnyOrganizationIn: true}, nil},
		{"D46/empty claim beside an audience", logto, `"organization_id":"","aud":"` + urn + `A"`,
			view{Audience: []string{urn + "A"}, HasClaim: true, Meant: "A", HasMeant: true, HasAnyOrganizationIn: true}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			claims := `{"exp":1000`
			if test.claims != "" {
				claims += "," + test.claims
			}
			if test.want.Subject == "" {
				test.want.Subject = "subject"
				claims += `,"sub":"subject"`
			}
			got, err := unverified.Claims(test.issuer, claims+"}")
			checkError(t, err, test.err)
			if test.err != nil || err != nil {
				return
			}
			test.want.Issuer, test.want.Expiry, test.want.Deadline = test.issuer.URL, 1000, 1000
			if !reflect.DeepEqual(viewOf(got), test.want) {
				t.Errorf("claims are\n%+v, want\n%+v", viewOf(got), test.want)
			}
		})
	}
}

// TestPresets verifies a token of each issuer's kind.
func TestPresets(t *testing.T) {
	t.Parallel()
	logto, rsa := []*key{es256, es384, es512, rs256}, []*key{rs256}
	const fixed = "https://idp.test/.well-known/jwks.json"
	tests := []struct {
		name        string
		issuer      token.Issuer
		url, keySet string
		keys        []*key // whose algorithms are accepted
		typ         any
		refused     []any // values of typ
	}{
		{"Logto", token.Logto("https://idp.test"), issuerURL, keySetURL, logto, "at+jwt", []any{"JWT", absent{}}},
		{"Logto, slash", token.Logto("https://idp.test/"), issuerURL, keySetURL, logto, "at+jwt", []any{"JWT"}},
		{"Logto, issuer", token.Logto(issuerURL), issuerURL, keySetURL, logto, "at+jwt", []any{"JWT"}},
		{"Logto, issuer and slash", token.Logto(issuerURL + "/"), issuerURL, keySetURL, logto, "at+jwt", []any{"JWT"}},
		{"Auth0", token.Auth0("idp.test"), "https://idp.test/", fixed, rsa, "JWT", []any{"dpop+jwt", absent{}}},
		{"Auth0, RFC 9068", token.Auth0("idp.test"), "https://idp.test/", fixed, rsa, "at+jwt", nil},
		{"AuthAction", token.AuthAction("idp.test"), "https://idp.test", fixed, rsa, "JWT", []any{"dpop+jwt", absent{}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				idp := newIDP()
				idp.Serve(test.keySet, respond(200, keySet(jwksOf(all...)...)))
				verifier, err := token.NewVerifier(test.issuer, token.WithTransport(idp))
				if err != nil {
					t.Fatal(err)
				}
				mint := func(k *key, typ any) string { return k.Mint(k.Header("typ", typ), payload("iss", test.url)) }
				for _, k := range all {
					claims, err := verifier.Verify(t.Context(), mint(k, test.typ))
					if !slices.Contains(test.keys, k) {
						checkError(t, err, token.ErrInvalid)
					} else if err != nil || claims.Issuer() != test.url {
						t.Errorf("%s: issuer %q, %v, want %q", k.Alg, claims.Issuer(), err, test.url)
					}
				}
				for _, typ := range test.refused {
					_, err := verifier.Verify(t.Context(), mint(rs256, typ))
					checkError(t, err, token.ErrInvalid)
				}
			})
		})
	}
}

func TestClaimsAreImmutable(t *testing.T) {
	t.Parallel()
	issuer := token.Logto("https://idp.test")
	data := []byte(`{"exp":1000,"sub":"s","aud":["a","b"],"scope":"c d","x":"y"}`)
	claims, err := unverified.Claims(issuer, string(data))
	if err != nil {
		t.Fatal(err)
	}
	want := viewOf(claims)
	clear(claims.Audience())
	clear(claims.Scopes())
	_ = append(claims.Scopes()[:0], "admin")
	clear(data)
	if got := viewOf(claims); !reflect.DeepEqual(got, want) {
		t.Errorf("claims became %+v, were %+v", got, want)
	}
	var rest struct{ X string }
	if err := claims.Decode(&rest); err != nil || rest.X != "y" {
		t.Errorf("Decode gives %q, %v", rest.X, err)
	}
	if !claims.HasAudience("b") || claims.HasAudience("B") || claims.HasAudience("") || !claims.HasScope("d") || claims.HasScope("c d") || claims.HasScope("") {
		t.Error("HasAudience or HasScope is not byte for byte")
	}
}

func TestNilClaims(t *testing.T) {
	t.Parallel()
	for _, claims := range []*token.Claims{nil, new(token.Claims)} {
		got := viewOf(claims)
		want := view{Expiry: claims.Expiry().Unix(), Deadline: claims.Deadline().Unix()}
		if !reflect.DeepEqual(got, want) || !claims.Expiry().IsZero() || !claims.Deadline().IsZero() {
			t.Errorf("nil claims are %+v", got)
		}
		if claims.HasAudience("") || claims.HasScope("") {
			t.Error("nil claims have an audience or a scope")
		}
		if err := claims.Decode(new(any)); err == nil || !strings.HasPrefix(err.Error(), "token: claims: ") {
			t.Errorf("the payload of nil claims: %v", err)
		}
		const text = `{"sub":"","clientId":"","organizationId":"","scopes":[],"audience":[]}`
		if data, err := claims.MarshalJSON(); string(data) != text || err != nil {
			t.Errorf("JSON is %s, %v, want %s", data, err, text)
		}
	}
}

func TestMarshalJSON(t *testing.T) {
	t.Parallel()
	claims, err := unverified.Claims(token.Logto("https://idp.test"), `{"exp":1000,"sub":"a\"<b","client_id":"c","aud":"urn:logto:organization:o"}`)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"sub":"a\"\u003cb","clientId":"c","organizationId":"o","scopes":[],"audience":["urn:logto:organization:o"]}`
	if data, err := json.Marshal(claims); string(data) != text || err != nil {
		t.Errorf("JSON is %s, %v, want %s", data, err, text)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	type custom struct {
		Email string         `json:"email"`
		Plan  map[string]any `json:"https://idp.test/plan"`
	}
	tests := []struct {
		name, claims string
		want         custom
		ok           bool
	}{
		{"claims", `"email":"a@b.c","https://idp.test/plan":{"n":1}`, custom{"a@b.c", map[string]any{"n": 1.0}}, true},
		{"none", `"x":1`, custom{}, true},
		{"another type", `"email":1`, custom{}, false},
		{"two that differ in case", `"email":"a@b.c","EMAIL":"root@b.c"`, custom{}, false},
		{"two that differ in case, beyond ASCII", `"s":"a","\u017f":"b"`, custom{}, false},
		{"Kelvin", `"k":"a","\u212a":"b"`, custom{}, false},
		{"two that differ in more", `"email":"a@b.c","e_mail":"d"`, custom{Email: "a@b.c"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			claims, err := unverified.Claims(token.Logto("https://idp.test"), `{"exp":1,"sub":"secret",`+test.claims+`}`)
			if err != nil {
				t.Fatal(err)
			}
			var got custom
			err = claims.Decode(&got)
			if (err == nil) != test.ok || test.ok && !reflect.DeepEqual(got, test.want) {
				t.Errorf("Decode gives %+v, %v, want %+v", got, err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "@") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the error tells a claim: %v", err)
			}
		})
	}
}

func TestUnverifiedClaims(t *testing.T) {
	t.Parallel()
	issuer := token.Logto("https://idp.test")
	tests := []struct {
		name, payload string
		err           error
	}{
		{"long expired", `{"exp":0,"sub":"s"}`, nil},
		{"not yet valid", `{"exp":1,"nbf":9999999999,"sub":"s"}`, nil},
		{"of another issuer", `{"iss":"https://evil.test","exp":1,"sub":"s"}`, nil},
		{"no exp", `{"sub":"s"}`, token.ErrInvalid},
		{"no sub", `{"exp":1}`, token.ErrInvalid},
		{"exp twice", `{"exp":1,"exp":2,"sub":"s"}`, token.ErrMalformed},
		{"no object", `[]`, token.ErrMalformed},
		{"empty", ``, token.ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := unverified.Claims(issuer, test.payload)
			checkError(t, err, test.err)
		})
	}
	if _, err := unverified.Claims(token.Issuer{}, `{"exp":1,"sub":"s"}`); err == nil {
		t.Error("a faulty issuer is accepted")
	}
}

func TestCallerString(t *testing.T) {
	t.Parallel()
	for caller, want := range map[token.Caller]string{token.CallerUnknown: "unknown", token.CallerUser: "user", token.CallerClient: "client", -1: "unknown"} {
		if got := caller.String(); got != want {
			t.Errorf("Caller(%d) is %q, want %q", int(caller), got, want)
		}
	}
}

func TestManyScopes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 16, 17, 200} {
		var scopes []string
		for i := range n {
			scopes = append(scopes, "scope:"+strconv.Itoa(i*7%n)) // not in order
		}
		claims := must(unverified.Claims(token.Logto("https://idp.test"), `{"sub":"s","exp":1,"scope":"`+strings.Join(scopes, " ")+`"}`))
		if got := claims.Scopes(); !slices.Equal(got, scopes) {
			t.Errorf("%d: %q", n, got)
		}
		for _, scope := range scopes {
			if !claims.HasScope(scope) || claims.HasScope(scope+"0 ") || claims.HasScope(strings.ToUpper(scope)) || claims.HasScope(scope[:6]) {
				t.Errorf("%d: %q is not exact", n, scope)
			}
		}
		if claims.HasScope("") || claims.HasScope("scope:"+strconv.Itoa(n)) {
			t.Errorf("%d: a scope is granted that is not there", n)
		}
	}
}
