// Package unguarded finds the procedures of a server that nobody guards. Packages guardtest and
// grpcguardtest call the server, each in its way.
package unguarded

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// Patience bounds a call that an unguarded handler does not answer.
const Patience = 5 * time.Second

// maxHanging bounds how many procedures are awaited for [Patience].
const maxHanging = 3

// Domain is the domain of the google.rpc.ErrorInfo of a Guard.
var Domain = new(interceptor.Denial).ErrorInfo().GetDomain()

// A Kind tells answers apart.
type Kind int

// The kinds.
const (
	// Answered is an answer that may be a Guard's.
	Answered Kind = iota
	// Absent says that the server has no such procedure.
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
// verifier sees one; a check that only looks for a token, or a verifier that takes every token, lets
// them pass.
var TwoTokens = []string{"Bearer garbage", "Bearer garbage"}

// An Answer is what a server answers to a call.
type Answer struct {
	Kind   Kind
	OK     bool               // the call succeeded
	Reason interceptor.Reason // of a Guard, or ""
	Text   string             // describes the answer, or names the absent procedure
}

// Reason finds a Guard's reason in the details of a status.
func Reason(details []*anypb.Any) interceptor.Reason {
	for _, detail := range details {
		info := new(errdetails.ErrorInfo)
		if detail.UnmarshalTo(info) == nil && info.GetDomain() == Domain {
			return interceptor.Reason(info.GetReason())
		}
	}
	return ""
}

// A Server is called twice by each procedure: without a token, and with [TwoTokens].
type Server struct {
	Package      string // the name that faults begin with
	What         string // names what the user gave, such as "handler"
	Given        any    // the handler or connection that the user gave
	Call         func(_ context.Context, _ Procedure, authorization []string) Answer
	Remedy       func(Procedure) string // how to guard a procedure
	Absent       string                 // begins the fault that lists absent procedures
	Instead      string                 // what to give instead
	NoProcedures string                 // the fault if no procedure was called
}

// Assert fails the test for each procedure that is not refused as a Guard refuses it. Procedures that
// the table declares public are not called.
func (s Server) Assert(t testing.TB, table *policy.Table) {
	t.Helper()
	for _, fault := range s.faults(t.Context(), table) {
		t.Errorf("%s: %s", s.Package, fault)
	}
}

func (s Server) faults(ctx context.Context, table *policy.Table) []string {
	switch {
	case isNil(s.Given):
		return []string{fmt.Sprintf("the %s is nil: give the %[1]s that is tested", s.What)}
	case table == nil:
		return []string{"the table is nil: give the table that policy.Compile returned"}
	case ctx.Err() != nil:
		return []string{"the test is over: call the assertion before the test ends, not in a cleanup"}
	}
	unknown := s.Call(ctx, UnknownProcedure, nil)
	var faults, missing []string
	switch {
	case unknown.Kind == Unreachable:
		return []string{"the server cannot be called: " + unknown.Text}
	case unknown.Kind == Absent, unknown.Kind == Uncallable, unknown.Reason == interceptor.ReasonRuleMissing:
	default:
		faults = append(faults, "every procedure that the server does not know "+s.judge(UnknownProcedure, nil, unknown, nil))
	}
	found, hanging := false, 0
	for _, procedure := range procedures(table) {
		rule, ok := table.Lookup(procedure.Name)
		if ok && rule.Public {
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
		case !ok && answer.Kind == Absent: // as it seems without a token
			if answer = s.Call(ctx, procedure, TwoTokens); answer.Kind == Absent || answer.Reason != "" {
				continue
			}
			authorization = TwoTokens
		case !ok && answer.Kind == unknown.Kind && answer.Reason == unknown.Reason:
			continue // the server does not know it
		case answer.Reason != "" && answer.Reason != interceptor.ReasonTokenMissing && answer.Reason != interceptor.ReasonRuleMissing:
			// The token may have opened any of the other procedures.
			return []string{fmt.Sprintf("the calls carry a token: %s was refused with reason %q: give a %s that adds no token", procedure.Name, answer.Reason, s.What)}
		}
		found = found || authorization == nil
		fault := s.judge(procedure, rule, answer, authorization)
		if fault == "" && authorization == nil {
			answer = s.Call(ctx, procedure, TwoTokens)
			fault = s.judge(procedure, rule, answer, TwoTokens)
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
	case !found:
		faults = append(faults, s.NoProcedures)
	}
	return faults
}

// judge says what is wrong with an answer for which there is a rule, or none.
func (s Server) judge(procedure Procedure, rule *policy.Rule, answer Answer, authorization []string) string {
	want, remedy, public := interceptor.ReasonTokenMissing, s.Remedy(procedure), ""
	sent := "without a token"
	if authorization != nil {
		sent, want = "with two tokens", interceptor.ReasonTokenMalformed
		remedy = "something else than a guard refuses calls without a token: " + remedy
	}
	if rule == nil {
		want = interceptor.ReasonRuleMissing
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
	case authorization != nil && answer.Kind == Absent:
		return "is not behind the guard: it refuses a call without a token, and does not serve a call with two tokens: " + remedy
	case authorization != nil && answer.Reason != "":
		return "" // Some servers join the tokens or hand on one of them.
	case rule == nil && answer.Reason == interceptor.ReasonTokenMissing:
		return "is guarded by another table than the given one: " + sameTable
	case rule != nil && answer.Reason == interceptor.ReasonRuleMissing:
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
