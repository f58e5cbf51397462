package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// bubble runs a test in a bubble of testing/synctest. The rules belong to no bubble.
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

// TestSlowBody makes sure that a unary call is refused if its token expires before its body has arrived.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	late := []interceptor.Reason{expired.reason}
	for _, test := range []struct {
		service string
		took    time.Duration
		want    refusal
		events  []interceptor.Reason
	}{
		{"Global", time.Minute - 1, refusal{}, []interceptor.Reason{""}},
		{"Global", time.Minute, expired, []interceptor.Reason{"", expired.reason}}, // let in, and refused later
		{"Field", time.Minute - 1, refusal{}, []interceptor.Reason{""}},
		{"Field", time.Minute, expired, late},
		{"Public", time.Minute, refusal{}, []interceptor.Reason{""}},
	} {
		for _, wire := range http2()[1:] {
			bubble(t, fmt.Sprint(test.service, ", ", test.took, ", ", wire.name), func(t *testing.T) {
				tenant := tokens.Must(newTenant())
				guard := interceptor.New(tenant.verifier, rules(t), interceptor.WithObserver(harness.Observe))
				server := server{harness.ServePiped(t, handlers{}.mux(guard.HandlerOption()))}
				claims := resource(acme, "read:data")
				if test.service == "Global" {
					claims = global("read:a write:b")
				}
				header := http.Header{"Authorization": {"Bearer " + mint(t, tenant.good, with(claims, "exp", time.Now().Unix()+60))}}
				call := server.Record(header)
				stream := server.connect(wire, procedure(test.service, connect.StreamTypeUnary)).CallBidiStream(t.Context())
				defer func() { _ = stream.CloseResponse() }()
				merge(stream.RequestHeader(), header)
				err := stream.Send(nil) // the headers
				time.Sleep(test.took)   // the bubble's clock
				err = errors.Join(err, stream.Send(naming(acme)), stream.CloseRequest())
				if err == nil {
					_, err = stream.Receive()
				}
				if got := refused(err); got != test.want {
					t.Errorf("%+v", got)
				}
				if got := call.Decisions(""); !slices.Equal(got, test.events) {
					t.Errorf("events %q, want %q", got, test.events)
				} else if last := call.Event(len(got) - 1).Denial; last != nil && !errors.Is(last, token.ErrExpired) {
					t.Errorf("cause %v", last.Unwrap())
				}
				if calls, _ := call.Seen(); calls != 0 != (test.want == refusal{}) {
					t.Errorf("%d calls", calls)
				}
			})
		}
	}
}

// TestStreamLeeway makes sure that a stream ends at the end of its token's leeway, however far away.
func TestStreamLeeway(t *testing.T) {
	t.Parallel()
	for _, leeway := range []time.Duration{0, 90 * time.Second} {
		bubble(t, leeway.String(), func(t *testing.T) {
			tenant := tokens.Must(newTenant(token.WithLeeway(leeway)))
			conn := newConn("Token", connect.StreamTypeBidi, "")
			started := time.Now()
			conn.request.Set("Authorization", "Bearer "+mint(t, tenant.good, with(resource(acme, "read:data"), "exp", started.Unix()+60)))
			err := conn.guardedBy(t.Context(), interceptor.New(tenant.verifier, rules(t)), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
				<-ctx.Done()
				return ctx.Err()
			})
			if took := time.Since(started); refused(err) != expired || took != time.Minute+leeway {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
	bubble(t, "a token for ages", func(t *testing.T) {
		payload := fmt.Sprintf(`{"sub":"s","aud":%q,"scope":"read:data","organization_id":%q,"exp":%d}`, api, acme, tokens.MaxDate)
		guard := interceptor.New(unverified(payload), rules(t))
		err := newConn("Token", connect.StreamTypeServer, "").guardedBy(t.Context(), guard, func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			time.Sleep(100 * 365 * 24 * time.Hour) // the bubble's clock
			return ctx.Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
}
