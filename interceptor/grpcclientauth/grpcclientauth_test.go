package grpcclientauth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/credentials/local"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/grpcclientauth"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const method = "/test.v1.Read/Unary"

// A world is a token endpoint, a source of its tokens, and a server that accepts them.
type world struct {
	source  *clientauth.Source
	fetches atomic.Int64
	answer  atomic.Pointer[func(authorization []string) error]

	mu    sync.Mutex
	calls [][]string // what each had as its authorization
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := new(world)
	w.answers(func([]string) error { return nil })
	transport := tokens.Handler(func(request *http.Request) (*http.Response, error) {
		return tokens.Respond(200, fmt.Sprintf(
			`{"access_token": "secret-%d", "token_type": "Bearer", "expires_in": 3600}`, w.fetches.Add(1)))(request)
	})
	client, err := clientauth.New(clientauth.Logto("https://idp.test"), "shop", "client-secret", clientauth.WithTransport(transport))
	if err != nil {
		t.Fatal(err)
	}
	w.source = client.Source(clientauth.Target{Resource: "https://api.test"})
	return w
}

// answers sets the answer of the server.
func (w *world) answers(answer func(authorization []string) error) { w.answer.Store(&answer) }

// refusing is a server that refuses tokens.
func refusing(code codes.Code, tokens ...string) func([]string) error {
	return func(authorization []string) error {
		if len(authorization) != 1 || slices.Contains(tokens, strings.TrimPrefix(authorization[0], "Bearer ")) || len(tokens) == 0 {
			return status.Error(code, "no")
		}
		return nil
	}
}

// serve serves every method: it answers each message with itself.
func (w *world) serve(t testing.TB, listener net.Listener, options ...grpc.ServerOption) {
	t.Helper()
	server := grpc.NewServer(append(options, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		authorization := metadata.ValueFromIncomingContext(stream.Context(), "authorization")
		w.mu.Lock()
		w.calls = append(w.calls, authorization)
		w.mu.Unlock()
		if err := (*w.answer.Load())(authorization); err != nil {
			return err
		}
		message := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(message); err != nil {
			return err
		}
		return stream.SendMsg(message)
	}))...)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
}

func listen(t testing.TB, network, address string) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// dial serves without TLS on a loopback address, and connects to it.
func (w *world) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	listener := listen(t, "tcp", "127.0.0.1:0")
	w.serve(t, listener)
	return connect(t, listener.Addr().String(), grpcclientauth.DialOptions(w.source, local.NewCredentials())...)
}

func connect(t testing.TB, address string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func call(ctx context.Context, conn *grpc.ClientConn) error {
	reply := new(wrapperspb.StringValue)
	err := conn.Invoke(ctx, method, wrapperspb.String("hello"), reply)
	if err == nil && reply.GetValue() != "hello" {
		return errors.New("another answer: " + reply.GetValue())
	}
	return err
}

func stream(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return err
	}
	_ = stream.SendMsg(wrapperspb.String("hello")) // RecvMsg returns the error
	return stream.RecvMsg(new(wrapperspb.StringValue))
}

// check checks the code of a call, and the tokens that the server has seen since the last check.
func (w *world) check(t testing.TB, err error, code codes.Code, tokens ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Fatalf("%v instead of %v", err, code)
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("a secret is told: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var seen []string
	for _, authorization := range w.calls {
		seen = append(seen, strings.Join(authorization, ", "))
	}
	if w.calls = nil; !slices.Equal(seen, tokens) {
		t.Fatalf("the server has seen %q instead of %q", seen, tokens)
	}
}

const first, second = "Bearer secret-1", "Bearer secret-2"

func TestUnary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.dial(t)
	w.check(t, call(t.Context(), conn), codes.OK, first)
	w.check(t, call(t.Context(), conn), codes.OK, first)
	w.answers(refusing(codes.PermissionDenied))
	w.check(t, call(t.Context(), conn), codes.PermissionDenied, first)
	w.answers(refusing(codes.Unauthenticated, "secret-1"))
	w.check(t, call(t.Context(), conn), codes.OK, first, second)
	w.check(t, call(t.Context(), conn), codes.OK, second)
	w.answers(refusing(codes.Unauthenticated)) // every token, and it is too early for a third one
	w.check(t, call(t.Context(), conn), codes.Unauthenticated, second)
	if n := w.fetches.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

// TestRetryOnce makes sure that a call is repeated once and no more.
func TestRetryOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answers(refusing(codes.Unauthenticated))
	w.check(t, call(t.Context(), w.dial(t)), codes.Unauthenticated, first, second)
}

func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.dial(t)
	w.check(t, stream(t.Context(), conn), codes.OK, first)
	w.answers(refusing(codes.PermissionDenied))
	w.check(t, stream(t.Context(), conn), codes.PermissionDenied, first)
	w.answers(refusing(codes.Unauthenticated, "secret-1"))
	w.check(t, stream(t.Context(), conn), codes.Unauthenticated, first)
	w.check(t, stream(t.Context(), conn), codes.OK, second)
}

// TestRefusedHerd makes sure that refused calls share one new token.
func TestRefusedHerd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.dial(t)
	w.answers(refusing(codes.Unauthenticated, "secret-1"))
	var calls sync.WaitGroup
	for range 100 {
		calls.Go(func() {
			if err := call(t.Context(), conn); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := w.fetches.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

type organizationKey struct{}

// TestRepeatedTarget makes sure that a call is repeated for the same organization, even if an inner
// interceptor chooses it.
func TestRepeatedTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, err := clientauth.New(clientauth.Logto("https://idp.test"), "shop", "client-secret", clientauth.WithTransport(tokens.Handler(
		func(request *http.Request) (*http.Response, error) {
			return tokens.Respond(200, fmt.Sprintf(`{"access_token": "%s-%d", "token_type": "Bearer", "expires_in": 3600}`,
				request.FormValue("organization_id"), w.fetches.Add(1)))(request)
		})))
	if err != nil {
		t.Fatal(err)
	}
	var uses atomic.Int64
	w.source = client.SourceFunc(func(ctx context.Context) (clientauth.Target, error) {
		id, ok := ctx.Value(organizationKey{}).(string)
		if !ok || uses.Add(1) > 1 {
			id = "globex"
		}
		return clientauth.Target{Organization: id}, nil
	})
	listener := listen(t, "tcp", "127.0.0.1:0")
	w.serve(t, listener)
	in := func(ctx context.Context) context.Context { return context.WithValue(ctx, organizationKey{}, "acme") }
	conn := connect(t, listener.Addr().String(), append(grpcclientauth.DialOptions(w.source, local.NewCredentials()),
		grpc.WithChainUnaryInterceptor(func(
			ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			return invoke(in(ctx), method, request, reply, conn, opts...)
		}))...)
	w.answers(refusing(codes.Unauthenticated, "acme-1"))
	w.check(t, call(t.Context(), conn), codes.OK, "Bearer acme-1", "Bearer acme-2")
}

// TestOwnAuthorization makes sure that the header of the caller is sent.
func TestOwnAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.dial(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "Authorization", "Bearer own")
	w.check(t, call(ctx, conn), codes.OK, "Bearer own")
	w.check(t, stream(ctx, conn), codes.OK, "Bearer own")
	w.answers(refusing(codes.Unauthenticated))
	w.check(t, call(ctx, conn), codes.Unauthenticated, "Bearer own")
	w.check(t, stream(ctx, conn), codes.Unauthenticated, "Bearer own")
	if n := w.fetches.Load(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}

// own is credentials of a call.
type own string

func (o own) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": string(o)}, nil
}

func (own) RequireTransportSecurity() bool { return false }

// TestOwnCredentials makes sure that a call with credentials of its own sends no other token.
func TestOwnCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listener := listen(t, "tcp", "127.0.0.1:0")
	w.serve(t, listener)
	dial := func(options ...grpc.CallOption) *grpc.ClientConn {
		return connect(t, listener.Addr().String(),
			append(grpcclientauth.DialOptions(w.source, local.NewCredentials()), grpc.WithDefaultCallOptions(options...))...)
	}
	conn := dial(grpc.PerRPCCredentials(own("Bearer own")))
	w.check(t, call(t.Context(), conn), codes.OK, "Bearer own")
	w.check(t, stream(t.Context(), conn), codes.OK, "Bearer own")
	w.answers(refusing(codes.Unauthenticated))
	w.check(t, call(t.Context(), conn), codes.Unauthenticated, "Bearer own")
	w.check(t, stream(t.Context(), conn), codes.Unauthenticated, "Bearer own")
	if n := w.fetches.Load(); n != 0 {
		t.Errorf("%d fetches", n)
	}
	w.answers(func([]string) error { return nil })
	conn = dial(grpc.PerRPCCredentials(own("Bearer own")), grpc.WaitForReady(true))
	w.check(t, call(t.Context(), conn), codes.OK, "Bearer own")
	conn = dial(grpc.PerRPCCredentials(own("Bearer own")), grpc.PerRPCCredentials(nil))
	w.check(t, call(t.Context(), conn), codes.OK, first)
}

// A disguise is transport credentials with another AuthInfo.
type disguise struct {
	credentials.TransportCredentials

	protocol string
	info     credentials.AuthInfo
}

func (d disguise) Clone() credentials.TransportCredentials { return d }

func (d disguise) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: d.protocol}
}

func (d disguise) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, d.info, nil
}

// An authInfo has no security level.
type authInfo struct{}

func (authInfo) AuthType() string { return "another" }

type leveledInfo struct {
	authInfo
	credentials.CommonAuthInfo
}

func level(l credentials.SecurityLevel) credentials.AuthInfo {
	return leveledInfo{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: l}}
}

// TestInsecure makes sure that no token goes over a connection that others may read.
func TestInsecure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listener := listen(t, "tcp", "127.0.0.1:0")
	w.serve(t, listener)
	address := listener.Addr().String()

	// grpc.NewClient fails for credentials that are not secure.
	if _, err := grpc.NewClient(address, grpcclientauth.DialOptions(w.source, insecure.NewCredentials())...); err == nil {
		t.Error("insecure credentials are accepted")
	}
	own := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer own")
	for name, transport := range map[string]credentials.TransportCredentials{
		"plain":                   disguise{protocol: "local", info: nil},
		"insecure":                disguise{protocol: "local", info: level(credentials.NoSecurity)},
		"readable":                disguise{protocol: "local", info: level(credentials.IntegrityOnly)},
		"unknown":                 disguise{protocol: "local", info: level(credentials.InvalidSecurityLevel)},
		"without":                 disguise{protocol: "local", info: authInfo{}},
		"unsaid, as another":      disguise{protocol: "another", info: authInfo{}},
		"unknown level, as other": disguise{protocol: "another", info: level(credentials.InvalidSecurityLevel)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, ctx := range []context.Context{t.Context(), own} {
				conn := connect(t, address, grpcclientauth.DialOptions(w.source, transport)...)
				w.check(t, call(ctx, conn), codes.Internal)
				w.check(t, stream(ctx, conn), codes.Internal)
			}
		})
	}
	// Credentials that are replaced behind our back.
	conn := connect(t, address, append(grpcclientauth.DialOptions(w.source, local.NewCredentials()),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	w.check(t, call(t.Context(), conn), codes.Internal)
	if n := w.fetches.Load(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}

// TestSecure checks the connections that get a token.
func TestSecure(t *testing.T) {
	t.Parallel()
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		certificate, pool := certificate(t)
		listener := listen(t, "tcp", "127.0.0.1:0")
		w.serve(t, listener, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
		transport := credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})
		conn := connect(t, listener.Addr().String(), grpcclientauth.DialOptions(w.source, transport)...)
		w.check(t, call(t.Context(), conn), codes.OK, first)
	})
	t.Run("TLS through a proxy", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		certificate, pool := certificate(t)
		listener := listen(t, "tcp", "127.0.0.1:0")
		w.serve(t, listener, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		transport := credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13})
		conn := connect(t, "0.0.0.0:"+port, grpcclientauth.DialOptions(w.source, transport)...)
		w.check(t, call(t.Context(), conn), codes.Unavailable) // by the proxy of the environment
	})
	// A proxy on this machine looks to local credentials like the server.
	t.Run("no proxy", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		listener := listen(t, "tcp", "127.0.0.1:0")
		w.serve(t, listener)
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		// net/http would use no proxy for a loopback address. This address only leads to loopback.
		conn := connect(t, "0.0.0.0:"+port, grpcclientauth.DialOptions(w.source, local.NewCredentials())...)
		w.check(t, call(t.Context(), conn), codes.OK, first)
	})
	t.Run("unix socket", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		path := filepath.Join(t.TempDir(), "socket")
		w.serve(t, listen(t, "unix", path))
		conn := connect(t, "unix:"+path, grpcclientauth.DialOptions(w.source, local.NewCredentials())...)
		w.check(t, call(t.Context(), conn), codes.OK, first)
	})
}

// TestNoToken makes sure that a call without a token does not go out, and checks the errors.
func TestNoToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		code codes.Code
	}{
		"unavailable": {clientauth.ErrUnavailable, codes.Unavailable},
		"refused":     {clientauth.ErrRefused, codes.Internal},
		"canceled":    {context.Canceled, codes.Canceled},
		"deadline":    {context.DeadlineExceeded, codes.DeadlineExceeded},
		"another":     {status.Error(codes.Unauthenticated, "no"), codes.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			client, err := clientauth.New(clientauth.Logto("https://idp.test"), "shop", "client-secret")
			if err != nil {
				t.Fatal(err)
			}
			w.source = client.SourceFunc(func(context.Context) (clientauth.Target, error) { return clientauth.Target{}, test.err })
			conn := w.dial(t)
			w.check(t, call(t.Context(), conn), test.code)
			w.check(t, stream(t.Context(), conn), test.code)
		})
	}
}

// TestForward forwards the token of the caller of a grpc-go handler.
func TestForward(t *testing.T) {
	t.Parallel()
	claims := guardtest.Claims(t, token.Logto("https://idp.test"), `{"sub": "user_1", "exp": 4102444800}`)
	calling := func(ctx context.Context, authorization ...string) context.Context {
		return metadata.NewIncomingContext(ctx, metadata.MD{"authorization": authorization})
	}
	w := newWorld(t)
	w.source = grpcclientauth.Forward()
	conn := w.dial(t)
	guarded := interceptor.ContextWithClaims(t.Context(), claims)
	w.check(t, call(calling(guarded, "Bearer caller"), conn), codes.OK, "Bearer caller")
	for _, ctx := range []context.Context{
		calling(t.Context(), "Bearer caller"), calling(guarded), calling(guarded, "Bearer caller", "Bearer caller"), guarded,
	} {
		w.check(t, call(ctx, conn), codes.Internal)
	}
	w.answers(refusing(codes.Unauthenticated))
	w.check(t, call(calling(guarded, "Bearer caller"), conn), codes.Unauthenticated, "Bearer caller")
}

func TestNil(t *testing.T) {
	t.Parallel()
	source := clientauth.FromTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "a"}))
	for name, nothing := range map[string]func(){
		"source":      func() { grpcclientauth.DialOptions(nil, local.NewCredentials()) },
		"credentials": func() { grpcclientauth.DialOptions(source, nil) },
	} {
		func() {
			defer func() {
				if got := recover(); got != "grpcclientauth: DialOptions needs a source and transport credentials" {
					t.Errorf("no %s: %v", name, got)
				}
			}()
			nothing()
		}()
	}
}
