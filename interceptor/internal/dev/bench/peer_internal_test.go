package main

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func startBench(t *testing.T, c config) *bench {
	t.Helper()
	b, err := newBench(t.Context(), c, newReport(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestPeers makes sure that every peer refuses every bad token, but for the ID token that the report
// mentions, and that no peer fetches keys while it is measured.
func TestPeers(t *testing.T) {
	t.Parallel()
	b := startBench(t, config{})
	i := b.issuer
	peers, err := newPeers(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	if size := len(i.token("ES384")); size < 680 || size > 800 {
		t.Errorf("a token has %d bytes: tokens of providers have about 700", size)
	}
	fetches := i.fetches.Load()
	for _, algorithm := range algorithms {
		good := i.token(algorithm)
		bad := i.refusals(algorithm)
		for _, p := range peers {
			for range 2 { // the second time, the token may be cached
				if err := checkAccepted(t.Context(), p.verify, good); err != nil {
					t.Errorf("%s, %s: %v", p.name, algorithm, err)
				}
			}
			if err := checkAccepted(t.Context(), p.verify, i.token(algorithm, "sub", "root")); err == nil {
				t.Errorf("%s, %s: another subject is a right answer", p.name, algorithm)
			}
			if after := i.fetches.Load(); fetches == 0 || after != fetches {
				t.Errorf("%s, %s: %d fetches, then %d", p.name, algorithm, fetches, after)
			}
		}
		for _, p := range peers {
			if bad["wrong audience"] = i.token(algorithm, "aud", "https://other.example.com"); strings.HasPrefix(p.name, nameOurs) {
				delete(bad, "wrong audience") // is for the guard to judge
			}
			for kind, raw := range bad {
				err := refuses(t.Context(), p.verify, raw)(2)
				if accepted := errors.Is(err, errAccepted); accepted != (p.anyType && kind == wrongType) {
					t.Errorf("%s, %s, %s: accepted is %t, %v", p.name, algorithm, kind, accepted, err)
				}
			}
		}
		fetches = i.fetches.Load() // forged tokens may draw fetches
	}
}

// TestWays makes sure that every handler is protected, and refuses the bad tokens of its contest.
func TestWays(t *testing.T) {
	t.Parallel()
	b := startBench(t, config{})
	i := b.issuer
	bad := i.refusals("ES384")
	bad["no token"] = ""
	delete(bad, wrongType) // is refused by us alone
	for _, w := range b.ways() {
		if w.name == nameOpen {
			continue
		}
		call := func(raw string, want int) {
			t.Helper()
			if err := newMemoryCall(t.Context(), w.handler, raw, want).do(); err != nil {
				t.Errorf("%s: %v", w.name, err)
			}
		}
		call(i.token("ES384"), http.StatusOK)
		for _, raw := range bad {
			call(raw, http.StatusUnauthorized)
		}
		call(i.token("ES384", "scope", "read:profile"), http.StatusForbidden)
		if w.name == nameOurs {
			call(i.refusals("ES384")[wrongType], http.StatusUnauthorized)
			call(i.token("ES384", "organization_id", "org_other"), http.StatusForbidden)
		}
	}
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	b := startBench(t, config{})
	i := b.issuer
	for _, w := range b.waysGRPC()[1:] {
		client, err := b.serveGRPC(t.Context(), w.options...)
		if err != nil {
			t.Fatal(err)
		}
		for raw, want := range map[string]codes.Code{
			i.token("ES384"):                          codes.OK,
			i.refusals("ES384")[expired]:              codes.Unauthenticated,
			i.refusals("ES384")[forged]:               codes.Unauthenticated,
			i.token("ES384", "scope", "read:profile"): codes.PermissionDenied,
		} {
			if err := callGRPC(t.Context(), client, raw)(1); status.Code(err) != want {
				t.Errorf("%s: got %v, want %v", w.name, err, want)
			}
		}
	}
}
