package clientauth

import (
	"context"
	"errors"

	"connectrpc.com/connect"
)

// The reasons for which a call has no token, and so does not go out. They match with
// [errors.Is]; the text adds what failed, and never holds a byte of a token or secret.
var (
	// ErrUnavailable means that no token can be had now: the token endpoint cannot be
	// reached, takes too long, breaks off, has an expired certificate, or answers with status 408,
	// 425, 429 or one from 500 on, or with the error temporarily_unavailable or server_error; or a
	// proxy refuses to connect with such a status. Trying again later may succeed. The call's code
	// is `unavailable`.
	ErrUnavailable = errors.New("no token can be had now")
	// ErrRefused means that trying again does not help: the token endpoint refuses what it is
	// asked for, as with a wrong secret, answers with something other than a bearer token, or
	// with any other status, a redirect among them, does not speak TLS, has no valid address or a
	// certificate that is not trusted, a proxy refuses to connect or has such a fault, or the
	// provider cannot be asked for it.
	// Somebody has to mend the configuration, here or at the provider. The call's code is
	// `internal`, as with all that follow: it is not the caller's fault.
	ErrRefused = errors.New("no token is granted")
	// ErrInsecure means that the token would have been sent over plain HTTP to another
	// machine, or to where a redirect leads.
	ErrInsecure = errors.New("a token must not be sent there")
	// ErrNoCaller means that there is no token to forward: the call is not made for one
	// that a guard has let in with a token.
	ErrNoCaller = errors.New("no verified caller whose token could be forwarded")
	// ErrNotInstalled means that a call was refused, for the reason that is joined to it,
	// and that no token was sent, since its client has no HTTP client of [HTTPClient], or one
	// around it that calls another host.
	ErrNotInstalled = errors.New("no token was sent: give the client an HTTP client of clientauth.HTTPClient")

	// ErrSameToken means that a refused token is all there is: see [Source.Replace].
	ErrSameToken = errors.New("there is no other token than the refused one")
)

// codeOf is the code of a call that got no token.
func codeOf(err error) connect.Code {
	if coded, ok := errors.AsType[*connect.Error](err); ok {
		return coded.Code()
	}
	switch {
	case errors.Is(err, ErrUnavailable):
		return connect.CodeUnavailable
	case errors.Is(err, context.Canceled):
		return connect.CodeCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return connect.CodeDeadlineExceeded
	default:
		return connect.CodeInternal
	}
}
