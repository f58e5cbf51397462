package grpcguard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// guarded returns a server with all services behind a guard that admits every token.
func guarded(t testing.TB, options ...grpc.ServerOption) *grpc.Server {
	t.Helper()
	server := grpc.NewServer(append(options, grpcguard.ServerOptions(harness.Expiring(t, time.Hour))...)...)
	register(server, unary, streaming)
	return server
}

func inProcess(t testing.TB, server *grpc.Server, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpcguard.InProcess(server, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	return conn
}

// invoke calls a method of the service Field with a message.
func invoke(ctx context.Context, conn grpc.ClientConnInterface, method catalogue.Method, request *message) (*answer, error) {
	procedure := catalogue.Procedure("Field", method)
	response := new(answer)
	if method == catalogue.Unary {
		return response, conn.Invoke(ctx, procedure, request, response)
	}
	stream, err := conn.NewStream(ctx, streamDesc(method, nil), procedure)
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	err = stream.RecvMsg(response)
	if err == nil {
		if last := stream.RecvMsg(new(answer)); !errors.Is(last, io.EOF) {
			err = errors.Join(errors.New("the stream does not end"), last)
		}
	}
	return response, err
}

func withToken(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer any")
}

// TestInProcess makes sure that calls in process go through the guard, also if the server has other
// clients, and that a dialer among the options is ignored.
func TestInProcess(t *testing.T) {
	t.Parallel()
	server := guarded(t)
	conns := map[string]*grpc.ClientConn{
		"in process": inProcess(t, server),
		"pipes":      dial(t, server),
		"again":      inProcess(t, server),
		"dialer": inProcess(t, server, grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			return nil, errors.New("the user's dialer was called")
		})),
	}
	for name, conn := range conns {
		for _, method := range catalogue.Methods {
			if _, err := invoke(t.Context(), conn, method, &message{OrganizationId: acme}); status.Code(err) != codes.Unauthenticated {
				t.Errorf("%s, %s, without a token: %v", name, method.Name, err)
			}
			if _, err := invoke(withToken(t.Context()), conn, method, &message{OrganizationId: "globex"}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("%s, %s, of another organization: %v", name, method.Name, err)
			}
			if got, err := invoke(withToken(t.Context()), conn, method, &message{OrganizationId: acme}); err != nil || got.GetDocument().GetText() != acme {
				t.Errorf("%s, %s: %v, %v", name, method.Name, got, err)
			}
		}
	}
}

// TestInProcessEnds makes sure that no goroutine outlives the connection or the server, as TestMain
// checks, and that calls after the end get an error with the cause.
func TestInProcessEnds(t *testing.T) {
	t.Parallel()
	const stopped = "the server was stopped: serve a new one"
	for name, end := range map[string]func(*grpc.Server, *grpc.ClientConn){
		"the connection":             func(_ *grpc.Server, conn *grpc.ClientConn) { _ = conn.Close() },
		"the connection, the server": func(server *grpc.Server, conn *grpc.ClientConn) { _ = conn.Close(); server.Stop() },
		"the server, the connection": func(server *grpc.Server, conn *grpc.ClientConn) {
			server.Stop()
			awaitEnd(t, conn)
			_, err := invoke(t.Context(), conn, catalogue.Unary, new(message))
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), stopped) {
				t.Errorf("a call after Stop: %v", err)
			}
			_ = conn.Close()
		},
		"the server gracefully, the connection": func(server *grpc.Server, conn *grpc.ClientConn) {
			server.GracefulStop()
			awaitEnd(t, conn)
			_, err := invoke(t.Context(), conn, catalogue.Unary, new(message))
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), stopped) {
				t.Errorf("a call after GracefulStop: %v", err)
			}
			_ = conn.Close()
		},
		"both at once": func(server *grpc.Server, conn *grpc.ClientConn) {
			var ending sync.WaitGroup
			ending.Go(func() { _ = conn.Close() })
			ending.Go(server.GracefulStop)
			ending.Wait()
		},
	} {
		server := guarded(t)
		conn, err := grpcguard.InProcess(server)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := invoke(withToken(t.Context()), conn, catalogue.Bidi, &message{OrganizationId: acme}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		end(server, conn)
	}

	server := guarded(t)
	first := inProcess(t, server)
	if second, err := grpcguard.InProcess(server); err != nil || second.Close() != nil {
		t.Error(err)
	}
	if _, err := invoke(withToken(t.Context()), first, catalogue.Unary, &message{OrganizationId: acme}); err != nil {
		t.Errorf("the end of one connection ends another: %v", err)
	}
}

const stoppedText = "grpcguard: InProcess: the server was stopped: serve a new one"

func TestInProcessFaults(t *testing.T) {
	t.Parallel()
	stopped, drained := guarded(t), guarded(t)
	stopped.Stop()
	drained.GracefulStop()
	secret, trusted := certified(t)
	const end = "grpcguard: InProcess: the server ends the connection before the first call: " +
		"if the server has credentials (grpc.Creds), give InProcess grpc.WithTransportCredentials that fit"
	for name, test := range map[string]struct {
		server *grpc.Server
		option grpc.DialOption
		want   string
	}{
		"nil":                               {nil, grpc.EmptyDialOption{}, "grpcguard: InProcess: the server is nil: give the server that grpc.NewServer returns"},
		"stopped":                           {stopped, grpc.EmptyDialOption{}, stoppedText},
		"stopped gracefully":                {drained, grpc.EmptyDialOption{}, stoppedText},
		"TLS, none on the connection":       {guarded(t, grpc.Creds(secret)), grpc.EmptyDialOption{}, end},
		"TLS, another name":                 {guarded(t, grpc.Creds(secret)), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13})), end},
		"no TLS, but on the connection":     {guarded(t), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13})), end},
		"an option that gRPC does not take": {guarded(t), grpc.WithTransportCredentials(nil), ""},
	} {
		conn, err := grpcguard.InProcess(test.server, test.option)
		if err == nil || conn != nil || test.want != "" && err.Error() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		if test.server != nil {
			test.server.Stop()
		}
	}
}

// certified returns the credentials of a server under the name example.com, and a pool that trusts them.
func certified(t *testing.T) (credentials.TransportCredentials, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	return credentials.NewServerTLSFromCert(&server.TLS.Certificates[0]), trusted
}

func TestInProcessTLS(t *testing.T) {
	t.Parallel()
	secret, trusted := certified(t)
	config := &tls.Config{RootCAs: trusted, ServerName: "example.com", MinVersion: tls.VersionTLS13}
	conn := inProcess(t, guarded(t, grpc.Creds(secret)), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	for _, method := range catalogue.Methods {
		if _, err := invoke(t.Context(), conn, method, &message{OrganizationId: acme}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s, without a token: %v", method.Name, err)
		}
		if _, err := invoke(withToken(t.Context()), conn, method, &message{OrganizationId: acme}); err != nil {
			t.Errorf("%s: %v", method.Name, err)
		}
	}
}

// TestInProcessSizes makes sure that InProcess has the limits of a network connection, and that options raise them.
func TestInProcessSizes(t *testing.T) {
	t.Parallel()
	const size = 5 << 20
	serve := func(options []grpc.ServerOption, dialing ...grpc.DialOption) *grpc.ClientConn {
		server := grpc.NewServer(append(options, grpcguard.ServerOptions(harness.Expiring(t, time.Hour))...)...)
		register(server, func(_ context.Context, request any) (any, error) {
			size, err := strconv.Atoi(tokens.As[*message](request).GetDocument().GetName())
			return text(strings.Repeat("y", size)), err
		}, streaming)
		return inProcess(t, server, dialing...)
	}
	normal := serve(nil)
	raised := serve([]grpc.ServerOption{grpc.MaxRecvMsgSize(2 * size)}, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(2*size)))
	for name, test := range map[string]struct {
		conn            *grpc.ClientConn
		request, answer int
		want            codes.Code
	}{
		"a large request":                {normal, size, 0, codes.ResourceExhausted},
		"a large answer":                 {normal, 0, size, codes.ResourceExhausted},
		"both, with other limits":        {raised, size, size, codes.OK},
		"more than what waits in memory": {normal, 3 << 20, 3 << 20, codes.OK},
	} {
		response := new(answer)
		err := test.conn.Invoke(t.Context(), catalogue.Procedure("Public", catalogue.Unary), &message{
			OrganizationId: strings.Repeat("x", test.request), Document: &samplev1.Document{Name: strconv.Itoa(test.answer)},
		}, response)
		if got := len(response.GetDocument().GetText()); status.Code(err) != test.want || err == nil && got != test.answer {
			t.Errorf("%s: %d bytes, %v; want %v", name, got, err, test.want)
		}
	}
}

// TestInProcessAuthority makes sure that the authority of a call is "in-process" unless an option names another.
func TestInProcessAuthority(t *testing.T) {
	t.Parallel()
	for want, option := range map[string]grpc.DialOption{"in-process": grpc.EmptyDialOption{}, "api.example.com": grpc.WithAuthority("api.example.com")} {
		server := grpc.NewServer(grpcguard.ServerOptions(harness.Expiring(t, time.Hour))...)
		register(server, func(ctx context.Context, _ any) (any, error) {
			return text(strings.Join(metadata.ValueFromIncomingContext(ctx, ":authority"), " ")), nil
		}, streaming)
		response := new(answer)
		err := inProcess(t, server, option).Invoke(t.Context(), catalogue.Procedure("Public", catalogue.Unary), new(message), response)
		if got := response.GetDocument().GetText(); err != nil || got != want {
			t.Errorf("the authority is %q, want %q: %v", got, want, err)
		}
	}
}

// TestInProcessIdle makes sure that an idle connection stays idle until the next call.
func TestInProcessIdle(t *testing.T) {
	t.Parallel()
	harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		conn := inProcess(t, guarded(t), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithIdleTimeout(time.Minute))
		time.Sleep(time.Hour) // the bubble's clock
		synctest.Wait()
		if state := conn.GetState(); state != connectivity.Idle {
			t.Errorf("after an hour, the connection is %v", state)
		}
		if _, err := invoke(withToken(t.Context()), conn, catalogue.Unary, &message{OrganizationId: acme}); err != nil {
			t.Error(err)
		}
	})
}

// TestInProcessWaits makes sure that the sender of a stream waits for its receiver.
func TestInProcessWaits(t *testing.T) {
	t.Parallel()
	harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		const count = 1000
		var sent atomic.Int64
		chunk := text(strings.Repeat("x", 64<<10))
		server := grpc.NewServer(grpcguard.ServerOptions(harness.Expiring(t, time.Hour))...)
		register(server, unary, func(string, catalogue.Method) grpc.StreamHandler {
			return func(_ any, stream grpc.ServerStream) error {
				for range count {
					if err := stream.SendMsg(chunk); err != nil {
						return err
					}
					sent.Add(1)
				}
				return nil
			}
		})
		conn, err := grpcguard.InProcess(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = conn.Close()
			server.Stop()
		}()
		stream, err := conn.NewStream(t.Context(), streamDesc(catalogue.Server, nil), catalogue.Procedure("Public", catalogue.Server))
		if err := errors.Join(err, stream.SendMsg(&message{Document: new(samplev1.Document)}), stream.CloseSend()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := sent.Load(); got == 0 || got > 32 {
			t.Errorf("%d messages of 64 KiB are sent while nobody reads", got)
		}
		received := 0
		for err == nil {
			if err = stream.RecvMsg(new(answer)); err == nil {
				received++
			}
		}
		if received != count || !errors.Is(err, io.EOF) {
			t.Errorf("%d messages, and %v", received, err)
		}
	})
}

// TestInProcessStops makes sure that a server which is stopped at any moment while InProcess connects
// does not wait for a connection that is not used, and that InProcess returns the cause.
func TestInProcessStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var moment atomic.Int64
		start := time.Now() // the bubble's clock
		for i := range 300 {
			server, stopped := grpc.NewServer(), make(chan struct{})
			go func() {
				defer close(stopped)
				for range i << 8 { // another moment in each round
					moment.Add(1)
				}
				server.Stop()
			}()
			if conn, err := grpcguard.InProcess(server); err == nil {
				_ = conn.Close()
			} else if err.Error() != stoppedText {
				t.Errorf("round %d: %v", i, err)
			}
			<-stopped
		}
		if took := time.Since(start); took != 0 { // the bubble's clock
			t.Errorf("Stop waits: %v in all", took)
		}
	})
}

// awaitEnd waits until a connection has noticed that its server has ended it.
func awaitEnd(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	for conn.GetState() == connectivity.Ready {
		conn.WaitForStateChange(t.Context(), connectivity.Ready)
	}
}
