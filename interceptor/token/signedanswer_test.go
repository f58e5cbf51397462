package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const (
	signedType = "application/token-introspection+jwt"
	apiID      = "api-at-issuer" // as Introspection.SignedResponseAudience
)

// envelope is the payload of a signed answer (RFC 9701 section 5), with changes.
func envelope(changes ...any) string {
	return tokens.With(map[string]any{
		"iss": issuerURL, "aud": apiID, "iat": epoch, "token_introspection": json.RawMessage(saying()),
	}, changes...)
}

// signed is a signed answer.
func signed(k *key, payload string, header ...any) string {
	return k.Mint(k.Header(append([]any{"typ", "token-introspection+jwt"}, header...)...), payload)
}

func saysSigned(text string) func(url.Values) (*http.Response, error) {
	return answers(http.StatusOK, text, "Content-Type", signedType)
}

// verifySigned verifies an opaque token at an issuer that must sign its answers.
func verifySigned(t testing.TB, endpoint *fakeIssuer, changes ...func(*token.Issuer)) (*token.Claims, error) {
	t.Helper()
	if endpoint.idp == nil {
		endpoint.idp = newIDP(jwksOf(all...)...)
	}
	introspector, err := token.NewIntrospector(introspected(changes...), token.Introspection{Client: basic(), SignedResponseAudience: apiID}, token.WithTransport(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := introspector.Verify(t.Context(), opaqueToken)
	checkSilent(t, err, opaqueToken)
	checkConfidential(t, fmt.Sprintf("%v %+v", err, err), opaqueToken)
	if err != nil && strings.Contains(err.Error(), "panicked") {
		t.Error(err)
	}
	return claims, err
}

type signedCase struct {
	name, answer string
	want         error
}

// envelopes are signed answers whose form, dates or parties are good or bad.
func envelopes() []signedCase {
	bad := token.ErrVerifierUnavailable
	raw := func(name, value string) string { return signed(es256, envelope(name, json.RawMessage(value))) }
	good := signed(es256, envelope())
	parts := strings.Split(good, ".")
	unsigned := encode([]byte(`{"alg":"none","typ":"token-introspection+jwt"}`)) + "." + parts[1] + "."
	mac := es256.Header("typ", "token-introspection+jwt", "alg", "HS256")
	tests := []signedCase{
		{"good", good, nil},
		{"inactive", signed(es256, envelope("token_introspection", map[string]bool{"active": false})), token.ErrInvalid},
		{"another issuer inside", signed(es256, envelope("token_introspection", json.RawMessage(saying("iss", otherIssuer)))), token.ErrInvalid},
		{"a refresh token inside", signed(es256, envelope("token_introspection", json.RawMessage(saying("token_type", absent{})))), token.ErrInvalid},
		{"typ in full", signed(es256, envelope(), "typ", "application/Token-Introspection+JWT"), nil},
		{"members outside that would refuse", signed(es256, envelope("active", false, "sub", "root", "cnf", 1, "token_type", "refresh_token")), nil},
		{"no kid", signed(es256, envelope(), "kid", absent{}), nil},

		{"plain", saying(), bad},
		{"empty", "", bad},
		{"unsigned", unsigned, bad},
		{"HMAC", encode([]byte(mac)) + "." + parts[1] + "." + parts[2], bad},
		{"no signature", parts[0] + "." + parts[1] + ".", bad},
		{"a line break", good + "\n", bad},
		{"an access token", es256.Mint(es256.Header(), payload("aud", apiID, "token_introspection", json.RawMessage(saying()))), bad},
		{"an access token's payload", signed(es256, payload("aud", apiID)), bad},
		{"by another issuer's key", signed(tokens.I2.ES256, envelope()), bad},
		{"by a retired key", signed(tokens.I1.Retired, envelope()), bad},
		{"by a retired key of the same name", signed(tokens.I1.Retired, envelope(), "kid", es256.ID), bad},
		{"changed", parts[0] + "." + encode([]byte(envelope("token_introspection", json.RawMessage(saying("sub", "root"))))) + "." + parts[2], bad},
		{"an unknown kid", signed(es256, envelope(), "kid", "secret-kid"), bad},
		{"crit", signed(es256, envelope(), "crit", []string{"x"}), bad},
		{"iss twice", signed(es256, strings.Replace(envelope(), "{", `{"iss":"`+issuerURL+`",`, 1)), bad},
		{"inside twice", signed(es256, envelope("token_introspection", json.RawMessage(`{"active":false,"active":true,"token_type":"Bearer","sub":"s"}`))), bad},
		{"large", signed(es256, envelope("token_introspection", json.RawMessage(saying("pad", strings.Repeat("x", 64<<10))))), bad},
		{"members outside that would grant", signed(es256, envelope("active", true, "token_type", "Bearer", "sub", "root", "token_introspection", absent{})), bad},
		{"active outside alone", signed(es256, envelope("active", true, "token_introspection", json.RawMessage(saying("active", absent{})))), token.ErrInvalid},
		{"inactive, and active outside", signed(es256, envelope("active", true, "sub", "root", "token_introspection", json.RawMessage(inactive))), token.ErrInvalid},
		{"sub outside alone", signed(es256, envelope("sub", "root", "token_introspection", json.RawMessage(saying("sub", absent{})))), token.ErrInvalid},
		{"scope outside alone", signed(es256, envelope("scope", "read:a", "token_introspection", json.RawMessage(saying("scope", "")))), nil},
		{"inside in another case", signed(es256, envelope("token_introspection", absent{}, "Token_Introspection", json.RawMessage(saying()))), bad},

		{"iat at the leeway", signed(es256, envelope("iat", epoch-30)), nil},
		{"iat old", signed(es256, envelope("iat", epoch-31)), bad},
		{"iat ahead by the leeway", signed(es256, envelope("iat", epoch+30)), nil},
		{"iat ahead", signed(es256, envelope("iat", epoch+31)), bad},
		{"iat ahead by a fraction", raw("iat", fmt.Sprintf("%d.001", epoch+30)), bad},
		{"iat of a day ago", signed(es256, envelope("iat", epoch-86400)), bad},
		{"iat absent", signed(es256, envelope("iat", absent{})), bad},
		{"exp ahead", signed(es256, envelope("exp", epoch+1)), nil},
		{"exp inside of the leeway", signed(es256, envelope("exp", epoch-29)), nil},
		{"exp at the leeway", signed(es256, envelope("exp", epoch-30)), bad},
		{"exp past", signed(es256, envelope("exp", 1)), bad},
		{"iss absent", signed(es256, envelope("iss", absent{})), bad},
		{"aud absent", signed(es256, envelope("aud", absent{})), bad},
		{"aud in another case", signed(es256, envelope("aud", absent{}, "AUD", apiID)), bad},
		{"token_introspection absent", signed(es256, envelope("token_introspection", absent{})), bad},
	}
	for _, k := range all {
		tests = append(tests, signedCase{"by " + k.Alg, signed(k, envelope()), nil})
	}
	for _, aud := range []string{`["` + apiID + `"]`, `["other","` + apiID + `"]`} {
		tests = append(tests, signedCase{"aud " + aud, raw("aud", aud), nil})
	}
	for name, values := range map[string][]string{
		"aud":                 {`"other"`, `["other"]`, "[]", "1", "null", "{}", `["` + apiID + `",1]`, `"` + apiID + ` other"`, `"` + issuerURL + `"`, `"` + api + `"`, `"API-AT-ISSUER"`},
		"iss":                 {`"` + otherIssuer + `"`, `"` + issuerURL + `/"`, "1", "null", `["` + issuerURL + `"]`},
		"iat":                 {`"946684800"`, "null", "true", "[]", "1e400"},
		"exp":                 {`"946684900"`, "null", "true", "1e400"},
		"token_introspection": {`"{\"active\":true}"`, "[" + saying() + "]", "true", "null", "1", `"` + good + `"`},
	} {
		for _, value := range values {
			tests = append(tests, signedCase{name + " " + value, raw(name, value), bad})
		}
	}
	for _, typ := range []any{"at+jwt", "JWT", "", "token-introspection", "jwt", absent{}, 1, nil, []string{"token-introspection+jwt"}} {
		tests = append(tests, signedCase{fmt.Sprint("typ ", typ), signed(es256, envelope(), "typ", typ), bad})
	}
	return tests
}

// TestSignedAnswers reads signed answers.
func TestSignedAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range envelopes() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				claims, err := verifySigned(t, &fakeIssuer{answer: saysSigned(test.answer)})
				checkError(t, err, test.want)
				if err == nil && claims.Subject() != "user_1" {
					t.Errorf("the subject is %q", claims.Subject())
				}
				// Nobody takes an answer for a token.
				verifier := newVerifier(t, newIDP(jwksOf(all...)...))
				if _, err := verifier.Verify(t.Context(), test.answer); err == nil {
					t.Error("the answer is a good token")
				}
				// An issuer that must not sign gives no answer by signing.
				endpoint := &fakeIssuer{answer: saysSigned(test.answer)}
				if _, err := newIntrospector(t, endpoint, token.Introspection{}).Verify(t.Context(), opaqueToken); err == nil && test.name != "plain" {
					t.Error("a signed answer is read without Introspection.SignedResponseAudience")
				}
			})
		})
	}
}

// TestSignedTexts makes sure that an error tells the operator what is wrong with a signed answer.
func TestSignedTexts(t *testing.T) {
	t.Parallel()
	rs256Alone := func(i *token.Issuer) { i.Algorithms = []string{"RS256"} }
	for _, test := range []struct {
		answer string
		change func(*token.Issuer)
		want   string
	}{
		{"a.b", nil, "it is not a signed JWT in compact form"},
		{signed(es256, envelope(), "typ", absent{}), nil, "it has no typ"},
		{signed(es256, envelope(), "typ", "at+jwt"), nil, "its typ is not token-introspection+jwt"},
		{signed(es256, envelope()), rs256Alone, "its alg is not one of"},
		{signed(es256, "[]"), nil, "its payload: "},
		{signed(es256, envelope("iss", 1)), nil, "its iss is not Issuer.URL"},
		{signed(es256, envelope("aud", "x")), nil, "its aud does not hold Introspection.SignedResponseAudience"},
		{signed(es256, envelope("iat", 1)), nil, "its iat is not within 30s of this server's clock"},
		{signed(es256, envelope("iat", "1")), nil, "its iat is not a number"},
		{signed(es256, envelope("exp", 1)), nil, "its exp has passed"},
		{signed(es256, envelope("exp", "1")), nil, "its exp is not a number"},
		{signed(es256, envelope("token_introspection", 1)), nil, "its token_introspection is not an object"},
		{signed(tokens.I2.ES256, envelope()), nil, "the signature"},
		{signed(es256, envelope(), "kid", "another"), nil, "no key of the issuer's key set has its kid and alg"},
	} {
		synctest.Test(t, func(t *testing.T) {
			if test.change == nil {
				test.change = func(*token.Issuer) {}
			}
			_, err := verifySigned(t, &fakeIssuer{answer: saysSigned(test.answer)}, test.change)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `introspection at "https://idp.test/oidc/token/introspection": the signed answer: `) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// TestAnswerAsToken makes sure that a signed answer is not an access token, whatever its types are.
func TestAnswerAsToken(t *testing.T) {
	t.Parallel()
	answer := signed(es256, envelope("sub", "user_1", "exp", never, "aud", []string{apiID, api}, "active", true))
	for _, types := range [][]string{nil, {"token-introspection+jwt", "at+jwt"}} {
		loose := issuer(issuerURL)
		loose.Types = types
		verifier := must(token.NewVerifier(loose, token.WithTransport(newIDP(jwksOf(all...)...))))
		_, err := verifier.Verify(t.Context(), answer)
		checkError(t, err, token.ErrInvalid)
	}
}

// TestSignedTypes makes sure that the Content-Type of a signed answer is the type of RFC 9701.
func TestSignedTypes(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]error{
		signedType: nil, signedType + "; charset=utf-8": nil, "Application/Token-Introspection+JWT": nil,
		"": token.ErrVerifierUnavailable, "application/json": token.ErrVerifierUnavailable, "application/jwt": token.ErrVerifierUnavailable,
		"token-introspection+jwt": token.ErrVerifierUnavailable, signedType + "x": token.ErrVerifierUnavailable, "text/html; a=" + signedType: token.ErrVerifierUnavailable,
		signedType + "; =": token.ErrVerifierUnavailable, "application/json, " + signedType: token.ErrVerifierUnavailable,
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := verifySigned(t, &fakeIssuer{answer: answers(200, signed(es256, envelope()), "Content-Type", contentType)})
			if err != nil != (want != nil) {
				t.Errorf("%q: %v", contentType, err)
			}
			checkError(t, err, want)
		})
	}
}

// TestSignedKeys makes sure that an answer is verified with the keys of the issuer alone, and with new keys at once.
func TestSignedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := token.ErrVerifierUnavailable
		answer := func(k *key) *fakeIssuer {
			return &fakeIssuer{answer: saysSigned(signed(k, envelope("iat", time.Now().Unix())))}
		}
		verify := func(k *key, want error, jwks ...string) {
			t.Helper()
			endpoint := answer(k)
			endpoint.idp = newIDP(jwks...)
			_, err := verifySigned(t, endpoint)
			checkError(t, err, want)
		}
		verify(es256, nil, es256.JWK())
		verify(es256, nil, es256.JWK("issuer", issuerURL))
		verify(es256, bad, es256.JWK("issuer", otherIssuer))
		verify(es256, bad, es256.JWK("use", "enc"))
		verify(es256, bad, es384.JWK())
		verify(es256, bad)
		_, err := verifySigned(t, answer(es256), func(i *token.Issuer) { i.Algorithms = []string{"RS256"} })
		checkError(t, err, bad)
		down := answer(es256)
		down.idp = newIDP()
		down.idp.Serve(keySetURL, func(*http.Request) (*http.Response, error) { return nil, errors.New("down") })
		_, err = verifySigned(t, down)
		checkError(t, err, bad)
	})
}

// TestSignedRotation makes sure that a new key is found at once, without an overlap and with the kid of the old one.
func TestSignedRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second, third := newEd25519("a"), newEd25519("b"), newEd25519("b")
		endpoint := &fakeIssuer{idp: newIDP(first.JWK())}
		introspector := must(token.NewIntrospector(introspected(), token.Introspection{Client: basic(), SignedResponseAudience: apiID}, token.WithTransport(endpoint)))
		verify := func(k *key, want error) {
			t.Helper()
			endpoint.answer = saysSigned(signed(k, envelope("iat", time.Now().Unix())))
			_, err := introspector.Verify(t.Context(), madeUp())
			checkError(t, err, want)
		}
		verify(first, nil)
		verify(second, token.ErrVerifierUnavailable) // not in the set yet
		time.Sleep(time.Minute)                      // the bubble's clock
		for _, k := range []*key{second, third} {
			endpoint.idp.Serve(keySetURL, respond(200, keySet(k.JWK())))
			verify(k, nil)
			time.Sleep(time.Minute) // the bubble's clock
		}
		verify(first, token.ErrVerifierUnavailable)
		verify(second, token.ErrVerifierUnavailable)
		time.Sleep(time.Minute) // the bubble's clock
		verify(third, nil)
	})
}
