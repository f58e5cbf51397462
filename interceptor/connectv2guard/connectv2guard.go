// Package connectv2guard is the guard for servers of connectrpc.com/connect/v2:
//
//	server := connect.NewServer(connectv2guard.Interceptor(guard))
//	orderv1connect.RegisterOrderServiceHandler(server, orders)
//	mux := http.NewServeMux()
//	connecthttp.Mount(mux, server)
//	handler := interceptor.DeadlineHandler(mux)
//
// The rules, decisions and answers are those of package interceptor: in a refusal [errors.As]
// finds an [interceptor.Denial], and handlers read the claims with
// [interceptor.ClaimsFromContext]. A call is refused before its body is read, wherever that
// can be told from its header.
package connectv2guard

import (
	"context"
	"errors"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// Interceptor returns the interceptor of all calls to a server, unknown procedures included.
// Give it before others, so that none of them acts on a call that is not checked yet. It
// panics if the guard is nil.
//
// Until a message has named the organization, what a handler says is held back, for which it
// has a [connect.CallInfo] of its own. A streaming handler has a goroutine of its own, too, and
// should end soon after its call: see [interceptor.Call.Serve]. A client in the same process that
// does not read what it is sent holds up the end of its call.
func Interceptor(guard *interceptor.Guard) connect.ServerInterceptor {
	if guard == nil {
		panic("connectv2guard: the guard is nil")
	}
	return func(next connect.ServerFunc) connect.ServerFunc {
		serve := handing(next)
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			info, ok := connect.CallInfoForServerContext(ctx)
			if !ok {
				info = new(connect.CallInfo) // without a token
			}
			connection, arrived := connectionOf(ctx, spec, info)
			call, denial := guard.Admit(ctx, spec.Procedure, info.RequestHeader())
			if denial != nil {
				connection.Refuse(arrived)
				return refuse(denial, spec, info)
			}
			guarded := &guardedStream{stream: stream, spec: spec, info: info}
			guarded.get = isGet(info) && interceptor.ClaimsFromContext(call.Context()) != nil
			err := errPanicked
			defer func() { guarded.limitCaching(err) }()
			err = guarded.serve(call, connection.Claim(arrived), next, serve)
			return err
		}
	}
}

// connectionOf returns the connection that a call may have come over, and how that connection knows the
// call. A call over a transport in process came over none.
func connectionOf(ctx context.Context, spec connect.Spec, info *connect.CallInfo) (*callctx.Connection, callctx.Arrival) {
	connection := callctx.FromContext(ctx)
	served, ok := info.TransportInfo.(*connecthttp.ServerInfo)
	if connection == nil || !ok {
		return nil, callctx.Arrival{}
	}
	header := info.RequestHeader()
	return connection, callctx.Arrival{
		ID:            served,
		Procedure:     spec.Procedure,
		Authorization: header.Values("Authorization"),
		Host:          header.Values("Host"), // connecthttp sets it, and copies no values
	}
}

// withoutDenial returns an error of connect without the denial in it: see [interceptor.Transport].
func withoutDenial(err error) error {
	explicit, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return err
	}
	ordinary := connect.NewError(explicit.Code(), explicit.Message())
	for _, detail := range explicit.Details() {
		message, err := connectproto.UnmarshalErrorDetail(detail)
		if info, ok := message.(*errdetails.ErrorInfo); err == nil && (!ok || info.GetDomain() != domain) {
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
