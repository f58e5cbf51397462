// Package connectv2guard is the guard for servers of connectrpc.com/connect/v2:
//
//	server := connect.NewServer(connectv2guard.Interceptor(guard))
//	orderv1connect.RegisterOrderServiceHandler(server, orders)
//	mux := http.NewServeMux()
//	connecthttp.Mount(mux, server)
//	handler := interceptor.DeadlineHandler(mux)
//
// Rules, decisions and answers are the same as in package interceptor. In a refusal, [errors.As] finds
// an [interceptor.Denial]. Handlers read the claims with [interceptor.ClaimsFromContext]. The guard refuses
// a call before its body is read if the header suffices to decide.
//
// Both versions of connect-go name their plugin of buf protoc-gen-connect-go. A module with both writes the full paths
// into buf.gen.yaml. So that the two do not write the same files, either "types" names the services of each plugin, or
// one of the two has another suffix:
//
//	plugins:
//	  - local: [go, tool, connectrpc.com/connect/cmd/protoc-gen-connect-go]
//	    out: gen
//	    opt: paths=source_relative
//	  - local: [go, tool, connectrpc.com/connect/v2/cmd/protoc-gen-connect-go]
//	    out: gen
//	    opt: [paths=source_relative, package_suffix=connect2]
package connectv2guard

import (
	"context"
	"errors"

	connectv1 "connectrpc.com/connect"
	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// Interceptor returns the interceptor that guards all calls to a server, unknown procedures included.
// Give it before other interceptors: an interceptor before the guard acts on calls that the guard has not
// judged.
//
// The guard holds back the header and the trailer that a handler sets until a message has named the
// organization. Such a handler, and every handler of a stream, gets a [connect.CallInfo] of its own. A
// handler of a stream runs on a goroutine of its own and should end soon after its call: see
// [interceptor.Call.Serve]. A client in the same process holds up the end of its call if it does not
// receive what the handler sends.
//
// Interceptor panics if the guard is nil.
func Interceptor(guard *interceptor.Guard) connect.ServerInterceptor {
	if guard == nil {
		panic("connectv2guard: the guard is nil")
	}
	return func(next connect.ServerFunc) connect.ServerFunc {
		nextWithInfo := withOwnInfo(next)
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			info, ok := connect.CallInfoForServerContext(ctx)
			if !ok {
				info = new(connect.CallInfo) // without a token
			}
			connection, arrived := connectionOf(ctx, spec, info)
			call, denial := guard.Admit(ctx, spec.Procedure, request{info})
			if denial != nil {
				connection.Refuse(arrived)
				return refuse(denial, spec, info)
			}
			guarded := &guardedStream{stream: stream, spec: spec, info: info}
			guarded.get = isGet(info) && interceptor.ClaimsFromContext(call.Context()) != nil
			err := errPanicked
			defer func() { guarded.limitCaching(err) }()
			err = guarded.serve(call, connection.Claim(arrived), next, nextWithInfo)
			return err
		}
	}
}

// A request is the header of a call, with the client.
type request struct{ info *connect.CallInfo }

// Values implements [interceptor.Header].
func (r request) Values(name string) []string { return r.info.RequestHeader().Values(name) }

// Peer returns the client. See [interceptor.Guard.Admit].
func (r request) Peer() connectv1.Peer {
	return connectv1.Peer{Addr: r.info.PeerAddr, Protocol: r.info.Protocol}
}

// connectionOf returns the connection that a call may have come over, and the call as the connection knows
// it. The connection is nil for a call over a transport in process.
func connectionOf(ctx context.Context, spec connect.Spec, info *connect.CallInfo) (*callctx.Connection, callctx.Arrival) {
	connection := callctx.FromContext(ctx)
	served, ok := info.TransportInfo.(*connecthttp.ServerInfo)
	if !ok {
		return nil, callctx.Arrival{}
	}
	header := info.RequestHeader()
	return connection, callctx.Arrival{
		ID:            served,
		Procedure:     spec.Procedure,
		Authorization: header.Values("Authorization"),
		Host:          header.Values("Host"), // which connecthttp sets; it does not copy values
	}
}

// withoutDenial implements the field of [interceptor.Transport].
func withoutDenial(err error) error {
	explicit, ok := errors.AsType[*connect.Error](err)
	if coded, isV1 := errors.AsType[*connectv1.Error](err); !ok && isV1 { // of package clientauth
		return connect.NewError(connect.Code(coded.Code()), coded.Message())
	}
	if !ok {
		return err
	}
	ordinary := connect.NewError(explicit.Code(), explicit.Message())
	for _, detail := range explicit.Details() {
		message, err := connectproto.UnmarshalErrorDetail(detail)
		if info, _ := message.(*errdetails.ErrorInfo); err == nil && info.GetDomain() != domain {
			ordinary = ordinary.WithDetail(detail)
		}
	}
	if explicit.IsRemote() {
		ordinary = ordinary.WithRemote()
	}
	return ordinary
}

// domain is the domain of the google.rpc.ErrorInfo of a refusal.
var domain = new(interceptor.Denial).ErrorInfo().GetDomain()

// refuse returns the error of a refusal, and sets the fields of the header that go with it.
func refuse(denial *interceptor.Denial, spec connect.Spec, info *connect.CallInfo) error {
	err := connect.NewError(connect.Code(denial.Code()), denial.Error()).WithCause(denial)
	if detail, detailErr := connectproto.NewErrorDetail(denial.ErrorInfo()); detailErr == nil {
		err = err.WithDetail(detail)
	}
	if info.Protocol == connect.ProtocolNameConnect && spec.StreamType == connect.StreamTypeUnary {
		if challenge := denial.Challenge(); challenge != "" {
			info.ResponseHeader().Set("WWW-Authenticate", challenge)
		}
	}
	if isGet(info) {
		info.ResponseHeader().Set(cacheControl, "no-store")
	}
	return err
}
