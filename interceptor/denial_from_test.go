package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestDenialFrom makes sure that a client finds the refusal as the guard has made it, except its cause, over
// every protocol and for every kind of call.
func TestDenialFrom(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	server := serve(t, handlers{}.mux(guard.HandlerOption()))
	for name, test := range map[string]struct {
		service string
		header  http.Header
		want    interceptor.Reason
		cause   error // or nil
	}{
		"no token":              {"Global", http.Header{}, interceptor.ReasonTokenMissing, token.ErrMissing},
		"two tokens":            {"Global", http.Header{"Authorization": {"Bearer a", "Bearer b"}}, interceptor.ReasonTokenMalformed, token.ErrMalformed},
		"no scope":              {"Global", bearer(t, global("read:a")), interceptor.ReasonScopeInsufficient, nil},
		"none of several":       {"Any", bearer(t, global("buy")), interceptor.ReasonScopeInsufficient, nil},
		"another model":         {"Token", bearer(t, global("read:a")), interceptor.ReasonModelMismatch, nil},
		"no rule, no challenge": {unruled, bearer(t, global("read:a")), interceptor.ReasonRuleMissing, nil},
	} {
		for kind := range kinds {
			_, want := guard.Admit(t.Context(), procedure(test.service, kind), test.header)
			if want.Reason() != test.want || want.Challenge() == "" && test.want != interceptor.ReasonRuleMissing {
				t.Fatalf("%s: %v", name, want)
			}
			for _, wire := range wires {
				if !wire.can(kind) {
					continue
				}
				_, err := server.do(t.Context(), wire, test.service, kind, test.header.Clone(), acme)
				for _, err := range []error{err, fmt.Errorf("call: %w", err)} {
					got := interceptor.DenialFrom(err)
					if got == nil || !proto.Equal(got.ErrorInfo(), want.ErrorInfo()) || got.Code() != want.Code() || got.Error() != want.Error() || got.Challenge() != want.Challenge() ||
						!slices.Equal(got.Scopes(), want.Scopes()) || !slices.Equal(got.AnyScopes(), want.AnyScopes()) {
						t.Errorf("%s, %s, %s: %v of %v, want %v", name, kinds[kind], wire.name, got, err, want)
					}
					if got.Unwrap() == nil || test.cause != nil && !errors.Is(got, test.cause) {
						t.Errorf("%s, %s, %s: the cause is %v", name, kinds[kind], wire.name, got.Unwrap())
					}
				}
			}
		}
	}
}

// TestDenialFromInProcess makes sure that the denial of this process comes whole, and as a copy.
func TestDenialFromInProcess(t *testing.T) {
	t.Parallel()
	kept := keptDenial(t, interceptor.New(shared(t).verifier, rules(t)))
	for name, err := range map[string]error{
		"itself": kept, "wrapped": fmt.Errorf("call: %w", kept), "joined": errors.Join(errors.New("read"), kept),
		"before a received one": errors.Join(received(t, connect.CodeUnauthenticated, info("TOKEN_EXPIRED", nil)), kept),
	} {
		got := interceptor.DenialFrom(err)
		if got == nil || got == kept || !errors.Is(got, kept.Unwrap()) || got.Challenge() != kept.Challenge() || !proto.Equal(got.ErrorInfo(), kept.ErrorInfo()) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, err := range map[string]error{"zero": new(interceptor.Denial), "nil": (*interceptor.Denial)(nil)} {
		if got := interceptor.DenialFrom(err); got == nil || got.Reason() != interceptor.ReasonGuardFailed {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A told is what a client learns of a refusal.
type told struct {
	reason                       interceptor.Reason
	scopes, anyScopes, challenge string
}

// TestDenialFromHostile makes sure that a server, which may write anything into an error, gets into a Denial only
// what a guard could have written, and nothing into its texts.
func TestDenialFromHostile(t *testing.T) {
	t.Parallel()
	const (
		good   = `Bearer realm="https://api.example.test", error="insufficient_scope", scope="read:a write:b"`
		scopes = "SCOPE_INSUFFICIENT"
	)
	type metadata = map[string]string
	other := info(scopes, metadata{"challenge": good})
	other.Domain = "example.test"
	long := func(size int) string { return strings.Repeat("a", size) }
	challenge := func(size int) string { return `Bearer realm="` + long(size-len(`Bearer realm=""`)) + `"` }
	for name, test := range map[string]struct {
		code    connect.Code
		details []proto.Message
		want    *told
	}{
		"a guard's":                   {connect.CodePermissionDenied, details(info(scopes, metadata{"required_scopes": "read:a ~!#[] c", "any_scopes": "c", "challenge": good})), &told{scopes, "read:a ~!#[]", "c", good}},
		"any scopes alone":            {connect.CodePermissionDenied, details(info(scopes, metadata{"any_scopes": "a b"})), &told{scopes, "", "a b", ""}},
		"no metadata":                 {connect.CodePermissionDenied, details(info(scopes, nil)), &told{scopes, "", "", ""}},
		"behind other details":        {connect.CodeUnauthenticated, details(&errdetails.RetryInfo{}, other, info("TOKEN_EXPIRED", nil)), &told{"TOKEN_EXPIRED", "", "", ""}},
		"the first of two":            {connect.CodeUnauthenticated, details(info("TOKEN_EXPIRED", nil), info("TOKEN_MISSING", nil)), &told{"TOKEN_EXPIRED", "", "", ""}},
		"unavailable":                 {connect.CodeUnavailable, details(info("KEYS_UNAVAILABLE", metadata{"challenge": good})), &told{"KEYS_UNAVAILABLE", "", "", ""}},
		"internal":                    {connect.CodeInternal, details(info("GUARD_FAILED", nil)), &told{"GUARD_FAILED", "", "", ""}},
		"scopes of another reason":    {connect.CodePermissionDenied, details(info("MODEL_MISMATCH", metadata{"required_scopes": "a", "any_scopes": "b", "challenge": good})), &told{"MODEL_MISMATCH", "", "", good}},
		"another code":                {connect.CodeUnauthenticated, details(info(scopes, nil)), nil},
		"another domain":              {connect.CodePermissionDenied, details(other), nil},
		"another reason":              {connect.CodePermissionDenied, details(info("HOSTILE", nil)), nil},
		"no reason":                   {connect.CodePermissionDenied, details(info("", nil)), nil},
		"no details":                  {connect.CodePermissionDenied, nil, nil},
		"garbled":                     {connect.CodePermissionDenied, details(&anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte{0xff}}), nil},
		"as long as may be":           {connect.CodePermissionDenied, details(info(scopes, metadata{"required_scopes": long(8 << 10), "challenge": challenge(8 << 10)})), &told{scopes, long(8 << 10), "", challenge(8 << 10)}},
		"longer":                      {connect.CodePermissionDenied, details(info(scopes, metadata{"required_scopes": long(8<<10 + 1), "any_scopes": long(8<<10 + 1), "challenge": challenge(8<<10 + 1)})), &told{scopes, "", "", ""}},
		"a line break":                {connect.CodePermissionDenied, details(info(scopes, metadata{"required_scopes": "a\nb", "any_scopes": "a\nb", "challenge": "Bearer realm=\"a\"\r\nSet-Cookie: a=b"})), &told{scopes, "", "", ""}},
		"a line break at the end":     {connect.CodePermissionDenied, details(info(scopes, metadata{"required_scopes": "a\n", "challenge": "Bearer realm=\"a\"\n"})), &told{scopes, "", "", ""}},
		"beyond ASCII":                {connect.CodePermissionDenied, details(info(scopes, metadata{"required_scopes": "ä", "challenge": `Bearer realm="ä"`})), &told{scopes, "", "", ""}},
		"DEL":                         {connect.CodePermissionDenied, details(info(scopes, metadata{"required_scopes": "\x7f", "challenge": "Bearer realm=\"\x7f\""})), &told{scopes, "", "", ""}},
		"quotes":                      {connect.CodePermissionDenied, details(info(scopes, metadata{"required_scopes": `a"`, "any_scopes": `a\`, "challenge": `Bearer realm="a`})), &told{scopes, "", "", ""}},
		"another scheme":              {connect.CodePermissionDenied, details(info(scopes, metadata{"challenge": `Basic realm="a"`})), &told{scopes, "", "", ""}},
		"another scheme behind it":    {connect.CodePermissionDenied, details(info(scopes, metadata{"challenge": `Bearer realm="a", Basic realm="a"`})), &told{scopes, "", "", ""}},
		"another scheme before it":    {connect.CodePermissionDenied, details(info(scopes, metadata{"challenge": `Basic realm="a", Bearer realm="a"`})), &told{scopes, "", "", ""}},
		"no parameter":                {connect.CodePermissionDenied, details(info(scopes, metadata{"challenge": `Bearer`})), &told{scopes, "", "", ""}},
		"a challenge without its due": {connect.CodePermissionDenied, details(info("RULE_MISSING", metadata{"challenge": good})), &told{"RULE_MISSING", "", "", ""}},
	} {
		denial := interceptor.DenialFrom(received(t, test.code, test.details...))
		if denial == nil || test.want == nil {
			if denial != nil || test.want != nil {
				t.Errorf("%s: %v, want %v", name, denial, test.want)
			}
			continue
		}
		got := told{denial.Reason(), strings.Join(denial.Scopes(), " "), strings.Join(denial.AnyScopes(), " "), denial.Challenge()}
		if got != *test.want || denial.Code() != test.code {
			t.Errorf("%s: %.200q, want %.200q", name, got, *test.want)
		}
		if text := fmt.Sprint(denial, denial.Unwrap()); strings.Contains(text, "hostile") || strings.Contains(text, "%") || len(text) > 250 {
			t.Errorf("%s: %s", name, text)
		}
	}
	for name, err := range map[string]error{
		"nil": nil, "an error": errors.New("no"), "canceled": context.Canceled, "no code": connect.NewError(0, errors.New("no")),
	} {
		if got := interceptor.DenialFrom(err); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func details(messages ...proto.Message) []proto.Message { return messages }

func info(reason string, metadata map[string]string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: reason, Domain: "protoauthz", Metadata: metadata}
}

// received is an error that a client may have received from any server.
func received(t *testing.T, code connect.Code, details ...proto.Message) error {
	t.Helper()
	err := connect.NewError(code, errors.New("hostile"))
	for _, message := range details {
		detail, detailErr := connect.NewErrorDetail(message)
		if detailErr != nil {
			t.Fatal(detailErr)
		}
		err.AddDetail(detail)
	}
	return err
}
