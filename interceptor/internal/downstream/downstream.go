// Package downstream keeps the refusal of a call that a handler makes from passing for the refusal of the handler's
// own call.
package downstream

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/errorinfo"
)

// ForwardedKey is the extra field that a token has if it is the token of the caller.
const ForwardedKey = "github.com/protoauthz/protoauthz/interceptor/clientauth/forwarded"

// Refused returns the error for the handler if a guard has refused its call, and nil if the error has no
// google.rpc.ErrorInfo of a guard. Sent is the token of the call, or nil if the call had another token. The result
// has neither details nor metadata, and wraps what [interceptor.DenialFrom] makes of the error.
//
// If the service's own token was refused, the caller of the service has made no mistake: the code is then internal in
// place of unauthenticated or permission_denied. Otherwise the code stays.
func Refused(err *connect.Error, procedure string, sent *oauth2.Token) *connect.Error {
	if err == nil || errorinfo.Find(err) == nil {
		return nil
	}
	code := err.Code()
	ownToken := sent != nil && sent.Extra(ForwardedKey) == nil
	if ownToken && (code == connect.CodeUnauthenticated || code == connect.CodePermissionDenied) {
		code = connect.CodeInternal
	}
	denial := interceptor.DenialFrom(err)
	if denial == nil {
		return connect.NewError(code, fmt.Errorf("the call to %s was refused with a code and reason that this version of protoauthz does not know: if the called service is newer, update protoauthz", procedure))
	}
	return connect.NewError(code, &refusal{procedure, denial})
}

// A refusal has a text of its own: the text of a denial is for the client that was refused.
type refusal struct {
	procedure string
	denial    *interceptor.Denial
}

// Error implements error.
func (r *refusal) Error() string {
	return fmt.Sprintf("the call to %s was refused: %s", r.procedure, r.denial.Reason())
}

// Unwrap returns the denial.
func (r *refusal) Unwrap() error { return r.denial }

// Of is [Refused] for any error: it returns an error that no guard has made as it is.
func Of(err error, procedure string, sent *oauth2.Token) error {
	coded, _ := errors.AsType[*connect.Error](err)
	if refused := Refused(coded, procedure, sent); refused != nil {
		return refused
	}
	return err
}
