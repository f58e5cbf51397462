package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// events collects events.
type events struct {
	mu  sync.Mutex
	all []interceptor.Event
}

func (e *events) observe(_ context.Context, event interceptor.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// outcomes returns each event in words.
func (e *events) outcomes() (texts []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		text := string(event.Shadow) + " " + string(event.Outcome())
		if event.Denial != nil {
			text += " " + string(event.Denial.Reason())
		}
		texts = append(texts, text)
	}
	return texts
}

// TestShadowClaims makes sure that a handler in shadow gets the claims of a verified token, or nil, and that a second
// table changes nothing for the handler.
func TestShadowClaims(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		table, second *policy.Table
		authorization string
		subject       string
		events        []string
	}{
		{"service, no scope", harness.ShadowRules(t), nil, "Bearer any", "a", []string{"service refused SCOPE_INSUFFICIENT"}},
		{"service, no token", harness.ShadowRules(t), nil, "", "", []string{"service refused TOKEN_MISSING"}},
		{"table beside public", harness.PublicRules(t), rules(t), "Bearer any", "", []string{"table refused SCOPE_INSUFFICIENT", " allowed"}},
		{"table beside enforced", rules(t), harness.PublicRules(t), "Bearer any", "", []string{"table allowed", " refused SCOPE_INSUFFICIENT"}},
		{"both", harness.ShadowRules(t), rules(t), "Bearer any", "a", []string{"service refused SCOPE_INSUFFICIENT", "table refused SCOPE_INSUFFICIENT"}},
		{"both, public", harness.ShadowRules(t), harness.PublicRules(t), "Bearer any", "a", []string{"service refused SCOPE_INSUFFICIENT", "table allowed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := new(events)
			guard := interceptor.New(unverified(`{"sub": "a", "exp": 4102444800, "aud": "`+api+`"}`), test.table,
				append(beside(test.second), interceptor.WithObserver(seen.observe))...)
			subject, called := "", false
			unary := guard.Interceptor().WrapUnary(func(ctx context.Context, _ connect.AnyRequest) (connect.AnyResponse, error) {
				called, subject = true, interceptor.ClaimsFromContext(ctx).Subject()
				return nil, nil
			})
			request := &unaryRequest{spec: connect.Spec{Procedure: procedure("Read", connect.StreamTypeUnary)}, header: bearerOf(test.authorization), message: naming(acme)}
			_, err := unary(t.Context(), request)
			if refused := slices.Contains(test.events, " refused SCOPE_INSUFFICIENT"); called == refused || subject != test.subject || (err != nil) != refused {
				t.Errorf("called is %t, for %q: %v", called, subject, err)
			}
			if got := seen.outcomes(); !slices.Equal(got, test.events) {
				t.Errorf("the events are %q, want %q", got, test.events)
			}
		})
	}
}

// beside returns the option for a second table, if there is one.
func beside(table *policy.Table) []interceptor.Option {
	if table == nil {
		return nil
	}
	return []interceptor.Option{interceptor.WithShadow(table)}
}

func bearerOf(authorization string) http.Header {
	if authorization == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {authorization}}
}

// TestShadowStreams makes sure that a stream in shadow goes on, and is judged as it would be if its rule was enforced.
func TestShadowStreams(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service, names string
		options        []interceptor.Option
		handler        func(t *testing.T, ctx context.Context, conn connect.StreamingHandlerConn) error
		events         []string
	}{
		"the token expires before a message": {"Field", acme, nil, func(t *testing.T, ctx context.Context, conn connect.StreamingHandlerConn) error {
			t.Helper()
			err := conn.Receive(new(message))
			time.Sleep(time.Hour) // the bubble's clock
			return errors.Join(err, conn.Receive(new(message)), conn.Send(text(acme)), ctx.Err())
		}, []string{"service allowed", "service refused TOKEN_EXPIRED"}},
		"the token expires before a message of another organization": {"Field", globex, nil, func(t *testing.T, _ context.Context, conn connect.StreamingHandlerConn) error {
			t.Helper()
			time.Sleep(time.Hour) // the bubble's clock
			return conn.Receive(new(message))
		}, []string{"service refused TOKEN_EXPIRED"}},
		"the token expires before a send": {"Token", acme, nil, func(t *testing.T, ctx context.Context, conn connect.StreamingHandlerConn) error {
			t.Helper()
			time.Sleep(time.Hour) // the bubble's clock
			return errors.Join(conn.Send(text(acme)), conn.Send(text(acme)), ctx.Err())
		}, []string{"service allowed", "service refused TOKEN_EXPIRED"}},
		"the token expires before the end": {"Token", acme, nil, func(t *testing.T, ctx context.Context, _ connect.StreamingHandlerConn) error {
			t.Helper()
			time.Sleep(time.Hour) // the bubble's clock
			return ctx.Err()
		}, []string{"service allowed", "service refused TOKEN_EXPIRED"}},
		"streams outlive tokens": {"Token", acme, []interceptor.Option{interceptor.WithoutStreamExpiry()}, func(t *testing.T, ctx context.Context, _ connect.StreamingHandlerConn) error {
			t.Helper()
			time.Sleep(time.Hour) // the bubble's clock
			return ctx.Err()
		}, []string{"service allowed"}},
		"another organization, twice": {"Field", globex, nil, func(t *testing.T, _ context.Context, conn connect.StreamingHandlerConn) error {
			t.Helper()
			got := new(message)
			err := errors.Join(conn.Receive(new(message)), conn.Receive(got), conn.Send(text(globex)))
			if got.GetOrganizationId() != globex {
				t.Errorf("the handler got %v", got)
			}
			return err
		}, []string{"service refused ORGANIZATION_MISMATCH"}},
		"a send before the first message": {"Field", acme, nil, func(t *testing.T, _ context.Context, conn connect.StreamingHandlerConn) error {
			t.Helper()
			return errors.Join(conn.Send(text(acme)), conn.Receive(new(message)))
		}, []string{"service refused ORGANIZATION_MISMATCH"}},
		"no message": {"Field", acme, nil, func(*testing.T, context.Context, connect.StreamingHandlerConn) error { return nil },
			[]string{"service refused ORGANIZATION_MISMATCH"}},
	} {
		bubble(t, name, func(t *testing.T) {
			seen := new(events)
			verify := verifierFunc(func(context.Context, string) (*token.Claims, error) {
				return token.NewClaims(token.ClaimValues{
					Issuer: "keys", Subject: "a", Audience: []string{api}, Scopes: []string{"read:data"}, OrganizationID: acme,
					Expiry: time.Now().Add(time.Minute), // the bubble's clock
				})
			})
			guard := interceptor.New(verify, harness.ShadowRules(t), append(test.options, interceptor.WithObserver(seen.observe))...)
			err := newConn(test.service, connect.StreamTypeBidi, test.names).guardedBy(t.Context(), guard, func(ctx context.Context, conn connect.StreamingHandlerConn) error {
				return test.handler(t, ctx, conn)
			})
			if err != nil {
				t.Error(err)
			}
			if got := seen.outcomes(); !slices.Equal(got, test.events) {
				t.Errorf("the events are %q, want %q", got, test.events)
			}
		})
	}
}

// TestNotJudged makes sure that a verifier holds up no call in shadow for long, and breaks none.
func TestNotJudged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		verify verifierFunc
		took   time.Duration
		event  string
	}{
		"too late": {func(ctx context.Context, _ string) (*token.Claims, error) {
			<-ctx.Done()
			return nil, token.ErrKeysUnavailable
		}, 250 * time.Millisecond, " not_judged"},
		"deaf": {func(context.Context, string) (*token.Claims, error) {
			time.Sleep(time.Hour) // the bubble's clock
			return nil, nil
		}, 250 * time.Millisecond, " not_judged VERIFIER_UNAVAILABLE"},
		"another error, too late": {func(ctx context.Context, _ string) (*token.Claims, error) {
			<-ctx.Done()
			return nil, token.ErrInvalid
		}, 250 * time.Millisecond, " not_judged VERIFIER_UNAVAILABLE"},
		"the error of its context": {func(ctx context.Context, _ string) (*token.Claims, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, 250 * time.Millisecond, " not_judged VERIFIER_UNAVAILABLE"},
		"unanswered": {func(context.Context, string) (*token.Claims, error) { return nil, token.ErrVerifierUnavailable }, 0, " not_judged VERIFIER_UNAVAILABLE"},
		"busy":       {func(context.Context, string) (*token.Claims, error) { return nil, token.ErrBusy }, 0, " not_judged VERIFIER_BUSY"},
		"a panic":    {func(context.Context, string) (*token.Claims, error) { panic("verifier") }, 0, " refused GUARD_FAILED"},
		"nothing":    {func(context.Context, string) (*token.Claims, error) { return nil, nil }, 0, " refused GUARD_FAILED"},
	} {
		for kind, table := range map[interceptor.Shadow][2]*policy.Table{
			interceptor.ShadowService: {harness.ShadowRules(t), nil},
			interceptor.ShadowTable:   {harness.PublicRules(t), rules(t)},
		} {
			bubble(t, name+", "+string(kind), func(t *testing.T) {
				seen := new(events)
				guard := interceptor.New(test.verify, table[0], append(beside(table[1]), interceptor.WithObserver(seen.observe),
					interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
						if event.Shadow != "" {
							panic("an observer")
						}
					}))...)
				start := time.Now() // the bubble's clock
				call, denial := guard.Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), bearerOf("Bearer any"))
				if denial != nil || time.Since(start) != test.took { // the bubble's clock
					t.Errorf("%v after %v", denial, time.Since(start))
				} else if denial = call.Judge(naming(acme)); denial != nil {
					t.Error(denial)
				}
				if got := seen.outcomes(); len(got) == 0 || !strings.HasPrefix(got[0], string(kind)+test.event) {
					t.Errorf("the events are %q", got)
				}
			})
		}
	}
}

// TestShadowExpiry makes sure that an event tells whether the end of a token ends the stream anyway.
func TestShadowExpiry(t *testing.T) {
	t.Parallel()
	for anyway, table := range map[bool]*policy.Table{true: rules(t), false: harness.PublicRules(t)} {
		for name, handler := range map[string]func(connect.StreamingHandlerConn) error{
			"receives": func(conn connect.StreamingHandlerConn) error { return conn.Receive(new(message)) },
			"sends":    func(conn connect.StreamingHandlerConn) error { return conn.Send(text(acme)) },
			"returns":  func(connect.StreamingHandlerConn) error { return nil },
		} {
			bubble(t, fmt.Sprintf("%s, %t", name, anyway), func(t *testing.T) {
				seen := new(events)
				verify := verifying(t, func(v *token.ClaimValues) {
					v.Scopes, v.OrganizationID, v.Expiry = []string{"read:data"}, acme, time.Now().Add(time.Minute) // the bubble's clock
				})
				guard := interceptor.New(verify, table, interceptor.WithShadow(rules(t)), interceptor.WithObserver(seen.observe))
				err := newConn("Token", connect.StreamTypeBidi, acme).guardedBy(t.Context(), guard, func(_ context.Context, conn connect.StreamingHandlerConn) error {
					time.Sleep(time.Hour) // the bubble's clock
					return handler(conn)
				})
				n := slices.IndexFunc(seen.all, func(event interceptor.Event) bool { return event.Shadow != "" && event.Denial != nil })
				if (err != nil) != anyway || n < 0 || seen.all[n].Denial.Reason() != expired.reason || seen.all[n].RefusedAnyway != anyway {
					t.Errorf("%v, the events are %+v", err, seen.all)
				}
			})
		}
	}
}
