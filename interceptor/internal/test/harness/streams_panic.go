package harness

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// panicCases are about handlers that panic. The guard raises the panic again, on the goroutine of the interceptors
// before it, and does not release the header and trailer that the handler has set.
func panicCases() []streamCase {
	panicking := func(name string, value any, panicked string) streamCase {
		return streamCase{
			name: "panics with " + name, service: "Token", in: []string{Acme}, want: unknown(errRecovered), panicked: panicked, events: admitted,
			handler: func(s *serving) error {
				if s.method != catalogue.Unary { // a unary call that awaits no message has released them
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
