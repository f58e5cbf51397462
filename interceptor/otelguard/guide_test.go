package otelguard_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestGuide makes sure that the table of the guide lists the instruments with their units.
func TestGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string // the names, each with its unit
	for _, row := range regexp.MustCompile("(?m)^\\| (`protoauthz.+?`) \\| [a-z -]+, (.+?) \\|").FindAllStringSubmatch(string(guide), -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			want = append(want, strings.ReplaceAll(name+" "+row[2], "`", ""))
		}
	}
	slices.Sort(want)

	if got := instruments(t); !slices.Equal(got, want) {
		t.Errorf("the instruments are\n%s\nand the guide has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// instruments returns the instruments that have values, each with its unit.
func instruments(t *testing.T) (names []string) {
	t.Helper()
	b, fetched := newBackend(t), make(chan struct{})
	verifier := b.newVerifier(t, tokens.NewIDP(tokens.I1.ES256.JWK()), token.WithKeySetObserver(func(token.KeySetEvent) { close(fetched) }))
	if err := b.Watch(verifier); err != nil {
		t.Fatal(err)
	}
	load := newLoad(t, false, b.GuardOptions()...)
	load.call(t.Context(), t)
	if _, err := verifier.Verify(t.Context(), tokens.Scene{}.Token(tokens.I1.ES256, "exp", tokens.MaxDate)); err != nil {
		t.Error(err)
	}
	<-fetched
	for _, scope := range b.collect(t).ScopeMetrics {
		for _, m := range scope.Metrics {
			names = append(names, m.Name+" "+m.Unit)
		}
	}
	slices.Sort(names)
	return names
}
