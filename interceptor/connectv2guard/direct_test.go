package connectv2guard_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A fakeStream is a connection without a transport.
type fakeStream struct {
	in []string // what the client's messages name
}

func (s *fakeStream) Receive(into any) error {
	if len(s.in) == 0 {
		return io.EOF
	}
	proto.Merge(tokens.As[*message](into), &message{OrganizationId: s.in[0]})
	s.in = s.in[1:]
	return nil
}

func (*fakeStream) Send(any) error { return nil }

func (*fakeStream) SendHeaders() error { return nil }

// direct calls a handler behind interceptors with a token, and returns what the transport
// would have.
func direct(ctx context.Context, service string, method catalogue.Method, stream connect.ServerStream, handler connect.ServerFunc, interceptors ...connect.ServerInterceptor) (*connect.CallInfo, error) {
	server := connect.NewServer(interceptors...)
	server.Register(connect.Method{Spec: specOf(service, method), Handler: handler})
	info := new(connect.CallInfo)
	info.RequestHeader().Set("Authorization", "Bearer any")
	err := server.Call(ctx, catalogue.Procedure(service, method), info, stream)
	return info, err
}

// A deadlineWriter tells when reads are to end.
type deadlineWriter struct {
	http.ResponseWriter
	reads chan time.Time
}

func (w deadlineWriter) SetReadDeadline(at time.Time) error {
	w.reads <- at
	return nil
}

// TestInterrupt makes sure that the reads of a connection end with the token of the stream
// that came over it, and not before; a second later if nobody has to be woken.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t)
	for name, test := range map[string]struct {
		handler func(ctx context.Context, expire context.CancelCauseFunc)
		want    time.Duration // when reads end, or 0
	}{
		"waits for the end":        {func(ctx context.Context, _ context.CancelCauseFunc) { <-ctx.Done() }, time.Minute},
		"returns":                  {func(context.Context, context.CancelCauseFunc) {}, 0},
		"returns with its context": {func(_ context.Context, expire context.CancelCauseFunc) { expire(token.ErrExpired) }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				writer := deadlineWriter{httptest.NewRecorder(), make(chan time.Time, 2)}
				request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, catalogue.Procedure("Token", catalogue.Bidi), strings.NewReader("more"))
				request.Header.Set("Host", request.Host)
				over := func(next connect.ServerFunc) connect.ServerFunc {
					return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
						info, _ := connect.CallInfoForServerContext(ctx)
						info.TransportInfo = new(connecthttp.ServerInfo)
						info.RequestHeader().SetValues("Host", request.Header["Host"])
						return next(ctx, spec, stream)
					}
				}
				start := time.Now()
				var err error
				interceptor.DeadlineHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					ctx, expire := context.WithCancelCause(r.Context())
					_, err = direct(ctx, "Token", catalogue.Bidi, new(fakeStream), func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
						test.handler(ctx, expire)
						return nil
					}, over, connectv2guard.Interceptor(harness.Expiring(t, time.Minute)))
				})).ServeHTTP(writer, request)
				var got []time.Duration
				for range len(writer.reads) {
					got = append(got, (<-writer.reads).Sub(start))
				}
				if want := slices.DeleteFunc([]time.Duration{test.want}, func(d time.Duration) bool { return d == 0 }); (err == nil) != (test.want == 0) || !slices.Equal(got, want) {
					t.Errorf("%v, reads end after %v, want %v", err, got, want)
				}
			})
		})
	}
}

// TestInterceptors makes sure that interceptors before the guard's see its refusals and the
// transport's CallInfo, that those after it see what is let in alone, and that each call is
// observed once.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	for _, method := range catalogue.Methods {
		for organization, want := range map[string]string{
			acme:     "before, after, message acme, message acme, handler acme, after: let in, before: let in",
			"globex": "before, after, message globex, after: permission_denied, before: permission_denied",
			"":       "before, before: unauthenticated", // without a token
		} {
			var told []string
			telling := func(who string) connect.ServerInterceptor {
				return func(next connect.ServerFunc) connect.ServerFunc {
					return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
						info, _ := connect.CallInfoForServerContext(ctx)
						if organization == "" {
							info.RequestHeader().Delete("Authorization")
						}
						told = append(told, who)
						err := next(ctx, spec, tellingStream{stream, &told})
						outcome := "let in"
						if err != nil {
							outcome = connect.CodeOf(err).String()
						}
						told = append(told, who+": "+outcome)
						return err
					}
				}
			}
			record := new(harness.Record)
			ctx := harness.NewContext(t.Context(), record)
			_, _ = direct(ctx, "Field", method, &fakeStream{in: []string{organization}}, func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
				received := new(message)
				if err := stream.Receive(received); err != nil {
					return err
				}
				told = append(told, "handler "+said(received))
				return nil
			}, telling("before"), connectv2guard.Interceptor(harness.Expiring(t, time.Hour)), telling("after"))
			if got := strings.Join(told, ", "); got != want {
				t.Errorf("%s: %s\nwant %s", method.Name, got, want)
			}
			if n := len(record.Decisions()); n != 1 {
				t.Errorf("%s, %q: observed %d times", method.Name, organization, n)
			}
		}
	}
}

// A tellingStream tells which messages come through.
type tellingStream struct {
	connect.ServerStream
	told *[]string
}

func (s tellingStream) Receive(into any) error {
	err := s.ServerStream.Receive(into)
	if err == nil {
		*s.told = append(*s.told, "message "+said(tokens.As[*message](into)))
	}
	return err
}
