// Package unguarded finds the procedures of a server that nobody guards. Packages guardtest and
// grpcguardtest call the server, each in its way.
package unguarded

import (
	"context"
	"fmt"
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

// Domain is the one of a Guard's google.rpc.ErrorInfo.
const Domain = "protoauthz"

// A Kind tells answers apart.
type Kind int

// The kinds.
const (
	// Answered is an answer that may be a Guard's.
	Answered Kind = iota
	// Absent says that the server has no such procedure.
	Absent
	// NoRPC is an answer of something that serves no RPC.
	NoRPC
	// Hanging is none within [Patience].
	Hanging
	// Unreachable is none, as there is no server.
	Unreachable
	// Panicked is none either.
	Panicked
	// Uncallable is none, as there is no way to call the procedure.
	Uncallable
)

// An Answer is what a server answers to a call without a token.
type Answer struct {
	Kind   Kind
	Reason interceptor.Reason // of a Guard, or ""
	Text   string             // what the answer is, or who is absent, for people
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

// A Server is called without a token.
type Server struct {
	Package string // that speaks to the user
	Call    func(context.Context, Procedure) Answer
	Remedy  func(Procedure) string // what guards it
	Absent  string                 // what the server does with those that are absent
	Give    string                 // what to give instead
	Nothing string                 // what it means that there is nothing to call
}

// Assert fails the test for each procedure that is not refused as a Guard refuses it. Those that the
// table declares public are not called.
func (s Server) Assert(t testing.TB, table *policy.Table) {
	t.Helper()
	elsewhere := s.Call(t.Context(), Nowhere)
	switch {
	case elsewhere.Kind == Unreachable:
		t.Errorf("%s: the server cannot be called: %s", s.Package, elsewhere.Text)
		return
	case elsewhere.Kind == Absent, elsewhere.Kind == NoRPC, elsewhere.Kind == Uncallable, elsewhere.Reason == interceptor.ReasonRuleMissing:
	default:
		t.Errorf("%s: every procedure that the server does not know %s", s.Package, s.judge(Nowhere, nil, elsewhere))
	}
	var missing []string
	found := false
	for _, procedure := range procedures(table) {
		rule, ok := table.Lookup(procedure.Name)
		if ok && rule.Public {
			continue
		}
		if !ok && elsewhere.Kind == Hanging {
			continue // as it would, each for as long
		}
		answer := s.Call(t.Context(), procedure)
		switch {
		case answer.Kind == Uncallable:
			continue
		case ok && answer.Kind == Absent:
			missing = append(missing, answer.Text)
			continue
		case !ok && answer.Kind == elsewhere.Kind && answer.Reason == elsewhere.Reason, !ok && answer.Kind == Absent:
			continue // the server does not know it
		}
		found = true
		if fault := s.judge(procedure, rule, answer); fault != "" {
			t.Errorf("%s: %s %s", s.Package, procedure.Name, fault)
		}
	}
	switch {
	case len(missing) > 0:
		t.Errorf("%s: %s %s: %s", s.Package, s.Absent, strings.Join(missing, ", "), s.Give)
	case !found:
		t.Errorf("%s: %s", s.Package, s.Nothing)
	}
}

// judge says what is wrong with an answer for which there is a rule, or none.
func (s Server) judge(procedure Procedure, rule *policy.Rule, answer Answer) string {
	want, remedy, public := interceptor.ReasonTokenMissing, s.Remedy(procedure), ""
	if rule == nil {
		want = interceptor.ReasonRuleMissing
		public = fmt.Sprintf("compile its file into the table, or name %s in policy.WithPublic", procedure.service())
		if procedure.wellKnown {
			public = fmt.Sprintf("name %s in policy.WithPublic if everybody may call it, or do not serve it", procedure.service())
		}
		if procedure != Nowhere {
			remedy += ", and " + public
		}
	}
	switch {
	case answer.Kind == Panicked:
		return "panicked when called without a token: " + answer.Text
	case answer.Kind == Unreachable:
		return "cannot be called: " + answer.Text
	case answer.Kind == Hanging:
		return fmt.Sprintf("is open: it has not refused a call without a token within %v: %s", Patience, remedy)
	case rule == nil && answer.Reason == interceptor.ReasonTokenMissing:
		return "is guarded by another table than the given one"
	case answer.Reason != "" && answer.Reason != interceptor.ReasonTokenMissing && answer.Reason != interceptor.ReasonRuleMissing:
		return fmt.Sprintf("was refused with reason %q, for a token that came along: call it without one", answer.Reason)
	case answer.Reason != want:
		return fmt.Sprintf("is open: it answered a call without a token with %s and reason %q, not with %q: %s",
			answer.Text, answer.Reason, want, remedy)
	case rule == nil:
		return "is refused to everybody: " + public
	}
	return ""
}
