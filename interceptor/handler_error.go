package interceptor

import (
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// withoutDenial returns an error of connect-go without the denial in it: see [Transport].
func withoutDenial(err error) error {
	explicit, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return err
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
