package grpcclientauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	connectv1 "connectrpc.com/connect"
	connectv2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"golang.org/x/oauth2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/local"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/grpcclientauth"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

type empty = emptypb.Empty

// verify accepts a token that is called after its scope, such as "read-a".
func verify(_ context.Context, raw string) (*token.Claims, error) {
	switch raw {
	case "invalid":
		return nil, token.ErrInvalid
	case "unavailable":
		return nil, token.ErrKeysUnavailable
	}
	return token.NewClaims(token.ClaimValues{
		Issuer: "https://issuer.test", Subject: "alice", Audience: []string{tokens.API}, Scopes: []string{strings.ReplaceAll(raw, "-", ":")}, Expiry: time.Now().Add(time.Hour),
	})
}

// A relay is the handler of a service that calls another service.
type relay struct {
	call   func(context.Context) error
	wrap   bool
	reason interceptor.Reason
	cause  error // or nil
}

// handle returns the error of the call as its own error.
func (r *relay) handle(t *testing.T, ctx context.Context) error { //nolint:revive // a test's first argument is the test
	err := r.call(ctx)
	denial := interceptor.DenialFrom(err)
	if err == nil || denial == nil || denial.Reason() != r.reason || r.cause != nil && !errors.Is(err, r.cause) {
		t.Errorf("the handler gets %v, with %v", err, denial)
		return err
	}
	if text := err.Error(); !strings.Contains(text, "/test.v1.Global/") || !strings.Contains(text, string(r.reason)) {
		t.Errorf("the handler gets %s", text)
	}
	if r.reason == interceptor.ReasonScopeInsufficient && (strings.Join(denial.Scopes(), " ") != "read:a write:b" || denial.Challenge() == "") {
		t.Errorf("the handler gets %q and %q", denial.Scopes(), denial.Challenge())
	}
	if r.wrap {
		return fmt.Errorf("stock: %w", err)
	}
	return err
}

// The service that calls serves this procedure, and the called service serves all methods of "Global".
var (
	outerProcedure = catalogue.Procedure("Read", catalogue.Server)
	innerUnary     = catalogue.Procedure("Global", catalogue.Unary)
	innerStream    = catalogue.Procedure("Global", catalogue.Server)
)

// connectMux serves a procedure with connect-go.
func connectMux(procedure string, handle func(context.Context) error, options ...connectv1.HandlerOption) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(procedure, connectv1.NewServerStreamHandler(procedure, func(ctx context.Context, _ *connectv1.Request[empty], _ *connectv1.ServerStream[empty]) error {
		return handle(ctx)
	}, options...))
	unary := strings.TrimSuffix(procedure, catalogue.Server.Name) + catalogue.Unary.Name
	mux.Handle(unary, connectv1.NewUnaryHandler(unary, func(ctx context.Context, _ *connectv1.Request[empty]) (*connectv1.Response[empty], error) {
		return connectv1.NewResponse(new(empty)), handle(ctx)
	}, options...))
	return mux
}

// serveGRPC serves every procedure with grpc-go, and returns the address.
func serveGRPC(t *testing.T, handle func(context.Context) error, options ...grpc.ServerOption) string {
	t.Helper()
	listener := listen(t, "tcp", "127.0.0.1:0")
	server := grpc.NewServer(append(options, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		return handle(stream.Context())
	}))...)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
	return listener.Addr().String()
}

// calls returns the calls of a handler by kind, which end when a guard refuses the token of the source, or the token
// that the calls have as their own header.
func calls(t *testing.T, guard *interceptor.Guard, source *clientauth.Source, own string) map[string]func(context.Context) error {
	t.Helper()
	reached := func(context.Context) error { return errors.New("the call was let in") }
	inner := harness.Serve(t, connectMux(innerStream, reached, guard.HandlerOption()))
	conn := connect(t, serveGRPC(t, reached, grpcguard.ServerOptions(guard)...), grpcclientauth.DialOptions(source, local.NewCredentials())...)
	client := func(procedure string) *connectv1.Client[empty, empty] {
		return connectv1.NewClient[empty, empty](clientauth.HTTPClient(inner.HTTP2), inner.URL+procedure, connectv1.WithInterceptors(clientauth.NewInterceptor(source)))
	}
	request := func() *connectv1.Request[empty] {
		request := connectv1.NewRequest(new(empty))
		if own != "" {
			request.Header().Set("Authorization", "Bearer "+own)
		}
		return request
	}
	outgoing := func(ctx context.Context) context.Context {
		if own != "" {
			return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+own)
		}
		return ctx
	}
	return map[string]func(context.Context) error{
		"connect-go unary": func(ctx context.Context) error {
			_, err := client(innerUnary).CallUnary(ctx, request())
			return err
		},
		"connect-go stream": func(ctx context.Context) error {
			stream, err := client(innerStream).CallServerStream(ctx, request())
			if err != nil {
				return err
			}
			defer func() { _ = stream.Close() }()
			stream.Receive()
			return stream.Err()
		},
		"grpc-go unary": func(ctx context.Context) error {
			return conn.Invoke(outgoing(ctx), innerUnary, new(empty), new(empty))
		},
		"grpc-go stream": func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(outgoing(ctx))
			defer cancel()
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, innerStream)
			if err != nil {
				return err
			}
			_ = stream.SendMsg(new(empty)) // RecvMsg returns the error
			return stream.RecvMsg(new(empty))
		},
	}
}

// TestOthersRefusal makes sure that the refusal of a call that a handler makes, which the handler returns as it is,
// does not pass for a refusal of the handler's own call, while the handler finds the refusal.
func TestOthersRefusal(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(harness.VerifierFunc(verify), harness.Rules(t))
	forward := func(raw string) *clientauth.Source {
		return clientauth.ForwardFrom(func(context.Context) []string { return []string{"Bearer " + raw} })
	}
	own := func(raw string) *clientauth.Source {
		return clientauth.FromTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: raw}))
	}
	for name, test := range map[string]struct {
		source *clientauth.Source
		header string
		reason interceptor.Reason
		cause  error
		code   connectv1.Code
	}{
		"no scope":           {own("read-b"), "", interceptor.ReasonScopeInsufficient, nil, connectv1.CodeInternal},
		"not valid":          {own("invalid"), "", interceptor.ReasonTokenInvalid, token.ErrInvalid, connectv1.CodeInternal},
		"no keys":            {own("unavailable"), "", interceptor.ReasonKeysUnavailable, token.ErrKeysUnavailable, connectv1.CodeUnavailable},
		"caller, no scope":   {forward("read-b"), "", interceptor.ReasonScopeInsufficient, nil, connectv1.CodePermissionDenied},
		"caller, not valid":  {forward("invalid"), "", interceptor.ReasonTokenInvalid, token.ErrInvalid, connectv1.CodeUnauthenticated},
		"caller, no keys":    {forward("unavailable"), "", interceptor.ReasonKeysUnavailable, token.ErrKeysUnavailable, connectv1.CodeUnavailable},
		"header of the call": {own("read-a"), "read-b", interceptor.ReasonScopeInsufficient, nil, connectv1.CodePermissionDenied},
	} {
		for kind, call := range calls(t, guard, test.source, test.header) {
			for _, wrap := range []bool{false, true} {
				r := &relay{call, wrap, test.reason, test.cause}
				for outer, url := range r.serve(t, guard) {
					want := test.code
					if strings.HasPrefix(kind, "connect-go") && outer == "grpc-go, open" { // it knows no codes of connect-go
						want = connectv1.CodeUnknown
					}
					err := callOuter(t.Context(), url)
					coded, ok := errors.AsType[*connectv1.Error](err)
					if !ok || coded.Code() != want || len(coded.Details()) != 0 || coded.Meta().Get("Www-Authenticate") != "" || interceptor.DenialFrom(err) != nil {
						t.Errorf("%s, %s, %s, wrapped %t: %v, want %v", name, kind, outer, wrap, err, want)
					}
				}
			}
		}
	}
}

// serve serves the handler with each framework, and returns the URL of each.
func (r *relay) serve(t *testing.T, guard *interceptor.Guard) map[string]string {
	t.Helper()
	handle := func(ctx context.Context) error { return r.handle(t, ctx) }
	open := func(ctx context.Context) error { // Forward needs a caller
		claims, err := verify(ctx, "read-a")
		return errors.Join(err, r.handle(t, interceptor.ContextWithClaims(ctx, claims)))
	}
	v2 := connectv2.NewServer(connectv2guard.Interceptor(guard))
	v2.Register(connectv2.Method{
		Spec: connectv2.Spec{Procedure: outerProcedure, StreamType: connectv2.StreamTypeServer},
		Handler: func(ctx context.Context, _ connectv2.Spec, stream connectv2.ServerStream) error {
			return errors.Join(stream.Receive(new(empty)), handle(ctx))
		},
	})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, v2)
	return map[string]string{
		"connect-go":       harness.Serve(t, connectMux(outerProcedure, handle, guard.HandlerOption())).URL,
		"connect-go, open": harness.Serve(t, connectMux(outerProcedure, open)).URL,
		"connect-go v2":    harness.Serve(t, mux).URL,
		"grpc-go":          "http://" + serveGRPC(t, handle, grpcguard.ServerOptions(guard)...),
		"grpc-go, open":    "http://" + serveGRPC(t, open),
	}
}

// callOuter calls the service that calls another.
func callOuter(ctx context.Context, url string) error {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	client := connectv1.NewClient[empty, empty](&http.Client{Transport: transport}, url+outerProcedure, connectv1.WithGRPC())
	request := connectv1.NewRequest(new(empty))
	request.Header().Set("Authorization", "Bearer read-a")
	stream, err := client.CallServerStream(ctx, request)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	stream.Receive()
	return stream.Err()
}

// TestUnknownRefusal makes sure that a reason of another version, which no Denial has, is not handed on either.
func TestUnknownRefusal(t *testing.T) {
	t.Parallel()
	info := &errdetails.ErrorInfo{Reason: "HOSTILE", Domain: "protoauthz", Metadata: map[string]string{"challenge": `Bearer realm="a"`}}
	detail, err := connectv1.NewErrorDetail(info)
	if err != nil {
		t.Fatal(err)
	}
	refusal := connectv1.NewError(connectv1.CodeUnauthenticated, errors.New("hostile"))
	refusal.AddDetail(detail)
	served := harness.Serve(t, connectMux(outerProcedure, func(context.Context) error { return refusal }))
	source := clientauth.FromTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "any"}))
	client := connectv1.NewClient[empty, empty](clientauth.HTTPClient(served.HTTP2), served.URL+catalogue.Procedure("Read", catalogue.Unary),
		connectv1.WithInterceptors(clientauth.NewInterceptor(source)))
	_, err = client.CallUnary(t.Context(), connectv1.NewRequest(new(empty)))
	coded, ok := errors.AsType[*connectv1.Error](err)
	if !ok || coded.Code() != connectv1.CodeInternal || len(coded.Details()) != 0 || len(coded.Meta()) != 0 || strings.Contains(strings.ToLower(err.Error()), "hostile") {
		t.Error(err)
	}
}
