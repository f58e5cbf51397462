package interceptor

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// handlerError returns the error of a handler whose call was let in. A refusal in it is that of
// another call, and becomes an ordinary error: see [Denial]. Another guard that stands before
// the same handler has refused the same call, so its refusal stays as it is.
func (a *admission) handlerError(err error) error {
	denial, refused := errors.AsType[*Denial](err)
	if !refused || denial.get().within == a {
		return err
	}
	explicit, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return errors.New("another call was refused: " + err.Error())
	}
	ordinary := connect.NewError(explicit.Code(), errors.New(explicit.Message()))
	for _, detail := range explicit.Details() {
		if !isRefusal(detail) {
			ordinary.AddDetail(detail)
		}
	}
	for name, values := range explicit.Meta() {
		ordinary.Meta()[name] = values
	}
	ordinary.Meta().Del("WWW-Authenticate")
	return ordinary
}

// isRefusal reports whether a detail is the ErrorInfo of a refusal. One that cannot be read counts as such.
func isRefusal(detail *connect.ErrorDetail) bool {
	message, err := detail.Value()
	info, ok := message.(*errdetails.ErrorInfo)
	return err != nil || ok && info.GetDomain() == domain
}

// sameCall returns the admission of the call by another guard, one that stands before this
// guard, or nil. What a handler calls in process with its own context is another call.
func sameCall(ctx context.Context, procedure string, header http.Header) *admission {
	a, _ := ctx.Value(contextKey{}).(*admission)
	if a != nil && a.rule != nil && a.rule.Procedure == procedure && callctx.SameHeader(a.header, header) {
		return a
	}
	return nil
}
