package interceptor

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// HandlerOption installs the guard in a handler: as a request gate, which refuses
// a call before its body is read, and as an interceptor, which checks messages. Give
// it before the options that install other interceptors, so that none of them acts
// on a call that is not checked yet: a cache, for example, would answer with another
// organization's data.
//
// Other interceptors do not see what the gate refuses, and [connect.WithRecover]
// does not cover it: log refusals with [WithObserver].
//
// A Guard given to [connect.WithInterceptors] alone refuses a unary call only after
// its message was read and decoded. It cannot tell that it stands before a handler:
// a request that an interceptor before it has copied and sent on through a client
// passes as a client's.
func (g *Guard) HandlerOption() connect.HandlerOption {
	return connect.WithHandlerOptions(connect.WithRequestGate(g.gate), connect.WithInterceptors(handlerSide{g}))
}

// handlerSide is a Guard that is known to stand before a handler, so that no request
// passes as a client's.
type handlerSide struct{ *Guard }

// WrapUnary implements [connect.Interceptor].
func (h handlerSide) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return h.wrapUnary(next, true)
}

// WrapStreamingHandler implements [connect.Interceptor].
func (h handlerSide) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return h.wrapStreamingHandler(next, true)
}

func (g *Guard) gate(ctx context.Context, spec connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
	connection, call := connectionOf(ctx, spec.Procedure, header)
	a, denial := g.admit(ctx, spec.Procedure, header)
	if denial != nil {
		connection.Refuse(call)
		return nil, connectError(denial, nil, spec, peer)
	}
	connection.Claim(call)
	a.guard.Store(g)
	a.header = header
	return a, nil
}

// connectionOf returns the connection that a call may have come over, and how that connection knows the
// call. A call that a handler of connect-go makes in process came over none.
func connectionOf(ctx context.Context, procedure string, header http.Header) (*callctx.Connection, callctx.Call) {
	connection := callctx.FromContext(ctx)
	if connection == nil {
		return nil, callctx.Call{}
	}
	if _, inHandler := connect.CallInfoForHandlerContext(ctx); inHandler {
		return nil, callctx.Call{}
	}
	return connection, callctx.Call{
		ID:            callctx.HeaderID(header),
		Procedure:     procedure,
		Authorization: header.Values("Authorization"),
	}
}

// WrapUnary implements [connect.Interceptor].
func (g *Guard) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return g.wrapUnary(next, false)
}

func (g *Guard) wrapUnary(next connect.UnaryFunc, atHandler bool) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		spec, peer := request.Spec(), request.Peer // called for a refusal only
		if spec.IsClient {
			// A request that an interceptor before us has sent on through a client bears
			// that client's spec. It may still be the handler's.
			info, ok := connect.CallInfoForHandlerContext(ctx)
			switch {
			case ok && (atHandler || callctx.SameHeader(info.RequestHeader(), request.Header())):
				spec, peer = info.Spec(), info.Peer
			case atHandler:
				return nil, connectError(failed(errors.New("an interceptor before the guard has lost the context of the call: the interceptor must hand on the context that it is given, or one made from it")), nil, spec, peer())
			default:
				return next(ctx, request)
			}
		}
		within := sameCall(ctx, spec.Procedure, request.Header())
		ctx, a, denial := g.admitted(ctx, spec.Procedure, spec.StreamType, request.Header())
		if denial == nil {
			denial = g.admitMessage(ctx, a, request.Any())
		}
		if denial != nil {
			return nil, connectError(denial, within, spec, peer())
		}
		response, err := a.keepFromCaches(ctx, request, next)(ctx, request)
		return response, a.handlerError(err)
	}
}

// WrapStreamingClient implements [connect.Interceptor]. It does nothing.
func (g *Guard) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor].
func (g *Guard) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return g.wrapStreamingHandler(next, false)
}

func (g *Guard) wrapStreamingHandler(next connect.StreamingHandlerFunc, gated bool) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		spec, header := conn.Spec(), conn.RequestHeader()
		within := sameCall(ctx, spec.Procedure, header)
		connection, call := connectionOf(ctx, spec.Procedure, header)
		if a, ok := ctx.Value(contextKey{}).(*admission); ok && gated && a.header != nil {
			// An interceptor may have replaced the header since the gate claimed the connection.
			call.ID = callctx.HeaderID(a.header)
		}
		ctx, a, denial := g.admitted(ctx, spec.Procedure, spec.StreamType, header)
		switch {
		case denial != nil:
			connection.Refuse(call)
			return connectError(denial, within, spec, conn.Peer())
		case a.rule.Public:
			return a.handlerError(next(ctx, conn))
		default:
			return serveConn(&Call{g, a, ctx}, within, conn, connection.Claim(call), next)
		}
	}
}

// admitted returns the admission that the gate made for this call, or makes one if there
// was no gate. The token of a unary call must not have expired since: a body, and
// interceptors before this one, may take their time. Serve asks that of streams.
func (g *Guard) admitted(ctx context.Context, procedure string, kind connect.StreamType, header http.Header) (context.Context, *admission, *Denial) {
	a, _ := ctx.Value(contextKey{}).(*admission)
	taken := a.take(g, procedure, header)
	if !taken {
		var denial *Denial
		if a, denial = g.admit(ctx, procedure, header); denial != nil {
			return ctx, nil, denial
		}
		a.header = header
		ctx = a
	}
	if taken && kind == connect.StreamTypeUnary && a.expired() {
		return ctx, nil, g.observe(ctx, a.event(a.inRealm(denyExpired())))
	}
	return ctx, a, nil
}
