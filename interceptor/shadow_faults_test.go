package interceptor_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// verifying is a verifier that accepts every token, with the claims of alice.
func verifying(t testing.TB, edit func(*token.ClaimValues)) verifierFunc {
	t.Helper()
	return func(context.Context, string) (*token.Claims, error) {
		values := token.ClaimValues{
			Issuer: "keys", Subject: "alice", Audience: []string{api}, Scopes: []string{"read:a"},
			Expiry: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		}
		edit(&values)
		return token.NewClaims(values)
	}
}

func ofAlice(*token.ClaimValues) {}

const (
	orders    = "order.v1.OrderService"
	orderCall = "/order.v1.OrderService/Call0"
	readsA    = `option (protoauthz.v1.method) = {scopes: ["read:a"]};`
	readsB    = `option (protoauthz.v1.method) = {scopes: ["read:b"]};`
)

// orderTable compiles a service of one global method.
func orderTable(t testing.TB, method string, options ...policy.Option) *policy.Table {
	t.Helper()
	return ordersTable(t, []string{method}, options...)
}

// ordersTable compiles a service of global methods.
func ordersTable(t testing.TB, methods []string, options ...policy.Option) *policy.Table {
	t.Helper()
	source := protos.OrderService(`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};`, methods...)
	files, err := protos.Compile(t.Context(), "../proto", map[string]string{"order.proto": source}, "order.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(files, append(options, policy.WithAudience(api))...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// issuing returns an issuer with keys of its own.
func issuing(t *testing.T) *devissuer.Issuer {
	t.Helper()
	issuer, err := devissuer.New(issuerEndpoint+"/oidc", devissuer.Config{SigningAlgorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// TestShadowRotation makes sure that new keys which come too late for a call in shadow refuse nothing: an enforced rule
// waits for the keys.
func TestShadowRotation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		table, second *policy.Table
		took          time.Duration
		want          []string
	}{
		{"enforced", rules(t), nil, 600 * time.Millisecond, []string{" allowed"}},
		{"service", harness.ShadowRules(t), nil, 250 * time.Millisecond, []string{"service not_judged VERIFIER_UNAVAILABLE"}},
		{"table", harness.PublicRules(t), rules(t), 250 * time.Millisecond, []string{"table not_judged VERIFIER_UNAVAILABLE", " allowed"}},
		{"table beside enforced", rules(t), rules(t), 600 * time.Millisecond, []string{"table allowed", " allowed"}},
	} {
		bubble(t, test.name, func(t *testing.T) {
			var current atomic.Pointer[devissuer.Issuer]
			current.Store(issuing(t))
			var delay atomic.Int64
			verifier, err := token.NewVerifier(token.Logto(issuerEndpoint), token.WithTransport(inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Duration(delay.Load())) // the bubble's clock
				current.Load().ServeHTTP(w, r)
			}))))
			if err != nil {
				t.Fatal(err)
			}
			if err := verifier.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			delay.Store(int64(300 * time.Millisecond)) // of the metadata, and of the keys
			current.Store(issuing(t))
			seen := new(events)
			guard := interceptor.New(verifier, test.table, append(beside(test.second), interceptor.WithObserver(seen.observe))...)
			start := time.Now() // the bubble's clock
			_, denial := guard.Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), bearerOf("Bearer "+mint(t, current.Load(), global("read:a"))))
			if took := time.Since(start); denial != nil || took != test.took { // the bubble's clock
				t.Errorf("%v after %v, want %v", denial, took, test.took)
			}
			if got := seen.outcomes(); !slices.Equal(got, test.want) {
				t.Errorf("the events are %q, want %q", got, test.want)
			}
		})
	}
}

// TestShadowOfUnannotated makes sure that a second table is tried for methods which the first table does not judge by
// their tokens, and that the claims that the second table alone has asked for stay away from handlers.
func TestShadowOfUnannotated(t *testing.T) {
	t.Parallel()
	refused := policy.WithUnannotatedRefused(orders)
	for _, test := range []struct {
		name          string
		table, second *policy.Table
		authorization string
		reason        interceptor.Reason // "" if the call is let in
		want          []string
	}{
		{"refused", orderTable(t, " ", refused), orderTable(t, readsA), "Bearer any", "RULE_MISSING", []string{"table allowed", " refused RULE_MISSING"}},
		{"refused, for want of a scope", orderTable(t, " ", refused), orderTable(t, readsB), "Bearer any", "RULE_MISSING", []string{"table refused SCOPE_INSUFFICIENT", " refused RULE_MISSING"}},
		{"refused, for want of a token", orderTable(t, " ", refused), orderTable(t, readsA), "", "RULE_MISSING", []string{"table refused TOKEN_MISSING", " refused RULE_MISSING"}},
		{"refused in shadow", orderTable(t, " ", refused, policy.WithShadow(orders)), orderTable(t, readsA), "Bearer any", "", []string{"service refused RULE_MISSING", "table allowed"}},
		{"refused by both", orderTable(t, readsA), orderTable(t, " ", refused), "Bearer any", "", []string{"table refused RULE_MISSING", " allowed"}},
		{"unknown to the second", orderTable(t, readsA), rules(t), "Bearer any", "", []string{"table refused RULE_MISSING", " allowed"}},
		{"unknown to the first", rules(t), orderTable(t, readsA), "Bearer any", "RULE_MISSING", []string{" refused RULE_MISSING"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := new(events)
			guard := interceptor.New(verifying(t, ofAlice), test.table, interceptor.WithShadow(test.second), interceptor.WithObserver(seen.observe))
			call, denial := guard.Admit(t.Context(), orderCall, bearerOf(test.authorization))
			if denial.Reason() != test.reason && denial != nil || (denial == nil) != (test.reason == "") {
				t.Errorf("%v, want %q", denial, test.reason)
			}
			if got := seen.outcomes(); !slices.Equal(got, test.want) {
				t.Errorf("the events are %q, want %q", got, test.want)
			}
			for _, event := range seen.all {
				if want := procedureIn(map[bool]*policy.Table{false: test.table, true: test.second}[event.Shadow == interceptor.ShadowTable]); event.Procedure != want || (event.Rule() == nil) != (want == interceptor.UnknownProcedure) {
					t.Errorf("an event of the kind %q has the procedure %s and the rule %v", event.Shadow, event.Procedure, event.Rule())
				}
			}
			if call == nil {
				return
			}
			if claims := interceptor.ClaimsFromContext(call.Context()); (claims != nil) != slices.Contains(test.want, " allowed") {
				t.Errorf("the handler has the claims of %q", claims.Subject())
			}
		})
	}
}

// procedureIn returns the procedure of an event by a table.
func procedureIn(table *policy.Table) string {
	if _, ok := table.Lookup(orderCall); !ok {
		return interceptor.UnknownProcedure
	}
	return orderCall
}

// TestShadowVerifiesForARule makes sure that no token is verified for a second table that does not judge the token.
func TestShadowVerifiesForARule(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]*policy.Table{
		"public":  orderTable(t, `option (protoauthz.v1.method) = {public: true};`),
		"refused": orderTable(t, " ", policy.WithUnannotatedRefused(orders)),
		"unknown": rules(t),
	} {
		seen := new(events)
		guard := interceptor.New(verifierFunc(func(context.Context, string) (*token.Claims, error) {
			t.Errorf("%s: the verifier is called", name)
			return nil, token.ErrInvalid
		}), orderTable(t, `option (protoauthz.v1.method) = {public: true};`), interceptor.WithShadow(second), interceptor.WithObserver(seen.observe))
		if _, denial := guard.Admit(t.Context(), orderCall, bearerOf("Bearer any")); denial != nil {
			t.Errorf("%s: %v", name, denial)
		}
		if got := seen.outcomes(); len(got) != 2 {
			t.Errorf("%s: the events are %q", name, got)
		}
	}
}

// TestShadowForeignClaims makes sure that a handler in shadow does not take the token of another API, or of another
// permission model, for a token of its own.
func TestShadowForeignClaims(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service string
		edit    func(*token.ClaimValues)
		subject string
		want    string
	}{
		"allowed":         {"Read", ofAlice, "alice", "service allowed"},
		"without a scope": {"Read", func(v *token.ClaimValues) { v.Scopes = nil }, "alice", "service refused SCOPE_INSUFFICIENT"},
		"another API":     {"Read", func(v *token.ClaimValues) { v.Audience = []string{"https://other.example.com"} }, "", "service refused AUDIENCE_MISMATCH"},
		"no organization": {"Header", ofAlice, "", "service refused MODEL_MISMATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := new(events)
			guard := interceptor.New(verifying(t, test.edit), harness.ShadowRules(t), interceptor.WithObserver(seen.observe))
			twice := interceptor.New(verifying(t, test.edit), harness.ShadowRules(t), interceptor.WithShadow(rules(t)))
			for _, guard := range []*interceptor.Guard{guard, twice} {
				call, denial := guard.Admit(t.Context(), procedure(test.service, connect.StreamTypeUnary), bearerOf("Bearer any"))
				if denial != nil {
					t.Fatal(denial)
				}
				if claims := interceptor.ClaimsFromContext(call.Context()); claims.Subject() != test.subject || (claims == nil) != (test.subject == "") {
					t.Errorf("the handler has the claims of %q, want %q", claims.Subject(), test.subject)
				}
			}
			if got := seen.outcomes(); !slices.Equal(got, []string{test.want}) {
				t.Errorf("the events are %q, want %q", got, test.want)
			}
		})
	}
}

// TestShadowEarlyEnd makes sure that claims which end before their token, as an introspector's do, do not look expired
// in shadow, where nobody has the token verified again.
func TestShadowEarlyEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		waits time.Duration
		want  []string
	}{
		"after the claims": {5 * time.Minute, []string{"service allowed"}},
		"after the token":  {10 * time.Minute, []string{"service allowed", "service refused TOKEN_EXPIRED"}},
	} {
		bubble(t, name, func(t *testing.T) {
			seen := new(events)
			now := time.Now() // the bubble's clock
			guard := interceptor.New(verifying(t, func(v *token.ClaimValues) {
				v.Expiry, v.Deadline = now.Add(10*time.Minute), now.Add(time.Minute)
			}), harness.ShadowRules(t), interceptor.WithObserver(seen.observe))
			err := newConn("Read", connect.StreamTypeBidi, acme).guardedBy(t.Context(), guard, func(_ context.Context, conn connect.StreamingHandlerConn) error {
				time.Sleep(test.waits) // the bubble's clock
				return conn.Receive(new(message))
			})
			if err != nil {
				t.Error(err)
			}
			if got := seen.outcomes(); !slices.Equal(got, test.want) {
				t.Errorf("the events are %q, want %q", got, test.want)
			}
		})
	}
}

// TestShadowOrganization makes sure that an event in shadow names the organization that the event of an enforced rule
// names, also of a refused token.
func TestShadowOrganization(t *testing.T) {
	t.Parallel()
	invalid := verifierFunc(func(context.Context, string) (*token.Claims, error) { return nil, token.ErrInvalid })
	header := http.Header{"X-Organization-Id": {acme}}
	header.Set("Authorization", "Bearer any")
	for name, table := range map[string]*policy.Table{"enforced": rules(t), "service": harness.ShadowRules(t)} {
		for verified, verifier := range map[string]verifierFunc{"invalid": invalid, "another organization": verifying(t, func(v *token.ClaimValues) { v.OrganizationID = globex })} {
			seen := new(events)
			_, _ = interceptor.New(verifier, table, interceptor.WithObserver(seen.observe)).Admit(t.Context(), procedure("Header", connect.StreamTypeUnary), header)
			if len(seen.all) != 1 || seen.all[0].Denial == nil || seen.all[0].Organization != acme {
				t.Errorf("%s, %s: %q, %+v", name, verified, seen.outcomes(), seen.all)
			}
		}
	}
}

// TestShadowPanickingHandler makes sure that the header which a handler of a public stream has set before it panics
// reaches the client beside a second table, too.
func TestShadowPanickingHandler(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]*policy.Table{"alone": nil, "beside a second table": rules(t)} {
		guard := interceptor.New(verifying(t, ofAlice), harness.PublicRules(t), append(beside(second), interceptor.WithObserver(new(events).observe))...)
		conn := newConn("Read", connect.StreamTypeBidi, acme)
		if value := recovered(func() {
			_ = conn.guardedBy(t.Context(), guard, func(_ context.Context, conn connect.StreamingHandlerConn) error {
				conn.ResponseHeader().Set("X-Handler", "set")
				conn.ResponseTrailer().Set("X-Handler", "set")
				panic("handler")
			})
		}); value != "handler" {
			t.Errorf("%s: recovered %v", name, value)
		}
		if conn.header.Get("X-Handler") != "set" || conn.trailer.Get("X-Handler") != "set" {
			t.Errorf("%s: header %v, trailer %v", name, conn.header, conn.trailer)
		}
	}
}

// An unreadableMessage panics when it is read.
type unreadableMessage struct{ *message }

func (unreadableMessage) ProtoReflect() protoreflect.Message { panic("message") }

// A panickingHeader is a header of an adapter that panics.
type panickingHeader struct{}

func (panickingHeader) Values(string) []string { panic("header") }

// TestShadowUnreadableHeader makes sure that a header that panics when it is read ends no call in shadow, and refuses a
// call whose rule is enforced.
func TestShadowUnreadableHeader(t *testing.T) {
	t.Parallel()
	for want, table := range map[interceptor.Reason]*policy.Table{"": harness.ShadowRules(t), "GUARD_FAILED": rules(t)} {
		guard := interceptor.New(verifying(t, ofAlice), table)
		value := recovered(func() {
			_, denial := guard.Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), panickingHeader{})
			if (denial == nil) != (want == "") || denial != nil && denial.Reason() != want {
				t.Errorf("%v, want %q", denial, want)
			}
		})
		if value != nil {
			t.Errorf("Admit panics with %v", value)
		}
	}
}

// TestShadowUnreadableMessage makes sure that a message which cannot be read ends no call in shadow.
func TestShadowUnreadableMessage(t *testing.T) {
	t.Parallel()
	member := verifying(t, func(v *token.ClaimValues) { v.Scopes, v.OrganizationID = []string{"read:data"}, acme })
	for name, tables := range map[string][2]*policy.Table{
		"public": {harness.PublicRules(t), nil}, "service": {harness.ShadowRules(t), nil}, "table": {harness.PublicRules(t), rules(t)},
	} {
		for kind, unreadable := range map[string]any{"panics": unreadableMessage{}, "nil": (*message)(nil), "none": nil} {
			guard := interceptor.New(member, tables[0], append(beside(tables[1]), interceptor.WithObserver(new(events).observe))...)
			call, denial := guard.Admit(t.Context(), procedure("Field", connect.StreamTypeUnary), bearerOf("Bearer any"))
			if denial != nil {
				t.Fatal(denial)
			}
			if value := recovered(func() { denial = call.Judge(unreadable) }); value != nil || denial != nil {
				t.Errorf("%s, %s: %v, recovered %v", name, kind, denial, value)
			}
		}
	}
}

// TestShadowBesideRefusal makes sure that a refusal by both tables has one line in the log, that the second table's event
// alone tells that the first refuses anyway, and that an observer which panics in shadow is told once.
func TestShadowBesideRefusal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		second *policy.Table
		want   []string
		anyway bool
	}{
		"both":  {orderTable(t, readsB), []string{"table refused SCOPE_INSUFFICIENT", " refused SCOPE_INSUFFICIENT"}, true},
		"first": {orderTable(t, readsA), []string{"table allowed", " refused SCOPE_INSUFFICIENT"}, false},
	} {
		seen, text := new(events), new(bytes.Buffer)
		guard := interceptor.New(verifying(t, ofAlice), orderTable(t, readsB), interceptor.WithShadow(test.second), interceptor.WithLogger(untimed(text)),
			interceptor.WithObserver(seen.observe), interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
				if event.Shadow != "" {
					panic("observer")
				}
			}))
		text.Reset()
		_, _ = guard.Admit(t.Context(), orderCall, bearerOf("Bearer any"))
		if got := seen.outcomes(); !slices.Equal(got, test.want) {
			t.Fatalf("%s: the events are %q, want %q", name, got, test.want)
		}
		if seen.all[0].RefusedAnyway != test.anyway || seen.all[1].RefusedAnyway {
			t.Errorf("%s: refused anyway: %t, then %t", name, seen.all[0].RefusedAnyway, seen.all[1].RefusedAnyway)
		}
		if got := strings.Count(text.String(), "\n"); got != 1 {
			t.Errorf("%s: logged %s", name, text)
		}
	}
}
