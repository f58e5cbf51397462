package main

import (
	"errors"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i, err := startIssuer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.stop(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// everybody are all that verify tokens.
func everybody(t *testing.T, i *issuer) []peer {
	t.Helper()
	peers, err := newPeers(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	cached, cachedErr := i.verifier()
	uncached, uncachedErr := i.verifier(token.WithoutCache())
	keyfunc, keyfuncErr := newKeyfunc(t.Context(), i)
	if err := errors.Join(cachedErr, uncachedErr, keyfuncErr); err != nil {
		t.Fatal(err)
	}
	return append(peers,
		peer{name: nameOurs, verify: ours(cached)}, peer{name: nameUncached, verify: ours(uncached)},
		peer{name: namePrototype, verify: (&prototype{verifier: keyfunc}).verify, anyType: true},
	)
}

func TestPeers(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	for _, p := range everybody(t, i) {
		for _, algorithm := range algorithms {
			t.Run(p.name+"/"+algorithm, func(t *testing.T) {
				t.Parallel()
				good := i.global(algorithm)
				for range 2 { // the second time it may be cached
					if err := checkAccepted(t.Context(), p.verify, good); err != nil {
						t.Error(err)
					}
				}
				if err := checkAccepted(t.Context(), p.verify, i.global(algorithm, "sub", "root")); err == nil {
					t.Error("another subject is a right answer")
				}
				bad := i.refusals(algorithm)
				bad["wrong audience"] = i.global(algorithm, "aud", "https://other.example.com")
				if p.name == nameOurs || p.name == nameUncached {
					delete(bad, "wrong audience") // is for the guard to judge
				}
				for kind, raw := range bad {
					err := refuses(t.Context(), p.verify, raw)(2)
					if accepted := errors.Is(err, errAccepted); accepted != (p.anyType && kind == wrongType) {
						t.Errorf("%s: accepted is %t, %v", kind, accepted, err)
					}
				}
			})
		}
	}
}

// TestKeysAreInMemory makes sure that no peer fetches keys while it is measured.
func TestKeysAreInMemory(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	all := everybody(t, i)
	verify := func() {
		for _, p := range all {
			for _, algorithm := range algorithms {
				if err := checkAccepted(t.Context(), p.verify, i.global(algorithm)); err != nil {
					t.Errorf("%s: %v", p.name, err)
				}
			}
		}
	}
	verify()
	before := i.fetches.Load()
	verify()
	if after := i.fetches.Load(); before == 0 || after != before {
		t.Errorf("%d fetches, then %d", before, after)
	}
}

func TestTokenSize(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	for _, raw := range []string{i.global("ES384"), i.member("ES384")} {
		if len(raw) < 680 || len(raw) > 800 {
			t.Errorf("a token has %d bytes", len(raw))
		}
	}
}

func TestPrimitive(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	for _, algorithm := range algorithms {
		for raw, good := range map[string]bool{i.global(algorithm): true, i.refusals(algorithm)[forged]: false} {
			alone, err := primitive(i.keys[algorithm], raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := alone(2); (err == nil) != good {
				t.Errorf("%s: good is %t, %v", algorithm, good, err)
			}
		}
	}
}

// TestWays makes sure that every handler is protected, and refuses what its contest says.
func TestWays(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	all, err := ways(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	bad := i.refusals("ES384")
	delete(bad, wrongType) // is refused by us alone
	for _, w := range all {
		if w.name == nameOpen {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			call := func(raw string, want int) {
				t.Helper()
				if err := newMemoryCall(t.Context(), w.handler, listDocuments, raw, want).check(); err != nil {
					t.Error(err)
				}
			}
			call(w.raw, http.StatusOK)
			for _, raw := range bad {
				call(raw, http.StatusUnauthorized)
			}
			call(i.member("ES384", "scope", "read:profile"), http.StatusForbidden)
			none := newMemoryCall(t.Context(), w.handler, listDocuments, "", http.StatusUnauthorized)
			none.request.Header.Del("Authorization")
			if err := none.check(); err != nil {
				t.Error(err)
			}
			if w.name == nameOurs || w.name == namePrototype {
				call(i.member("ES384", "organization_id", "org_other"), http.StatusForbidden)
			}
		})
	}
}

func TestGRPCMiddleware(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	keyfunc, err := newKeyfunc(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	client, stop, err := serveGRPC(t.Context(), grpcMiddleware(keyfunc))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	for raw, want := range map[string]codes.Code{
		i.member("ES384"):                          codes.OK,
		i.refusals("ES384")[expired]:               codes.Unauthenticated,
		i.refusals("ES384")[forged]:                codes.Unauthenticated,
		i.member("ES384", "scope", "read:profile"): codes.PermissionDenied,
	} {
		if err := callGRPC(t.Context(), client, raw)(1); status.Code(err) != want {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}
