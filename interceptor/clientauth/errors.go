package clientauth

import (
	"context"
	"errors"

	"connectrpc.com/connect"
)

// The reasons for which a call has no token, and so does not go out. They match with
// [errors.Is]. The text of an error adds what failed, and never holds a byte of a token or
// secret.
var (
	// ErrUnavailable means that the client cannot get a token now. Trying again later may
	// succeed. The code of the call is `unavailable`.
	//
	// The token endpoint cannot be reached, takes too long, breaks off, or has an expired
	// certificate. Or it answers with status 408, 425, 429, or 500 and above, or with the error
	// temporarily_unavailable or server_error. Or a proxy refuses to connect with such a status.
	ErrUnavailable = errors.New("no token is available now")
	// ErrRefused means that trying again does not help: somebody has to change the
	// configuration, here or at the provider. The code of the call is `internal`, as for the
	// following errors, since the caller has made no mistake.
	//
	// The token endpoint refuses the request, for example for a wrong secret, or answers with
	// something other than a bearer token, or with any other status, such as a redirect. Or it
	// does not speak TLS, or has no valid address or no trusted certificate. Or a proxy refuses
	// to connect or has such a fault. Or the provider has no such tokens.
	ErrRefused = errors.New("no token is granted")
	// ErrInsecure means that the token would have been sent over plain HTTP to another
	// machine that is not listed (see [InsecureHTTPClient]), or to the target of a redirect.
	ErrInsecure = errors.New("a token must not be sent there")
	// ErrNoCaller means that there is no token to forward: no guard has let in a call with a
	// token for which this call is made.
	ErrNoCaller = errors.New("no verified caller whose token could be forwarded")
	// ErrNotInstalled means that a server refused a call without a token, and that no token was
	// sent: the client does not use [HTTPClient], or something around it calls another host. The
	// error of the server is joined to it.
	ErrNotInstalled = errors.New("no token was sent: give the client an HTTP client of clientauth.HTTPClient")

	// ErrSameToken means that a source has no other token than the refused one: see
	// [Source.Replace].
	ErrSameToken = errors.New("there is no other token than the refused one")
)

// codeOf returns the code of a call that got no token.
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
