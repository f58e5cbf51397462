package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor"
)

// A trial is a run of all cases, and the check of its result.
type trial struct {
	mode  mode
	check func(*result) error
	means string // the figures of a result without faults
}

var trials = []trial{
	{withTokens, checkWithTokens, "the guard changes nothing"},
	{withoutTokens, checkWithoutTokens, "as it must be: 60 cases want an error that comes before any interceptor, the others are refused"},
	{inOrganization, checkInOrganization, "as it must be: 12 cases send no message that could name the organization, and are refused"},
	{inSeveralWays, checkInOrganization, "as it must be: 12 cases send no message that could name the organization and the user, and are refused"},
}

// The number of cases that the suite has by config.yaml, and the number of cases that connect-go answers
// before the guard.
const (
	allCases     = 13022
	unaskedCases = 60
)

// unaskedCase matches the names of cases that connect-go answers before the guard: the request names no
// procedure, or comes in a form that no handler takes.
var unaskedCase = regexp.MustCompile(`^(?:Connect |gRPC |gRPC-Web )?Unexpected Requests/.+/unexpected-(?:codec|compression|content-type|uri|verb)$`)

// What can be wrong with a result.
var (
	errCases     = errors.New("these are not the cases that were expected")
	errFailed    = errors.New("cases failed")
	errPassed    = errors.New("cases passed that should not have")
	errReason    = errors.New("cases failed for another reason than they should")
	errUnguarded = errors.New("calls reached the handler past the guard")
	errRefused   = errors.New("the guard refused others than it should")
)

func checkWithTokens(r *result) error {
	var failed []string
	for name, reason := range r.failed {
		failed = append(failed, name+":\n"+reason)
	}
	return errors.Join(
		checkCases(r),
		checkAsked(r),
		fault(errFailed, failed),
		unless(r.tally.Strangers == 0 && r.tally.Handled > 0 && r.tally.Handled <= r.tally.Admitted, errUnguarded),
		unless(r.tally.refused() == 0, errRefused),
	)
}

func checkWithoutTokens(r *result) error {
	var passed, failed, others []string
	for name := range r.passed {
		if !unaskedCase.MatchString(name) && !r.late(name) {
			passed = append(passed, name)
		}
	}
	for name, reason := range r.failed {
		if unaskedCase.MatchString(name) {
			failed = append(failed, name+":\n"+reason)
		} else if !unauthenticated(name, reason) {
			others = append(others, name+":\n"+reason)
		}
	}
	return errors.Join(
		checkCases(r),
		checkAsked(r),
		fault(errFailed, failed),
		fault(errPassed, passed),
		fault(errReason, others),
		unless(r.tally.Handled == 0 && r.tally.Admitted == 0, errUnguarded),
		unless(r.tally.refused() == r.tally.Refused[interceptor.ReasonTokenMissing], errRefused),
	)
}

// emptyCase matches the names of cases whose stream has no message to name an organization or a user.
var emptyCase = regexp.MustCompile(`/server-stream/no-request$`)

// emptyCases is the number of such cases.
const emptyCases = 12

// Handlers of streams run before a message has named what the rule asks for. So more calls are handled than let in, and a
// call with a broken first message is neither let in nor refused.
func checkInOrganization(r *result) error {
	var failed, others []string
	for name, reason := range r.failed {
		if !emptyCase.MatchString(name) {
			failed = append(failed, name+":\n"+reason)
		} else if !strings.Contains(reason, `code: 7 (permission_denied), message: "the token is not for this organization"`) {
			others = append(others, name+":\n"+reason)
		}
	}
	mismatches := r.tally.Refused[interceptor.ReasonOrganizationMismatch]
	return errors.Join(
		checkCases(r),
		fault(errFailed, failed),
		fault(errReason, others),
		unless(len(r.failed)-len(failed) == emptyCases, errPassed),
		unless(r.tally.Strangers == 0 && r.tally.Handled > 0, errUnguarded),
		unless(r.tally.refused() == mismatches && mismatches == emptyCases, errRefused),
	)
}

// checkCases checks the number of cases.
func checkCases(r *result) error {
	var unasked int
	for name := range r.passed {
		if unaskedCase.MatchString(name) {
			unasked++
		}
	}
	for name := range r.failed {
		if unaskedCase.MatchString(name) {
			unasked++
		}
	}
	return unless(len(r.passed)+len(r.failed) == allCases && unasked == unaskedCases, errCases)
}

// checkAsked checks that the guard has decided all requests but the requests that connect-go answers
// before the guard. A call that timed out may never have come.
func checkAsked(r *result) error {
	asked := r.tally.Admitted + r.tally.refused()
	return unless(asked > 0 && r.tally.Requests-asked == unaskedCases, errUnguarded)
}

// unauthenticated reports whether a case failed for want of a token. Where the case asks for the same
// code, only the details of the error are wrong.
func unauthenticated(name, reason string) bool {
	if strings.HasSuffix(name, "/unauthenticated") {
		return strings.Contains(reason, "actual error detail #1 does not match expected error detail") &&
			!strings.Contains(reason, "does not match expected code")
	}
	return strings.Contains(reason, `code: 16 (unauthenticated), message: "a bearer token is required"`) ||
		strings.Contains(reason, "received an unexpected error:\ncode:CODE_UNAUTHENTICATED")
}

func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// fault is the error with its first cases, or nil without cases.
func fault(err error, cases []string) error {
	if len(cases) == 0 {
		return nil
	}
	slices.Sort(cases)
	const most = 10
	return fmt.Errorf("%d %w, such as\n%s", len(cases), err, strings.Join(cases[:min(most, len(cases))], "\n"))
}
