package interceptor_test

import (
	"bytes"
	"context"
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
	lacking = `level=WARN msg="protoauthz: refused" procedure=/test.v1.Header/Unary reason=SCOPE_INSUFFICIENT ` +
		`cause="the token lacks the scope read:data: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer" count=1`
	detailed = lacking + ` peer=192.0.2.1:1234 protocol=grpc organization=acme issuer=http://127.0.0.1:1/oidc subject=alice client=app token_organization=acme missing_scopes=[read:data]`
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
	want := `level=WARN msg="protoauthz: policy.WithShadow lets in every call of services" services="` + shadowed(table) + `"
level=INFO msg="protoauthz: interceptor.WithShadow judges by a second table, which is not enforced"
`
	if got := at(); got != want {
		t.Errorf("at start\n%s\nwant\n%s", got, want)
	}
	if _, denial := guard.Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), bearerOf("")); denial != nil {
		t.Error(denial)
	}
	lines := strings.Split(at(), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], " shadow=service peer=\"\" protocol=\"\"") || !strings.HasSuffix(lines[1], " shadow=table peer=\"\" protocol=\"\"") || !strings.HasPrefix(lines[0], `level=WARN msg="protoauthz: would have been refused" procedure=/test.v1.Read/Unary reason=TOKEN_MISSING`) ||
		!strings.HasPrefix(lines[1], `level=WARN msg="protoauthz: would have been refused" procedure=/test.v1.Read/Unary reason=TOKEN_MISSING`) {
		t.Errorf("logged %q", lines)
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
