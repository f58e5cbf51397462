package devissuer_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

func TestMint(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	header := func(change object) object {
		h := object{"alg": "ES384", "typ": "at+jwt", "kid": "<kid>"}
		for name, value := range change {
			h[name] = value
		}
		return h
	}
	tests := []struct {
		name       string
		claims     object
		options    []devissuer.MintOption
		wantHeader object
		want       object
	}{
		{"nothing given", nil, nil, header(nil), object{
			"iss": issuerURL, "iat": 946684800.0, "exp": 946688400.0, "jti": "<jti>", "client_id": "devissuer", "sub": "devissuer"}},
		{"a client's", object{"client_id": "acme", "aud": api, "scope": "read:data", "organization_id": "a1"}, nil, header(nil), object{
			"iss": issuerURL, "iat": 946684800.0, "exp": 946688400.0, "jti": "<jti>", "client_id": "acme", "sub": "acme",
			"aud": api, "scope": "read:data", "organization_id": "a1"}},
		{"a user's", object{"sub": "user_1", "aud": []string{api, other}}, nil, header(nil), object{
			"iss": issuerURL, "iat": 946684800.0, "exp": 946688400.0, "jti": "<jti>", "client_id": "devissuer", "sub": "user_1",
			"aud": []any{api, other}}},
		{"everything given", object{"iss": "x", "iat": 1, "exp": 2, "jti": "j", "client_id": 3, "sub": false}, nil, header(nil), object{
			"iss": "x", "iat": 1.0, "exp": 2.0, "jti": "j", "client_id": 3.0, "sub": false}},
		{"everything left out", object{"iss": nil, "iat": nil, "exp": nil, "jti": nil, "client_id": nil, "sub": nil}, nil, header(nil), object{}},
		{"null", object{"exp": json.RawMessage("null"), "client_id": nil}, nil, header(nil), object{
			"iss": issuerURL, "iat": 946684800.0, "exp": nil, "jti": "<jti>", "sub": "devissuer"}},
		{"expired", object{"exp": time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()}, nil, header(nil), object{
			"iss": issuerURL, "iat": 946684800.0, "exp": 946684799.0, "jti": "<jti>", "client_id": "devissuer", "sub": "devissuer"}},
		{"header", nil, []devissuer.MintOption{devissuer.WithHeader("typ", "JWT"), devissuer.WithHeader("crit", []string{"exp"})},
			header(object{"typ": "JWT", "crit": []any{"exp"}}), object{
				"iss": issuerURL, "iat": 946684800.0, "exp": 946688400.0, "jti": "<jti>", "client_id": "devissuer", "sub": "devissuer"}},
		{"header member left out", nil, []devissuer.MintOption{devissuer.WithHeader("typ", nil)},
			object{"alg": "ES384", "kid": "<kid>"}, object{
				"iss": issuerURL, "iat": 946684800.0, "exp": 946688400.0, "jti": "<jti>", "client_id": "devissuer", "sub": "devissuer"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // its clock stands still, at 946684800
				issuer := newIssuer(t, devissuer.Config{})
				given := len(test.claims)
				token := mint(t, issuer, test.claims, test.options...)
				keys := fetchKeys(t, issuer)
				if err := verify(t, keys, token); err != nil {
					t.Error(err)
				}
				header, claims := decode(t, token)
				if header["kid"] == keys.Keys[0]["kid"] {
					header["kid"] = "<kid>"
				}
				if id, ok := claims["jti"].(string); ok && len(id) == 21 {
					claims["jti"] = "<jti>"
				}
				if !reflect.DeepEqual(header, test.wantHeader) {
					t.Errorf("header %v, want %v", header, test.wantHeader)
				}
				if !reflect.DeepEqual(claims, test.want) {
					t.Errorf("claims %v, want %v", claims, test.want)
				}
				if len(test.claims) != given {
					t.Error("the caller's map has changed")
				}
			})
		})
	}
}

func TestMintAlgorithmIsTheKeys(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, devissuer.Config{})
	token := mint(t, issuer, nil, devissuer.WithHeader("alg", "none"))
	if header, _ := decode(t, token); header["alg"] != "none" || len(token) < 128 {
		t.Errorf("header %v, %d bytes", header, len(token))
	}
}

func TestMintTokenIDsDiffer(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, devissuer.Config{SigningAlgorithm: "ES256"})
	_, first := decode(t, mint(t, issuer, nil))
	_, second := decode(t, mint(t, issuer, nil))
	if first["jti"] == second["jti"] {
		t.Error("two tokens of one id")
	}
}

func TestMintWithoutJSONForm(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, devissuer.Config{SigningAlgorithm: "ES256"})
	none := make(chan int)
	for _, test := range []struct {
		claims map[string]any
		option devissuer.MintOption
		doing  string
	}{
		{map[string]any{"aud": none}, devissuer.WithHeader("typ", "JWT"), "sign"},
		{nil, devissuer.WithHeader("typ", none), "sign"},
		{map[string]any{"aud": none}, devissuer.WithOpaque(), "seal"},
	} {
		want := "devissuer: " + test.doing + " token: json: unsupported type: chan int"
		if token, err := issuer.Mint(test.claims, test.option); token != "" || err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
