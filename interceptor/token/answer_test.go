package token_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// An answered is an answer about a token, with what must come of it.
type answered struct {
	name, answer string
	want         error
}

// badAnswers are answers that are none, and answers about tokens that are not good.
func badAnswers() []answered {
	saidRaw := func(name, value string) string { return saying(name, json.RawMessage(value)) }
	tests := []answered{
		{"good", saying(), nil},
		{"a byte order mark", "\ufeff" + saying(), nil},
		{"white space", "\r\n\t " + saying() + " \n", nil},
		{"64 KiB", saying("pad", strings.Repeat("x", 64<<10-len(saying("pad", "")))), nil},
		{"inactive", inactive, token.ErrInvalid},
		{"inactive, with members", saying("active", false), token.ErrInvalid},
		{"inactive, and exp", `{"active":false,"exp":4}`, token.ErrInvalid},

		{"empty", "", token.ErrVerifierUnavailable},
		{"white space alone", " ", token.ErrVerifierUnavailable},
		{"two byte order marks", "\ufeff\ufeff" + saying(), token.ErrVerifierUnavailable},
		{"cut short", saying()[:20], token.ErrVerifierUnavailable},
		{"trailing data", saying() + `{"active":true}`, token.ErrVerifierUnavailable},
		{"a trailing comma", strings.Replace(saying(), "}", ",}", 1), token.ErrVerifierUnavailable},
		{"an array", "[" + saying() + "]", token.ErrVerifierUnavailable},
		{"a string", `"active"`, token.ErrVerifierUnavailable},
		{"true", "true", token.ErrVerifierUnavailable},
		{"null", "null", token.ErrVerifierUnavailable},
		{"HTML", "<!DOCTYPE html><title>Sign in</title>", token.ErrVerifierUnavailable},
		{"a form", "active=true&token_type=Bearer&sub=user_1", token.ErrVerifierUnavailable},
		{"UTF-16", "{\x00}\x00", token.ErrVerifierUnavailable},
		{"not UTF-8", strings.Replace(saying(), "user_1", "user_1\xff", 1), token.ErrVerifierUnavailable},
		{"compressed", "\x1f\x8b\x08", token.ErrVerifierUnavailable},
		{"64 KiB and a byte", saying("pad", strings.Repeat("x", 64<<10-len(saying("pad", ""))+1)), token.ErrVerifierUnavailable},
		{"1 MiB", saying("pad", strings.Repeat("x", 1<<20)), token.ErrVerifierUnavailable},
		{"deep", saying("pad", json.RawMessage(strings.Repeat("[", 9_000)+strings.Repeat("]", 9_000))), token.ErrVerifierUnavailable},
		{"active twice", strings.Replace(saying(), "{", `{"active":false,`, 1), token.ErrVerifierUnavailable},
		{"sub twice", strings.Replace(saying(), "{", `{"sub":"root",`, 1), token.ErrVerifierUnavailable},
		{"active escaped, and twice", strings.Replace(saying(), "{", `{"\u0061ctive":false,`, 1), token.ErrVerifierUnavailable},
		{"a member inside twice", saidRaw("ext", `{"a":1,"a":2}`), token.ErrVerifierUnavailable},
		{"nothing", "{}", token.ErrInvalid},
		{"active in another case", saying("active", absent{}, "Active", true), token.ErrInvalid},
		{"inactive, and active in another case", saying("active", false, "Active", true), token.ErrInvalid},
		{"active, and inactive in another case", saying("Active", false), nil},
		{"active inside", saying("active", absent{}, "token_introspection", map[string]bool{"active": true}), token.ErrInvalid},
		{"a signed answer's member", saying("token_introspection", map[string]bool{"active": true}), token.ErrInvalid},

		{"iss absent", saying("iss", absent{}), nil},
		{"exp absent", saying("exp", absent{}), nil},
		{"exp ahead", saying("exp", epoch+1), nil},
		{"exp inside of the leeway", saying("exp", epoch-29), nil},
		{"exp as a fraction", saidRaw("exp", "946684801.9"), nil},
		{"exp at the leeway", saying("exp", epoch-30), token.ErrExpired},
		{"exp past", saying("exp", epoch-1000), token.ErrExpired},
		{"exp 0", saying("exp", 0), token.ErrExpired},
		{"nbf inside of the leeway", saying("nbf", epoch+30), nil},
		{"nbf ahead", saying("nbf", epoch+31), token.ErrNotYetValid},
		{"iat inside of the leeway", saying("iat", epoch+30), nil},
		{"iat ahead", saying("iat", epoch+31), token.ErrNotYetValid},
		{"sub absent", saying("sub", absent{}), token.ErrInvalid},
		{"client_id absent", saying("client_id", absent{}), nil},
		{"jti absent", saying("jti", absent{}), nil},
		{"scope absent", saying("scope", absent{}), nil},
		{"aud absent", saying("aud", absent{}), nil},
		{"aud empty", saying("aud", []string{}), nil},
		{"username", saying("username", "secret-name"), nil},
		{"a client that differs", saying("azp", "app_2"), nil},
	}
	for name, values := range map[string][]string{
		"active":          {`"true"`, "1", "null", `""`, "[true]", `{"true":true}`, `"false"`, "0"},
		"iss":             {`"https://idp2.test/oidc"`, `"` + issuerURL + `/"`, "1", "null", `""`, `["` + issuerURL + `"]`, `"HTTPS://idp.test/oidc"`},
		"exp":             {`"9999999999"`, "null", "true", "[]", "-1", "1e30", "1e400", `""`},
		"nbf":             {`"1"`, "null", "true", "-1", "1e400"},
		"iat":             {`"1"`, "null", "true", "-1", "1e400"},
		"sub":             {`""`, "null", "1", `["user_1"]`, "{}", `"a\u0000"`, `"a\n"`, `"\u009f"`},
		"client_id":       {`""`, "null", "1", `["app_1"]`, `"a\u0000"`},
		"jti":             {"null", "1", `"\u0007"`},
		"aud":             {"1", "null", "{}", `[null]`, `["a",1]`, `[["a"]]`, `"urn:logto:organization:a\u0000"`},
		"scope":           {"1", "null", "{}", `["read:a"]`},
		"organization_id": {"1", "null", "{}", "[]", `"a\n"`},
		"cnf":             {`{"jkt":"x"}`, `{"x5t#S256":"x"}`, "{}", "null", `""`},
		"nonce":           {`"n"`, "null"},
		"at_hash":         {`"h"`, "1"},
		"c_hash":          {`"h"`},
		"events":          {"{}"},
		"token_type": {
			`"refresh_token"`, `"Refresh"`, `"N_A"`, `""`, "null", "1", `["Bearer"]`, `"Bearer "`, `"id_token"`, `"MAC"`, `"DPoP"`, `"bearer,refresh_token"`, `"urn:ietf:params:oauth:token-type:refresh_token"`,
		},
		"token_use": {`"refresh_token"`, `"refresh"`, `"id"`, `"id_token"`, "null", "1", `""`},
		"typ":       {`"Refresh"`, `"Offline"`, `"ID"`, `"JWT"`, `"logout+jwt"`, "null", "1", `""`},
	} {
		for _, value := range values {
			tests = append(tests, answered{name + " " + value, saidRaw(name, value), token.ErrInvalid})
		}
	}
	for name, values := range map[string][]string{
		"token_type": {`"Bearer"`, `"bearer"`, `"BEARER"`},
		"token_use":  {`"access_token"`, `"access"`},
		"typ":        {`"Bearer"`, `"at+jwt"`, `"application/at+jwt"`},
	} {
		for _, value := range values {
			tests = append(tests, answered{name + " " + value, saidRaw(name, value), nil})
		}
	}
	return append(tests,
		answered{"DPoP with cnf", saying("token_type", "DPoP", "cnf", map[string]string{"jkt": "x"}), token.ErrInvalid},
		answered{"typ DPoP with cnf", saying("typ", "DPoP", "cnf", map[string]string{"jkt": "x"}), token.ErrInvalid},
		answered{"typ DPoP", saying("typ", "DPoP"), token.ErrInvalid},
		answered{"token_type absent", saying("token_type", absent{}), token.ErrInvalid},
		answered{"token_type in another case", saying("token_type", absent{}, "Token_Type", "Bearer"), token.ErrInvalid},
		answered{"token_type absent, and token_use", saying("token_type", absent{}, "token_use", "access_token"), token.ErrInvalid},
	)
}

// TestAnswers reads answers about a token. Each error holds nothing of the answer and of the token.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range badAnswers() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				endpoint := &fakeIssuer{answer: says(test.answer)}
				claims, err := newIntrospector(t, endpoint, token.Introspection{}).Verify(t.Context(), opaqueToken)
				checkError(t, err, test.want)
				if (claims == nil) != (test.want != nil) {
					t.Errorf("the claims are %v", claims)
				}
				checkSilent(t, err, opaqueToken)
				checkConfidential(t, fmt.Sprintf("%v %+v %q %#v", err, err, err, err), opaqueToken)
				if err != nil && strings.Contains(err.Error(), "panicked") {
					t.Error(err)
				}
			})
		})
	}
}

// TestAnswerTexts makes sure that an error tells the operator what is wrong with an endpoint.
func TestAnswerTexts(t *testing.T) {
	t.Parallel()
	const prefix = `the token cannot be verified now: issuer "https://idp.test/oidc": `
	const at = `introspection at "https://idp.test/oidc/token/introspection": `
	const advice = "is it the introspection endpoint of the issuer (Issuer.IntrospectionURL)?"
	for answer, want := range map[string]string{
		"":              "the answer is not a JSON object in UTF-8: it is empty: " + advice,
		"<html>":        "the answer is not a JSON object in UTF-8: it is HTML or XML, such as a page for signing in or an error page: " + advice,
		"[]":            "the answer is not a JSON object in UTF-8: it is JSON, but not an object: " + advice,
		`{"a":1,"a":2}`: "the answer: ",
		saying("pad", strings.Repeat("x", 64<<10)): "the answer has more than 65536 bytes: have the issuer put less into it",
	} {
		_, err := newIntrospector(t, &fakeIssuer{answer: says(answer)}, token.Introspection{}).Verify(t.Context(), opaqueToken)
		if err == nil || !strings.HasPrefix(err.Error(), prefix+at+want) || strings.HasSuffix(want, ": ") && !strings.HasSuffix(err.Error(), ": the issuer must correct it") {
			t.Errorf("%.20q: %v", answer, err)
		}
	}
	_, err := newIntrospector(t, &fakeIssuer{answer: saysSigned("a.b.c")}, token.Introspection{}).Verify(t.Context(), opaqueToken)
	if want := prefix + at + "the answer is signed: set Introspection.SignedResponseAudience to this server's id at the issuer"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	for want, fails := range map[string]func(url.Values) (*http.Response, error){
		"the HTTP transport panicked":              func(url.Values) (*http.Response, error) { panic("transport") },
		"the HTTP transport called runtime.Goexit": func(url.Values) (*http.Response, error) { runtime.Goexit(); return nil, nil },
	} {
		_, err := newIntrospector(t, &fakeIssuer{answer: fails}, token.Introspection{}).Verify(t.Context(), opaqueToken)
		if err == nil || err.Error() != prefix+want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	discovered := introspected(func(i *token.Issuer) { i.IntrospectionURL = "" })
	for metadata, want := range map[string]string{
		discovery("issuer", otherIssuer): `discovery: "https://idp.test/oidc/.well-known/openid-configuration": the document's issuer is "https://idp2.test/oidc": `,
		discovery():                      "discovery: \"https://idp.test/oidc/.well-known/openid-configuration\": the document has no introspection_endpoint: set Issuer.IntrospectionURL",
	} {
		endpoint := &fakeIssuer{idp: newIDP()}
		endpoint.idp.Serve(discoveryURL, respond(200, metadata))
		_, err := must(token.NewIntrospector(discovered, token.Introspection{Client: basic()}, token.WithTransport(endpoint))).Verify(t.Context(), opaqueToken)
		if err == nil || !strings.HasPrefix(err.Error(), prefix+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	noFile := introspected(func(i *token.Issuer) { i.CAFile = "none.pem" })
	_, err = must(token.NewIntrospector(noFile, token.Introspection{Client: basic()})).Verify(t.Context(), opaqueToken)
	if checkError(t, err, token.ErrVerifierUnavailable); !strings.Contains(fmt.Sprint(err), "CAFile: ") {
		t.Error(err)
	}
	for status, want := range map[int]string{
		401: "the endpoint refused this server with status 401: check Introspection.Client, and that the issuer lets this client introspect tokens",
		403: "the endpoint refused this server with status 403: check Introspection.Client, and that the issuer lets this client introspect tokens",
		404: "the endpoint answered with status 404: " + advice,
		503: "the endpoint answered with status 503: it is tried again later",
	} {
		_, err := newIntrospector(t, &fakeIssuer{answer: answers(status, saying())}, token.Introspection{}).Verify(t.Context(), opaqueToken)
		if err == nil || err.Error() != prefix+at+want {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestAnsweredClaims makes sure that an answer is read as the claims of a JWT are.
func TestAnsweredClaims(t *testing.T) {
	t.Parallel()
	good := view{
		Issuer: issuerURL, Subject: "user_1", Client: "app_1", ID: "token_1", Caller: token.CallerUser, Audience: []string{api},
		Scopes: []string{"read:a", "write:b"}, Expiry: epoch + 300, Deadline: epoch + 60,
	}
	const forOrganization = "urn:logto:organization:o"
	listing := func(i *token.Issuer) {
		i.Audience, i.RequiredClaims = "https://mine.test", map[string][]string{"client_id": {"app_1"}}
	}
	for name, test := range map[string]struct {
		changes []any
		issuer  func(*token.Issuer)
		want    func(*view)
	}{
		"all":                        {nil, nil, func(*view) {}},
		"exp before the answer ends": {[]any{"exp", epoch + 20}, nil, func(v *view) { v.Expiry, v.Deadline = epoch+20, epoch+50 }},
		"exp as the answer ends":     {[]any{"exp", epoch + 40}, nil, func(v *view) { v.Expiry, v.Deadline = epoch+40, epoch+60 }},
		"no exp":                     {[]any{"exp", absent{}}, nil, func(v *view) { v.Expiry = time.Time{}.Unix() }},
		"no iss":                     {[]any{"iss", absent{}}, nil, func(*view) {}},
		"aud as an array":            {[]any{"aud", []string{"a", "b"}}, nil, func(v *view) { v.Audience = []string{"a", "b"} }},
		"no aud":                     {[]any{"aud", absent{}}, nil, func(v *view) { v.Audience = nil }},
		"no aud, Issuer.Audience":    {[]any{"aud", absent{}}, listing, func(v *view) { v.Audience = []string{"https://mine.test"} }},
		"aud, Issuer.Audience":       {nil, listing, func(*view) {}},
		"a client":                   {[]any{"sub", "app_1"}, nil, func(v *view) { v.Subject, v.Caller = "app_1", token.CallerClient }},
		"an organization":            {[]any{"organization_id", "o"}, nil, func(v *view) { v.Organization, v.Claim, v.HasClaim = "o", "o", true }},
		"an empty organization":      {[]any{"organization_id", ""}, nil, func(v *view) { v.HasClaim = true }},
		"an organization in aud": {[]any{"aud", forOrganization}, nil, func(v *view) {
			v.Audience, v.Organization, v.Meant, v.HasMeant, v.HasAnyOrganizationIn = []string{forOrganization}, "o", "o", true, true
		}},
		"two organizations": {[]any{"aud", []string{forOrganization, forOrganization + "2"}}, nil, func(v *view) {
			v.Audience, v.HasAnyOrganizationIn = []string{forOrganization, forOrganization + "2"}, true
		}},
		"other names": {
			[]any{"scope", absent{}, "permissions", []string{"x y"}, "sub", absent{}, "uid", "u"},
			func(i *token.Issuer) {
				i.ScopeClaims, i.SubjectClaims, i.ClientTokens = []string{"/permissions/*"}, []string{"uid"}, nil
			},
			func(v *view) { v.Scopes, v.Subject, v.Caller = []string{"x y"}, "u", token.CallerUnknown },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				answer := saying(append([]any{"exp", epoch + 300}, test.changes...)...)
				made := introspected()
				if test.issuer != nil {
					test.issuer(&made)
				}
				introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(&fakeIssuer{answer: says(answer)})))
				claims, err := introspector.Verify(t.Context(), opaqueToken)
				if err != nil {
					t.Fatal(err)
				}
				want := good
				test.want(&want)
				if got := viewOf(claims); !reflect.DeepEqual(got, want) {
					t.Errorf("claims are\n%+v, want\n%+v", got, want)
				}
				var decoded, answered map[string]any
				if err := claims.Decode(&decoded); err != nil || json.Unmarshal([]byte(answer), &answered) != nil || !reflect.DeepEqual(decoded, answered) {
					t.Errorf("Decode: %v, %v", decoded, err)
				}
			})
		})
	}
}

// TestAnsweredLifetime makes sure that Issuer.MaxLifetime bounds the lifetime that an answer tells.
func TestAnsweredLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			changes []any
			want    error
		}{
			{[]any{"iat", epoch, "exp", epoch + 60}, nil},
			{[]any{"iat", epoch, "exp", epoch + 61}, token.ErrInvalid},
			{[]any{"iat", epoch}, token.ErrInvalid},
			{[]any{"exp", epoch + 60}, token.ErrInvalid},
			{nil, token.ErrInvalid},
		} {
			made := introspected(func(i *token.Issuer) { i.MaxLifetime = time.Minute })
			introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(&fakeIssuer{answer: says(saying(test.changes...))})))
			_, err := introspector.Verify(t.Context(), opaqueToken)
			checkError(t, err, test.want)
		}
	})
}

// TestKindsOfAnswers makes sure that an entry of RequiredClaims stands for token_type only if it tells access tokens.
func TestKindsOfAnswers(t *testing.T) {
	t.Parallel()
	type required = map[string][]string
	anyValue := []string{token.AnyValue}
	none := []any{"token_type", absent{}}
	for _, test := range []struct {
		required required
		changes  []any
		want     error
	}{
		// These members say nothing about the kind of token.
		{required{"client_id": {"app_1"}}, none, token.ErrInvalid},
		{required{"client_id": {"app_1"}}, []any{"token_type", "refresh_token"}, token.ErrInvalid},
		{required{"scope": {"read:a write:b"}}, none, token.ErrInvalid},
		{required{"scope": anyValue, "sub": {"user_1"}, "aud": {api}, "iss": {issuerURL}, "jti": anyValue, "active": {"true"}}, none, token.ErrInvalid},
		{required{"exp": anyValue, "iat": anyValue, "nbf": anyValue, "username": anyValue}, append([]any{"exp", epoch + 60, "iat", epoch, "nbf", epoch, "username", "u"}, none...), token.ErrInvalid},
		{required{"kind": {"", "access"}}, append([]any{"kind", "access"}, none...), token.ErrInvalid},
		{required{"kind": {token.NoValue}}, none, token.ErrInvalid},
		{required{"token_type": anyValue}, nil, nil},
		{required{"token_type": anyValue}, none, token.ErrInvalid},
		{required{"token_type": anyValue}, []any{"token_type", "refresh_token"}, token.ErrInvalid},
		{required{"token_type": {token.NoValue}}, none, token.ErrInvalid},
		{required{"token_type": {"", "Bearer"}}, none, token.ErrInvalid},
		{required{"token_use": anyValue}, append([]any{"token_use", "access_token"}, none...), token.ErrInvalid},
		{required{"typ": anyValue}, append([]any{"typ", "Bearer"}, none...), token.ErrInvalid},
		{required{"/token_type/*": {"Bearer"}}, []any{"token_type", []string{"Bearer"}}, token.ErrInvalid},
		// These tell access tokens.
		{required{"kind": {"access"}}, append([]any{"kind", "access"}, none...), nil},
		{required{"kind": {"access"}}, append([]any{"kind", "refresh"}, none...), token.ErrInvalid},
		{required{"kind": {"access"}}, none, token.ErrInvalid},
		{required{"/ext/kind": {"access"}}, append([]any{"ext", map[string]string{"kind": "access"}}, none...), nil},
		{required{"token_use": {"access_token"}}, append([]any{"token_use", "access_token"}, none...), nil},
		{required{"token_use": {"access_token"}}, append([]any{"token_use", "refresh_token"}, none...), token.ErrInvalid},
		{required{"typ": {"Bearer"}}, append([]any{"typ", "Refresh"}, none...), token.ErrInvalid},
		// They judge no other member.
		{required{"kind": {"access"}}, []any{"kind", "access", "token_type", "refresh_token"}, token.ErrInvalid},
		{required{"kind": {"access"}}, []any{"kind", "access", "token_use", "refresh_token"}, token.ErrInvalid},
		{required{"token_use": {"access_token"}}, []any{"token_use", "access_token", "typ", "Refresh"}, token.ErrInvalid},
		// The entry for token_type itself judges it, and so do the entries for token_use and typ.
		{required{"token_type": {"N_A"}}, []any{"token_type", "N_A"}, nil},
		{required{"token_type": {"N_A"}}, nil, token.ErrInvalid},
		{required{"token_type": {"N_A"}}, []any{"token_type", "n_a"}, token.ErrInvalid},
		{required{"token_type": {"N_A"}}, none, token.ErrInvalid},
		{required{"token_use": {"m2m"}}, []any{"token_use", "m2m"}, nil},
		{required{"typ": {"JWT"}}, []any{"typ", "JWT"}, nil},
		{required{"typ": {"JWT"}}, []any{"typ", "JWT", "token_type", "refresh_token"}, token.ErrInvalid},
		{required{"token_type": {"DPoP"}}, []any{"token_type", "DPoP", "cnf", map[string]string{"jkt": "x"}}, token.ErrInvalid},
		{required{"nonce": anyValue}, []any{"nonce", "n"}, nil},
		{required{"cnf": anyValue}, []any{"cnf", "x"}, token.ErrInvalid},
	} {
		names := slices.Sorted(maps.Keys(test.required))
		t.Run(fmt.Sprint(names, test.required[names[0]], test.changes), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				made := introspected(func(i *token.Issuer) { i.RequiredClaims = test.required })
				introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(&fakeIssuer{answer: says(saying(test.changes...))})))
				_, err := introspector.Verify(t.Context(), opaqueToken)
				checkError(t, err, test.want)
				checkSilent(t, err, opaqueToken)
			})
		})
	}
}
