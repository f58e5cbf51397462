package interceptor_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
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

// TestSlowBody makes sure that a call which was let in by its headers does not
// wait with its body until the token has ended.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"Global", "Field", "Public"} {
		for _, wire := range http2()[1:] {
			bubble(t, service+", "+wire.name, func(t *testing.T) {
				tenant := tokens.Must(newTenant())
				guard := interceptor.New(tenant.verifier, rules(t), interceptor.WithObserver(harness.Observe))
				server := server{harness.ServePiped(t, handlers{}.mux(guard.HandlerOption()))}
				claims := resource(acme, "read:data")
				want, events := expired, []interceptor.Reason{expired.reason}
				switch service {
				case "Global":
					claims = global("read:a write:b")
					events = []interceptor.Reason{"", expired.reason} // let in, and then not
				case "Public":
					want, events = refusal{}, []interceptor.Reason{""}
				}
				header := http.Header{"Authorization": {"Bearer " + mint(t, tenant.good, with(claims, "exp", time.Now().Unix()+60))}}
				call := server.Record(header)
				stream := server.connect(wire, procedure(service, connect.StreamTypeUnary)).CallBidiStream(t.Context())
				defer func() { _ = stream.CloseResponse() }()
				merge(stream.RequestHeader(), header)
				err := stream.Send(nil) // the headers
				time.Sleep(time.Minute) // the bubble's clock
				err = errors.Join(err, stream.Send(naming(acme)), stream.CloseRequest())
				if err == nil {
					_, err = stream.Receive()
				}
				if got := refused(err); got != want {
					t.Errorf("%+v", got)
				}
				if got := call.Decisions(); !slices.Equal(got, events) {
					t.Errorf("events %q, want %q", got, events)
				} else if last := call.Event(len(got) - 1).Denial; want.reason != "" && !errors.Is(last, token.ErrExpired) {
					t.Errorf("cause %v", last.Unwrap())
				}
				if calls, _ := call.Seen(); calls != 0 != (service == "Public") {
					t.Errorf("%d calls", calls)
				}
			})
		}
	}
}

// TestStreamLeeway makes sure that a stream ends when the leeway of its token does.
func TestStreamLeeway(t *testing.T) {
	t.Parallel()
	waits := func(ctx context.Context, _ connect.StreamingHandlerConn) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, leeway := range []time.Duration{0, 90 * time.Second} {
		bubble(t, leeway.String(), func(t *testing.T) {
			tenant := tokens.Must(newTenant(token.WithLeeway(leeway)))
			conn := newConn("Token", connect.StreamTypeBidi)
			started := time.Now()
			conn.request.Set("Authorization", "Bearer "+mint(t, tenant.good, with(resource(acme, "read:data"), "exp", started.Unix()+60)))
			err := conn.serve(t.Context(), interceptor.New(tenant.verifier, rules(t)), waits)
			if took := time.Since(started); refused(err) != expired || took != time.Minute+leeway {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
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
}
