package devissuer_test

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

func introspectionRequest(body, id, secret string) *http.Request {
	request := tokenRequest(body, id, secret)
	request.URL.Path = "/oidc/introspect"
	return request
}

// introspect returns what the issuer answers for a token.
func introspect(t testing.TB, issuer *devissuer.Issuer, raw string) map[string]any {
	t.Helper()
	response := serve(issuer, introspectionRequest("token="+url.QueryEscape(raw), "full", "full-secret"))
	if response.Code != http.StatusOK || response.Header().Get("Cache-Control") != "no-store" || response.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", response.Code, response.Header(), response.Body)
	}
	return decodeJSON[map[string]any](t, response.Body.Bytes())
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	typ := func(value any) devissuer.MintOption { return devissuer.WithHeader("typ", value) }
	opaque := devissuer.WithOpaque()
	active := object{
		"active": true, "token_type": "Bearer", "iss": issuerURL, "sub": "alice", "client_id": "devissuer", "jti": "j",
		"iat": 946684800.0, "exp": 946688400.0,
	}
	with := func(name string, value any) object {
		claims := object{"jti": "j", "sub": "alice"}
		claims[name] = value
		return claims
	}
	for name, test := range map[string]struct {
		claims  object
		options []devissuer.MintOption
		change  object // of active, or nil if the token is inactive
	}{
		"a JWT":                    {with("jti", "j"), nil, object{}},
		"opaque":                   {with("jti", "j"), []devissuer.MintOption{opaque}, object{}},
		"opaque, of any header":    {with("jti", "j"), []devissuer.MintOption{opaque, typ("JWT")}, object{}},
		"a large number":           {with("n", json.Number("9007199254740993")), []devissuer.MintOption{opaque}, object{"n": json.Number("9007199254740993")}},
		"without exp":              {with("exp", nil), []devissuer.MintOption{opaque}, nil},
		"a JWT without exp":        {with("exp", nil), nil, nil},
		"another issuer":           {with("iss", "http://127.0.0.1:3002/oidc"), []devissuer.MintOption{opaque}, nil},
		"a JWT of another issuer":  {with("iss", issuerURL+"/"), nil, nil},
		"without iss":              {with("iss", nil), []devissuer.MintOption{opaque}, nil},
		"a JWT without iss":        {with("iss", nil), nil, nil},
		"another type of token":    {with("token_type", "DPoP"), []devissuer.MintOption{opaque}, object{"token_type": "DPoP"}},
		"claims that lie":          {with("active", false), []devissuer.MintOption{opaque}, object{}},
		"an expired JWT":           {with("exp", 946684800), nil, nil},
		"expired":                  {with("exp", 946684800), []devissuer.MintOption{opaque}, nil},
		"expired, and lies":        {object{"exp": 1, "active": true}, []devissuer.MintOption{opaque}, nil},
		"exp is a text":            {with("exp", "946688400"), []devissuer.MintOption{opaque}, nil},
		"exp is null":              {with("exp", json.RawMessage("null")), []devissuer.MintOption{opaque}, nil},
		"not valid yet":            {with("nbf", 946684801), []devissuer.MintOption{opaque}, nil},
		"a JWT not valid yet":      {with("nbf", 946684801), nil, nil},
		"an ID token":              {nil, []devissuer.MintOption{typ("JWT")}, nil},
		"a JWT without typ":        {nil, []devissuer.MintOption{typ(nil)}, nil},
		"another algorithm":        {nil, []devissuer.MintOption{devissuer.WithHeader("alg", "ES256")}, nil},
		"no algorithm":             {nil, []devissuer.MintOption{devissuer.WithHeader("alg", "none")}, nil},
		"a symmetric algorithm":    {nil, []devissuer.MintOption{devissuer.WithHeader("alg", "HS256")}, nil},
		"an unknown key":           {nil, []devissuer.MintOption{devissuer.WithHeader("kid", "x")}, nil},
		"without a key":            {nil, []devissuer.MintOption{devissuer.WithHeader("kid", nil)}, nil},
		"a key that is not a text": {nil, []devissuer.MintOption{devissuer.WithHeader("kid", 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // its clock stands still, at 946684800
				issuer := newIssuer(t, logtoTenant())
				raw := mint(t, issuer, test.claims, test.options...)
				body := serve(issuer, introspectionRequest("token="+raw, "full", "full-secret")).Body
				decoder := json.NewDecoder(strings.NewReader(body.String()))
				decoder.UseNumber()
				var got, want object
				if err := decoder.Decode(&got); err != nil {
					t.Fatal(err)
				}
				want = object{"active": false}
				if test.change != nil {
					want = object{}
					for _, members := range []object{active, test.change} {
						for member, value := range members {
							want[member] = value
						}
					}
				}
				gotText, _ := json.Marshal(got)
				wantText, _ := json.Marshal(want)
				if string(gotText) != string(wantText) {
					t.Errorf("got  %s\nwant %s", gotText, wantText)
				}
			})
		})
	}
}

// TestForgedTokens makes sure that no token that the issuer has not made is active.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	issuer, stranger := newIssuer(t, logtoTenant()), newIssuer(t, logtoTenant())
	kid := fetchKeys(t, issuer).Keys[0]["kid"]
	opaque := mint(t, issuer, nil, devissuer.WithOpaque())
	for name, raw := range map[string]string{
		"a word":              "x",
		"no base64url":        "a+/=",
		"shorter than a seal": "AAAA",
		"dots":                "..",
		"another issuer's":    mint(t, stranger, nil, devissuer.WithOpaque()),
		"another's JWT":       mint(t, stranger, nil),
		"another's signature": mint(t, stranger, nil, devissuer.WithHeader("kid", kid)),
		"a byte less":         opaque[1:],
		"the last byte less":  opaque[:len(opaque)-4],
		"a byte more":         opaque + "AAAA",
		"a sign more":         opaque + "!",
		"padding":             opaque + "=",
		"a line break":        opaque + "\n",
		"a line break within": opaque[:9] + "\r\n" + opaque[9:],
		"a JWT, a line break": mint(t, issuer, nil) + "\n",
		"another byte":        swap(opaque, 0),
		"another byte within": swap(opaque, len(opaque)/2),
	} {
		if got := introspect(t, issuer, raw); !reflect.DeepEqual(got, map[string]any{"active": false}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	config := logtoTenant()
	config.SigningAlgorithm = "ES256"
	short := newIssuer(t, config)
	raw := mint(t, short, nil)
	if got := introspect(t, short, nextCharacter(raw)); got["active"] != false {
		t.Errorf("unused bits of a JWT: %v", got)
	}
	if got := introspect(t, issuer, opaque); got["active"] != true {
		t.Errorf("%v", got)
	}
}

// TestAnotherAlgorithmOfTheKey makes sure that a key of the issuer counts with its own algorithm alone.
func TestAnotherAlgorithmOfTheKey(t *testing.T) {
	t.Parallel()
	config := logtoTenant()
	config.SigningAlgorithm = "RS256"
	issuer := newIssuer(t, config)
	key := decodeJSON[jwkSet](t, issuer.PrivateKeys()).Keys[0]
	number := func(member string) *big.Int { return new(big.Int).SetBytes(decodeSegment(key[member])) }
	private := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: number("n"), E: 65537}, D: number("d"), Primes: []*big.Int{number("p"), number("q")}}
	for alg, active := range map[string]bool{"RS256": true, "RS512": false} {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","typ":"at+jwt","kid":"` + key["kid"] + `"}`))
		signed := header + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"alice","iss":"`+issuerURL+`","exp":4102444800}`))
		hash := map[string]crypto.Hash{"RS256": crypto.SHA256, "RS512": crypto.SHA512}[alg]
		digest := hash.New()
		digest.Write([]byte(signed))
		signature, err := rsa.SignPKCS1v15(nil, private, hash, digest.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := introspect(t, issuer, signed+"."+base64.RawURLEncoding.EncodeToString(signature)); got["active"] != active {
			t.Errorf("%s: %v", alg, got)
		}
	}
}

// nextCharacter changes the bits of the last character that base64url does not use, if the signature has 64 bytes.
func nextCharacter(raw string) string {
	return raw[:len(raw)-1] + string(rune(raw[len(raw)-1]+1))
}

// swap changes a character of a token.
func swap(raw string, at int) string {
	other := "A"
	if raw[at] == 'A' {
		other = "B"
	}
	return raw[:at] + other + raw[at+1:]
}

func TestIntrospectionErrors(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, logtoTenant())
	raw := mint(t, issuer, nil, devissuer.WithOpaque())
	for name, test := range map[string]struct {
		body, id, secret string
		code             int
		reason           string
	}{
		"no token":      {"", "full", "full-secret", 400, "invalid_request"},
		"empty":         {"token=", "full", "full-secret", 400, "invalid_request"},
		"twice":         {"token=" + raw + "&token=x", "full", "full-secret", 400, "invalid_request"},
		"no client":     {"token=" + raw, "", "", 401, "invalid_client"},
		"wrong secret":  {"token=" + raw, "full", "x", 401, "invalid_client"},
		"only the name": {"token=" + raw + "&client_id=full", "", "", 401, "invalid_client"},
	} {
		response := serve(issuer, introspectionRequest(test.body, test.id, test.secret))
		body := decodeJSON[map[string]string](t, response.Body.Bytes())
		if response.Code != test.code || body["error"] != test.reason {
			t.Errorf("%s: %d %v", name, response.Code, body)
		}
	}
}

// TestOpaqueRotation makes sure that an opaque token ends with its key, as a JWT does.
func TestOpaqueRotation(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ES256", "RS256"} {
		config := logtoTenant()
		config.SigningAlgorithm, config.Opaque = algorithm, true
		issuer := newIssuer(t, config)
		raw, _, err := issuer.Grant(devissuer.Request{Client: "full", Resource: api})
		if err != nil || strings.Contains(raw, ".") {
			t.Fatalf("%s: %v, a JWT: %t", algorithm, err, strings.Contains(raw, "."))
		}
		rotate := func() {
			if err := issuer.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			name   string
			do     func()
			active bool
		}{{"start", func() {}, true}, {"overlap", rotate, true}, {"trimmed", issuer.TrimKeys, false}} {
			step.do()
			if got := introspect(t, issuer, raw)["active"]; got != step.active {
				t.Errorf("%s: %s: active %v", algorithm, step.name, got)
			}
		}
	}
}
