package interceptor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const aliceToken = `{"sub": "alice", "client_id": "app", "scope": "openid", "organization_id": "acme", "exp": 4102444800, "aud": "` + api + `"}`

// untimed writes lines without a time.
func untimed(text *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}}))
}

// refuse makes a call that is refused for want of a scope, in the organization acme.
func refuse(t *testing.T, guard *interceptor.Guard, names string) {
	t.Helper()
	header := bearerOf("Bearer any")
	header.Set("X-Organization-Id", names)
	if _, denial := guard.Admit(t.Context(), procedure("Header", connect.StreamTypeUnary), from{header}); denial == nil {
		t.Error("the call is let in")
	}
}

// A from is a header that tells the client.
type from struct{ http.Header }

func (from) Peer() connect.Peer {
	return connect.Peer{Addr: "192.0.2.1:1234", Protocol: connect.ProtocolGRPC}
}

const (
	helping    = ` help=https://github.com/protoauthz/protoauthz/blob/main/interceptor/docs/troubleshooting.md#`
	refusedFor = `level=WARN msg="protoauthz: refused" procedure=/test.v1.Header/Unary reason=SCOPE_INSUFFICIENT ` +
		`cause="the token lacks the scope read:data: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer" count=1`
	lacking  = refusedFor + helping + `scope_insufficient`
	detailed = refusedFor + ` peer=192.0.2.1:1234 protocol=grpc organization=acme issuer=http://127.0.0.1:1/oidc subject=alice client=app token_organization=acme missing_scopes=[read:data]` + helping + `scope_insufficient`
)

// TestDefaultLog makes sure that a guard without an observer logs why it refuses, and nothing of any claims.
func TestDefaultLog(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	_ = harness.Logged(t) // which puts the logger of the process back
	observer := interceptor.WithObserver(func(context.Context, interceptor.Event) {})
	for name, test := range map[string]struct {
		options    []interceptor.Option
		want, user string
	}{
		"default":                    {nil, lacking, ""},
		"an observer":                {[]interceptor.Option{observer}, "", ""},
		"beside an observer":         {[]interceptor.Option{observer, interceptor.WithDefaultLog()}, lacking, ""},
		"nothing":                    {[]interceptor.Option{interceptor.WithLogger(slog.New(slog.DiscardHandler))}, "", ""},
		"a logger":                   {[]interceptor.Option{interceptor.WithLogger(slog.New(userHandler{}))}, "", detailed},
		"a logger, then the default": {[]interceptor.Option{observer, interceptor.WithLogger(slog.New(userHandler{})), interceptor.WithDefaultLog()}, "", detailed},
		"the default, then a logger": {[]interceptor.Option{interceptor.WithDefaultLog(), interceptor.WithLogger(slog.New(userHandler{}))}, "", detailed},
	} {
		written, user := new(bytes.Buffer), new(bytes.Buffer)
		slog.SetDefault(untimed(written))
		userHandlerText = user
		refuse(t, interceptor.New(unverified(aliceToken), rules(t), test.options...), acme)
		if got := strings.TrimSpace(written.String()); got != test.want {
			t.Errorf("%s: by default\n     %s\nwant %s", name, got, test.want)
		}
		if got := strings.TrimSpace(user.String()); got != test.user {
			t.Errorf("%s: to the logger\n     %s\nwant %s", name, got, test.user)
		}
	}
}

var userHandlerText *bytes.Buffer

// A userHandler writes to userHandlerText.
type userHandler struct{ slog.Handler }

func (userHandler) Enabled(context.Context, slog.Level) bool { return true }

func (userHandler) Handle(ctx context.Context, record slog.Record) error {
	return untimed(userHandlerText).Handler().Handle(ctx, record)
}

// TestLogRate makes sure that a reason has one line in a second, whatever is refused, and that the lines count all.
func TestLogRate(t *testing.T) {
	t.Parallel()
	bubble(t, "rate", func(t *testing.T) {
		text := new(bytes.Buffer)
		guard := interceptor.New(unverified(aliceToken), rules(t), interceptor.WithLogger(untimed(text)))
		for range 100 { // every 30 ms
			refuse(t, guard, acme)
			if _, denial := guard.Admit(t.Context(), "/unknown", bearerOf("")); denial == nil {
				t.Error("the call is let in")
			}
			time.Sleep(30 * time.Millisecond) // the bubble's clock
		}
		for _, reason := range []string{"SCOPE_INSUFFICIENT", "RULE_MISSING"} {
			var counts []string
			for line := range strings.Lines(text.String()) {
				if strings.Contains(line, " reason="+reason+" ") {
					_, after, _ := strings.Cut(line, " count=")
					counts = append(counts, strings.Fields(after)[0])
				}
			}
			if got := strings.Join(counts, " "); got != "1 34 34" {
				t.Errorf("%s: the counts are %s", reason, got)
			}
		}
	})
	bubble(t, "a busy procedure hides no other", func(t *testing.T) {
		for name, table := range map[string]*policy.Table{"enforced": rules(t), "shadow": harness.ShadowRules(t)} {
			text := new(bytes.Buffer)
			guard := interceptor.New(unverified(aliceToken), table, interceptor.WithLogger(untimed(text)))
			for range 6 { // the busy procedure is called first in each second
				for _, service := range []string{"Read", "Global"} {
					_, _ = guard.Admit(t.Context(), procedure(service, connect.StreamTypeUnary), bearerOf(""))
					time.Sleep(500 * time.Millisecond) // the bubble's clock
				}
			}
			if got := strings.Count(text.String(), " other_procedures=[/test.v1.Global/Unary] "); got != 5 || strings.Count(text.String(), " count=") != 6 {
				t.Errorf("%s: %d lines name the other procedure:\n%s", name, got, text)
			}
		}
	})
	bubble(t, "many procedures", func(t *testing.T) {
		text := new(bytes.Buffer)
		table := rules(t)
		guard := interceptor.New(unverified(aliceToken), table, interceptor.WithLogger(untimed(text)))
		for range 2 {
			for _, rule := range table.Rules() {
				_, _ = guard.Admit(t.Context(), rule.Procedure, bearerOf(""))
			}
			time.Sleep(time.Second) // the bubble's clock
		}
		_, others, _ := strings.Cut(text.String(), " other_procedures=\"[")
		if others, _, _ = strings.Cut(others, "]"); len(strings.Fields(others)) != 10 {
			t.Errorf("a line names %q", others)
		}
	})
	bubble(t, "one procedure hides no other", func(t *testing.T) {
		text := new(bytes.Buffer)
		guard := interceptor.New(unverified(aliceToken), rules(t), interceptor.WithLogger(untimed(text)))
		for range 2 {
			for _, service := range []string{"Read", "Read", "Global", "Token", "Global", "Read"} {
				_, _ = guard.Admit(t.Context(), procedure(service, connect.StreamTypeUnary), bearerOf(""))
			}
			time.Sleep(time.Second) // the bubble's clock
		}
		if want := " count=6 other_procedures=\"[/test.v1.Global/Unary /test.v1.Token/Unary]\" "; strings.Count(text.String(), "\n") != 2 || !strings.Contains(text.String(), want) {
			t.Errorf("logged\n%s\nwant%s", text, want)
		}
	})
}

// TestLogLines makes sure of the message and the last attributes of lines.
func TestLogLines(t *testing.T) {
	t.Parallel()
	const refused, from = `level=WARN msg="protoauthz: refused"`, ` count=1 peer="" protocol=""`
	unavailable := verifierFunc(func(context.Context, string) (*token.Claims, error) { return nil, token.ErrVerifierUnavailable })
	broken := verifierFunc(func(context.Context, string) (*token.Claims, error) { return nil, nil })
	global := strings.Replace(aliceToken, `"organization_id": "acme", `, "", 1)
	for _, test := range []struct {
		name       string
		verifier   interceptor.Verifier
		table      *policy.Table
		service    string
		begin, end string
	}{
		{"a scope and a choice", unverified(global), rules(t), "Any", refused, ` missing_scopes=[read:a] missing_any_scopes="[sell buy]"` + helping + "scope_insufficient"},
		{"a scope", unverified(global), rules(t), "Read", refused, ` missing_scopes=[read:a]` + helping + "scope_insufficient"},
		{"a choice", unverified(strings.Replace(global, "openid", "read:a", 1)), rules(t), "Any", refused, ` client=app missing_any_scopes="[sell buy]"` + helping + "scope_insufficient"},
		{"in shadow", unavailable, harness.ShadowRules(t), "Read", `level=WARN msg="protoauthz: not judged"`, ` count=1 shadow=service peer="" protocol=""` + helping + "verifier_unavailable"},
		{"unavailable", unavailable, rules(t), "Read", refused, from + helping + "verifier_unavailable"},
		{"a fault of the server", broken, rules(t), "Read", `level=ERROR msg="protoauthz: refused"`, from + helping + "guard_failed"},
		{"a fault of the server, in shadow", broken, harness.ShadowRules(t), "Read", `level=ERROR msg="protoauthz: would have been refused"`, ` count=1 shadow=service peer="" protocol=""` + helping + "guard_failed"},
	} {
		text := new(bytes.Buffer)
		guard := interceptor.New(test.verifier, test.table, interceptor.WithLogger(untimed(text)))
		text.Reset() // which holds what is not enforced
		_, _ = guard.Admit(t.Context(), procedure(test.service, connect.StreamTypeUnary), bearerOf("Bearer any"))
		if got := strings.TrimSpace(text.String()); !strings.HasPrefix(got, test.begin+" procedure=") || !strings.HasSuffix(got, test.end) {
			t.Errorf("%s: logged %s", test.name, got)
		}
	}
}

type loggedKey struct{}

// A contextHandler adds an attribute of the context, or panics.
type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, record slog.Record) error {
	value, ok := ctx.Value(loggedKey{}).(string)
	if !ok {
		panic(errors.New("no value in the context"))
	}
	record.Add("trace", value)
	return h.Handler.Handle(ctx, record)
}

// TestLoggerContext makes sure that the handler of a logger gets the context of the call, and that a logger that
// panics breaks no call.
func TestLoggerContext(t *testing.T) {
	t.Parallel()
	text := new(bytes.Buffer)
	guard := interceptor.New(unverified(aliceToken), rules(t), interceptor.WithLogger(slog.New(contextHandler{untimed(text).Handler()})))
	path := procedure("Read", connect.StreamTypeUnary)
	if _, denial := guard.Admit(t.Context(), path, bearerOf("")); denial == nil || denial.Reason() != missing.reason || text.Len() > 0 {
		t.Errorf("%v, logged %s", denial, text)
	}
	_, _ = guard.Admit(context.WithValue(t.Context(), loggedKey{}, "4bf9"), path, bearerOf("Basic any"))
	if !strings.Contains(text.String(), "trace=4bf9") {
		t.Errorf("logged %s", text)
	}
}

// TestNotEnforcedLog makes sure that a server says at start what it does not enforce, and in each line of a call that the
// call goes on.
func TestNotEnforcedLog(t *testing.T) {
	t.Parallel()
	text := new(bytes.Buffer)
	logger := interceptor.WithLogger(untimed(text))
	at := func() string {
		defer text.Reset()
		return text.String()
	}
	if _ = interceptor.New(unverified(aliceToken), rules(t), logger); text.Len() > 0 {
		t.Errorf("logged %s", text)
	}
	table := harness.ShadowRules(t)
	guard := interceptor.New(unverified(aliceToken), table, logger, interceptor.WithShadow(rules(t)))
	want := `level=WARN msg="protoauthz: not enforced: policy.WithShadow, or shadow in authz.json, lets in every call of these services" services="` + shadowed(table) + `"` + helping + `every-call-is-let-in
level=INFO msg="protoauthz: not enforced: interceptor.WithShadow judges by a second table beside the first"` + helping + `every-call-is-let-in
`
	if got := at(); got != want {
		t.Errorf("at start\n%s\nwant\n%s", got, want)
	}
	_ = interceptor.New(unverified(aliceToken), ordersTable(t, []string{readsA, " "}, policy.WithUnannotatedOpen(orders)), logger)
	want = `level=WARN msg="protoauthz: not enforced: policy.WithUnannotatedOpen, or unannotatedOpen in authz.json, lets everybody call the methods without annotation of these services" services=[order.v1.OrderService]` + helping + `every-call-is-let-in
`
	if got := at(); got != want {
		t.Errorf("at start\n%s\nwant\n%s", got, want)
	}
	if _, denial := guard.Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), bearerOf("")); denial != nil {
		t.Error(denial)
	}
	lines := strings.Split(at(), "\n")
	const end = ` peer="" protocol=""` + helping + "token_missing"
	if len(lines) != 3 || !strings.HasSuffix(lines[0], " shadow=service"+end) || !strings.HasSuffix(lines[1], " shadow=table"+end) || !strings.HasPrefix(lines[0], `level=WARN msg="protoauthz: would have been refused" procedure=/test.v1.Read/Unary reason=TOKEN_MISSING`) ||
		!strings.HasPrefix(lines[1], `level=WARN msg="protoauthz: would have been refused" procedure=/test.v1.Read/Unary reason=TOKEN_MISSING`) {
		t.Errorf("logged %q", lines)
	}
}

// TestNotEnforcedDefault makes sure that a server says what it does not enforce also without a logger, and that a logger
// that panics does not keep a server from starting.
func TestNotEnforcedDefault(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	text := harness.Logged(t)
	observer := interceptor.WithObserver(func(context.Context, interceptor.Event) {})
	for name, options := range map[string][]interceptor.Option{"default": nil, "an observer": {observer}} {
		text.Reset()
		if _ = interceptor.New(unverified(aliceToken), harness.ShadowRules(t), options...); strings.Count(text.String(), "policy.WithShadow, or shadow in authz.json, lets in every call") != 1 {
			t.Errorf("%s: logged %s", name, text)
		}
	}
	panicking := interceptor.WithLogger(slog.New(contextHandler{untimed(text).Handler()}))
	if value := recovered(func() { interceptor.New(unverified(aliceToken), harness.ShadowRules(t), panicking) }); value != nil {
		t.Errorf("New panics with %v", value)
	}
}

// shadowed returns the services whose rules are not enforced.
func shadowed(table *policy.Table) string {
	var names []string
	for _, rule := range table.Rules() {
		name, _, _ := strings.Cut(rule.Procedure[1:], "/")
		if rule.Shadow && (len(names) == 0 || names[len(names)-1] != name) {
			names = append(names, name)
		}
	}
	return "[" + strings.Join(names, " ") + "]"
}

// A peerHeader is a header of a client whose address and organization are long and strange.
type peerHeader struct {
	http.Header
	addr string
}

func (p peerHeader) Peer() connect.Peer {
	return connect.Peer{Addr: p.addr, Protocol: connect.ProtocolConnect}
}

// TestLoggedTextIsPrintable makes sure that text of clients and of issuers cannot pass for lines of a log, nor fill the
// log.
func TestLoggedTextIsPrintable(t *testing.T) {
	t.Parallel()
	endless := strings.Repeat("x", 100_000)
	for name, test := range map[string]struct{ claim, sent, wantClaim, wantSent string }{
		"strange": {"x\u202e\"", "x\u202e\u009b2J\n\"", `x\u202e"`, `x\u202e\u009b2J\n"`},
		"endless": {endless, endless, endless[:200], endless[:200]},
	} {
		var line bytes.Buffer
		guard := interceptor.New(verifying(t, func(v *token.ClaimValues) {
			v.Issuer, v.Subject, v.ClientID, v.OrganizationID, v.Scopes = test.claim, test.claim, test.claim, test.claim, nil
		}), rules(t), interceptor.WithLogger(slog.New(slog.NewJSONHandler(&line, nil))))
		header := http.Header{"Authorization": {"Bearer any"}, "X-Organization-Id": {test.sent}}
		if _, denial := guard.Admit(t.Context(), procedure("Header", connect.StreamTypeUnary), peerHeader{header, test.sent}); denial == nil {
			t.Errorf("%s: the call is let in", name)
		}
		got := map[string]any{}
		if err := json.Unmarshal(line.Bytes(), &got); err != nil || line.Len() > 2500 {
			t.Errorf("%s: %v, a line of %d bytes", name, err, line.Len())
		}
		for key, want := range map[string]string{
			"peer": test.wantSent, "organization": test.wantSent,
			"issuer": test.wantClaim, "subject": test.wantClaim, "client": test.wantClaim, "token_organization": test.wantClaim,
		} {
			if got[key] != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got[key], want)
			}
		}
	}
}

// TestLoggedWay makes sure that a line names the way that its reason is of, if the rule has several.
func TestLoggedWay(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Organization": "", "ThreeWays": ` way=0`, "LastWay": ` way=1`} {
		var text bytes.Buffer
		admit := measuredAdmission(t, name, nil, interceptor.WithLogger(untimed(&text)))
		if denial := admit(); denial == nil || !strings.Contains(text.String(), ` reason=SCOPE_INSUFFICIENT`+want+` cause=`) {
			t.Errorf("%s: %v is logged as %s", name, denial, text.String())
		}
	}
}
