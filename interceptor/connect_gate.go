package interceptor

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// HandlerOption installs the guard in a handler: as a request gate, which refuses a call before its body
// is read, and as an interceptor, which judges messages. Give HandlerOption before the options that
// install other interceptors, so that no interceptor acts on a call that is not judged yet: a cache, for
// example, would answer with the data of another organization.
//
// Other interceptors and [connect.WithRecover] do not see a call that the gate refuses: log refusals
// with [WithObserver].
func (g *Guard) HandlerOption() connect.HandlerOption {
	return connect.WithHandlerOptions(connect.WithRequestGate(g.gate), connect.WithInterceptors(connectInterceptor{guard: g, gated: true}))
}

func (g *Guard) gate(ctx context.Context, spec connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
	connection, arrived := connectionOf(ctx, spec.Procedure, header)
	call, denial := g.admitFrom(ctx, spec.Procedure, connectHeader(header), peer)
	if denial != nil {
		connection.Refuse(arrived)
		return nil, connectError(denial, nil, spec, peer)
	}
	connection.Claim(arrived)
	call.state.Or(gatedBit)
	return call.Context(), nil
}

// A connectHeader is the header of a call of connect-go.
type connectHeader http.Header

// Values implements [Header].
func (h connectHeader) Values(name string) []string { return http.Header(h).Values(name) }

// connectionOf returns the connection that a call may have come over, and the call as the connection
// knows it. A call that a handler of connect-go makes in process came over no connection.
func connectionOf(ctx context.Context, procedure string, header http.Header) (*callctx.Connection, callctx.Arrival) {
	connection := callctx.FromContext(ctx)
	if connection == nil {
		return nil, callctx.Arrival{}
	}
	if _, inHandler := connect.CallInfoForHandlerContext(ctx); inHandler {
		return nil, callctx.Arrival{}
	}
	return connection, callctx.Arrival{
		ID:            callctx.HeaderID(header),
		Procedure:     procedure,
		Authorization: header.Values("Authorization"),
	}
}

// Interceptor returns the guard as an interceptor of handlers, for [connect.WithInterceptors]. The
// interceptor does nothing in a client. Prefer [Guard.HandlerOption], which also installs a gate.
// Without the gate a unary call is refused only after its message was read and decoded. Nor can the
// interceptor then tell that it stands before a handler: a request that another interceptor has copied
// and sent on through a client passes, as a request of that client.
func (g *Guard) Interceptor() connect.Interceptor { return connectInterceptor{guard: g} }

// A connectInterceptor stands behind the gate, and so before a handler, or anywhere.
type connectInterceptor struct {
	guard *Guard
	gated bool
}

// WrapUnary implements [connect.Interceptor].
func (i connectInterceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		spec, peer := request.Spec(), request.Peer
		if spec.IsClient {
			// A request that an interceptor before this one has sent on through a client has
			// the spec of the client, and may still be the request of the handler.
			info, ok := connect.CallInfoForHandlerContext(ctx)
			switch {
			case ok && (i.gated || callctx.SameHeader(info.RequestHeader(), request.Header())):
				spec, peer = info.Spec(), info.Peer
			case i.gated:
				lost := &Call{ctx: ctx, request: connectHeader(request.Header())}
				denial := i.guard.observe(ctx, lost, decision{rule: i.guard.rules[spec.Procedure], denial: failed(errContextLost), peer: peer()})
				return nil, connectError(denial, nil, spec, peer())
			default:
				return next(ctx, request)
			}
		}
		outer := ctx
		ctx, call, passed, denial := i.guard.callOf(ctx, spec.Procedure, request.Header(), peer())
		switch {
		case denial != nil:
		case passed: // the body, or an interceptor before this one, may have taken long
			denial = call.judgeInTime(ctx, request.Any(), peer())
		default:
			denial = call.judgeUnary(ctx, request.Any(), peer())
		}
		if denial != nil {
			return nil, connectError(denial, sameCall(outer, spec.Procedure, request.Header()), spec, peer())
		}
		response, err := call.keepFromCaches(ctx, request, next)(ctx, request)
		return response, call.HandlerError(err, withoutDenial)
	}
}

var errContextLost = errors.New("an interceptor before the guard has lost the context of the call: the interceptor must hand on the context that it is given, or one made from it")

// WrapStreamingClient implements [connect.Interceptor]. It does nothing.
func (connectInterceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor].
func (i connectInterceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		spec, header := conn.Spec(), conn.RequestHeader()
		within := sameCall(ctx, spec.Procedure, header)
		connection, arrived := connectionOf(ctx, spec.Procedure, header)
		if outer := callFrom(ctx); i.gated && outer.httpHeader() != nil {
			// An interceptor may have replaced the header since the gate claimed the connection.
			arrived.ID = callctx.HeaderID(outer.httpHeader())
		}
		ctx, call, _, denial := i.guard.callOf(ctx, spec.Procedure, header, conn.Peer())
		switch {
		case denial != nil:
			connection.Refuse(arrived)
			return connectError(denial, within, spec, conn.Peer())
		case call.rule.Public && !call.shadowed():
			return call.HandlerError(next(ctx, conn), withoutDenial)
		case call.rule.Public:
			return call.watchConn(ctx, conn, next)
		default:
			return call.serveConn(ctx, within, conn, connection.Claim(arrived), next)
		}
	}
}

// callOf returns the call that has passed the gate, or admits the call if there was no gate.
func (g *Guard) callOf(ctx context.Context, procedure string, header http.Header, peer connect.Peer) (_ context.Context, call *Call, passed bool, denial *Denial) {
	if call = callFrom(ctx); call.passedGate(g, procedure, header) {
		return ctx, call, true, nil
	}
	if call, denial = g.admitFrom(ctx, procedure, connectHeader(header), peer); denial != nil {
		return ctx, nil, false, denial
	}
	return call.Context(), call, false, nil
}

// passedGate reports, once, whether the gate of a guard has made the call for this very request.
// passedGate reads the header that names the organization again: an interceptor may have changed the
// header that the handler will read.
func (c *Call) passedGate(guard *Guard, procedure string, header http.Header) bool {
	return c != nil && c.state.Load()&gatedBit != 0 && c.rule.guard == guard && c.hasRuleOf(procedure) &&
		callctx.SameHeader(c.httpHeader(), header) && c.stillNames(header) &&
		c.state.And(^gatedBit)&gatedBit != 0
}

// stillNames reports whether a header names what the header of the call has named, for each way that is left.
func (c *Call) stillNames(header Header) bool {
	left := c.left()
	for n := range c.rule.ways {
		if left.has(n) && !namesOrganization(c.rule.ways[n].Organization, c.organization, header) {
			return false
		}
	}
	return true
}

// hasRuleOf reports whether the rule of the call is the rule of a procedure. All procedures of a service
// that is public as a whole have one rule.
func (c *Call) hasRuleOf(procedure string) bool {
	if !c.rule.Public {
		return c.rule.Procedure == procedure
	}
	rule, ok := c.rule.guard.rules.lookup(procedure)
	return ok && rule == c.rule
}

// sameCall returns the call that another guard has admitted before this one for the same request, or nil.
// A call that a handler makes in process with its own context is another call.
func sameCall(ctx context.Context, procedure string, header http.Header) *Call {
	c := callFrom(ctx)
	if c != nil && c.rule != nil && c.rule.Procedure == procedure && callctx.SameHeader(c.httpHeader(), header) {
		return c
	}
	return nil
}
