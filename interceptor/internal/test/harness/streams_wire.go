package harness

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// A Wire is an interceptor between the framework and the guard, with which a case changes what the guard gets. Its zero
// value changes nothing.
type Wire struct {
	context       func(context.Context) context.Context
	receive, send func(s *Wire, message any, next func(any) error) error
	headerSent    func()

	expire   context.CancelCauseFunc // ends the guard's context
	over     chan struct{}           // closed when the guard has returned
	err      error
	panicked any
	late     bool // the framework's header holds the field of that name
}

// Run runs the guard. A panic becomes an error. values returns the values of a field in the framework's header, and may
// be nil.
func (w *Wire) Run(ctx context.Context, values func(name string) []string, next func(context.Context) error) (err error) {
	if w.over == nil {
		return next(ctx)
	}
	ctx, w.expire = context.WithCancelCause(ctx)
	if w.context != nil {
		ctx = w.context(ctx)
	}
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			err = errRecovered
		}
		w.err, w.late = err, values != nil && len(values(late)) > 0
		close(w.over)
	}()
	return next(ctx)
}

var errRecovered = errors.New("recovered")

// Receive receives a message for the guard.
func (w *Wire) Receive(message any, next func(any) error) error {
	if w.receive == nil {
		return next(message)
	}
	return w.receive(w, message, next)
}

// Send sends a message for the guard.
func (w *Wire) Send(message any, next func(any) error) error {
	if w.send == nil {
		return next(message)
	}
	return w.send(w, message, next)
}

// SendHeader sends a header alone for the guard.
func (w *Wire) SendHeader(next func() error) error {
	if w.headerSent != nil {
		w.headerSent()
	}
	return next()
}

// isOver reports whether the guard has returned.
func (w *Wire) isOver() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}

// A serving is a call as the handler of a case sees it.
type serving struct {
	testing.TB
	ServerStream

	ctx       context.Context //nolint:containedctx // it is the handler's
	framework *Framework
	method    catalogue.Method
	wire      *Wire
}

// receive receives the name of an organization.
func (s *serving) receive() (string, error) {
	received := new(samplev1.SyncDocumentsRequest)
	err := s.Receive(received)
	return received.GetOrganizationId(), err
}

func (s *serving) send(text string) error {
	return s.Send(&samplev1.SyncDocumentsResponse{Document: &samplev1.Document{Text: text}})
}

// must fails the test for an error.
func (s *serving) must(errs ...error) {
	s.Helper()
	if err := errors.Join(errs...); err != nil {
		s.Errorf("the handler gets %v", err)
	}
}

// refused fails the test unless an error is the refusal.
func (s *serving) refused(want catalogue.Answer, err error) {
	s.Helper()
	want.Challenge = ""
	if got := s.framework.Answer(err); got.Answer != want || got.More != 0 {
		s.Errorf("the handler gets %v, want %+v", err, want)
	}
}

// goOn does everything that a handler can do after a refusal: the refusal is final, and the handler does not read the
// refused message.
func (s *serving) goOn(want catalogue.Answer) {
	s.Helper()
	for range 2 {
		organization, err := s.receive()
		s.refused(want, err)
		if organization != "" {
			s.Errorf("the handler reads %q", organization)
		}
		s.refused(want, s.send("after the refusal"))
	}
	s.SetTrailer(last, "after the refusal")
}

// say sets a field of the header and of the trailer.
func (s *serving) say() {
	s.SetHeader(early, "said")
	s.SetTrailer(trailing, "said")
}

// echo answers each message.
func (s *serving) echo() error {
	for {
		organization, err := s.receive()
		if err != nil {
			return ended(err)
		}
		if err := s.send(organization); err != nil {
			return err
		}
	}
}

// answer answers one message.
func (s *serving) answer() error {
	organization, err := s.receive()
	if err != nil {
		return err
	}
	return s.send(organization)
}

// left is the time until the deadline of the handler's context.
func (s *serving) left() time.Duration {
	deadline, ok := s.ctx.Deadline()
	if !ok {
		s.Error("there is no deadline")
	}
	return time.Until(deadline) // the bubble's clock
}

// ended returns nil for the end of a stream.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// sleep moves the clock of a bubble.
func sleep(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock
}

const (
	// FewYields is for an event that must not happen: it is enough for the event to happen if it can.
	FewYields = 100_000
	// ManyYields is for an event that must happen: it is more than the event ever takes.
	ManyYields = 30_000_000
)

// HappensWithin reports whether an event happens within a number of calls of [runtime.Gosched]. A bubble's clock stands
// still while a goroutine waits for a lock, and cannot measure such a wait.
func HappensWithin(yields int, happened func() bool) bool {
	for range yields {
		if happened() {
			return true
		}
		runtime.Gosched()
	}
	return happened()
}
