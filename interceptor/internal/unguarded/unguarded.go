// Package unguarded finds the procedures of a server that no guard stands before. Packages guardtest and
// grpcguardtest supply the calls.
package unguarded

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// Patience is how long a call waits for an answer: an unguarded handler may give none.
const Patience = 5 * time.Second

// maxHanging is how many calls may wait for [Patience] before the rest is not called.
const maxHanging = 3

// Domain is the domain of the google.rpc.ErrorInfo of a Guard.
var Domain = new(interceptor.Denial).ErrorInfo().GetDomain()

// A Kind is the kind of an [Answer].
type Kind int

// The kinds.
const (
	// Answered: the server answered. The answer may be a Guard's refusal.
	Answered Kind = iota
	// Absent: the server does not serve the procedure.
	Absent
	// Hanging: no answer came within [Patience].
	Hanging
	// Unreachable: no server answered.
	Unreachable
	// Faulty: the Text is the fault.
	Faulty
	// Uncallable: the procedure has no route.
	Uncallable
)

// TwoTokens are the Authorization fields of the second call. A Guard refuses two tokens before its
// verifier sees a token. Middleware that only looks for a token lets them pass, and so does a verifier
// that accepts every token.
var TwoTokens = []string{"Bearer garbage", "Bearer garbage"}

// An Answer is the outcome of a call.
type Answer struct {
	Kind   Kind
	OK     bool               // the call succeeded
	Reason interceptor.Reason // of a Guard's refusal, or ""
	Text   string             // the answer in words, or the name of the absent procedure
}

// Reason returns the reason of a Guard's refusal from the details of a status, or "".
func Reason(details []*anypb.Any) interceptor.Reason {
	for _, detail := range details {
		info := new(errdetails.ErrorInfo)
		if detail.UnmarshalTo(info) == nil && info.GetDomain() == Domain {
			return interceptor.Reason(info.GetReason())
		}
	}
	return ""
}

// A Server is a server whose procedures are called twice: without a token, and with [TwoTokens].
type Server struct {
	Package      string // the name that faults begin with
	What         string // the noun for what the user gave, such as "handler"
	Given        any    // the handler or connection that the user gave
	Call         func(_ context.Context, _ Procedure, authorization []string) Answer
	Remedy       func(Procedure) string // how to guard a procedure
	Absent       string                 // the beginning of the fault that lists absent procedures
	Instead      string                 // what to give instead
	NoProcedures string                 // the fault if no procedure was called
	NotEnforced  []string               // services in shadow, and procedures that are open
}

// An Option changes what [Server.Assert] accepts.
type Option func(*Server)

// Assert fails the test for each procedure that is not refused as a Guard refuses it, and for each service
// with rules that are not enforced. Procedures that are public or not enforced are not called. If the table enforces no
// rule of a procedure that needs a token, Assert proves nothing, and logs that.
func (s Server) Assert(t testing.TB, table *policy.Table, options ...Option) {
	t.Helper()
	for _, option := range options {
		option(&s)
	}
	faults, idle := s.faults(t.Context(), table)
	for _, fault := range faults {
		t.Errorf("%s: %s", s.Package, fault)
	}
	if idle && len(faults) == 0 {
		t.Logf("%s: nothing was proved: the table enforces no rule that needs a token", s.Package)
	}
}

// faults returns the faults, and reports whether the table has no rule to prove.
func (s Server) faults(ctx context.Context, table *policy.Table) (faults []string, idle bool) {
	switch {
	case isNil(s.Given):
		return []string{fmt.Sprintf("the %s is nil: give the %[1]s that is tested", s.What)}, false
	case table == nil:
		return []string{"the table is nil: give the table that policy.Compile returned"}, false
	case ctx.Err() != nil:
		return []string{"the test is over: call the assertion before the test ends, not in a cleanup"}, false
	}
	unknown := s.Call(ctx, UnknownProcedure, nil)
	notEnforced, idle := s.enforcement(table)
	faults = slices.Clip(notEnforced)
	var missing []string
	switch {
	case unknown.Kind == Unreachable:
		return append(faults, "the server cannot be called: "+unknown.Text), idle
	case unknown.Kind == Absent, unknown.Kind == Uncallable, unknown.Reason == interceptor.ReasonRuleMissing:
	default:
		faults = append(faults, "every procedure that the server does not know "+s.faultIn(UnknownProcedure, nil, unknown, nil))
	}
	found, hanging := false, 0
	for _, procedure := range procedures(table) {
		rule, ok := table.Lookup(procedure.Name)
		if ok && (rule.Public || !rule.Enforced()) {
			continue
		}
		if !ok && unknown.Kind == Hanging {
			continue // An unknown procedure would hang as long as this one.
		}
		var authorization []string
		answer := s.Call(ctx, procedure, authorization)
		switch {
		case answer.Kind == Uncallable:
			continue
		case ok && answer.Kind == Absent:
			missing = append(missing, answer.Text)
			continue
		case answer.Kind == Absent: // without a rule: the server may serve it to calls with a token
			if answer = s.Call(ctx, procedure, TwoTokens); answer.Kind == Absent || answer.Reason != "" {
				continue
			}
			authorization = TwoTokens
		case !ok && answer.Kind == unknown.Kind && answer.Reason == unknown.Reason:
			continue // the server does not know it
		case answer.Reason != "" && answer.Reason != interceptor.ReasonTokenMissing && answer.Reason != interceptor.ReasonRuleMissing:
			// The other procedures may be open or not: the token may grant them.
			fault := fmt.Sprintf("the calls carry a token: %s was refused with reason %q: give a %s that adds no token", procedure.Name, answer.Reason, s.What)
			return append(slices.Clip(notEnforced), fault), idle
		}
		found = found || authorization == nil
		fault := s.faultIn(procedure, rule, answer, authorization)
		if fault == "" { // so far: the call had no token
			answer = s.Call(ctx, procedure, TwoTokens)
			fault = s.faultIn(procedure, rule, answer, TwoTokens)
		}
		if fault != "" {
			faults = append(faults, procedure.Name+" "+fault)
		}
		if answer.Kind == Hanging {
			if hanging++; hanging == maxHanging {
				faults = append(faults, fmt.Sprintf("%d procedures do not answer: the procedures after %s are not called", hanging, procedure.Name))
				break
			}
		}
	}
	switch {
	case len(missing) > 0:
		faults = append(faults, fmt.Sprintf("%s %s: %s", s.Absent, strings.Join(missing, ", "), s.Instead))
	case !found && !idle:
		faults = append(faults, s.NoProcedures)
	}
	return faults, idle
}

// faultIn returns the fault in an answer, or "". The rule is nil if the table has none.
func (s Server) faultIn(procedure Procedure, rule *policy.Rule, answer Answer, authorization []string) string {
	want, remedy, public := interceptor.ReasonTokenMissing, s.Remedy(procedure), ""
	sent := "without a token"
	if authorization != nil {
		sent, want = "with two tokens", interceptor.ReasonTokenMalformed
		remedy = "something else than a guard refuses calls without a token: " + remedy
	}
	unannotated := rule != nil && rule.Unannotated
	if rule == nil || unannotated {
		want = interceptor.ReasonRuleMissing
	}
	if rule == nil {
		service, _, _ := strings.Cut(procedure.Name[1:], "/")
		public = fmt.Sprintf("compile its file into the table, or name %s in policy.WithPublic", service)
		if _, ok := wellKnown[procedure.Name]; ok {
			public = fmt.Sprintf("name %s in policy.WithPublic if everybody may call it, or do not serve it", service)
		}
		if procedure != UnknownProcedure {
			remedy += "; then " + public
		}
	}
	const sameTable = "give this test the table that interceptor.New got"
	switch {
	case answer.Kind == Faulty:
		return answer.Text
	case answer.Kind == Unreachable:
		return "cannot be called: " + answer.Text
	case answer.Kind == Hanging:
		return fmt.Sprintf("is open: it has not refused a call %s within %v: %s", sent, Patience, remedy)
	case answer.Kind == Absent: // with two tokens; faults lists the procedures that are absent without a token
		return "is not behind the guard: it refuses a call without a token, and does not serve a call with two tokens: " + remedy
	case authorization != nil && answer.Reason != "":
		return "" // Some servers join the tokens or hand on one of them.
	case (rule == nil || unannotated) && answer.Reason == interceptor.ReasonTokenMissing:
		return "is guarded by another table than the given one: " + sameTable
	case rule != nil && !unannotated && answer.Reason == interceptor.ReasonRuleMissing:
		return "is refused to everybody: the server's guard has another table: " + sameTable + ", or compile the method's file into the server's table"
	case answer.Reason != want:
		state := "is not behind the guard"
		if answer.OK {
			state = "is open"
		}
		return fmt.Sprintf("%s: it answered a call %s with %s and reason %q, not with %q: %s", state, sent, answer.Text, answer.Reason, want, remedy)
	case rule == nil:
		return "is refused to everybody: " + public
	}
	return ""
}

// isNil reports whether a value is nil, or a pointer or function that is nil.
func isNil(given any) bool {
	value := reflect.ValueOf(given)
	return !value.IsValid() || (value.Kind() == reflect.Pointer || value.Kind() == reflect.Func) && value.IsNil()
}
