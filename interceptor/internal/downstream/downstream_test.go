package downstream_test

import (
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/downstream"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const procedure = "/stock.v1.Stock/Reserve"

func answer(t *testing.T, code connect.Code, domain, reason string) *connect.Error {
	t.Helper()
	detail, err := connect.NewErrorDetail(&errdetails.ErrorInfo{Domain: domain, Reason: reason, Metadata: map[string]string{"required_scopes": "read:a"}})
	if err != nil {
		t.Fatal(err)
	}
	refused := connect.NewError(code, errors.New("hostile"))
	refused.AddDetail(detail)
	refused.Meta().Set("Www-Authenticate", `Bearer realm="a"`)
	return refused
}

// TestOf makes sure of the code and the text for each kind of token, and that an error that no guard has made stays as
// it is.
func TestOf(t *testing.T) {
	t.Parallel()
	own := &oauth2.Token{AccessToken: "own"}
	forwarded := own.WithExtra(map[string]any{downstream.ForwardedKey: true})
	for name, test := range map[string]struct {
		err    *connect.Error
		sent   *oauth2.Token
		code   connect.Code
		reason interceptor.Reason // or "" for an error without a denial
	}{
		"own, 401":       {answer(t, connect.CodeUnauthenticated, "protoauthz", "TOKEN_EXPIRED"), own, connect.CodeInternal, "TOKEN_EXPIRED"},
		"own, 403":       {answer(t, connect.CodePermissionDenied, "protoauthz", "SCOPE_INSUFFICIENT"), own, connect.CodeInternal, "SCOPE_INSUFFICIENT"},
		"own, 503":       {answer(t, connect.CodeUnavailable, "protoauthz", "VERIFIER_BUSY"), own, connect.CodeUnavailable, "VERIFIER_BUSY"},
		"own, 500":       {answer(t, connect.CodeInternal, "protoauthz", "GUARD_FAILED"), own, connect.CodeInternal, "GUARD_FAILED"},
		"forwarded, 401": {answer(t, connect.CodeUnauthenticated, "protoauthz", "TOKEN_EXPIRED"), forwarded, connect.CodeUnauthenticated, "TOKEN_EXPIRED"},
		"header, 403":    {answer(t, connect.CodePermissionDenied, "protoauthz", "SCOPE_INSUFFICIENT"), nil, connect.CodePermissionDenied, "SCOPE_INSUFFICIENT"},
		"unknown":        {answer(t, connect.CodeUnauthenticated, "protoauthz", "HOSTILE"), own, connect.CodeInternal, ""},
		"another code":   {answer(t, connect.CodeAborted, "protoauthz", "TOKEN_EXPIRED"), own, connect.CodeAborted, ""},
	} {
		text := fmt.Sprintf("%v: the call to %s was refused: %s", test.code, procedure, test.reason)
		if test.reason == "" {
			text = fmt.Sprintf("%v: the call to %s was refused with a code and reason that this version of protoauthz does not know: if the called service is newer, update protoauthz", test.code, procedure)
		}
		err := downstream.Of(fmt.Errorf("wrapped: %w", test.err), procedure, test.sent)
		coded, ok := errors.AsType[*connect.Error](err)
		if !ok || err.Error() != text || coded.Code() != test.code || len(coded.Details()) != 0 || len(coded.Meta()) != 0 {
			t.Errorf("%s: %v, want %s", name, err, text)
		}
		if denial := interceptor.DenialFrom(err); denial == nil != (test.reason == "") || denial != nil && denial.Reason() != test.reason {
			t.Errorf("%s: %v", name, denial)
		}
		if test.reason == interceptor.ReasonTokenExpired && !errors.Is(err, token.ErrExpired) {
			t.Errorf("%s: the cause of %v is another one", name, err)
		}
		if again := downstream.Of(err, "/another", nil); again != err { //nolint:errorlint // the very same
			t.Errorf("%s: %v becomes %v", name, err, again)
		}
	}
	for name, err := range map[string]error{
		"nil": nil, "another domain": answer(t, connect.CodePermissionDenied, "other", "SCOPE_INSUFFICIENT"), "no code": errors.New("no"),
		"no details": connect.NewError(connect.CodeUnauthenticated, errors.New("no")),
	} {
		if got := downstream.Of(err, procedure, own); got != err { //nolint:errorlint // the very same
			t.Errorf("%s: %v", name, got)
		}
	}
}
