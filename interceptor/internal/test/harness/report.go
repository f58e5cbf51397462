package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Report is a test that fails without failing.
type Report struct {
	testing.TB

	mu     sync.Mutex
	faults []string
}

// Helper implements [testing.TB].
func (r *Report) Helper() {}

// Errorf implements [testing.TB].
func (r *Report) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// Expect fails a test if the faults are not the wanted faults, whole and in this order.
func (r *Report) Expect(t testing.TB, name string, want []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.faults, want) {
		t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(r.faults, "\n     "), strings.Join(want, "\n     "))
	}
}

// NoTokens is a guard that lets no token in.
func NoTokens(table *policy.Table) *interceptor.Guard {
	return interceptor.New(VerifierFunc(func(context.Context, string) (*token.Claims, error) {
		return nil, token.ErrInvalid
	}), table)
}
