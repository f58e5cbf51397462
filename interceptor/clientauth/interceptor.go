package clientauth

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/internal/downstream"
)

// An Interceptor gives the calls of Connect clients their token. It is a [connect.Interceptor]
// that changes no handler. It is safe for concurrent use.
type Interceptor struct{ source *Source }

// NewInterceptor returns an interceptor that takes tokens from a source. The client must also
// use [HTTPClient], which sends the token. Without HTTPClient no token is sent, and calls that
// need a token fail with [ErrNotInstalled].
//
//	orderv1connect.NewOrderServiceClient(
//		clientauth.HTTPClient(http.DefaultClient), "https://orders.example.com",
//		connect.WithInterceptors(clientauth.NewInterceptor(source)),
//	)
//
// A unary call that the server answers with `unauthenticated` is repeated once with another
// token, if the source has one. The handler runs twice if the handler itself gave that answer. A
// stream cannot be repeated: its token is dropped, so that the next call has another token. No
// other answer has these effects. A repeated call takes longer by a request for a token. In a
// chain of services, each service may repeat its call.
//
// A call goes out as it is if the caller has set its Authorization header. Give a client one such
// interceptor: of two, the inner one sends its token.
//
// If a guard has refused the call, the error keeps the refusal for this service:
// [interceptor.DenialFrom] and [errors.Is] find the refusal, and the text names the procedure and
// the reason. A handler may return the error as it is. Its own client then gets the code and the
// text, without the google.rpc.ErrorInfo and the challenge, which would pass for a refusal of the
// client's own call. If the refused token is of this service, the code is `internal` in place of
// `unauthenticated` and `permission_denied`, since the client has made no mistake. If the token is
// of the caller ([Forward]), or stands in a header that the handler has set, the code stays. Other
// codes, such as `unavailable`, stay as well.
//
// The error of a call that got no token names the token endpoint. The error is for the log of this
// service, and not for its callers: a handler returns the code of the error and a text of its own.
//
// NewInterceptor panics if the source is nil.
func NewInterceptor(source *Source) *Interceptor {
	if source == nil {
		panic("clientauth: NewInterceptor needs a source: check the errors of New")
	}
	return &Interceptor{source}
}

// WrapUnary implements [connect.Interceptor].
func (i *Interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		if !request.Spec().IsClient {
			return next(ctx, request)
		}
		send := func(token *oauth2.Token) (*call, connect.AnyResponse, error) {
			c := i.call(request.Spec(), token)
			c.calls(request.Peer())
			response, err := next(withCall(ctx, c), request)
			return c, response, err
		}
		header := request.Header().Clone() // inner interceptors may change the header
		c, response, err := send(nil)
		refused, err := c.refused(request.Header(), err)
		if refused == nil {
			return response, c.forHandler(err)
		}
		fresh, noFresh := i.source.Replace(ctx, refused)
		if noFresh != nil {
			return nil, c.forHandler(err) // the server's error is more useful than noFresh
		}
		clear(request.Header())
		maps.Copy(request.Header(), header)
		c, response, err = send(fresh)
		return response, c.forHandler(err)
	}
}

// WrapStreamingClient implements [connect.Interceptor].
func (i *Interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		c := i.call(spec, nil)
		stream := next(withCall(ctx, c), spec)
		c.calls(stream.Peer()) // before anything is sent
		return &conn{StreamingClientConn: stream, ctx: ctx, call: c}
	}
}

// WrapStreamingHandler implements [connect.Interceptor]. It does nothing.
func (i *Interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

func (i *Interceptor) call(spec connect.Spec, token *oauth2.Token) *call {
	return &call{source: i.source, procedure: spec.Procedure, token: token}
}

// calls notes the server of the call.
func (c *call) calls(server connect.Peer) {
	if server.Addr != "" { // an inner interceptor may hide the address
		c.host.Store(&server.Addr)
	}
}

// refused returns the token that the server has refused, or nil, and the error of the call, given
// the header and the error.
func (c *call) refused(header http.Header, err error) (*oauth2.Token, error) {
	if connect.CodeOf(err) != connect.CodeUnauthenticated { // nil has another code
		return nil, err
	}
	if !authorized(header) && !c.reached.Load() {
		return nil, connect.NewError(connect.CodeInternal, fmt.Errorf("clientauth: %w: %w", ErrNotInstalled, err))
	}
	return c.sent.Load(), err
}

// forHandler returns the error that a handler may return as its own.
func (c *call) forHandler(err error) error {
	return downstream.Of(err, c.procedure, c.sent.Load())
}

// A conn drops the token of a stream that is refused, and changes the error of a refusal.
type conn struct {
	connect.StreamingClientConn

	ctx  context.Context
	call *call
}

// Receive implements [connect.StreamingClientConn].
func (c *conn) Receive(message any) error {
	refused, err := c.call.refused(c.RequestHeader(), c.StreamingClientConn.Receive(message))
	if refused != nil {
		c.call.source.Drop(c.ctx, refused)
	}
	return c.call.forHandler(err)
}
