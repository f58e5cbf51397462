package token_test

import (
	"errors"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestUnverified makes sure that unverified.Token and Verify agree on every token. If Verify
// refuses the signature or the key, they must agree on a token with the same header and payload and
// a good signature.
func TestUnverified(t *testing.T) {
	t.Parallel()
	tests := slices.Concat(trials(), opaque())
	var agree, differ atomic.Int64
	t.Cleanup(func() {
		if differ.Load() < 40 || agree.Load() < 300 || int(agree.Load()+differ.Load()) != len(tests) {
			t.Errorf("%d of %d tokens have the same result, and %d another", agree.Load(), len(tests), differ.Load())
		}
		t.Logf("%d tokens have the same result, %d another", agree.Load(), differ.Load())
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, err := unverified.Token(issuer(issuerURL), test.raw)
				checkSilent(t, err, test.raw)
				want, wantErr := newVerifier(t, newIDP(jwksOf(all...)...)).Verify(t.Context(), test.raw)
				if sameError(err, wantErr) {
					agree.Add(1)
				} else {
					differ.Add(1)
					checkError(t, wantErr, token.ErrInvalid)
					raw, jwk, ok := tokens.Resign(test.raw)
					if !ok {
						t.Fatalf("the error is %v, want %v", err, wantErr)
					}
					want, wantErr = newVerifier(t, newIDP(jwk)).Verify(t.Context(), raw)
					checkError(t, err, wantErr)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("the claims are %+v, want %+v", got, want)
				}
			})
		})
	}
}

// sameError reports whether two errors match the same sentinel, or are both nil.
func sameError(a, b error) bool {
	return (a == nil) == (b == nil) && !slices.ContainsFunc(sentinels, func(sentinel error) bool {
		return errors.Is(a, sentinel) != errors.Is(b, sentinel)
	})
}

func TestUnverifiedOptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := scene.Token(es256, "exp", epoch-60)
		_, err := unverified.Token(issuer(issuerURL), late)
		checkError(t, err, token.ErrExpired)
		claims, err := unverified.Token(issuer(issuerURL), late, token.WithLeeway(2*time.Minute))
		checkError(t, err, nil)
		if got, want := claims.Deadline(), time.Unix(epoch+60, 0); !got.Equal(want) {
			t.Errorf("the deadline is %v, want %v", got, want)
		}
		other := scene.Token(es256, "iss", otherIssuer)
		_, err = unverified.Token(issuer(issuerURL), other)
		checkError(t, err, token.ErrInvalid)
		if claims, err = unverified.Token(issuer(issuerURL), other, token.WithIssuer(issuer(otherIssuer))); err != nil || claims.Issuer() != otherIssuer {
			t.Errorf("of another issuer: %v, issuer %q", err, claims.Issuer())
		}
		for _, err := range []error{
			unverifiedError(token.Issuer{}, late),
			unverifiedError(issuer(issuerURL), late, token.WithLeeway(-1)),
			unverifiedError(issuer(issuerURL), late, nil),
		} {
			if err == nil || slices.ContainsFunc(sentinels, func(sentinel error) bool { return errors.Is(err, sentinel) }) {
				t.Errorf("a fault of the arguments is %v", err)
			}
		}
	})
}

func unverifiedError(issuer token.Issuer, raw string, opts ...token.Option) error {
	_, err := unverified.Token(issuer, raw, opts...)
	return err
}
