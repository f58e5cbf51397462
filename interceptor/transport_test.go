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

func isDenied(err error, want interceptor.Reason) bool {
	denial, ok := errors.AsType[*interceptor.Denial](err)
	return ok && denial.Reason() == want
}

// TestRefuseWithoutError makes sure that a refusal is final even if Transport.Refuse returns nil, and if
// the handler then overwrites the denial.
func TestRefuseWithoutError(t *testing.T) {
	t.Parallel()
	for _, options := range [][]interceptor.Option{nil, {interceptor.WithoutStreamExpiry()}} {
		f := &frame{in: []string{globex, acme}}
		transport := f.transport()
		transport.Refuse = func(*interceptor.Denial) error { return nil }
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
