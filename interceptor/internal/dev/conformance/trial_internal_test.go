package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
)

const (
	missing  = "received an unexpected error:\ncode:CODE_UNAUTHENTICATED  message:\"a bearer token is required\"\n"
	mismatch = `actual error {code: 7 (permission_denied), message: "the token is not for this organization"} does not match expected code 12 (unimplemented)`
)

func asked(n int) string { return fmt.Sprintf("Basic/%d/unary/success", n) }

func empty(n int) string {
	return fmt.Sprintf("gRPC Unexpected Requests/%d/server-stream/no-request", n)
}

func unasked(n int) string { return fmt.Sprintf("gRPC Unexpected Requests/%d/unexpected-verb", n) }

// accepted is the right result of the trial with tokens.
func accepted() *result {
	r := &result{passed: map[string]bool{}, failed: map[string]string{}, tally: newTally()}
	for n := range allCases - unaskedCases {
		r.passed[asked(n)] = true
	}
	for n := range unaskedCases {
		r.passed[unasked(n)] = true
	}
	r.tally.Requests, r.tally.Admitted, r.tally.Handled = allCases, allCases-unaskedCases, 12764
	return r
}

// refused is the right result of the trial without tokens.
func refused() *result {
	r := accepted()
	for n := range allCases - unaskedCases {
		r.fail(asked(n), missing)
	}
	r.tally.Admitted, r.tally.Handled = 0, 0
	r.tally.Refused[interceptor.ReasonTokenMissing] = allCases - unaskedCases
	return r
}

// confined is the right result of the trial with an organization in each message.
func confined() *result {
	r := accepted()
	for n := range emptyCases {
		delete(r.passed, asked(n))
		r.fail(empty(n), mismatch)
	}
	r.tally.Admitted, r.tally.Refused[interceptor.ReasonOrganizationMismatch] = 12554, emptyCases
	return r
}

func (r *result) fail(name, reason string) {
	delete(r.passed, name)
	r.failed[name] = reason
}

func (r *result) pass(name string) {
	delete(r.failed, name)
	r.passed[name] = true
}

func TestTrials(t *testing.T) {
	t.Parallel()
	const (
		otherCode   = `actual error {code: 16 (unauthenticated), message: "a bearer token is required"} does not match expected code 12 (unimplemented)`
		otherDetail = "actual error detail #1 does not match expected error detail: - wanted, + got"
	)
	for _, test := range []struct {
		name   string
		result *result
		check  func(*result) error
		happen func(*result)
		want   error
	}{
		{"all well with tokens", accepted(), checkWithTokens, func(*result) {}, nil},
		{"a request sent twice", accepted(), checkWithTokens, func(r *result) { r.tally.Requests++; r.tally.Admitted++ }, nil},
		{"a case failed", accepted(), checkWithTokens, func(r *result) { r.fail(asked(0), missing) }, errFailed},
		{"a case is missing", accepted(), checkWithTokens, func(r *result) { delete(r.passed, asked(0)) }, errCases},
		{"other cases", accepted(), checkWithTokens, func(r *result) { delete(r.passed, unasked(0)); r.pass("Basic/new") }, errCases},
		{"no guard", accepted(), checkWithTokens, func(r *result) { r.tally.Admitted = 0; r.tally.Strangers = r.tally.Handled }, errUnguarded},
		{"a handler without a guard", accepted(), checkWithTokens, func(r *result) { r.tally.Strangers = 1 }, errUnguarded},
		{"the guard was not asked", accepted(), checkWithTokens, func(r *result) { r.tally.Admitted-- }, errUnguarded},
		{"no handler", accepted(), checkWithTokens, func(r *result) { r.tally.Handled = 0 }, errUnguarded},
		{"more were handled than let in", accepted(), checkWithTokens, func(r *result) { r.tally.Handled = allCases }, errUnguarded},
		{"one was refused", accepted(), checkWithTokens, func(r *result) { r.tally.Refused[interceptor.ReasonTokenInvalid]++; r.tally.Requests++ }, errRefused},

		{"all well without", refused(), checkWithoutTokens, func(*result) {}, nil},
		{"the code is not the expected", refused(), checkWithoutTokens, func(r *result) { r.fail(asked(0), otherCode) }, nil},
		{"the code is the expected", refused(), checkWithoutTokens, func(r *result) { delete(r.failed, asked(0)); r.fail("Errors/unauthenticated", otherDetail) }, nil},
		{"the code should be the expected", refused(), checkWithoutTokens, func(r *result) { delete(r.failed, asked(0)); r.fail("Errors/unauthenticated", otherCode) }, errReason},
		{"a case passed", refused(), checkWithoutTokens, func(r *result) { r.pass(asked(0)) }, errPassed},
		{"a refusal came late", refused(), checkWithoutTokens, func(r *result) { delete(r.failed, asked(0)); r.pass("Timeouts/unary") }, nil},
		{"a call timed out", refused(), checkWithoutTokens, func(r *result) { delete(r.failed, asked(0)); r.pass("Timeouts/unary"); r.tally.Handled++ }, errPassed},
		{"a case failed that needs no token", refused(), checkWithoutTokens, func(r *result) { r.fail(unasked(0), missing) }, errFailed},
		{"another reason", refused(), checkWithoutTokens, func(r *result) { r.fail(asked(0), "error starting server: exit status 1") }, errReason},
		{"a case is missing, too", refused(), checkWithoutTokens, func(r *result) { delete(r.failed, asked(0)) }, errCases},
		{"one was let in", refused(), checkWithoutTokens, func(r *result) { r.tally.Admitted++; r.tally.Requests++ }, errUnguarded},
		{"one was handled", refused(), checkWithoutTokens, func(r *result) { r.tally.Handled++ }, errUnguarded},
		{"one had a token", refused(), checkWithoutTokens, func(r *result) { r.tally.Refused[interceptor.ReasonTokenInvalid]++; r.tally.Requests++ }, errRefused},

		{"all well in an organization", confined(), checkInOrganization, func(*result) {}, nil},
		{"another case failed", confined(), checkInOrganization, func(r *result) { r.fail(asked(99), mismatch) }, errFailed},
		{"an empty stream passed", confined(), checkInOrganization, func(r *result) { r.pass(empty(0)) }, errPassed},
		{"an empty stream failed otherwise", confined(), checkInOrganization, func(r *result) { r.fail(empty(0), missing) }, errReason},
		{"an empty stream is missing", confined(), checkInOrganization, func(r *result) { delete(r.failed, empty(0)) }, errCases},
		{"the organization was not asked for", confined(), checkInOrganization, func(r *result) { clear(r.tally.Refused) }, errRefused},
		{"one was refused otherwise", confined(), checkInOrganization, func(r *result) { r.tally.Refused[interceptor.ReasonTokenInvalid]++ }, errRefused},
		{"a handler without a guard, too", confined(), checkInOrganization, func(r *result) { r.tally.Strangers = 1 }, errUnguarded},
	} {
		test.happen(test.result)
		if err := test.check(test.result); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}
