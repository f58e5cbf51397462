package harness

import (
	"errors"
	"sync/atomic"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// releaseCases are about header and trailer: the client does not see them before a message has named the
// organization. Of a refused call, the client sees only what was sent before the refusal.
func releaseCases() []streamCase {
	says := func(s *serving) error {
		s.say()
		s.must(s.SendHeader())
		var err error
		for err == nil {
			_, err = s.receive()
		}
		s.SetTrailer(last, "said")
		return ended(err)
	}
	said := early + " " + trailing + " " + last
	sends := func(f *Framework, _ catalogue.Method) bool { return f.SendsHeader }
	var headerSent atomic.Bool
	return []streamCase{
		{name: "header, a message", in: []string{Acme}, handler: says, events: admitted, sees: said},
		{name: "header, by the token", service: "Token", handler: says, events: admitted, sees: said},
		{name: "header, public", service: "Public", handler: says, events: admitted, sees: said},
		{name: "header, another organization", in: []string{globex}, handler: says, want: catalogue.Organization, events: mismatch},
		{name: "header, no message", handler: says, want: catalogue.Organization, events: mismatch},
		{
			name: "header, another organization later", in: []string{Acme, globex}, handler: says, needs: sends,
			want: catalogue.Organization, events: mismatchLater, sees: early,
		},
		{
			name: "header that is not sent, another organization later", in: []string{Acme, globex}, handler: func(s *serving) error {
				_, err := s.receive()
				s.must(err)
				s.say()
				_, err = s.receive()
				return err
			}, want: catalogue.Organization, events: mismatchLater,
		},
		{name: "unary answer", in: []string{Acme}, handler: func(s *serving) error {
			s.say()
			_, err := s.receive()
			s.SetTrailer(last, "said")
			return errors.Join(err, s.send(Acme))
		}, events: admitted, texts: []string{Acme}, sees: said},
		{
			name: "header is sent as soon as it may be", in: []string{Acme}, needs: sends,
			wire: Wire{headerSent: func() { headerSent.Store(true) }},
			handler: func(s *serving) error {
				s.say()
				s.must(s.SendHeader())
				early := headerSent.Load()
				_, err := s.receive()
				if early || !headerSent.Load() {
					s.Errorf("the header was sent before it may be: %t, with the message: %t", early, headerSent.Load())
				}
				return errors.Join(err, s.SendHeader(), s.send(Acme)) // once more
			}, events: admitted, texts: []string{Acme}, sees: early + " " + trailing,
		},
		{
			name: "header that is not sent alone", in: []string{Acme}, needs: sends,
			wire: Wire{headerSent: func() { headerSent.Store(true) }},
			handler: func(s *serving) error {
				s.say()
				_, err := s.receive()
				if headerSent.Load() {
					s.Error("the header was sent without the handler")
				}
				return errors.Join(err, s.send(Acme))
			}, events: admitted, texts: []string{Acme}, sees: early + " " + trailing,
		},
		{name: "header after a message", service: "Token", in: []string{Acme}, handler: func(s *serving) error {
			s.say()
			s.must(s.send("1"))
			s.SetHeader(late, "said")
			s.must(s.send("2"))
			s.SetTrailer(last, "said")
			return nil
		}, events: admitted, texts: []string{"1", "2"}, sees: said},
		{name: "trailer after a message and with an error", service: "Token", in: []string{Acme}, handler: func(s *serving) error {
			s.say()
			s.must(s.send("1"))
			s.SetHeader(late, "said")
			s.SetTrailer(last, "said")
			return errOwn
		}, events: admitted, texts: []string{"1"}, want: ownText, err: errOwn, sees: said},
	}
}
