package interceptor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestEvents holds what an event says. That there is one for each decision is
// TestTransports' business.
func TestEvents(t *testing.T) {
	t.Parallel()
	var got []interceptor.Event
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
		got = append(got, event)
	}))
	mux := handlers{}.mux(guard.HandlerOption())
	for _, test := range []struct {
		service string
		claims  claims
		subject string // "" without claims
		reason  interceptor.Reason
		cause   error
		scopes  []string
	}{
		{service: "Public", claims: global("")},
		{service: opened},
		{service: unruled, claims: global(""), reason: ruleless.reason},
		{service: "Any", reason: missing.reason, cause: token.ErrMissing},
		{service: "Any", claims: with(global("buy"), "exp", 1), reason: expired.reason, cause: token.ErrExpired},
		{service: "Any", claims: global("buy read:products"), subject: "devissuer"},
		{service: "Any", claims: with(global("buy"), "sub", "alice"), subject: "alice", reason: "SCOPE_INSUFFICIENT", scopes: []string{"read:products", "sell", "buy"}},
		{service: "User", claims: global(""), subject: "devissuer", reason: callerKind.reason},
		{service: "Header", claims: resource(acme, "read:data"), subject: "devissuer", reason: organization.reason},
		{service: "Field", claims: resource(acme, "read:data"), subject: "devissuer", reason: organization.reason},
	} {
		got = nil
		header := bearer(t, test.claims)
		if test.claims == nil {
			header.Del("Authorization")
		}
		post(t.Context(), mux, test.service, header)
		if len(got) != 1 {
			t.Errorf("%s: %d events", test.service, len(got))
			continue
		}
		event := got[0]
		if event.Procedure != procedure(test.service, connect.StreamTypeUnary) || event.Claims.Subject() != test.subject ||
			(event.Claims == nil) != (test.subject == "") {
			t.Errorf("%s: %q, %v", test.service, event.Procedure, event.Claims)
		}
		if test.reason == "" {
			if event.Denial != nil {
				t.Errorf("%s: %v", test.service, event.Denial)
			}
			continue
		}
		denial := event.Denial
		if denial == nil || denial.Reason != test.reason || denial.Unwrap() == nil || test.cause != nil && !errors.Is(denial, test.cause) {
			t.Errorf("%s: %+v, want %s", test.service, denial, test.reason)
		} else if got := slices.Concat(denial.Scopes, denial.AnyScopes); !slices.Equal(got, test.scopes) {
			t.Errorf("%s: scopes %q, want %q", test.service, got, test.scopes)
		}
	}
}

// TestPanickingObserver makes sure that what cannot be observed does not happen,
// and that what was refused stays refused for its own reason.
func TestPanickingObserver(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(func(context.Context, interceptor.Event) {
		panic("an observer's panic")
	}))
	for _, option := range []connect.HandlerOption{guard.HandlerOption(), connect.WithInterceptors(guard)} {
		server := serve(t, handlers{}.mux(option))
		for _, wire := range http2() {
			for kind := range kinds {
				for _, test := range []struct {
					service      string
					claims       claims
					organization string
					want         refusal
				}{
					{"Global", global("read:products write:products"), acme, failed},
					{"Public", global(""), acme, failed},
					{"Field", resource(acme, "read:data"), acme, failed},
					{"Field", resource(acme, "read:data"), globex, organization},
					{"Field", global("read:data"), acme, model},
					{unruled, global("read:data"), acme, ruleless},
				} {
					header := bearer(t, test.claims)
					call := server.record(header)
					_, err := server.do(t.Context(), wire, test.service, kind, header, test.organization)
					got := refused(err)
					got.challenge = ""
					if got != test.want {
						t.Errorf("%s, %s, %s: %+v, want %+v", test.service, kinds[kind], wire.name, got, test.want)
					}
					if _, seen := call.seen(); len(seen) > 0 {
						t.Errorf("%s, %s, %s: the handler saw %q", test.service, kinds[kind], wire.name, seen)
					}
				}
			}
		}
	}
	bubble(t, "at the end of a stream", func(t *testing.T) {
		lastWords := interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
			if event.Denial != nil {
				panic("an observer's panic")
			}
		})
		err := newConn("Token", connect.StreamTypeServer).serve(t.Context(), expiring(t, time.Minute, lastWords), func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			return nil
		})
		if refused(err) != expired {
			t.Error(err)
		}
	})
}

// TestObserverAmidStream makes sure that decisions are made one after another,
// even if an observer is slow: here it is so slow that the next message comes
// while it works.
func TestObserverAmidStream(t *testing.T) {
	t.Parallel()
	bubble(t, "one refusal at a time", func(t *testing.T) {
		conn := newConn("Field", connect.StreamTypeBidi)
		go func() { conn.in <- naming(globex) }()
		var guarded connect.StreamingHandlerConn
		var events []interceptor.Event
		guard := expiring(t, time.Minute, interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
			events = append(events, event)
			if len(events) == 1 {
				_, _ = receive(guarded)
			}
		}))
		err := conn.serve(t.Context(), guard, func(_ context.Context, conn connect.StreamingHandlerConn) error {
			guarded = conn
			return send(conn, acme)
		})
		if refused(err) != organization || len(events) != 1 {
			t.Errorf("%v, %d events", err, len(events))
		}
		<-conn.in
	})
	bubble(t, "nothing is sent before the observer knows", func(t *testing.T) {
		conn := newConn("Field", connect.StreamTypeBidi)
		go func() { conn.in <- naming(acme) }()
		var guarded connect.StreamingHandlerConn
		guard := expiring(t, time.Minute, interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
			if event.Denial == nil {
				_ = send(guarded, "too early")
				panic("an observer's panic")
			}
		}))
		err := conn.serve(t.Context(), guard, func(_ context.Context, conn connect.StreamingHandlerConn) error {
			guarded = conn
			_, _ = receive(conn)
			return send(conn, "too early")
		})
		if reasonOf(err) == "" || len(conn.sent) > 0 {
			t.Errorf("%v, sent %q", err, conn.sent)
		}
	})
}

// TestNew makes sure that a guard without a verifier or table is none.
func TestNew(t *testing.T) {
	t.Parallel()
	verifier, table := shared(t).verifier, rules(t)
	for name, make := range map[string]func(){
		"no verifier": func() { interceptor.New(nil, table) },
		"no table":    func() { interceptor.New(verifier, nil) },
		"nothing":     func() { interceptor.New(nil, nil) },
		"nil pointer": func() { interceptor.New((*token.Verifier)(nil), table) },
		"nil option":  func() { interceptor.New(verifier, table, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			make()
		}()
	}
}
