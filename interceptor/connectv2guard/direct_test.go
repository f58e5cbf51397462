package connectv2guard_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// unreadable is a message that cannot be decoded.
const unreadable = "unreadable"

var errUnreadable = errors.New("the message cannot be decoded")

// A fakeStream is a connection without a transport.
type fakeStream struct {
	in      []string // what the client's messages name
	sent    []string
	headers int    // how often they were sent
	sending func() // while a message is being sent, if not nil
}

func (s *fakeStream) Receive(into any) error {
	switch {
	case len(s.in) == 0:
		return io.EOF
	case s.in[0] == unreadable:
		return errUnreadable
	}
	proto.Merge(tokens.As[*message](into), &message{OrganizationId: s.in[0]})
	s.in = s.in[1:]
	return nil
}

func (s *fakeStream) Send(response any) error {
	if s.sending != nil {
		s.sending()
	}
	s.sent = append(s.sent, tokens.As[*answer](response).GetDocument().GetText())
	return nil
}

func (s *fakeStream) SendHeaders() error {
	s.headers++
	return nil
}

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

// TestMisbehaviour makes sure that a handler which goes on after a refusal, or speaks before
// anything is proved, learns why, and reaches nobody.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, err error) {
		t.Helper()
		if got := answerOf(err, new(connect.CallInfo)); got.Answer != withoutChallenge(catalogue.Organization) || got.More != 0 {
			t.Errorf("the handler gets %v", err)
		}
	}
	goOn := func(t *testing.T, info *connect.CallInfo, stream connect.ServerStream) {
		t.Helper()
		for range 2 {
			received := new(message)
			refused(t, stream.Receive(received))
			refused(t, stream.Send(text("secret")))
			if received.GetOrganizationId() != "" {
				t.Errorf("the handler receives %v", received)
			}
		}
		info.ResponseHeader().Set("X-Late", "secret")
		info.ResponseTrailer().Set("X-Late", "secret")
	}
	for _, options := range [][]interceptor.Option{nil, {interceptor.WithoutStreamExpiry()}} {
		for _, method := range catalogue.Methods {
			for name, test := range map[string]struct {
				in      []string
				handler func(t *testing.T, info *connect.CallInfo, stream connect.ServerStream)
				sent    []string
				headers int
			}{
				"receives on": {[]string{"globex", acme}, goOn, nil, 0},
				"receives on, midway": {[]string{acme, "globex", acme}, func(t *testing.T, info *connect.CallInfo, stream connect.ServerStream) {
					t.Helper()
					if err := errors.Join(stream.Receive(new(message)), stream.Send(text(acme))); err != nil {
						t.Error(err)
					}
					goOn(t, info, stream)
					refused(t, stream.SendHeaders())
				}, []string{acme}, 0},
				"sends first": {[]string{acme}, func(t *testing.T, info *connect.CallInfo, stream connect.ServerStream) {
					t.Helper()
					refused(t, stream.Send(text("secret")))
					goOn(t, info, stream)
				}, nil, 0},
				"sends headers first": {[]string{"globex"}, func(t *testing.T, info *connect.CallInfo, stream connect.ServerStream) {
					t.Helper()
					if err := stream.SendHeaders(); err != nil { // to be held back
						t.Error(err)
					}
					goOn(t, info, stream)
				}, nil, 0},
				"sends headers, midway": {[]string{acme, "globex"}, func(t *testing.T, info *connect.CallInfo, stream connect.ServerStream) {
					t.Helper()
					if err := errors.Join(stream.SendHeaders(), stream.Receive(new(message))); err != nil {
						t.Error(err)
					}
					goOn(t, info, stream)
				}, nil, 1},
				"does nothing": {[]string{acme}, func(*testing.T, *connect.CallInfo, connect.ServerStream) {}, nil, 0},
			} {
				t.Run(name+", "+method.Name, func(t *testing.T) {
					t.Parallel()
					stream := &fakeStream{in: test.in}
					info, err := direct(t.Context(), "Field", method, stream, func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
						info, _ := connect.CallInfoForServerContext(ctx)
						test.handler(t, info, stream)
						return nil
					}, connectv2guard.Interceptor(harness.Expiring(t, time.Hour, options...)))
					refused(t, err)
					if !slices.Equal(stream.sent, test.sent) || stream.headers != test.headers {
						t.Errorf("sent %q, and headers %d times", stream.sent, stream.headers)
					}
					if info.ResponseHeader().Has("X-Late") || info.ResponseTrailer().Has("X-Late") {
						t.Error("what the handler said is handed on")
					}
				})
			}
		}
	}
}

// TestOwnError makes sure that nothing of what a streaming handler says goes out with an
// error, if no message that could be read has named the organization.
func TestOwnError(t *testing.T) {
	t.Parallel()
	outer := func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			info, _ := connect.CallInfoForServerContext(ctx)
			info.ResponseHeader().Set("X-Outer", "kept")
			return next(ctx, spec, stream)
		}
	}
	for service, want := range map[string]string{"Field": "", "Token": "secret"} {
		info, err := direct(t.Context(), service, catalogue.Bidi, &fakeStream{in: []string{unreadable}}, func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			info, _ := connect.CallInfoForServerContext(ctx)
			info.ResponseHeader().Set("X-Early", "secret")
			info.ResponseTrailer().Set("X-Early", "secret")
			info.ResponseHeader().Values("X-Outer")[0] = "secret"
			return stream.Receive(new(message))
		}, outer, connectv2guard.Interceptor(harness.Expiring(t, time.Hour)))
		if !errors.Is(err, errUnreadable) || info.ResponseHeader().Get("X-Early") != want || info.ResponseTrailer().Get("X-Early") != want {
			t.Errorf("%s: %v, header %q, trailer %q", service, err, info.ResponseHeader().Get("X-Early"), info.ResponseTrailer().Get("X-Early"))
		}
		if got := info.ResponseHeader().Get("X-Outer"); (got == "kept") != (want == "") {
			t.Errorf("%s: what was there before the handler is %q", service, got)
		}
	}
}

// TestLateHeader makes sure that a header which is set after the first message is not taken for
// one that was sent with it, and that a trailer goes out in any case.
func TestLateHeader(t *testing.T) {
	t.Parallel()
	info, err := direct(t.Context(), "Token", catalogue.Server, new(fakeStream), func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		info, _ := connect.CallInfoForServerContext(ctx)
		info.ResponseHeader().Set("X-Early", "yes")
		err := stream.Send(text(acme))
		info.ResponseHeader().Set("X-Late", "yes")
		info.ResponseTrailer().Set("X-Late", "yes")
		return err
	}, connectv2guard.Interceptor(harness.Expiring(t, time.Hour)))
	if header := info.ResponseHeader(); err != nil || !header.Has("X-Early") || header.Has("X-Late") || !info.ResponseTrailer().Has("X-Late") {
		t.Errorf("%v, early %t, late %t", err, header.Has("X-Early"), header.Has("X-Late"))
	}
}

// TestPanic makes sure that a panic of a handler comes out where interceptors that recover
// expect it, and that what a streaming handler said before goes nowhere.
func TestPanic(t *testing.T) {
	t.Parallel()
	for _, method := range catalogue.Methods {
		var recovered any
		recovering := func(next connect.ServerFunc) connect.ServerFunc {
			return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
				defer func() { recovered = recover() }()
				return next(ctx, spec, stream)
			}
		}
		info, _ := direct(t.Context(), "Token", method, new(fakeStream), func(ctx context.Context, spec connect.Spec, _ connect.ServerStream) error {
			if info, ok := connect.CallInfoForServerContext(ctx); ok && spec.StreamType != connect.StreamTypeUnary {
				info.ResponseHeader().Set("X-Early", "yes")
			}
			panic("handler")
		}, recovering, connectv2guard.Interceptor(harness.Expiring(t, time.Hour)))
		if recovered != "handler" || info.ResponseHeader().Has("X-Early") {
			t.Errorf("%s: recovered %v, header handed on: %t", method.Name, recovered, info.ResponseHeader().Has("X-Early"))
		}
	}
}

// TestUnaryOutlivesToken makes sure that a unary call whose message came in time is answered,
// however long that takes, in a context that does not end with the token.
func TestUnaryOutlivesToken(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t) // which belong to no bubble
	synctest.Test(t, func(t *testing.T) {
		stream := &fakeStream{in: []string{acme}}
		info, err := direct(t.Context(), "Field", catalogue.Unary, stream, func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			if err := stream.Receive(new(message)); err != nil {
				return err
			}
			time.Sleep(time.Hour) // the bubble's clock
			info, _ := connect.CallInfoForServerContext(ctx)
			info.ResponseHeader().Set("X-Late", "yes")
			return errors.Join(ctx.Err(), stream.Send(text(acme)))
		}, connectv2guard.Interceptor(harness.Expiring(t, time.Minute)))
		if err != nil || !slices.Equal(stream.sent, []string{acme}) || !info.ResponseHeader().Has("X-Late") {
			t.Errorf("%v, sent %q", err, stream.sent)
		}
	})
}

// TestWithoutStreamExpiry makes sure that a stream may outlive its token if its guard says so.
func TestWithoutStreamExpiry(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		stream := &fakeStream{in: []string{acme, acme}}
		_, err := direct(t.Context(), "Field", catalogue.Bidi, stream, func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			if _, ok := ctx.Deadline(); ok {
				t.Error("there is a deadline")
			}
			time.Sleep(time.Hour) // the bubble's clock
			return echo(ctx, spec, stream)
		}, connectv2guard.Interceptor(harness.Expiring(t, time.Minute, interceptor.WithoutStreamExpiry())))
		if err != nil || !slices.Equal(stream.sent, []string{acme, acme}) {
			t.Errorf("%v, sent %q", err, stream.sent)
		}
	})
}

// TestSendUnderWay makes sure that a message that is being sent when the token expires is
// sent before the call ends, and is the last.
func TestSendUnderWay(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		var over atomic.Bool
		stream := &fakeStream{sending: func() {
			time.Sleep(time.Minute + 500*time.Millisecond) // the bubble's clock: up to the expiry, and what a handler is given
			for range 100_000 {                            // turns: the clock stands still while the call waits for a lock
				if over.Load() {
					t.Error("the call has ended while a message was being sent")
					return
				}
				runtime.Gosched()
			}
		}}
		finished := make(chan struct{})
		_, err := direct(t.Context(), "Token", catalogue.Server, stream, func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			defer close(finished)
			if err := stream.Send(text(acme)); err != nil {
				t.Error(err)
			}
			again := stream.Send(text("late"))
			if denial, ok := errors.AsType[*interceptor.Denial](again); !ok || string(denial.Reason()) != catalogue.Expired.Reason {
				t.Errorf("the next Send: %v", again)
			}
			return again
		}, connectv2guard.Interceptor(harness.Expiring(t, time.Minute)))
		over.Store(true)
		<-finished
		if connect.CodeOf(err) != connect.CodeUnauthenticated || !slices.Equal(stream.sent, []string{acme}) {
			t.Errorf("%v, sent %q", err, stream.sent)
		}
	})
}

// TestSendLeftBehind makes sure that a call which ends with its token does not do so before a
// Send that the handler has left behind, however the handler ends.
func TestSendLeftBehind(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t)
	for name, test := range map[string]struct {
		service string
		in      []string
		goOn    func(cancel context.CancelCauseFunc, stream connect.ServerStream) // while it sends
		end     time.Duration                                                     // of the call
		want    catalogue.Answer
	}{
		"returns": {"Token", nil, func(cancel context.CancelCauseFunc, _ connect.ServerStream) {
			cancel(token.ErrExpired) // as the stream's own context does, but before the guard looks
		}, 0, withoutChallenge(catalogue.Expired)},
		"has been refused before": {"Field", []string{acme, "globex"}, func(_ context.CancelCauseFunc, stream connect.ServerStream) {
			_ = stream.Receive(new(message))
			time.Sleep(time.Hour) // the bubble's clock
		}, time.Minute + time.Second/2, withoutChallenge(catalogue.Organization)},
		"panics": {"Token", []string{acme}, func(context.CancelCauseFunc, connect.ServerStream) {
			time.Sleep(time.Minute + 1) // the bubble's clock
			panic("handler")
		}, time.Minute + 1, catalogue.Answer{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				started, sent := make(chan struct{}), make(chan struct{})
				var left sync.WaitGroup // to end after the call
				stream := &fakeStream{in: test.in, sending: func() {
					close(started)
					<-sent
				}}
				watching := func(next connect.ServerFunc) connect.ServerFunc {
					return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
						defer func() {
							_ = recover()
							select {
							case <-sent:
							default:
								t.Error("the call has ended while a message was being sent")
							}
						}()
						return next(ctx, spec, stream)
					}
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				left.Add(1)
				_, err := direct(ctx, test.service, catalogue.Bidi, stream, func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
					defer left.Done()
					if err := stream.Receive(new(message)); err != nil && test.in != nil {
						t.Error(err)
					}
					left.Go(func() {
						if err := stream.Send(text(acme)); err != nil {
							t.Error(err)
						}
					})
					<-started
					go func() {
						time.Sleep(test.end) // the bubble's clock
						for range 100_000 {  // turns: the clock stands still while the call waits for a lock
							runtime.Gosched()
						}
						close(sent)
					}()
					test.goOn(cancel, stream)
					return nil
				}, watching, connectv2guard.Interceptor(harness.Expiring(t, time.Minute)))
				left.Wait()
				if got := answerOf(err, new(connect.CallInfo)); got.Answer != test.want || !slices.Equal(stream.sent, []string{acme}) {
					t.Errorf("%v, sent %q", err, stream.sent)
				}
			})
		})
	}
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
// that came over it, and not before.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t)
	for name, test := range map[string]struct {
		handler connect.ServerFunc
		want    int
	}{
		"waits for the end": {func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
			<-ctx.Done()
			return nil
		}, 1},
		"returns": {func(context.Context, connect.Spec, connect.ServerStream) error { return nil }, 0},
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
					_, err = direct(r.Context(), "Token", catalogue.Bidi, new(fakeStream), test.handler, over, connectv2guard.Interceptor(harness.Expiring(t, time.Minute)))
				})).ServeHTTP(writer, request)
				if (err == nil) != (test.want == 0) || len(writer.reads) != test.want {
					t.Errorf("%v, reads were ended %d times", err, len(writer.reads))
				} else if test.want > 0 && (<-writer.reads).Sub(start) != time.Minute {
					t.Error("reads do not end with the token")
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
