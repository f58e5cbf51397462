package harness

import (
	"slices"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

const (
	me, myClient = "a", "c" // of the tokens of Expiring
	other        = "b"
)

// waysCases are about rules that name the user or the client, and about rules with several ways in.
func waysCases() []streamCase {
	refuses := func(s *serving) error {
		s.goOn(catalogue.Subject)
		return nil
	}
	later := refusedAs(catalogue.Subject)
	cases := []streamCase{
		{name: "my own", service: "Mine", in: []string{me, me}, handler: (*serving).echo, events: admitted, texts: []string{me, me}},
		{name: "another user", service: "Mine", in: []string{other}, open: true, handler: refuses, want: catalogue.Subject, events: later[1:]},
		{name: "another user first", service: "Mine", in: []string{other, me, me}, handler: refuses, want: catalogue.Subject, events: later[1:]},
		{name: "another user after an answer", service: "Mine", in: []string{me, other, me}, handler: (*serving).echo, want: catalogue.Subject, events: later, texts: []string{me}},
		{name: "another user later", service: "Mine", in: []string{me, other, me}, handler: func(s *serving) error {
			_, err := s.receive()
			s.must(err)
			return refuses(s)
		}, want: catalogue.Subject, events: later},
		{name: "sends before the user is named", service: "Mine", in: []string{me}, handler: func(s *serving) error {
			s.refused(catalogue.Subject, s.send("early"))
			return refuses(s)
		}, want: catalogue.Subject, events: later[1:]},
		{name: "returns before the user is named", service: "Mine", in: []string{me}, handler: func(*serving) error { return nil }, want: catalogue.Subject, events: later[1:]},
		{name: "header, another user", service: "Mine", in: []string{other}, handler: func(s *serving) error {
			s.say()
			s.must(s.SendHeader())
			return refuses(s)
		}, want: catalogue.Subject, events: later[1:]},
		{name: "no message names the user", service: "Mine", handler: refuses, want: catalogue.Subject, events: later[1:]},

		{name: "two ways, the first", service: "MineOrClient", in: []string{me, me}, handler: telling(0, 0), events: admitted, texts: []string{me}, observe: observes([]int{0})},
		{name: "two ways, the second", service: "MineOrClient", in: []string{myClient, myClient}, handler: telling(1, 1), events: admitted, texts: []string{myClient}, observe: observes([]int{1})},
		{name: "two ways, the first and then the second", service: "MineOrClient", in: []string{me, myClient, me}, handler: func(s *serving) error {
			s.mustTell(nobody)
			_, err := s.receive()
			s.must(err)
			s.mustTell(0)
			s.goOn(catalogue.Subject)
			return nil
		}, want: catalogue.Subject, events: later, observe: observes([]int{0}, []int{0})},
		{name: "two ways, neither", service: "MineOrClient", in: []string{other, me}, handler: refuses, want: catalogue.Subject, events: later[1:], observe: observes([]int{0})},
		{name: "two ways, no message", service: "MineOrClient", handler: refuses, want: catalogue.Subject, events: later[1:], observe: observes([]int{0})},

		{name: "a way needs no message, sends at once", service: "MineOrStaff", in: []string{other}, handler: func(s *serving) error {
			s.mustTell(1)
			s.must(s.send("early"))
			_, err := s.receive()
			s.mustTell(1)
			return err
		}, events: admitted, texts: []string{"early"}, observe: observes([]int{0, 1})},
		{name: "a way needs no message, header", service: "MineOrStaff", in: []string{}, handler: func(s *serving) error {
			s.say()
			s.must(s.SendHeader())
			_, err := s.receive()
			return ended(err)
		}, events: admitted, sees: early + " " + trailing, observe: observes([]int{0, 1})},
		{name: "a way needs no message, mine, another's, mine", service: "MineOrStaff", in: []string{me, other, me}, handler: telling(0, 1, 1), events: admitted, texts: []string{me}, observe: observes([]int{0, 1})},
		{name: "a way needs no message, the token expires", service: "MineOrStaff", in: []string{me}, open: true, lifetime: time.Minute, handler: func(s *serving) error {
			_, err := s.receive()
			s.must(err)
			<-s.ctx.Done()
			return nil
		}, want: catalogue.Expired, events: outlived, took: time.Minute},
	}
	return cases
}

// nobody is the number of no way.
const nobody = -1

// mustTell fails the test unless the handler is told a way of the organization.
func (s *serving) mustTell(number int) {
	s.Helper()
	way, ok := interceptor.WayFromContext(s.ctx)
	if want := (interceptor.Way{Number: number, Organization: Acme}); ok != (number != nobody) || ok && way != want {
		s.Errorf("the handler is told %+v, %t, want the way %d", way, ok, number)
	}
}

// telling is a handler that is told a way with each message, and answers the last.
func telling(numbers ...int) func(*serving) error {
	return func(s *serving) error {
		last := ""
		for _, number := range numbers {
			organization, err := s.receive()
			s.must(err)
			s.mustTell(number)
			last = organization
		}
		return s.send(last)
	}
}

// observes compares the ways of each event.
func observes(ways ...[]int) func(*serving, interceptor.Event) {
	n := 0
	return func(s *serving, event interceptor.Event) {
		if n >= len(ways) || !slices.Equal(event.Ways, ways[n]) {
			s.Errorf("event %d has the ways %v, want the %dth of %v", n, event.Ways, n, ways)
		}
		n++
	}
}

// waysRenewals are about claims that are renewed, and that lose what a way asks for.
func waysRenewals(renewing renewingCase) []streamCase {
	less := active("scope", "read:other")
	scope := catalogue.Insufficient("read:data")
	waits := func(s *serving) error {
		<-s.ctx.Done()
		return s.ctx.Err()
	}
	after := func(message string, way int, then func(*serving) error) func(*serving) error {
		return func(s *serving) error {
			got, err := s.receive()
			if s.must(err); got != message {
				s.Errorf("the handler reads %q", got)
			}
			s.mustTell(way)
			return then(s)
		}
	}
	goesOn := func(s *serving) error {
		sleep(time.Minute + 1)
		s.mustTell(0)
		s.must(s.send(me), s.ctx.Err())
		return nil
	}
	refuses := func(s *serving) error {
		sleep(time.Minute + 1)
		s.goOn(catalogue.Subject)
		return nil
	}
	on := func(in []string, ways ...[]int) func(*streamCase) {
		return func(c *streamCase) { c.service, c.in, c.observe = "MineOrStaff", in, observes(ways...) }
	}
	streams := func(c *streamCase) {
		c.needs = func(_ *Framework, method catalogue.Method) bool { return method.ClientStreams }
	}
	gains := &askedIssuer{answer: func(n int) string {
		if n == 1 {
			return less
		}
		return active()
	}}
	return []streamCase{
		renewing("a way falls before a message", then(1, less), time.Minute, scope, waits, on(nil, []int{0, 1}, []int{1}), streams),
		renewing("a way falls, and another stays", then(1, less), time.Minute+1, catalogue.Answer{}, after(me, 0, goesOn), on([]string{me}, []int{0, 1}), func(c *streamCase) { c.texts = []string{me} }),
		renewing("a way falls after the other", then(1, less), time.Minute, scope, after(other, 1, waits), on([]string{other}, []int{0, 1}, []int{1})),
		renewing("a way falls, and then the other", then(1, less), time.Minute+1, catalogue.Subject, after(me, 0, refuses), on([]string{me, other}, []int{0, 1}, []int{0}), streams),
		renewing("no way comes back", gains, time.Minute+1, catalogue.Subject, after(me, 0, refuses), on([]string{me, other}, []int{0}, []int{0}), streams),
	}
}
