package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestIssuedAt has tokens that are issued in the future.
func TestIssuedAt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ leeway, ahead time.Duration }{
		{0, 10 * time.Second}, {9 * time.Second, 10 * time.Second}, {11 * time.Second, 11 * time.Second}, {30 * time.Second, 30 * time.Second},
		{60 * time.Second, 60 * time.Second}, {61 * time.Second, 60 * time.Second}, {5 * time.Minute, 60 * time.Second},
	} {
		t.Run(test.leeway.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				caching := newVerifier(t, newIDP(eddsa.JWK()), token.WithLeeway(test.leeway))
				uncached := newVerifier(t, newIDP(eddsa.JWK()), token.WithLeeway(test.leeway), token.WithoutCache())
				last := epoch + int64(test.ahead/time.Second)
				raw := func(iat string) string { return scene.Token(eddsa, "exp", never, "iat", json.RawMessage(iat)) }
				for iat, want := range map[string]error{
					fmt.Sprint(last): nil, fmt.Sprint(last, ".0"): nil, fmt.Sprint(last-1, ".9999999999"): nil,
					fmt.Sprint(last + 1): token.ErrNotYetValid, fmt.Sprint(last, ".5"): token.ErrNotYetValid, fmt.Sprint(last, ".0000000000000001"): token.ErrNotYetValid,
					fmt.Sprint(last + 86400): token.ErrNotYetValid, "253402300799": token.ErrNotYetValid, "0": nil,
				} {
					for _, verify := range []func() (*token.Claims, error){
						func() (*token.Claims, error) { return caching.Verify(t.Context(), raw(iat)) },
						func() (*token.Claims, error) { return uncached.Verify(t.Context(), raw(iat)) },
						func() (*token.Claims, error) {
							return unverified.Token(issuer(issuerURL), raw(iat), token.WithLeeway(test.leeway))
						},
					} {
						_, err := verify()
						checkError(t, err, want)
						if err != nil && !strings.Contains(err.Error(), "iat") {
							t.Errorf("iat %s: %v", iat, err)
						}
					}
				}
				// A second later it has been issued for long enough.
				soon := raw(fmt.Sprint(last + 1))
				time.Sleep(time.Second - time.Nanosecond) // the bubble's clock
				_, err := caching.Verify(t.Context(), soon)
				checkError(t, err, token.ErrNotYetValid)
				time.Sleep(time.Nanosecond) // the bubble's clock
				_, err = caching.Verify(t.Context(), soon)
				checkError(t, err, nil)
			})
		})
	}
}

// TestNotYetValidNames makes sure that the error names the claim.
func TestNotYetValidNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"nbf", "iat"} {
			_, err := unverified.Token(issuer(issuerURL), scene.Token(eddsa, name, epoch+86400))
			if checkError(t, err, token.ErrNotYetValid); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestMaxLifetime has tokens whose lifetime is close to Issuer.MaxLifetime.
func TestMaxLifetime(t *testing.T) {
	t.Parallel()
	number := func(text string) json.RawMessage { return json.RawMessage(text) }
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			most     time.Duration
			iat, exp any
			want     error
		}{
			{0, epoch, never, nil},
			{0, absent{}, never, nil},
			{time.Hour, epoch, epoch + 3600, nil},
			{time.Hour, epoch, epoch + 3601, token.ErrInvalid},
			{time.Hour, epoch, never, token.ErrInvalid},
			{time.Hour, 0, epoch + 60, token.ErrInvalid},
			{time.Hour, absent{}, epoch + 60, token.ErrInvalid},
			{time.Hour, absent{}, 60, token.ErrInvalid},
			{200 * 365 * 24 * time.Hour, absent{}, epoch + 60, token.ErrInvalid},
			{time.Hour, nil, epoch + 60, token.ErrInvalid},
			{time.Hour, fmt.Sprint(epoch), epoch + 60, token.ErrInvalid},
			{time.Hour, number("946684800.5"), number("946688400.5"), nil},
			{time.Hour, number("946684800.7"), number("946688400.2"), nil},
			{time.Hour, epoch, number("946688400.5"), token.ErrInvalid},
			{time.Hour, epoch, number("946688400.00000000000000000001"), token.ErrInvalid},
			{time.Hour, number("946684799.99999999999999999999"), epoch + 3600, token.ErrInvalid},
			{time.Hour, number("9466848000e-1"), number("9.466884e8"), nil},
			{time.Second, epoch, number("946684801.000000001"), token.ErrInvalid},
			{1500 * time.Millisecond, epoch, number("946684801.5"), nil},
			{1500 * time.Millisecond, epoch, number("946684801.500000001"), token.ErrInvalid},
			{time.Hour, epoch + 5, epoch + 3, nil},
			{1<<63 - 1, 0, never, nil},
			{10 * 365 * 24 * time.Hour, epoch, epoch + 10*365*24*3600, nil},
			{10 * 365 * 24 * time.Hour, epoch, epoch + 10*365*24*3600 + 1, token.ErrInvalid},
		} {
			issuer := issuer(issuerURL)
			issuer.MaxLifetime = test.most
			verifier, err := token.NewVerifier(issuer, token.WithTransport(newIDP(eddsa.JWK())))
			if err != nil {
				t.Fatal(err)
			}
			raw := scene.Token(eddsa, "iat", test.iat, "exp", test.exp)
			_, err = verifier.Verify(t.Context(), raw)
			_, tokenErr := unverified.Token(issuer, raw)
			_, claimsErr := unverified.Claims(issuer, payload("iat", test.iat, "exp", test.exp))
			for _, err := range []error{err, tokenErr, claimsErr} {
				if (err == nil) != (test.want == nil) || !errors.Is(err, test.want) {
					t.Errorf("%v, iat %s, exp %s: %v, want %v", test.most, test.iat, test.exp, err, test.want)
				}
			}
		}
	})
	for _, issuer := range []token.Issuer{token.Logto("https://idp.test"), token.Auth0("idp.test"), token.AuthAction("idp.test")} {
		if issuer.MaxLifetime != 0 {
			t.Errorf("%s has tokens of at most %v", issuer.URL, issuer.MaxLifetime)
		}
		for _, faulty := range []time.Duration{-1, 3600, time.Second - 1} { // 3600 is meant as seconds, and is not
			issuer.MaxLifetime = faulty
			if _, err := token.NewVerifier(issuer); err == nil || !strings.Contains(err.Error(), "MaxLifetime") {
				t.Errorf("%s, %v: %v", issuer.URL, faulty, err)
			}
		}
	}
}

// TestControlCharacters makes sure that the error names the claim, and not its value.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	auth0 := token.Auth0("idp.test")
	for _, test := range []struct {
		name    string
		issuer  token.Issuer
		changes []any
	}{
		{"sub", auth0, []any{"sub", "user_1\x00"}},
		{"jti", auth0, []any{"jti", "token_1\n"}},
		{"azp", auth0, []any{"azp", "app_1\u0085"}},
		{"client_id", auth0, []any{"client_id", "app_1\x7f"}},
		{"org_id", auth0, []any{"org_id", "\tevil"}},
		{"organization_id", token.Logto("https://idp.test"), []any{"organization_id", "evil\u009f"}},
		{"aud", token.Logto("https://idp.test"), []any{"aud", "urn:logto:organization:evil\r"}},
		{"aud", token.Logto("https://idp.test"), []any{"aud", []string{api, "urn:logto:organization:evil\x1b[31m"}}},
	} {
		data := payload(test.changes...)
		claims, err := unverified.Claims(test.issuer, data)
		checkError(t, err, token.ErrInvalid)
		checkSilent(t, err, "")
		if claims != nil || err == nil || !strings.Contains(err.Error(), test.name) {
			t.Errorf("%s is %+v, %v", data, claims, err)
		}
	}
	// These are not identities, or have no control character.
	for _, changes := range [][]any{{"scope", "read:a\nwrite:b"}, {"aud", api + "\x00"}, {"name", "a\nb"}, {"sub", "\u00a0\u200b"}} {
		_, err := unverified.Claims(token.Logto("https://idp.test"), payload(changes...))
		checkError(t, err, nil)
	}
}
