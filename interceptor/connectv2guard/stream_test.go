package connectv2guard_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectinprocess"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

const acme = harness.Acme

// authorized is a context for a client's call with a token.
func authorized(ctx context.Context) (context.Context, *connect.CallInfo) {
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Authorization", "Bearer any")
	return ctx, info
}

// A way is a client of a server.
type way struct {
	http1, inProcess bool
	options          []connecthttp.Option
}

var ways = map[string]way{
	"Connect":           {},
	"gRPC":              {options: []connecthttp.Option{connecthttp.WithGRPC()}},
	"Connect, HTTP/1.1": {http1: true},
	"in process":        {inProcess: true},
}

// client returns a client in a bubble.
func (w way) client(t testing.TB, server *connect.Server) *connect.Client {
	t.Helper()
	if w.inProcess {
		return connect.NewClient(connectinprocess.New(server))
	}
	served := harness.ServePiped(t, interceptor.DeadlineHandler(mount(server)))
	client := served.HTTP2
	if w.http1 {
		client = served.HTTP1
	}
	return connect.NewClient(connecthttp.NewTransport(client, served.URL, w.options...))
}

// TestExpiry makes sure that a stream ends with its token, whatever its handler does, and
// that the handler ends with the stream. What a handler says of itself after that harms nobody.
func TestExpiry(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t) // which belong to no bubble
	for name, handler := range map[string]connect.ServerFunc{
		"receives": func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			info, _ := connect.CallInfoForServerContext(ctx)
			for {
				if err := stream.Receive(new(message)); err != nil {
					info.ResponseHeader().Set("X-Late", "yes")
					info.ResponseTrailer().Set("X-Late", "yes")
					return err
				}
			}
		},
		"waits": func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			_ = stream.Receive(new(message))
			<-ctx.Done()
			info, _ := connect.CallInfoForServerContext(ctx)
			info.ResponseHeader().Set("X-Late", "yes")
			info.ResponseTrailer().Set("X-Late", "yes")
			return context.Cause(ctx)
		},
	} {
		for wayName, way := range ways {
			t.Run(name+", "+wayName, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ended := make(chan error, 1)
					server := newServer(harness.Expiring(t, time.Minute), func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) (err error) {
						defer func() { ended <- err }()
						return handler(ctx, spec, stream)
					})
					client := way.client(t, server)
					ctx, info := authorized(t.Context())
					stream, err := client.CallClientStream(ctx, specOf("Token", catalogue.Client))
					if err == nil {
						err = stream.Send(&message{})
					}
					if err != nil {
						t.Fatal(err)
					}
					start := time.Now()
					for err == nil {
						err = stream.Receive(new(answer))
					}
					if got := answerOf(err, info); got.Answer != withoutChallenge(catalogue.Expired) {
						t.Errorf("the client gets %v", err)
					}
					if late := time.Since(start) - time.Minute; late < 0 || late > time.Second {
						t.Errorf("%v after expiry", late)
					}
					if info.ResponseHeader().Has("X-Late") || info.ResponseTrailer().Has("X-Late") {
						t.Error("the client sees what the handler said after the end")
					}
					_ = stream.Close()
					if err := <-ended; err == nil {
						t.Error("the handler ended in peace")
					}
				})
			})
		}
	}
}

func withoutChallenge(a catalogue.Answer) catalogue.Answer {
	a.Challenge = ""
	return a
}

// TestExpiredBody makes sure that a unary call is refused whose message comes too late.
func TestExpiredBody(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		ran := false
		server := newServer(harness.Expiring(t, time.Minute), func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			err := stream.Receive(new(message))
			ran = err == nil
			return err
		})
		served := harness.ServePiped(t, mount(server))
		body, late := io.Pipe()
		go func() {
			_, _ = late.Write([]byte("{"))
			time.Sleep(time.Minute) // the bubble's clock
			_, _ = late.Write([]byte("}"))
			_ = late.Close()
		}()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, served.URL+catalogue.Procedure("Token", catalogue.Unary), body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer any")
		response, err := served.HTTP1.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil || ran || !strings.Contains(string(text), catalogue.Expired.Reason) {
			t.Errorf("ran %t, %s, %v", ran, text, err)
		}
	})
}

// TestHeldBack makes sure that nothing of what a streaming handler says reaches a client
// before a message has named the organization, and that all of it does once one has.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	handler := func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		info, _ := connect.CallInfoForServerContext(ctx)
		info.ResponseHeader().Set("X-Early", "secret")
		info.ResponseTrailer().Set("X-Trailing", "secret")
		if err := stream.SendHeaders(); err != nil {
			return err
		}
		for {
			if err := stream.Receive(new(message)); errors.Is(err, io.EOF) {
				info.ResponseTrailer().Set("X-Last", "secret")
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	for name, test := range map[string]struct {
		service      string
		organization []string
		want         catalogue.Answer
	}{
		"named":        {service: "Field", organization: []string{acme}},
		"wrong":        {service: "Field", organization: []string{"globex"}, want: withoutChallenge(catalogue.Organization)},
		"none":         {service: "Field", want: withoutChallenge(catalogue.Organization)},
		"by the token": {service: "Token"},
	} {
		for wayName, way := range ways {
			if way.http1 {
				continue
			}
			t.Run(name+", "+wayName, func(t *testing.T) {
				t.Parallel()
				client := way.client(t, newServer(harness.Expiring(t, time.Hour), handler))
				ctx, info := authorized(t.Context())
				stream, err := client.CallClientStream(ctx, specOf(test.service, catalogue.Bidi))
				if err == nil {
					err = stream.SendHeaders()
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, organization := range test.organization {
					if err := stream.Send(&message{OrganizationId: organization}); err != nil {
						t.Fatal(err)
					}
				}
				if err := stream.CloseSend(); err != nil {
					t.Fatal(err)
				}
				err = stream.Receive(new(answer))
				if errors.Is(err, io.EOF) {
					err = nil
				}
				if got := answerOf(err, info); got.Answer != test.want {
					t.Errorf("the client gets %v", err)
				}
				var secrets []string
				for _, name := range []string{"X-Early", "X-Trailing", "X-Last"} {
					if len(info.ResponseHeader().Values(name))+len(info.ResponseTrailer().Values(name)) == 1 {
						secrets = append(secrets, name)
					}
				}
				var want []string
				if test.want.Reason == "" {
					want = []string{"X-Early", "X-Trailing", "X-Last"}
				}
				if !slices.Equal(secrets, want) {
					t.Errorf("the client sees %q, want %q", secrets, want)
				}
			})
		}
	}
}

// TestUnaryHeldBack makes sure that nothing of what a unary handler says reaches a client if
// its message was refused, even if it ignores that, and that all of it does otherwise.
func TestUnaryHeldBack(t *testing.T) {
	t.Parallel()
	handler := func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		info, _ := connect.CallInfoForServerContext(ctx)
		info.ResponseHeader().Set("X-Early", "secret")
		info.ResponseTrailer().Set("X-Trailing", "secret")
		_ = stream.Receive(new(message))
		info.ResponseHeader().Set("X-Late", "secret")
		_ = stream.Send(text("secret"))
		return nil
	}
	for organization, want := range map[string]catalogue.Answer{acme: {}, "globex": catalogue.Organization} {
		for wayName, way := range ways {
			want := want
			if !strings.HasPrefix(wayName, "Connect") {
				want = withoutChallenge(want)
			}
			t.Run(organization+", "+wayName, func(t *testing.T) {
				t.Parallel()
				client := way.client(t, newServer(harness.Expiring(t, time.Hour), handler))
				ctx, info := authorized(t.Context())
				response := new(answer)
				err := client.CallUnary(ctx, specOf("Field", catalogue.Unary), &message{OrganizationId: organization}, response)
				if got := answerOf(err, info); got.Answer != want {
					t.Errorf("the client gets %v", err)
				}
				let := want.Reason == ""
				for name, header := range map[string]*connect.Header{
					"X-Early": info.ResponseHeader(), "X-Late": info.ResponseHeader(), "X-Trailing": info.ResponseTrailer(),
				} {
					if header.Has(name) != let || !let && (info.ResponseHeader().Has(name) || info.ResponseTrailer().Has(name)) {
						t.Errorf("the client sees %s: %t, want %t", name, !let, let)
					}
				}
				if (response.GetDocument().GetText() == "secret") != let {
					t.Errorf("the client receives %v", response)
				}
			})
		}
	}
}

// TestCallInfo makes sure that a streaming handler's own CallInfo says what the transport's
// says.
func TestCallInfo(t *testing.T) {
	t.Parallel()
	var got, want *connect.CallInfo
	outer := func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			want, _ = connect.CallInfoForServerContext(ctx)
			want.ResponseHeader().Set("X-Outer", "yes")
			return next(ctx, spec, stream)
		}
	}
	server := connect.NewServer(outer, connectv2guard.Interceptor(harness.Expiring(t, time.Hour)))
	server.Register(connect.Method{Spec: specOf("Token", catalogue.Bidi), Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		got, _ = connect.CallInfoForServerContext(ctx)
		err := errors.Join(stream.Receive(new(message)), stream.Send(text("a")))
		if got == want {
			t.Error("the handler has the transport's CallInfo")
		}
		if _, ok := connecthttp.ServerInfoForContext(ctx); !ok {
			t.Error("the transport's information is lost")
		}
		for _, same := range []struct{ got, want any }{
			{got.Spec.Procedure, want.Spec.Procedure}, {got.PeerAddr, want.PeerAddr}, {got.Protocol, want.Protocol}, {got.Codec, want.Codec},
			{got.RequestEncoding, want.RequestEncoding}, {got.ResponseEncoding, want.ResponseEncoding},
			{got.SendStats, want.SendStats}, {got.ReceiveStats, want.ReceiveStats},
			{got.RequestHeader().Get("Authorization"), "Bearer any"}, {got.ResponseHeader().Get("X-Outer"), "yes"},
			{got.SendStats.Size > 0 && got.ReceiveStats.Size > 0, true},
		} {
			if same.got != same.want {
				t.Errorf("%v, want %v", same.got, same.want)
			}
		}
		got.ResponseHeader().Delete("X-Outer") // too late for this call
		return err
	}})
	client := way{}.client(t, server)
	ctx, info := authorized(t.Context())
	stream, err := client.CallClientStream(ctx, specOf("Token", catalogue.Bidi))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(stream.Send(&message{OrganizationId: "a"}), stream.CloseSend(), stream.Receive(new(answer)))
	if end := stream.Receive(new(answer)); err != nil || !errors.Is(end, io.EOF) || info.ResponseHeader().Get("X-Outer") != "yes" {
		t.Errorf("%v, %v", err, end)
	}
}

// TestBodyWithoutToken makes sure that nothing of a body is read for a call without a token,
// however it is compressed.
func TestBodyWithoutToken(t *testing.T) {
	t.Parallel()
	handler := mount(newServer(harness.Expiring(t, time.Hour), echo))
	for _, contentType := range []string{"application/proto", "application/json", "application/grpc", "application/grpc-web", "application/connect+proto"} {
		method := catalogue.Unary
		if strings.HasPrefix(contentType, "application/connect") {
			method = catalogue.Client
		}
		var read atomic.Int64
		body := readerFunc(func(into []byte) (int, error) {
			read.Add(int64(len(into)))
			return copy(into, bytes.Repeat([]byte{1}, len(into))), nil
		})
		served := harness.ServeInProcess(handler, new(harness.Records))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, served.URL+catalogue.Procedure("Field", method), io.LimitReader(body, 10<<20))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", contentType)
		response, err := served.HTTP2.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		told := string(text) + response.Header.Get("Grpc-Message") + response.Trailer.Get("Grpc-Message")
		if err := errors.Join(err, response.Body.Close()); err != nil || read.Load() != 0 || !strings.Contains(told, catalogue.Missing.Text) {
			t.Errorf("%s: %d bytes were read, %q, %v", contentType, read.Load(), told, err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(into []byte) (int, error) { return f(into) }

// TestDenial makes sure that interceptors around the guard's find out why a call was refused,
// and that a handler that is called without a server is not open.
func TestDenial(t *testing.T) {
	t.Parallel()
	guarded := connectv2guard.Interceptor(harness.Expiring(t, time.Hour))(func(context.Context, connect.Spec, connect.ServerStream) error {
		t.Error("the handler ran")
		return nil
	})
	for _, method := range catalogue.Methods {
		err := guarded(t.Context(), specOf("Field", method), nil)
		denial, ok := errors.AsType[*interceptor.Denial](err)
		if !ok || denial.Reason() != interceptor.ReasonTokenMissing || connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s: %v", method.Name, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("accepts no guard")
		}
	}()
	connectv2guard.Interceptor(nil)
}
