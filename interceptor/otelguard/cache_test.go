package otelguard_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/otelguard"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestWatch makes sure that the metrics add up the counters of watched verifiers, each once.
func TestWatch(t *testing.T) {
	t.Parallel()
	b, idp := newBackend(t), tokens.NewIDP(tokens.I1.ES256.JWK())
	first, second := b.newVerifier(t, idp, token.WithCache(1)), b.newVerifier(t, idp)
	verify := func(verifier *token.Verifier, claim string) {
		t.Helper()
		if _, err := verifier.Verify(t.Context(), tokens.Scene{}.Token(tokens.I1.ES256, "exp", tokens.MaxDate, "jti", claim)); err != nil {
			t.Error(err)
		}
	}
	names := []string{"entries", "hits", "misses", "evictions"}
	for _, name := range names {
		b.check(t, "protoauthz.token.cache."+name) // nobody is watched
	}
	const want = "otelguard: Watch needs a Telemetry and a verifier: check the errors of New and token.NewVerifier"
	for _, err := range []error{b.Watch(nil), (*otelguard.Telemetry)(nil).Watch(first)} {
		if err == nil || err.Error() != want {
			t.Error(err)
		}
	}
	for _, verifier := range []*token.Verifier{first, first, second} {
		if err := b.Watch(verifier); err != nil {
			t.Error(err)
		}
	}
	raw := tokens.Scene{}.Token(tokens.I1.ES256, "exp", tokens.MaxDate)
	for range 3 {
		if _, err := second.Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
	}
	for _, claim := range strings.Fields("a b c d e f g h i j") {
		verify(first, claim)
	}
	stats1, stats2 := first.Stats(), second.Stats()
	if stats1.Evictions == 0 || stats2.Hits != 2 || stats1.Misses != 10 || stats2.Misses != 1 {
		t.Errorf("%+v, %+v", stats1, stats2)
	}
	for n, sum := range []uint64{uint64(stats1.Entries) + uint64(stats2.Entries), 2, 11, stats1.Evictions} {
		b.check(t, "protoauthz.token.cache."+names[n], strconv.FormatUint(sum, 10))
	}
	b.check(t, "protoauthz.token.busy", "0")
}
