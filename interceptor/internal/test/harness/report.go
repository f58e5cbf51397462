package harness

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Report is a test for an assertion to fail: it keeps the faults. Its zero value does not pass for a
// test: set TB.
type Report struct {
	testing.TB

	mu      sync.Mutex
	helpers []string // the functions that have called Helper
	faults  []string
}

// Helper implements [testing.TB].
func (r *Report) Helper() {
	caller, _, _, _ := runtime.Caller(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.helpers = append(r.helpers, runtime.FuncForPC(caller).Name())
}

// Errorf implements [testing.TB].
func (r *Report) Errorf(format string, args ...any) { r.keep(fmt.Sprintf(format, args...)) }

// Fatalf implements [testing.TB].
func (r *Report) Fatalf(format string, args ...any) {
	r.keep(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// keep keeps a fault, with its place if that is not a line of a test: the test's output would point at a
// line of the assertion, which has not called Helper.
func (r *Report) keep(fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	callers := make([]uintptr, 20)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	at, more := frames.Next()
	for more && slices.Contains(r.helpers, at.Function) {
		at, more = frames.Next()
	}
	if !strings.HasSuffix(at.File, "_test.go") {
		fault = at.Function + ": " + fault
	}
	r.faults = append(r.faults, fault)
}

// Faults returns the faults.
func (r *Report) Faults() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.faults)
}

// Expect fails a test unless the faults are the wanted faults, whole and in this order.
func (r *Report) Expect(t testing.TB, name string, want []string) {
	t.Helper()
	if got := r.Faults(); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// NoTokens is a guard whose verifier accepts no token.
func NoTokens(table *policy.Table) *interceptor.Guard {
	return interceptor.New(VerifierFunc(func(context.Context, string) (*token.Claims, error) {
		return nil, token.ErrInvalid
	}), table)
}
