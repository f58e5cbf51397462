package interceptor_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// bubble runs a test in a bubble, in which its clock stands still unless all
// wait, and which no goroutine outlives. The rules belong to no bubble.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	_ = rules(t)
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t)
			time.Sleep(2 * time.Hour) // the bubble's clock: the handlers' goroutines must be gone by then
		})
	})
}

// TestDeadline makes sure that streams end at the very moment: exp and leeway,
// whatever the handler does. A handler that is not blocked in Receive is given half a
// second to return.
func TestDeadline(t *testing.T) {
	t.Parallel()
	later := map[string]time.Duration{
		"sends":     10 * time.Millisecond, // unless it sends at that very moment
		"cleans up": 300 * time.Millisecond, "computes": 500 * time.Millisecond,
	}
	for name, handler := range map[string]connect.StreamingHandlerFunc{
		"receives": func(_ context.Context, conn connect.StreamingHandlerConn) error {
			for {
				if _, err := receive(conn); err != nil {
					return err
				}
			}
		},
		"waits": func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			return ctx.Err()
		},
		"sends": func(_ context.Context, conn connect.StreamingHandlerConn) error {
			for send(conn, acme) == nil {
				time.Sleep(10 * time.Millisecond) // the bubble's clock
			}
			return nil
		},
		"cleans up": func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			time.Sleep(300 * time.Millisecond) // the bubble's clock
			return nil
		},
		"computes": func(context.Context, connect.StreamingHandlerConn) error {
			time.Sleep(time.Hour) // the bubble's clock
			return nil
		},
		"returns at the deadline": func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			deadline, ok := ctx.Deadline()
			if !ok {
				return errors.New("no deadline")
			}
			time.Sleep(time.Until(deadline)) // the bubble's clock
			return nil
		},
		"fails at the deadline": func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			deadline, _ := ctx.Deadline()
			time.Sleep(time.Until(deadline)) // the bubble's clock
			return connect.NewError(connect.CodeDataLoss, errors.New("late"))
		},
		"panics later": func(_ context.Context, conn connect.StreamingHandlerConn) error {
			_, _ = receive(conn)
			panic("nobody is there to hear it")
		},
		"ignores everything": func(_ context.Context, conn connect.StreamingHandlerConn) error {
			_, _ = receive(conn)
			time.Sleep(time.Hour) // the bubble's clock
			return nil
		},
	} {
		bubble(t, name, func(t *testing.T) {
			for _, leeway := range []time.Duration{0, 90 * time.Second} {
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the bubble's clock: exp has whole seconds
				tenant := tokens.Must(newTenant(token.WithLeeway(leeway)))
				raw := mint(t, tenant.good, with(resource(acme, "read:data"), "exp", time.Now().Unix()+60))
				conn := newConn("Token", connect.StreamTypeBidi)
				conn.request.Set("Authorization", "Bearer "+raw)
				started := time.Now()
				err := conn.serve(t.Context(), interceptor.New(tenant.verifier, rules(t)), handler)
				late := time.Since(started) - 60*time.Second - leeway
				if early := name == "sends" && late == 0; refused(err) != expired || late != later[name] && !early {
					t.Errorf("%v, %v late with a leeway of %v", err, late, leeway)
				}
				var denial *interceptor.Denial
				const cause = "token has expired since it was verified, while the call was under way: the client must call again with a new token"
				if !errors.As(err, &denial) || !errors.Is(err, token.ErrExpired) || denial.Unwrap().Error() != cause {
					t.Errorf("%T holds no denial, or not its cause: %v", err, denial.Unwrap())
				}
			}
		})
	}
}

// TestUnaryDeadline makes sure that the token of a unary call is still good once its
// body has arrived, to the very moment.
func TestUnaryDeadline(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]int{time.Minute - 1: http.StatusOK, time.Minute: http.StatusUnauthorized} {
		bubble(t, took.String(), func(t *testing.T) {
			mux := handlers{}.mux(expiring(t, time.Minute).HandlerOption())
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure("Token", connect.StreamTypeUnary), slowBody(took))
			request.Header.Set("Authorization", "Bearer any")
			request.Header.Set("Content-Type", "application/proto")
			recorder := httptest.NewRecorder()
			mux.ServeHTTP(recorder, request)
			if recorder.Code != want {
				t.Errorf("%d, want %d: %s", recorder.Code, want, recorder.Body)
			}
		})
	}
}

// A slowBody takes so long to say nothing.
type slowBody time.Duration

func (b slowBody) Read([]byte) (int, error) {
	time.Sleep(time.Duration(b)) // the bubble's clock
	return 0, io.EOF
}

// TestLatePanic makes sure that a panic of a handler which has just been told to end
// is not lost.
func TestLatePanic(t *testing.T) {
	t.Parallel()
	bubble(t, "soon", func(t *testing.T) {
		defer func() {
			if got := recover(); got != "clean-up" {
				t.Errorf("recovered %v", got)
			}
		}()
		err := newConn("Token", connect.StreamTypeServer).serve(t.Context(), expiring(t, time.Minute), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond) // the bubble's clock
			panic("clean-up")
		})
		t.Errorf("returned %v", err)
	})
}

// TestBeforeDeadline makes sure that who ends in time ends in peace.
func TestBeforeDeadline(t *testing.T) {
	t.Parallel()
	own := connect.NewError(connect.CodeDataLoss, errors.New("the handler's own"))
	bubble(t, "a moment before", func(t *testing.T) {
		for _, want := range []error{nil, own} {
			conn := newConn("Token", connect.StreamTypeBidi)
			err := conn.serve(t.Context(), expiring(t, time.Minute), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
				deadline, _ := ctx.Deadline()
				time.Sleep(time.Until(deadline) - 1) // the bubble's clock
				return want
			})
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
	})
	bubble(t, "request timeout", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := time.Now()
		err := newConn("Token", connect.StreamTypeServer).serve(ctx, expiring(t, time.Minute), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || reasonOf(err) != "" || time.Since(started) != time.Second {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
	bubble(t, "the client leaves", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := newConn("Token", connect.StreamTypeServer).serve(ctx, expiring(t, time.Minute), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) || reasonOf(err) != "" {
			t.Error(err)
		}
	})
	bubble(t, "clocks that differ", func(t *testing.T) {
		// The context's timer goes by the monotonic clock, which a wall clock that
		// is set back lags behind. A bubble has one clock only.
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(token.ErrExpired) })
		err := newConn("Token", connect.StreamTypeServer).serve(ctx, expiring(t, time.Minute), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if refused(err) != expired {
			t.Error(err)
		}
	})
	bubble(t, "WithoutStreamExpiry", func(t *testing.T) {
		conn := newConn("Field", connect.StreamTypeBidi)
		go func() {
			conn.in <- naming(acme)
			time.Sleep(time.Hour) // the bubble's clock
			conn.in <- naming(acme)
			close(conn.in)
		}()
		guard := expiring(t, time.Minute, interceptor.WithoutStreamExpiry())
		err := conn.serve(t.Context(), guard, func(ctx context.Context, conn connect.StreamingHandlerConn) error {
			if _, ok := ctx.Deadline(); ok {
				return errors.New("there is a deadline")
			}
			for {
				organization, err := receive(conn)
				if err != nil {
					return ended(err)
				}
				if err := send(conn, organization); err != nil {
					return err
				}
			}
		})
		if err != nil || !slices.Equal(conn.sent, []string{acme, acme}) {
			t.Errorf("%v, sent %q", err, conn.sent)
		}
	})
	bubble(t, "a token for ages", func(t *testing.T) {
		guard := interceptor.New(unverified(until(tokens.MaxDate)), rules(t))
		err := newConn("Token", connect.StreamTypeServer).serve(t.Context(), guard, func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			time.Sleep(100 * 365 * 24 * time.Hour) // the bubble's clock
			return ctx.Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
	bubble(t, "public", func(t *testing.T) {
		conn := newConn("Public", connect.StreamTypeBidi)
		err := conn.serve(t.Context(), expiring(t, time.Minute), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			time.Sleep(time.Hour) // the bubble's clock
			return ctx.Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestAfterDeadline makes sure that a handler which goes on after the end
// reaches nobody, and touches nothing that the end of the call uses.
func TestAfterDeadline(t *testing.T) {
	t.Parallel()
	bubble(t, "a lingering handler", func(t *testing.T) {
		conn := newConn("Field", connect.StreamTypeBidi)
		go func() {
			conn.in <- naming(acme)
			select {
			case conn.in <- naming(acme): // after the end
			case <-conn.body:
			}
		}()
		var after []error
		var late string
		finished := make(chan struct{})
		guard := expiring(t, time.Minute, interceptor.WithObserver(harness.Observe))
		ctx, call := withCall(t.Context())
		err := conn.serve(ctx, guard, func(ctx context.Context, conn connect.StreamingHandlerConn) error {
			defer close(finished)
			_, err := receive(conn)
			after = append(after, err, send(conn, acme))
			<-ctx.Done()
			if cause := context.Cause(ctx); !errors.Is(cause, token.ErrExpired) {
				t.Errorf("the context ends because of %v", cause)
			}
			time.Sleep(time.Second) // the bubble's clock
			for range 3 {
				conn.ResponseHeader().Set("Late", "1")
				conn.ResponseTrailer().Set("Late", "1")
				late, err = receive(conn)
				after = append(after, err, send(conn, acme))
			}
			return nil
		})
		if refused(err) != expired {
			t.Error(err)
		}
		<-finished
		for i, err := range after {
			if want := map[bool]refusal{true: {}, false: expired}[i < 2]; refused(err) != want {
				t.Errorf("%d: %v", i, err)
			}
		}
		if !slices.Equal(conn.sent, []string{acme}) || conn.header.Get("Late") != "" || conn.trailer.Get("Late") != "" || late != "" {
			t.Errorf("sent %q, headers %v, trailers %v, received %q", conn.sent, conn.header, conn.trailer, late)
		}
		if got := call.Decisions(); !slices.Equal(got, []interceptor.Reason{"", expired.reason}) {
			t.Errorf("events %q", got)
		}
	})
	bubble(t, "a message that comes after the end", func(t *testing.T) {
		conn := newConn("Field", connect.StreamTypeBidi)
		finished := make(chan struct{})
		var late string
		var lateErr error
		err := expiring(t, time.Minute).Interceptor().WrapStreamingHandler(func(_ context.Context, conn connect.StreamingHandlerConn) error {
			defer close(finished)
			late, lateErr = receive(conn)
			return nil
		})(t.Context(), conn)
		conn.in <- naming(acme) // for the body is not closed yet
		<-finished
		if refused(err) != expired || late != "" || refused(lateErr) != expired {
			t.Errorf("%v, received %q, %v", err, late, lateErr)
		}
		close(conn.body)
	})
	bubble(t, "a message that is being sent", func(t *testing.T) {
		conn := newConn("Token", connect.StreamTypeServer)
		var over atomic.Bool
		conn.sending = func() {
			time.Sleep(time.Minute + 500*time.Millisecond) // the bubble's clock: up to the deadline, and what a handler is given
			if soon(few, over.Load) {
				t.Error("the call has ended while a message was being sent")
			}
		}
		var again error
		finished := make(chan struct{})
		err := conn.serve(t.Context(), expiring(t, time.Minute), func(_ context.Context, conn connect.StreamingHandlerConn) error {
			defer close(finished)
			if err := send(conn, acme); err != nil {
				t.Error(err)
			}
			again = send(conn, globex)
			return again
		})
		over.Store(true)
		<-finished
		if refused(err) != expired || refused(again) != expired || !slices.Equal(conn.sent, []string{acme}) {
			t.Errorf("%v, %v, sent %q", err, again, conn.sent)
		}
	})
	bubble(t, "header and trailer", func(t *testing.T) {
		// Under the race detector: the end of the call and the handler both write.
		conn := newConn("Token", connect.StreamTypeServer)
		finished := make(chan struct{})
		err := conn.serve(t.Context(), expiring(t, time.Second), func(ctx context.Context, conn connect.StreamingHandlerConn) error {
			defer close(finished)
			var writing sync.WaitGroup
			writing.Go(func() {
				for ctx.Err() == nil {
					conn.ResponseHeader().Set("A", "1")
					time.Sleep(time.Millisecond) // the bubble's clock
				}
				conn.ResponseHeader().Set("A", "2")
			})
			writing.Go(func() {
				for ctx.Err() == nil {
					conn.ResponseTrailer().Set("A", "1")
					time.Sleep(time.Millisecond) // the bubble's clock
				}
				conn.ResponseTrailer().Set("A", "2")
			})
			writing.Wait()
			return nil
		})
		<-finished
		if refused(err) != expired {
			t.Error(err)
		}
	})
	bubble(t, "an earlier refusal", func(t *testing.T) {
		conn := newConn("Field", connect.StreamTypeBidi)
		go func() { conn.in <- naming(globex) }()
		ctx, call := withCall(t.Context())
		err := conn.serve(ctx, expiring(t, time.Minute, interceptor.WithObserver(harness.Observe)), func(ctx context.Context, conn connect.StreamingHandlerConn) error {
			_, _ = receive(conn)
			<-ctx.Done()
			return nil
		})
		if refused(err) != organization || !slices.Equal(call.Decisions(), []interceptor.Reason{organization.reason}) {
			t.Errorf("%v, events %q", err, call.Decisions())
		}
	})
	bubble(t, "a token that has ended before", func(t *testing.T) {
		err := newConn("Token", connect.StreamTypeServer).serve(t.Context(), expiring(t, -time.Minute), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			return ctx.Err()
		})
		if refused(err) != expired {
			t.Error(err)
		}
	})
}

// TestSendLeftBehind makes sure that a call which ends with its token does not do so before a
// Send that the handler has left behind, however the handler ends.
func TestSendLeftBehind(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service string
		goOn    func(cancel context.CancelCauseFunc, conn connect.StreamingHandlerConn) // while it sends
		end     time.Duration                                                           // of the call
		want    refusal
	}{
		"returns": {"Token", func(cancel context.CancelCauseFunc, _ connect.StreamingHandlerConn) {
			cancel(token.ErrExpired) // as the stream's own context does, but before the guard looks
		}, 0, expired},
		"has been refused before": {"Field", func(_ context.CancelCauseFunc, conn connect.StreamingHandlerConn) {
			_, _ = receive(conn)
			time.Sleep(time.Hour) // the bubble's clock
		}, time.Minute + time.Second/2, organization},
		"panics": {"Token", func(context.CancelCauseFunc, connect.StreamingHandlerConn) {
			time.Sleep(time.Minute + 1) // the bubble's clock
			panic("handler")
		}, time.Minute + 1, refusal{}},
	} {
		bubble(t, name, func(t *testing.T) {
			conn := newConn(test.service, connect.StreamTypeBidi)
			conn.in = make(chan *message, 2)
			conn.in <- naming(acme)
			conn.in <- naming(globex)
			started, sent := make(chan struct{}), make(chan struct{})
			conn.sending = func() {
				close(started)
				<-sent
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var left sync.WaitGroup // to end after the call
			left.Add(1)
			var err error
			func() {
				defer func() {
					_ = recover()
					select {
					case <-sent:
					default:
						t.Error("the call has ended while a message was being sent")
					}
				}()
				err = conn.serve(ctx, expiring(t, time.Minute), func(_ context.Context, conn connect.StreamingHandlerConn) error {
					defer left.Done()
					if _, err := receive(conn); err != nil {
						t.Error(err)
					}
					left.Go(func() {
						if err := send(conn, acme); err != nil {
							t.Error(err)
						}
					})
					<-started
					go func() {
						time.Sleep(test.end)                    // the bubble's clock
						soon(few, func() bool { return false }) // the end of the call waits for a lock: the clock stands still
						close(sent)
					}()
					test.goOn(cancel, conn)
					return nil
				})
			}()
			left.Wait()
			if refused(err) != test.want || !slices.Equal(conn.sent, []string{acme}) {
				t.Errorf("%v, sent %q", err, conn.sent)
			}
		})
	}
}

// TestPanics makes sure that panics arrive where net/http expects them.
func TestPanics(t *testing.T) {
	t.Parallel()
	for _, options := range [][]interceptor.Option{nil, {interceptor.WithoutStreamExpiry()}} {
		for _, value := range []any{"a handler's panic", http.ErrAbortHandler, io.EOF} {
			bubble(t, "panic", func(t *testing.T) {
				defer func() {
					if p := recover(); p != value {
						t.Errorf("panic with %v, want %v", p, value)
					}
				}()
				err := newConn("Token", connect.StreamTypeServer).serve(t.Context(), expiring(t, time.Minute, options...), func(context.Context, connect.StreamingHandlerConn) error {
					panic(value)
				})
				t.Errorf("no panic, but %v", err)
			})
		}
	}
	bubble(t, "panic with nil", func(t *testing.T) {
		defer func() {
			if _, ok := recover().(*runtime.PanicNilError); !ok {
				t.Error("another panic, or none")
			}
		}()
		_ = newConn("Token", connect.StreamTypeServer).serve(t.Context(), expiring(t, time.Minute), func(context.Context, connect.StreamingHandlerConn) error {
			panic(nil) //nolint:govet // as careless handlers do
		})
	})
	bubble(t, "Goexit", func(t *testing.T) {
		err := newConn("Token", connect.StreamTypeServer).serve(t.Context(), expiring(t, time.Minute), func(context.Context, connect.StreamingHandlerConn) error {
			runtime.Goexit()
			return nil
		})
		if err == nil || connect.CodeOf(err) != connect.CodeUnknown {
			t.Errorf("%v", err)
		}
	})
}

// TestHeaders makes sure that what handlers set arrives, as without a guard.
func TestHeaders(t *testing.T) {
	t.Parallel()
	own := errors.New("the handler's own")
	for _, options := range [][]interceptor.Option{nil, {interceptor.WithoutStreamExpiry()}} {
		for name, test := range map[string]struct {
			sends int
			err   error
		}{"no message": {0, nil}, "one message": {1, nil}, "two messages": {2, nil}, "error": {0, own}, "message and error": {1, own}} {
			bubble(t, name, func(t *testing.T) {
				conn := newConn("Token", connect.StreamTypeServer)
				conn.trailer.Set("Before", "kept")
				err := conn.serve(t.Context(), expiring(t, time.Minute, options...), func(_ context.Context, conn connect.StreamingHandlerConn) error {
					if conn.ResponseHeader().Get("Content-Type") == "" || conn.ResponseTrailer().Get("Before") == "" {
						t.Error("the handler does not see what was set before")
					}
					conn.ResponseHeader().Set("Early", "1")
					conn.ResponseHeader().Del("Content-Type")
					conn.ResponseTrailer().Set("Early", "1")
					for range test.sends {
						if err := send(conn, acme); err != nil {
							return err
						}
						conn.ResponseHeader().Set("Late", "1")
					}
					conn.ResponseTrailer().Set("Late", "1")
					return test.err
				})
				if !errors.Is(err, test.err) {
					t.Error(err)
				}
				if got := conn.headers; got.Get("Early") != "1" || conn.header.Get("Late") != "" || got.Get("Content-Type") != "" {
					t.Errorf("headers %v", got)
				}
				if got := conn.trailer; got.Get("Early") != "1" || got.Get("Late") != "1" || got.Get("Before") != "kept" {
					t.Errorf("trailers %v", got)
				}
			})
		}
	}
}
