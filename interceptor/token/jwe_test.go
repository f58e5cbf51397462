package token_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestJWE makes sure that an issuer is asked about encrypted tokens only if it encrypts its tokens, and then about no
// signed token, however it was bent.
func TestJWE(t *testing.T) {
	t.Parallel()
	const rest = ".AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"
	jwe := encode([]byte(`{"alg":"A256GCMKW","enc":"A256GCM","iv":"meAcdJPLgl2zisXL","tag":"HHfa9Y1AmdZwtHbuKI97cw"}`)) + rest
	good := es256.Mint(es256.Header(), payload("exp", never))
	parts := strings.Split(good, ".")
	withEnc := func(header string) string { return encode([]byte(header)) }
	raws := map[string]bool{ // whether the issuer is asked
		jwe: true,
		withEnc(`{"alg":"dir","enc":"A256GCM"}`) + "..AAAA.AAAA.AAAA":              true,
		withEnc(`{"alg":"dir","enc":"A256GCM"}`) + "..AAAA.AAAA":                   false,
		withEnc(`{"alg":"dir","enc":"A256GCM"}`) + "." + parts[1] + "." + parts[2]: false,
		withEnc(`{"alg":"dir","enc":"A256GCM"}`) + "..AAAA.AAAA.AAAA.AAAA":         false,
		withEnc(`{"alg":"dir","Enc":"A256GCM"}`) + rest:                            false,
		withEnc(`{"alg":"dir","x":{"enc":"A256GCM"}}`) + rest:                      false,
		withEnc(`{"alg":"dir","enc":"A256GCM","alg":"RS256"}`) + rest:              false,
		withEnc(`{"alg":"dir","enc":"A256GCM"}x`) + rest:                           false,
		withEnc(`{"alg":"dir","enc":"A256GCM"}`) + "=" + rest:                      false,
		withEnc(`{"alg":"dir","enc":null}`) + rest:                                 false,
		"~" + jwe:                     false,
		good:                          false,
		good + ".AAAA.AAAA":           false,
		parts[0] + ".." + good:        false,
		parts[0] + "..AAAA.AAAA.AAAA": false,
		good + "." + strings.Join(parts[1:], "."): false,
		jwe + strings.Repeat("x", 4<<10):          false,
	}
	for name, raw := range bentJWTs() {
		if !strings.HasPrefix(name, "last ") && !strings.HasPrefix(name, "JWE") {
			raws[raw] = false
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for raw, want := range raws {
			for _, encrypts := range []bool{true, false} {
				endpoint := &fakeIssuer{answer: says(saying()), idp: newIDP(jwksOf(all...)...)}
				introspector := newIntrospector(t, endpoint, token.Introspection{JWE: encrypts})
				_, err := introspector.Verify(t.Context(), raw)
				if asked := endpoint.count() > 0; asked != (want && encrypts) || asked != (err == nil) {
					t.Errorf("%.60q, JWE %t: the issuer is asked: %t, %v", raw, encrypts, asked, err)
				}
				if err != nil && !errors.Is(err, token.ErrMalformed) {
					t.Errorf("%.60q: %v", raw, err)
				}
				endpoint = &fakeIssuer{answer: says(saying()), idp: endpoint.idp}
				both := newVerifier(t, endpoint, token.WithIntrospector(newIntrospector(t, endpoint, token.Introspection{JWE: encrypts})))
				_, _ = both.Verify(t.Context(), raw)
				if asked := endpoint.count() > 0; asked != (want && encrypts) {
					t.Errorf("%.60q, JWE %t: the issuer of a Verifier is asked: %t", raw, encrypts, asked)
				}
			}
		}
	})
}

// TestAnyKind makes sure that an entry of RequiredClaims without values does not tell access tokens from others.
func TestAnyKind(t *testing.T) {
	t.Parallel()
	for _, values := range [][]string{{token.AnyValue}, {token.NoValue}, {"", "access"}} {
		made := introspected(func(i *token.Issuer) { i.RequiredClaims = map[string][]string{"kind": values} })
		answer := saying("token_type", absent{}, "kind", "access")
		introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(&fakeIssuer{answer: says(answer)})))
		_, err := introspector.Verify(t.Context(), opaqueToken)
		checkError(t, err, token.ErrInvalid)
	}
	for claim, values := range map[string][]string{
		"kind": {"access", "Bearer"}, "cat": {"application/AT+JWT"}, "tokenName": {"access_token"}, // which name access tokens
		"organization_id": {"a"}, "email_verified": {"true"}, "class": {"access", "refresh"}, "scope": {"access:a"},
	} {
		tells := claim == "kind" || claim == "cat" || claim == "tokenName"
		made := introspected(func(i *token.Issuer) { i.RequiredClaims = map[string][]string{claim: values} })
		answer := saying("token_type", absent{}, claim, values[0])
		introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(&fakeIssuer{answer: says(answer)})))
		if _, err := introspector.Verify(t.Context(), opaqueToken); (err == nil) != tells {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

// TestLargeOpaque makes sure that an opaque token has at most 4 KiB.
func TestLargeOpaque(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{4 << 10: nil, 4<<10 + 1: token.ErrMalformed} {
		endpoint := &fakeIssuer{answer: says(saying()), idp: newIDP(jwksOf(all...)...)}
		introspector := newIntrospector(t, endpoint, token.Introspection{})
		_, err := introspector.Verify(t.Context(), strings.Repeat("x", size))
		checkError(t, err, want)
		_, err = newVerifier(t, endpoint, token.WithIntrospector(introspector)).Verify(t.Context(), strings.Repeat("x", size))
		checkError(t, err, want)
		if n := endpoint.count(); n > 1 || (n == 1) != (want == nil) {
			t.Errorf("%d bytes: %d requests", size, n)
		}
	}
}
