package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A frame is a framework's side of a call: the messages that the client sends, and the answers.
type frame struct {
	in           []string // organizations
	out          atomic.Int32
	headers      atomic.Int32 // how often the header was set, and then sent alone
	headersAlone atomic.Int32
	setting      func() // while the header is being set, if not nil
}

func (f *frame) transport() interceptor.Transport {
	return interceptor.Transport{
		Receive: func(into any) error {
			if len(f.in) == 0 {
				return io.EOF
			}
			tokens.As[*message](into).OrganizationId, f.in = f.in[0], f.in[1:]
			return nil
		},
		Send:   func(any) error { f.out.Add(1); return nil },
		Refuse: func(denial *interceptor.Denial) error { return denial },
		Header: func() error {
			if f.headers.Add(1); f.setting != nil {
				f.setting()
			}
			return nil
		},
		SendHeader: func() error { f.headersAlone.Add(1); return nil },
	}
}

// A link is what a call came over.
type link struct {
	ended   atomic.Int32 // how often the reads were ended
	awaited atomic.Int32 // how often a Send was awaited
}

// EndReads implements [interceptor.Connection].
func (l *link) EndReads(time.Duration) { l.ended.Add(1) }

// AwaitSend implements [interceptor.Connection].
func (l *link) AwaitSend(*sync.Mutex) { l.awaited.Add(1) }

func isDenied(err error, want interceptor.Reason) bool {
	denial, ok := errors.AsType[*interceptor.Denial](err)
	return ok && denial.Reason() == want
}

// TestTransportFunctions makes sure that a call does not begin without a function that a Transport must
// have, and that a call needs no other function.
func TestTransportFunctions(t *testing.T) {
	t.Parallel()
	handler := func(_ context.Context, stream *interceptor.Stream) error {
		return errors.Join(stream.Receive(new(message)), stream.SendHeader(), stream.Send(text(acme)))
	}
	for name, test := range map[string]struct {
		without func(*interceptor.Transport)
		want    any
	}{
		"Receive": {func(t *interceptor.Transport) { t.Receive = nil }, "interceptor: a Transport needs Receive, Send and Refuse"},
		"Send":    {func(t *interceptor.Transport) { t.Send = nil }, "interceptor: a Transport needs Receive, Send and Refuse"},
		"Refuse":  {func(t *interceptor.Transport) { t.Refuse = nil }, "interceptor: a Transport needs Receive, Send and Refuse"},
		"others":  {func(t *interceptor.Transport) { t.Header, t.SendHeader = nil, nil }, nil},
	} {
		for kind, serve := range map[string]func(*interceptor.Call, interceptor.Transport, func(context.Context, *interceptor.Stream) error) error{
			"Serve": (*interceptor.Call).Serve, "ServeUnary": (*interceptor.Call).ServeUnary,
		} {
			transport := (&frame{in: []string{acme}}).transport()
			test.without(&transport)
			err := errors.New("it has not returned")
			got := recovered(func() {
				err = serve(admit(t, t.Context(), harness.Expiring(t, time.Hour), "Field"), transport, handler)
			})
			if got != test.want || (err == nil) != (test.want == nil) {
				t.Errorf("%s without %s: it panics with %v, and returns %v", kind, name, got, err)
			}
		}
	}
}

// TestRefuseWithoutError makes sure that a refusal is final even if Transport.Refuse returns nil, and if
// the handler then overwrites the denial. The refusal ends the reads and waits for no Send.
func TestRefuseWithoutError(t *testing.T) {
	t.Parallel()
	for _, options := range [][]interceptor.Option{nil, {interceptor.WithoutStreamExpiry()}} {
		f := &frame{in: []string{globex, acme}}
		transport := f.transport()
		transport.Refuse = func(*interceptor.Denial) error { return nil }
		connection := new(link)
		transport.Connection = connection
		handler := func(_ context.Context, stream *interceptor.Stream) error {
			for range 2 {
				received := new(message)
				if err := stream.Receive(received); !isDenied(err, organization.reason) || received.GetOrganizationId() != "" {
					t.Errorf("received %v, %v", received, err)
				}
				if err := errors.Join(stream.Send(text("secret")), stream.SendHeader()); !isDenied(err, organization.reason) {
					t.Errorf("sent: %v", err)
				} else if denial, ok := errors.AsType[*interceptor.Denial](err); ok {
					*denial = interceptor.Denial{}
				}
			}
			return nil
		}
		err := admit(t, t.Context(), harness.Expiring(t, time.Hour, options...), "Field").Serve(transport, handler)
		f.in = []string{globex, acme}
		unaryErr := admit(t, t.Context(), harness.Expiring(t, time.Hour, options...), "Field").ServeUnary(transport, handler)
		if !isDenied(err, organization.reason) || !isDenied(unaryErr, organization.reason) || f.out.Load()+f.headers.Load() != 0 {
			t.Errorf("%v, %v, with %d messages and %d headers", err, unaryErr, f.out.Load(), f.headers.Load())
		}
		if connection.ended.Load() != 2 || connection.awaited.Load() != 0 {
			t.Errorf("the reads of two calls were ended %d times, and a Send was awaited %d times", connection.ended.Load(), connection.awaited.Load())
		}
	}
}

// TestHandlerErrorStaysAnError makes sure that an error with the denial of another call never becomes nil.
func TestHandlerErrorStaysAnError(t *testing.T) {
	t.Parallel()
	guard := harness.Expiring(t, time.Hour)
	_, other := guard.Admit(t.Context(), "/none.v1.Service/Call", withToken)
	for name, withoutDenial := range map[string]func(error) error{
		"none": nil, "nil": func(error) error { return nil }, "the same": func(err error) error { return err },
	} {
		err := admit(t, t.Context(), guard, "Token").HandlerError(fmt.Errorf("around: %w", other), withoutDenial)
		if _, held := errors.AsType[*interceptor.Denial](err); err == nil || held {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSendHeaderAtExpiry makes sure that no header goes out once the token has expired, even if the
// goroutine that ends the call is late.
func TestSendHeaderAtExpiry(t *testing.T) {
	t.Parallel()
	for range 100 { // the order of the goroutines is left to chance
		bubble(t, "", func(t *testing.T) {
			f := new(frame)
			err := admit(t, t.Context(), harness.Expiring(t, time.Minute), "Token").Serve(f.transport(), func(_ context.Context, stream *interceptor.Stream) error {
				time.Sleep(time.Minute) // the bubble's clock
				return stream.SendHeader()
			})
			if !isDenied(err, expired.reason) || f.headers.Load()+f.headersAlone.Load() != 0 {
				t.Errorf("%v, with %d headers", err, f.headers.Load())
			}
		})
	}
}

// TestOuterExpiry makes sure that a call is refused, and its reads are ended, if the token that an outer
// guard has admitted expires before the call's own token.
func TestOuterExpiry(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, token.ErrExpired) // the bubble's clock
		defer cancel()
		transport, connection := new(frame).transport(), new(link)
		transport.Connection = connection
		err := admit(t, ctx, harness.Expiring(t, time.Hour), "Token").Serve(transport, func(ctx context.Context, _ *interceptor.Stream) error {
			<-ctx.Done()
			return nil
		})
		if !isDenied(err, expired.reason) || connection.ended.Load() != 1 || connection.awaited.Load() != 1 {
			t.Errorf("%v, the reads were ended %d times, and a Send was awaited %d times", err, connection.ended.Load(), connection.awaited.Load())
		}
	})
}

// TestCauseAtExpiry makes sure that the context of a handler that waits for the client ends because the
// token has expired, and not because Serve returns.
func TestCauseAtExpiry(t *testing.T) {
	t.Parallel()
	for range 100 { // the order of the goroutines is left to chance
		bubble(t, "", func(t *testing.T) {
			ended, cause := make(chan struct{}), make(chan error, 1)
			transport := new(frame).transport()
			transport.Receive = func(any) error {
				<-ended
				return io.EOF
			}
			err := admit(t, t.Context(), harness.Expiring(t, time.Minute), "Token").Serve(transport, func(ctx context.Context, stream *interceptor.Stream) error {
				context.AfterFunc(ctx, func() { cause <- context.Cause(ctx) })
				return stream.Receive(new(message))
			})
			close(ended)
			if got := <-cause; !isDenied(err, expired.reason) || !errors.Is(got, token.ErrExpired) {
				t.Errorf("%v, the context has ended with %v", err, got)
			}
		})
	}
}

// TestBrokenAtExpiry makes sure that a connection that breaks after the token has expired is not a refusal.
func TestBrokenAtExpiry(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		errBroken := errors.New("the connection is broken")
		observed := 0
		guard := harness.Expiring(t, time.Minute, interceptor.WithObserver(func(context.Context, interceptor.Event) { observed++ }))
		transport := new(frame).transport()
		transport.Receive = func(any) error {
			time.Sleep(time.Minute) // the bubble's clock
			return errBroken
		}
		err := admit(t, t.Context(), guard, "Field").ServeUnary(transport, func(_ context.Context, stream *interceptor.Stream) error {
			return stream.Receive(new(message))
		})
		if !errors.Is(err, errBroken) || observed > 0 {
			t.Errorf("%v, with %d decisions", err, observed)
		}
	})
}

// TestSettingHeader makes sure that a header is set once. Neither a SendHeader of another goroutine nor the
// message that releases the header waits for the Send that sets the header.
func TestSettingHeader(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	f := &frame{setting: func() {
		close(begun)
		<-end
	}}
	var sending sync.WaitGroup
	err := admit(t, t.Context(), harness.Expiring(t, time.Hour, interceptor.WithoutStreamExpiry()), "Token").Serve(f.transport(), func(_ context.Context, stream *interceptor.Stream) error {
		sending.Go(func() { _ = stream.Send(text(acme)) })
		<-begun
		var returned atomic.Bool
		sending.Go(func() {
			if err := stream.SendHeader(); err != nil {
				t.Error(err)
			}
			returned.Store(true)
		})
		if !harness.HappensWithin(harness.ManyYields, returned.Load) {
			t.Error("SendHeader waits for the Send")
		}
		sending.Go(func() {
			harness.HappensWithin(harness.FewYields, func() bool { return f.headers.Load() > 1 })
			close(end)
		})
		return nil // while the header is being set
	})
	sending.Wait()
	if err != nil || f.headers.Load() != 1 || f.out.Load() != 1 || f.headersAlone.Load() != 0 {
		t.Errorf("%v, %d headers, %d messages, %d headers alone", err, f.headers.Load(), f.out.Load(), f.headersAlone.Load())
	}
}

// TestSendHeaderBesideEnd makes sure that a SendHeader that the handler has left behind does not send the
// header that the end of the call is setting.
func TestSendHeaderBesideEnd(t *testing.T) {
	t.Parallel()
	f := new(frame)
	var sending sync.WaitGroup
	err := admit(t, t.Context(), harness.Expiring(t, time.Hour), "Token").Serve(f.transport(), func(_ context.Context, stream *interceptor.Stream) error {
		f.setting = func() {
			sending.Go(func() { _ = stream.SendHeader() })
			harness.HappensWithin(harness.FewYields, func() bool { return f.headersAlone.Load() > 0 })
		}
		return nil
	})
	sending.Wait()
	if err != nil || f.headers.Load() != 1 || f.headersAlone.Load() != 0 {
		t.Errorf("%v, %d headers, %d headers alone", err, f.headers.Load(), f.headersAlone.Load())
	}
}

// TestHeaderError makes sure that nothing goes out after a header that cannot be set.
func TestHeaderError(t *testing.T) {
	t.Parallel()
	errHeader := errors.New("the header cannot be set")
	for name, handler := range map[string]func(*interceptor.Stream) error{
		"Send":       func(stream *interceptor.Stream) error { return stream.Send(text(acme)) },
		"SendHeader": (*interceptor.Stream).SendHeader,
		"the end":    func(*interceptor.Stream) error { return nil },
	} {
		f := new(frame)
		transport := f.transport()
		transport.Header = func() error { return errHeader }
		err := admit(t, t.Context(), harness.Expiring(t, time.Hour), "Token").Serve(transport, func(_ context.Context, stream *interceptor.Stream) error {
			return handler(stream)
		})
		if !errors.Is(err, errHeader) || f.out.Load()+f.headersAlone.Load() != 0 {
			t.Errorf("%s: %v, %d messages, %d headers", name, err, f.out.Load(), f.headersAlone.Load())
		}
	}
}

// TestSendHeaderBesideReceive makes sure that a header that is asked for while a message releases it goes
// out once.
func TestSendHeaderBesideReceive(t *testing.T) {
	t.Parallel()
	for range 100 {
		f := &frame{in: []string{acme}}
		err := admit(t, t.Context(), harness.Expiring(t, time.Hour), "Field").Serve(f.transport(), func(_ context.Context, stream *interceptor.Stream) error {
			var sending sync.WaitGroup
			defer sending.Wait()
			sending.Go(func() { _ = stream.SendHeader() })
			return stream.Receive(new(message))
		})
		if err != nil || f.headers.Load() != 1 || f.headersAlone.Load() != 1 {
			t.Errorf("%v, set %d times, sent %d times", err, f.headers.Load(), f.headersAlone.Load())
		}
	}
}
