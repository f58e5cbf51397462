package clientauth

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"
)

// An Interceptor gives the calls of connect clients a token. It is a [connect.Interceptor],
// leaves handlers alone, and is safe for concurrent use.
type Interceptor struct{ source *Source }

// NewInterceptor makes an interceptor of a source. The client must also have an HTTP client
// of [HTTPClient], which is what sends the token: without it none is sent, and calls that
// need one fail with [ErrNotInstalled].
//
//	orderv1connect.NewOrderServiceClient(
//		clientauth.HTTPClient(http.DefaultClient), "https://orders.example.com",
//		connect.WithInterceptors(clientauth.NewInterceptor(source)),
//	)
//
// A unary call that the server answers with `unauthenticated` is repeated once, with another
// token, if the source has one; this may have the handler run twice if it is the handler that
// says so. What a stream has sent cannot be repeated: its token is dropped, so that the next
// call has another one. No other answer causes either. A refused call may take as long as a
// request for a token longer, and where services call one another in a chain, each of them may
// repeat its call.
//
// A call whose Authorization header the caller has set goes out as it is. A client has one such
// interceptor: of two, the inner one sends its token.
//
// The error of a call that got no token names the token endpoint. It is for the log of this
// service, and not for those who call it.
//
// It panics if the source is nil.
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
		header := request.Header().Clone() // what is after us may change it
		c := i.call(request.Spec(), nil)
		c.calls(request.Peer())
		response, err := next(withCall(ctx, c), request)
		refused, err := c.refused(request.Header(), err)
		if refused == nil {
			return response, err
		}
		fresh, noFresh := i.source.Replace(ctx, refused)
		if noFresh != nil {
			return nil, err // what the server said counts for more
		}
		clear(request.Header())
		maps.Copy(request.Header(), header)
		c = i.call(request.Spec(), fresh)
		c.calls(request.Peer())
		return next(withCall(ctx, c), request)
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

// calls says whom the call is for.
func (c *call) calls(server connect.Peer) {
	if server.Addr != "" { // an interceptor after us may not say it
		c.host.Store(&server.Addr)
	}
}

// refused returns the token that the server has refused, or nil, and the error of the call.
func (c *call) refused(header http.Header, err error) (*oauth2.Token, error) {
	if err == nil || connect.CodeOf(err) != connect.CodeUnauthenticated {
		return nil, err
	}
	if !authorized(header) && !c.reached.Load() {
		return nil, connect.NewError(connect.CodeInternal, fmt.Errorf("clientauth: %w: %w", ErrNotInstalled, err))
	}
	return c.sent.Load(), err
}

// A conn drops the token of a stream that is refused.
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
	return err
}
