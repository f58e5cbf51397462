package harness

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// sendCases are about a Send that is under way when the call ends with its token: the message is the last of the call.
// With frameworks that need it, the call waits for the Send, also if the handler has left the Send behind.
func sendCases() []streamCase {
	awaits := func(f *Framework, method catalogue.Method) bool { return f.AwaitsSend && method.ServerStreams }
	sendsOn := func(s *serving) error {
		s.must(s.send("1"))
		s.refused(catalogue.Expired, s.send("2"))
		s.refused(catalogue.Expired, func() error { _, err := s.receive(); return err }())
		return nil
	}
	// slowly is a Send that takes some time. It makes sure that the call does not end meanwhile.
	slowly := func(s *Wire, message any, next func(any) error, took time.Duration) error {
		sleep(took)
		if HappensWithin(FewYields, s.isOver) { // The end of the call waits for a lock, so the clock stands still.
			return errors.New("the call has ended while a message was being sent")
		}
		return next(message)
	}
	leaving := func(name string, took time.Duration, goOn func(*serving) error) streamCase {
		started := make(chan struct{})
		return streamCase{
			name: "leaves a Send behind and " + name, service: "Field", in: []string{Acme, globex}, open: true,
			lifetime: time.Minute, needs: awaits, want: catalogue.Expired, events: outlived, texts: []string{"1"}, took: took,
			wire: Wire{send: func(w *Wire, message any, next func(any) error) error {
				close(started)
				return slowly(w, message, next, took)
			}},
			handler: func(s *serving) error {
				_, err := s.receive()
				s.must(err)
				go func() { s.must(s.send("1")) }()
				<-started
				return goOn(s)
			},
		}
	}
	refused := leaving("is refused", time.Minute+grace, func(s *serving) error {
		_, _ = s.receive()
		sleep(time.Hour)
		return nil
	})
	refused.want, refused.events = catalogue.Organization, mismatchLater
	panics := leaving("panics", time.Minute+1, func(*serving) error {
		sleep(time.Minute + 1)
		panic("handler")
	})
	panics.want, panics.panicked = unknown(errRecovered), "string handler"
	var sending atomic.Bool
	return []streamCase{
		{
			name: "sends when the token expires, and the call waits", service: "Token", in: []string{Acme}, open: true, lifetime: time.Minute,
			needs: awaits, want: catalogue.Expired, events: outlived, texts: []string{"1"}, took: time.Minute + grace, handler: sendsOn,
			wire: Wire{send: func(w *Wire, message any, next func(any) error) error {
				return slowly(w, message, next, time.Minute+grace)
			}},
		},
		{
			name: "sends when the token expires, and the call ends", service: "Token", in: []string{Acme}, open: true, lifetime: time.Minute,
			needs: func(f *Framework, _ catalogue.Method) bool { return !f.AwaitsSend },
			want:  catalogue.Expired, events: outlived, took: time.Minute + grace, handler: sendsOn,
			wire: Wire{send: func(w *Wire, _ any, _ func(any) error) error {
				<-w.over
				return nil
			}},
		},
		leaving("returns", 0, func(s *serving) error {
			s.wire.expire(token.ErrExpired) // as the stream's own context does, but earlier
			return nil
		}),
		refused,
		panics,
		{
			name: "two goroutines send", service: "Token", in: []string{Acme}, needs: awaits, events: admitted, texts: []string{"1", "1", "1", "1"},
			wire: Wire{send: func(_ *Wire, message any, next func(any) error) error {
				if sending.Swap(true) {
					return errors.New("another message is being sent")
				}
				defer sending.Store(false)
				HappensWithin(FewYields/100, func() bool { return false })
				return next(message)
			}},
			handler: func(s *serving) error {
				var sending sync.WaitGroup
				for range 4 {
					sending.Go(func() { s.must(s.send("1")) })
				}
				sending.Wait()
				return nil
			},
		},
	}
}
