package harness

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// panicCases are about handlers that panic: the panic is raised again where interceptors that recover expect it, and
// what the handler said before goes nowhere.
func panicCases() []streamCase {
	panicking := func(name string, value any, panicked string) streamCase {
		return streamCase{
			name: "panics with " + name, service: "Token", in: []string{Acme}, want: unknown(errRecovered), panicked: panicked, events: admitted,
			handler: func(s *serving) error {
				if s.method != catalogue.Unary { // a unary call that awaits no message may say what it likes
					s.say()
				}
				panic(value)
			},
		}
	}
	cleaning := panicking("a value while it cleans up", nil, "string clean-up")
	cleaning.lifetime, cleaning.open, cleaning.events, cleaning.took = time.Minute, true, outlived, time.Minute+100*time.Millisecond
	cleaning.handler = func(s *serving) error {
		<-s.ctx.Done()
		sleep(100 * time.Millisecond)
		panic("clean-up")
	}
	return []streamCase{
		panicking("a string", "handler", "string handler"),
		panicking("an error", io.EOF, "*errors.errorString EOF"),
		panicking("what net/http does not log", http.ErrAbortHandler, "*errors.errorString net/http: abort Handler"),
		panicking("nil", nil, "*runtime.PanicNilError panic called with nil argument"),
		cleaning,
		{
			name: "exits", service: "Token", in: []string{Acme}, lifetime: time.Minute, events: admitted,
			want: unknown(errors.New("interceptor: the handler called runtime.Goexit")),
			handler: func(*serving) error {
				runtime.Goexit()
				return nil
			},
		},
	}
}

// StreamPanics makes sure that the stack of a streaming handler's panic is logged once, with the procedure and without
// the value. The test is not parallel: it replaces the logger of the process.
func StreamPanics(t *testing.T, framework Framework) {
	t.Helper()
	_ = Rules(t)
	text := Logged(t)
	for _, method := range framework.Methods {
		for _, value := range []any{"secret", errors.New("secret"), http.ErrAbortHandler} {
			t.Run(method.Name, func(t *testing.T) {
				text.Reset()
				var wire Wire
				synctest.Test(t, func(t *testing.T) {
					wire = Wire{over: make(chan struct{})}
					client := framework.Serve(t, Expiring(t, time.Hour), &wire, func(context.Context, ServerStream) error { panic(value) })
					exchange(t, client, "Token", method, []string{Acme}, false)
				})
				want := 1
				if method == catalogue.Unary || value == http.ErrAbortHandler { //nolint:errorlint // so does net/http
					want = 0
				}
				got := text.String()
				if wire.panicked != value || strings.Count(got, "\n") != want || strings.Contains(got, "secret") {
					t.Errorf("it panics with %v, logged %s", wire.panicked, got)
				}
				if want > 0 && (!strings.Contains(got, "procedure="+catalogue.Procedure("Token", method)+" ") || !strings.Contains(got, "harness.StreamPanics.func")) {
					t.Errorf("logged %s", got)
				}
			})
		}
	}
}
