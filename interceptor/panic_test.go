package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// explode panics. Tests look for its name in stacks.
func explode(value any) { panic(value) }

// recovered is the value with which a call panics.
func recovered(call func()) (value any) {
	defer func() { value = recover() }()
	call()
	return nil
}

// again is an interceptor that recovers and panics again.
func again(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		defer func() {
			if value := recover(); value != nil {
				panic(value)
			}
		}()
		return next(ctx, conn)
	}
}

// An impostor implements [runtime.Error] outside of the runtime.
type impostor string

func (i impostor) Error() string { return string(i) }
func (impostor) RuntimeError()   {}

// TestOutsidePanic makes sure that the panic of a streaming handler is raised with its own value, and that
// its stack is logged once, without the value.
func TestOutsidePanic(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	text := harness.Logged(t)
	type secret struct{ card string }
	aborted := fmt.Errorf("wrapped: %w", http.ErrAbortHandler)
	var none []int
	for _, test := range []struct {
		name  string
		panic func()
		value any // nil: the runtime panics
		want  string
	}{
		{"a string", func() { explode("secret") }, "secret", "panic=string "},
		{"an error", func() { explode(io.EOF) }, io.EOF, "panic=*errors.errorString "},
		{"a struct", func() { explode(secret{"secret"}) }, secret{"secret"}, "panic=interceptor_test.secret "},
		{"a value that cannot be compared", func() { explode([]string{"secret"}) }, []string{"secret"}, "panic=[]string "},
		{"what net/http does not log", func() { explode(http.ErrAbortHandler) }, http.ErrAbortHandler, ""},
		{"what net/http logs", func() { explode(aborted) }, aborted, "panic=*fmt.wrapError "},
		{"the runtime's", func() { explode(none[0]) }, nil, `panic="runtime.boundsError: runtime error: index out of range [0] with length 0" `},
		{"an impostor of the runtime's", func() { explode(impostor("secret")) }, impostor("secret"), "panic=interceptor_test.impostor "},
		{"nil", func() { explode(nil) }, nil, `panic="*runtime.PanicNilError: panic called with nil argument" `},
	} {
		for name, serve := range map[string]func(handler connect.StreamingHandlerFunc){
			"one guard": func(handler connect.StreamingHandlerFunc) {
				_ = newConn("Token", connect.StreamTypeServer, "").guardedBy(t.Context(), harness.Expiring(t, time.Hour), handler)
			},
			"two guards": func(handler connect.StreamingHandlerFunc) {
				inner := harness.Expiring(t, time.Hour).Interceptor().WrapStreamingHandler(handler)
				_ = newConn("Token", connect.StreamTypeServer, "").guardedBy(t.Context(), harness.Expiring(t, time.Hour), inner)
			},
			"two guards, and between them it is raised again": func(handler connect.StreamingHandlerFunc) {
				inner := again(harness.Expiring(t, time.Hour).Interceptor().WrapStreamingHandler(handler))
				_ = newConn("Token", connect.StreamTypeServer, "").guardedBy(t.Context(), harness.Expiring(t, time.Hour), inner)
			},
		} {
			text.Reset()
			value := recovered(func() {
				serve(func(context.Context, connect.StreamingHandlerConn) error {
					test.panic()
					return nil
				})
			})
			if _, ok := value.(runtime.Error); !reflect.DeepEqual(value, test.value) && (test.value != nil || !ok) {
				t.Errorf("C13 %s, %s: it panics with %#v", test.name, name, value)
			}
			line := text.String()
			if test.want == "" {
				if line != "" {
					t.Errorf("C13 %s, %s: logged %s", test.name, name, line)
				}
				continue
			}
			for _, part := range []string{
				`level=ERROR msg="protoauthz: a streaming handler panicked" procedure=/test.v1.Token/Server ` + test.want + `stack="`,
				`interceptor_test.TestOutsidePanic.func`, `/interceptor/panic_test.go:`,
			} {
				if !strings.Contains(line, part) {
					t.Errorf("C13 %s, %s: %q is not logged: %s", test.name, name, part, line)
				}
			}
			if strings.Count(line, "\n") != 1 || strings.Contains(line, "secret\"") || strings.Contains(line, "0x") {
				t.Errorf("C13 %s, %s: logged %s", test.name, name, line)
			}
		}
	}
}

// TestOutsidePanicElsewhere makes sure that the stack of a panic on the goroutine of the call is left to
// the server, and that a logger that panics does no harm.
func TestOutsidePanicElsewhere(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	text := harness.Logged(t)
	t.Run("C13 in the call's own goroutine", func(t *testing.T) {
		value := recovered(func() {
			_ = newConn("Token", connect.StreamTypeServer, "").guardedBy(t.Context(), harness.Expiring(t, time.Hour, interceptor.WithoutStreamExpiry()),
				func(context.Context, connect.StreamingHandlerConn) error { panic("handler") })
		})
		if value != "handler" || text.Len() > 0 {
			t.Errorf("%v, logged %s", value, text)
		}
	})
	t.Run("C13 runtime.Goexit", func(t *testing.T) {
		err := newConn("Token", connect.StreamTypeServer, "").guardedBy(t.Context(), harness.Expiring(t, time.Hour), func(context.Context, connect.StreamingHandlerConn) error {
			runtime.Goexit()
			return nil
		})
		if err == nil || text.Len() > 0 {
			t.Errorf("%v, logged %s", err, text)
		}
	})
	bubble(t, "C13 after the call", func(t *testing.T) {
		text.Reset()
		gone := make(chan struct{})
		err := newConn("Token", connect.StreamTypeBidi, "").guardedBy(t.Context(), harness.Expiring(t, time.Minute), func(context.Context, connect.StreamingHandlerConn) error {
			time.Sleep(time.Hour) // the bubble's clock
			defer close(gone)
			panic("nobody is there to hear it")
		})
		<-gone
		synctest.Wait()
		if refused(err) != expired || strings.Count(text.String(), "\n") != 1 || !strings.Contains(text.String(), "panic=string") {
			t.Errorf("%v, logged %s", err, text)
		}
	})
	t.Run("C13 verifier and observer", func(t *testing.T) {
		text.Reset()
		broken := verifierFunc(func(context.Context, string) (*token.Claims, error) { panic("secret") })
		header := http.Header{"Authorization": {"Bearer any"}}
		_, denial := interceptor.New(broken, rules(t)).Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), header)
		if want := "panic in the verifier with a string: its stack is in the log of slog.Default: the server must repair it"; denial.Unwrap().Error() != want {
			t.Errorf("the cause is %v", denial.Unwrap())
		}
		observed := interceptor.New(broken, rules(t), interceptor.WithObserver(func(context.Context, interceptor.Event) { panic("secret") }))
		_, _ = observed.Admit(t.Context(), "/any\nthing", header)
		for _, part := range []string{
			`msg="protoauthz: the verifier panicked" procedure=/test.v1.Read/Unary panic=string stack="`,
			`msg="protoauthz: an observer panicked" procedure=unknown panic=string stack="`,
		} {
			if strings.Count(text.String(), part) != 1 || strings.Contains(text.String(), "secret") {
				t.Errorf("%q is not logged: %s", part, text)
			}
		}
		var none []int
		bounds := verifierFunc(func(context.Context, string) (*token.Claims, error) {
			explode(none[0])
			return nil, nil
		})
		_, denial = interceptor.New(bounds, rules(t)).Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), header)
		if _, ok := errors.AsType[runtime.Error](denial.Unwrap()); !ok || !strings.Contains(denial.Unwrap().Error(), "index out of range [0]") {
			t.Errorf("the cause is %v", denial.Unwrap())
		}
	})
	slog.SetDefault(slog.New(panicking{slog.DiscardHandler}))
	t.Run("C13 in the logger", func(t *testing.T) {
		value := recovered(func() {
			_ = newConn("Token", connect.StreamTypeServer, "").guardedBy(t.Context(), harness.Expiring(t, time.Hour),
				func(context.Context, connect.StreamingHandlerConn) error { panic("handler") })
		})
		if value != "handler" {
			t.Errorf("it panics with %v", value)
		}
	})
}

// A panicking handler of a logger.
type panicking struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (panicking) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (panicking) Handle(context.Context, slog.Record) error { panic("logger") }

// TestOutsidePanicRecovered makes sure that connect.WithRecover and net/http see the value of the handler's
// panic, over a network.
func TestOutsidePanicRecovered(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	text := harness.Logged(t)
	var value any = errors.New("the handler's own")
	for name, kind := range map[string]connect.StreamType{"server": connect.StreamTypeServer, "client": connect.StreamTypeClient, "bidi": connect.StreamTypeBidi} {
		text.Reset()
		var seen any
		recovering := connect.WithRecover(func(_ context.Context, _ connect.Spec, _ http.Header, value any) error {
			seen = value
			return connect.NewError(connect.CodeInternal, errors.New("recovered"))
		})
		server := serve(t, handlers{
			server: func(context.Context, *connect.Request[message], *connect.ServerStream[answer]) error { panic(value) },
			client: func(context.Context, *connect.ClientStream[message]) (*connect.Response[answer], error) {
				panic(value)
			},
			bidi: func(context.Context, *connect.BidiStream[message, answer]) error { panic(value) },
		}.mux(recovering, harness.Expiring(t, time.Hour).HandlerOption()))
		for _, wire := range http2() {
			text.Reset()
			seen = nil
			_, err := server.do(t.Context(), wire, "Token", kind, http.Header{"Authorization": {"Bearer any"}}, acme)
			if connect.CodeOf(err) != connect.CodeInternal || seen != value || strings.Count(text.String(), "\n") != 1 {
				t.Errorf("C13 %s, %s: %v, recovered %v, logged %s", name, wire.name, err, seen, text)
			}
		}
	}
}

// TestOutsidePanicLater makes sure that the panic of a verifier is logged when the token of an open stream is verified
// again.
func TestOutsidePanicLater(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	text := harness.Logged(t)
	bubble(t, "later", func(t *testing.T) {
		calls := 0
		guard := interceptor.New(verifierFunc(func(context.Context, string) (*token.Claims, error) {
			if calls++; calls > 1 {
				explode("secret")
			}
			return token.NewClaims(token.ClaimValues{
				Issuer: "keys", Subject: "a", Audience: []string{api}, Scopes: []string{"read:data"}, OrganizationID: acme,
				Deadline: time.Now().Add(time.Minute), // the bubble's clock
			})
		}), rules(t), interceptor.WithLogger(slog.New(slog.DiscardHandler)))
		err := newConn("Token", connect.StreamTypeServer, "").guardedBy(t.Context(), guard, func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			return nil
		})
		if refused(err) != failed {
			t.Error(err)
		}
	})
	line := text.String()
	if !strings.Contains(line, `msg="protoauthz: the verifier panicked" procedure=/test.v1.Token/Server panic=string stack="`) || strings.Count(line, "\n") != 1 || strings.Contains(line, "secret") {
		t.Errorf("logged %s", line)
	}
}
