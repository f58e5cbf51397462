package harness

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

var errUnreadable = errors.New("the message cannot be decoded")

// unreadable decodes a message and fails.
func unreadable(_ *Wire, message any, next func(any) error) error {
	return errors.Join(next(message), errUnreadable)
}

// judgeCases are about messages: the first must name the organization, each is judged, and a refusal is final.
func judgeCases() []streamCase {
	refuses := func(s *serving) error {
		s.goOn(catalogue.Organization)
		return nil
	}
	fails := func(s *serving) error {
		s.say()
		return errOwn
	}
	var once sync.Once
	return []streamCase{
		{name: "one message", in: []string{Acme}, handler: (*serving).answer, events: admitted, texts: []string{Acme}},
		{name: "two messages", in: []string{Acme, Acme}, handler: (*serving).echo, events: admitted, texts: []string{Acme, Acme}},
		{name: "by the token", service: "Token", in: []string{globex}, handler: (*serving).answer, events: admitted, texts: []string{globex}},
		{name: "public", service: "Public", in: []string{globex}, handler: (*serving).answer, events: admitted, texts: []string{globex}},
		{name: "another organization", in: []string{globex}, open: true, handler: refuses, want: catalogue.Organization, events: mismatch},
		{name: "another organization first", in: []string{globex, Acme, Acme}, handler: refuses, want: catalogue.Organization, events: mismatch},
		{name: "another organization, and the handler fails", in: []string{globex, Acme}, handler: func(s *serving) error {
			return errors.Join(refuses(s), errOwn)
		}, want: catalogue.Organization, events: mismatch},
		{name: "another organization later", in: []string{Acme, globex, Acme}, handler: func(s *serving) error {
			_, err := s.receive()
			s.must(err)
			s.goOn(catalogue.Organization)
			if s.framework.SendsHeader {
				s.refused(catalogue.Organization, s.SendHeader())
			}
			return nil
		}, want: catalogue.Organization, events: mismatchLater},
		{
			name: "another organization after an answer", in: []string{Acme, globex, Acme}, handler: (*serving).echo,
			want: catalogue.Organization, events: mismatchLater, texts: []string{Acme},
		},
		{name: "the handler overwrites the refusal", in: []string{globex}, handler: func(s *serving) error {
			_, err := s.receive()
			if denial, ok := errors.AsType[*interceptor.Denial](err); ok {
				*denial = interceptor.Denial{}
			}
			return nil
		}, want: catalogue.Organization, events: mismatch},
		{name: "sends first", in: []string{Acme}, handler: func(s *serving) error {
			s.refused(catalogue.Organization, s.send("early"))
			return refuses(s)
		}, want: catalogue.Organization, events: mismatch},
		{name: "returns first", in: []string{Acme}, handler: func(*serving) error { return nil }, want: catalogue.Organization, events: mismatch},
		{name: "no message", handler: refuses, want: catalogue.Organization, events: mismatch},
		{
			name: "no message, and the handler fails", handler: func(s *serving) error { return errors.Join(refuses(s), errOwn) },
			wire: Wire{receive: func(_ *Wire, message any, next func(any) error) error {
				return fmt.Errorf("no more: %w", next(message))
			}},
			want: catalogue.Organization, events: mismatch,
		},
		{name: "fails before a message", in: []string{Acme}, handler: fails, want: ownText, err: errOwn},
		{name: "fails after a message", in: []string{Acme}, handler: func(s *serving) error {
			s.must(s.answer())
			return errOwn
		}, want: ownText, err: errOwn, events: admitted, texts: []string{Acme}},
		{name: "fails, by the token", service: "Token", in: []string{Acme}, handler: fails, want: ownText, err: errOwn, events: admitted, sees: early + " " + trailing},
		{name: "fails, public", service: "Public", in: []string{Acme}, handler: fails, want: ownText, err: errOwn, events: admitted, sees: early + " " + trailing},
		{
			name: "unreadable", in: []string{Acme}, wire: Wire{receive: unreadable}, handler: readUnreadable,
			want: unknown(errors.Join(errUnreadable)), err: errUnreadable,
		},
		{
			name: "unreadable, by the token", service: "Token", in: []string{Acme}, wire: Wire{receive: unreadable}, handler: readUnreadable,
			want: unknown(errors.Join(errUnreadable)), err: errUnreadable, events: admitted, sees: early + " " + trailing,
		},
		{name: "unreadable, swallowed", in: []string{Acme}, wire: Wire{receive: unreadable}, handler: func(s *serving) error {
			_ = readUnreadable(s)
			return nil
		}, want: catalogue.Organization, events: mismatch},
		{name: "the end leaves the last message alone", in: []string{Acme}, handler: func(s *serving) error {
			reused := new(samplev1.SyncDocumentsRequest)
			for s.Receive(reused) == nil {
				continue
			}
			return s.send(reused.GetOrganizationId())
		}, events: admitted, texts: []string{Acme}},
		{name: "a message beside the end", in: []string{Acme}, wire: Wire{receive: besideEnd}, handler: func(s *serving) error {
			s.must(s.answer())
			if organization, err := s.receive(); organization != "" || !errors.Is(err, io.EOF) {
				s.Errorf("the handler reads %q, %v", organization, err)
			}
			return nil
		}, events: admitted, texts: []string{Acme}},
		{name: "a first message beside the end", in: nil, wire: Wire{receive: besideEnd}, handler: func(s *serving) error {
			organization, err := s.receive()
			if s.refused(catalogue.Organization, err); organization != "" {
				s.Errorf("the handler reads %q", organization)
			}
			return nil
		}, want: catalogue.Organization, events: mismatch},
		{name: "another call's denial", in: []string{Acme}, handler: func(s *serving) error {
			s.must(s.answer())
			return &anothers
		}, want: catalogue.Answer{Code: 2, Text: "another call was refused: " + catalogue.Failed.Text}, events: admitted, texts: []string{Acme}},
		{
			name: "the observer panics", in: []string{Acme, Acme}, want: catalogue.Failed, events: admitted,
			observe: func(*serving, interceptor.Event) { once.Do(func() { panic("the observer's") }) },
			handler: func(s *serving) error {
				s.goOn(catalogue.Failed)
				return nil
			},
		},
		{
			name: "the observer of a refusal receives", in: []string{Acme}, want: catalogue.Organization, events: mismatch,
			observe: func(s *serving, _ interceptor.Event) { _, _ = s.receive() },
			handler: func(s *serving) error { return s.send("early") },
		},
		{
			name: "the observer of an admission sends", in: []string{Acme}, want: catalogue.Organization, events: mismatchLater,
			observe: func(s *serving, event interceptor.Event) {
				if event.Denial == nil {
					_ = s.send("early")
					panic("the observer's")
				}
			},
			handler: func(s *serving) error {
				_, _ = s.receive()
				return s.send("early")
			},
		},
		{
			name: "receives while it cannot send", in: []string{Acme, Acme, Acme}, events: admitted, texts: []string{Acme},
			wire: Wire{send: func(w *Wire, message any, next func(any) error) error {
				sleep(time.Second)
				return next(message)
			}},
			handler: func(s *serving) error {
				_, err := s.receive()
				s.must(err)
				var sending sync.WaitGroup
				sending.Go(func() { s.must(s.send(Acme)) })
				start := time.Now() // the bubble's clock
				for range 2 {
					_, err := s.receive()
					s.must(err)
				}
				if took := time.Since(start); took != 0 { // the bubble's clock
					s.Errorf("Receive waits %v for Send", took)
				}
				sending.Wait()
				return nil
			}, took: time.Second,
		},
	}
}

// anothers is a denial that does not belong to the call.
var anothers interceptor.Denial

func readUnreadable(s *serving) error {
	s.say()
	organization, err := s.receive()
	if organization != "" {
		s.Errorf("the handler reads %q", organization)
	}
	return err
}

// besideEnd returns a message beside the end of the stream, as a faulty codec does.
func besideEnd(_ *Wire, message any, next func(any) error) error {
	err := next(message)
	if received, ok := message.(*samplev1.SyncDocumentsRequest); ok && err != nil {
		received.OrganizationId = globex
		return fmt.Errorf("unexpected: %w", io.EOF)
	}
	return err
}
