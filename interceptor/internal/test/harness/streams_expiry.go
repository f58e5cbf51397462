package harness

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// grace is how long an expired call waits for a handler that is not blocked in Receive.
const grace = 500 * time.Millisecond

// expiryCases are about a token that expires after a minute: the stream ends at the very moment, or when its handler
// has had its grace.
func expiryCases() []streamCase {
	streaming := func(_ *Framework, method catalogue.Method) bool { return method.ClientStreams }
	admitsFirst := func(f *Framework, _ catalogue.Method) bool { return f.AdmitsFirst }
	waits := func(s *serving) error {
		<-s.ctx.Done()
		if cause := context.Cause(s.ctx); !errors.Is(cause, token.ErrExpired) {
			s.Errorf("the context ends because of %v", cause)
		}
		return s.ctx.Err()
	}
	ending := func(name string, took time.Duration, handler func(*serving) error, changes ...func(*streamCase)) streamCase {
		c := streamCase{
			name: name, service: "Token", in: []string{Acme}, open: true, lifetime: time.Minute,
			handler: handler, want: catalogue.Expired, events: outlived, took: took,
		}
		for _, change := range changes {
			change(&c)
		}
		return c
	}
	peaceful := func(c *streamCase) { c.want, c.events = catalogue.Answer{}, admitted }
	failing := func(c *streamCase) { c.want, c.err, c.events = ownText, errOwn, admitted }
	lateBy := func(d time.Duration) Wire {
		return Wire{receive: func(_ *Wire, message any, next func(any) error) error {
			sleep(d)
			return next(message)
		}}
	}
	receivesLate := func(s *serving) error {
		organization, err := s.receive()
		if s.refused(catalogue.Expired, err); organization != "" {
			s.Errorf("the handler reads %q", organization)
		}
		return nil
	}
	return []streamCase{
		ending("waits for the client", time.Minute, func(s *serving) error {
			_, err := s.receive()
			s.must(err)
			_, err = s.receive()
			s.refused(catalogue.Expired, err)
			sleep(time.Hour) // the call does not wait
			return errOwn
		}, func(c *streamCase) { c.needs = streaming }),
		ending("waits for a first message", time.Minute, receivesLate, func(c *streamCase) {
			c.service, c.in, c.events = "Field", nil, outlived[1:]
		}),
		ending("waits for its context", time.Minute, waits),
		ending("sleeps until the token expires", time.Minute, func(s *serving) error {
			sleep(s.left())
			return nil
		}),
		ending("sleeps until the token expires, and fails", time.Minute, func(s *serving) error {
			sleep(s.left())
			return errOwn
		}),
		ending("cleans up", time.Minute+300*time.Millisecond, func(s *serving) error {
			_ = waits(s)
			sleep(300 * time.Millisecond)
			return nil
		}),
		ending("sends when the token expires", time.Minute, func(s *serving) error {
			var sending sync.WaitGroup
			for range 20 {
				sending.Go(func() {
					sleep(time.Minute)
					s.refused(catalogue.Expired, s.send("late"))
				})
			}
			sending.Wait()
			return nil
		}),
		ending("receives when the token expires", time.Minute, receivesLate, func(c *streamCase) { c.wire = lateBy(time.Minute) }),
		ending("receives after the end", time.Minute, receivesLate, func(c *streamCase) {
			c.wire.receive = func(w *Wire, message any, _ func(any) error) error {
				<-w.over
				proto.Merge(tokens.As[proto.Message](message), naming(Acme))
				return nil
			}
		}),
		ending("lingers", time.Minute+grace, func(s *serving) error {
			s.must(s.answer())
			_ = waits(s)
			sleep(time.Second)
			s.SetHeader(late, "late")
			s.goOn(catalogue.Expired)
			return nil
		}, func(c *streamCase) { c.service, c.texts = "Field", []string{Acme} }),
		ending("sets header and trailer in other goroutines", time.Minute, func(s *serving) error {
			for _, set := range []func(string, string){s.SetHeader, s.SetTrailer} { // while the call ends
				go func() {
					for s.ctx.Err() == nil {
						set(late, "1")
						sleep(time.Second)
					}
					set(late, "2")
				}()
			}
			return waits(s)
		}),
		ending("was refused before", time.Minute, func(s *serving) error {
			_, _ = s.receive()
			return waits(s)
		}, func(c *streamCase) {
			c.service, c.in, c.want, c.events = "Field", []string{globex}, catalogue.Organization, mismatch
		}),
		ending("panics when nobody hears it", time.Minute+grace, func(*serving) error {
			sleep(2 * time.Minute)
			panic("late")
		}),
		ending("the clock is set back", time.Second, func(s *serving) error {
			time.AfterFunc(time.Second, func() { s.wire.expire(token.ErrExpired) }) // the bubble's clock
			return waits(s)
		}),
		ending("the clock is set back, and the handler returns", 0, func(s *serving) error {
			s.wire.expire(token.ErrExpired)
			return nil
		}),
		ending("the observer panics at the end", time.Minute, waits, func(c *streamCase) {
			c.observe = func(_ *serving, event interceptor.Event) {
				if event.Denial != nil {
					panic("the observer's")
				}
			}
		}),
		ending("returns before the token expires", time.Minute-1, func(s *serving) error {
			sleep(s.left() - 1)
			return nil
		}, peaceful),
		ending("fails before the token expires", time.Minute-1, func(s *serving) error {
			sleep(s.left() - 1)
			return errOwn
		}, failing),
		ending("the call is canceled", time.Second, func(s *serving) error {
			time.AfterFunc(time.Second, func() { s.wire.expire(errOwn) }) // the bubble's clock
			<-s.ctx.Done()
			return context.Cause(s.ctx)
		}, failing),
		ending("without an end of streams", 3*time.Hour, func(s *serving) error {
			if _, ok := s.ctx.Deadline(); ok {
				s.Error("there is a deadline")
			}
			for range 3 {
				sleep(time.Hour)
				_ = s.answer()
			}
			return s.ctx.Err()
		}, func(c *streamCase) {
			c.service, c.in, c.options = "Field", []string{Acme, Acme, globex}, []interceptor.Option{interceptor.WithoutStreamExpiry()}
			c.want, c.texts, c.events = catalogue.Organization, []string{Acme, Acme}, mismatchLater
		}),
		ending("public and long", time.Hour, func(s *serving) error {
			sleep(time.Hour)
			return errors.Join(s.answer(), s.ctx.Err())
		}, peaceful, func(c *streamCase) { c.service, c.texts = "Public", []string{Acme} }),
		ending("a unary message in time", time.Hour+time.Minute-1, func(s *serving) error {
			_, err := s.receive()
			sleep(time.Hour)
			s.say()
			return errors.Join(err, s.ctx.Err(), s.send(Acme))
		}, peaceful, func(c *streamCase) {
			c.unary, c.service, c.texts, c.sees, c.wire = true, "Field", []string{Acme}, early+" "+trailing, lateBy(time.Minute-1)
		}),
		ending("a unary message too late", time.Minute, receivesLate, func(c *streamCase) { c.unary, c.wire = true, lateBy(time.Minute) }),
		ending("a unary message too late, by the message", time.Minute, receivesLate, func(c *streamCase) {
			c.unary, c.service, c.wire, c.events = true, "Field", lateBy(time.Minute), outlived[1:]
		}),
		ending("expired before the handler starts", time.Minute, runs, func(c *streamCase) {
			c.needs, c.wire.context = admitsFirst, slow(time.Minute)
		}),
		ending("expires when the handler has started", time.Minute-1, (*serving).answer, peaceful, func(c *streamCase) {
			c.needs, c.wire.context, c.texts = admitsFirst, slow(time.Minute-1), []string{Acme}
		}),
		ending("expired before the call", 0, runs, func(c *streamCase) {
			c.needs = func(f *Framework, _ catalogue.Method) bool { return !f.AdmitsFirst } // or else the call never passes the wire
			c.lifetime, c.events = -time.Minute, outlived[1:]
		}),
	}
}

// runs is a handler that must not run.
func runs(s *serving) error {
	s.Error("the handler runs")
	return nil
}

// slow takes its time before the guard's second step.
func slow(d time.Duration) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context {
		sleep(d)
		return ctx
	}
}
