package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A plainStream is as little as an adapter can have: no deadlines, and no Interrupt.
type plainStream struct {
	in      chan *message // what the client sends; closed at the end of it
	sent    []string
	sending func() // while a message is being sent, if not nil
}

// newPlainStream returns the stream of a client that names organizations and ends.
func newPlainStream(organizations ...string) *plainStream {
	s := &plainStream{in: make(chan *message, len(organizations))}
	for _, organization := range organizations {
		s.in <- naming(organization)
	}
	close(s.in)
	return s
}

func (s *plainStream) Receive(into any) error {
	received, ok := <-s.in
	if !ok {
		return fmt.Errorf("no more: %w", io.EOF)
	}
	proto.Merge(tokens.As[*message](into), received)
	return nil
}

func (s *plainStream) Send(sent any) error {
	if s.sending != nil {
		s.sending()
	}
	s.sent = append(s.sent, tokens.As[*answer](sent).GetDocument().GetText())
	return nil
}

// transport returns the stream as the transport of an adapter whose errors are the denials.
func (s *plainStream) transport() interceptor.Transport {
	return interceptor.Transport{Receive: s.Receive, Send: s.Send, Refuse: func(denial *interceptor.Denial) error { return denial }}
}

// A wokenStream counts how often it was interrupted, and wakes its reader then.
type wokenStream struct {
	*plainStream
	times int
}

func (s *wokenStream) transport() interceptor.Transport {
	transport := s.plainStream.transport()
	transport.Connection = s
	return transport
}

func (s *wokenStream) EndReads(in time.Duration) {
	if in == 0 {
		s.times++
		close(s.in)
	}
}

func (*wokenStream) AwaitSend(*sync.Mutex) {}

var withToken = http.Header{"Authorization": {"Bearer any"}}

// admit admits a call, which must succeed.
func admit(t testing.TB, ctx context.Context, guard *interceptor.Guard, service string) *interceptor.Call { //nolint:revive // t comes first in every test helper
	t.Helper()
	call, denial := guard.Admit(ctx, procedure(service, connect.StreamTypeBidi), withToken)
	if denial != nil || call == nil {
		t.Fatalf("%v, %v", call, denial)
	}
	return call
}

// isDenial reports whether an error is a denial itself, and not one around it.
func isDenial(err error, reason interceptor.Reason) bool {
	denial, ok := err.(*interceptor.Denial) //nolint:errorlint // so it is promised
	return ok && denial.Reason() == reason
}

// split tells a denial from the handler's error.
func split(err error) (*interceptor.Denial, error) {
	if denial, ok := err.(*interceptor.Denial); ok { //nolint:errorlint // so it is promised
		return denial, nil
	}
	return nil, err
}

func echoPlain(_ context.Context, stream *interceptor.Stream) error {
	for {
		received := new(message)
		if err := stream.Receive(received); err != nil {
			return ended(err)
		}
		if err := stream.Send(text(received.GetOrganizationId())); err != nil {
			return err
		}
	}
}

// TestAdmit makes sure that what is not admitted is no call, and that what is has a context
// and says whether it needs a message.
func TestAdmit(t *testing.T) {
	t.Parallel()
	guard := expiring(t, time.Hour)
	for _, test := range []struct {
		service string
		header  http.Header
		reason  interceptor.Reason
		awaits  bool
		caller  string
	}{
		{service: "Field", header: withToken, awaits: true, caller: "s"},
		{service: "Nested", header: withToken, awaits: true, caller: "s"},
		{service: "Token", header: withToken, caller: "s"},
		{service: "Public", header: http.Header{}},
		{service: opened, header: http.Header{}},
		{service: "Field", header: http.Header{}, reason: missing.reason},
		{service: "Header", header: withToken, reason: organization.reason},
		{service: "Global", header: withToken, reason: model.reason},
		{service: unruled, header: withToken, reason: ruleless.reason},
	} {
		call, denial := guard.Admit(t.Context(), procedure(test.service, connect.StreamTypeBidi), test.header)
		if test.reason != "" {
			if call != nil || denial == nil || denial.Reason() != test.reason {
				t.Errorf("%s: %v, %v, want %s", test.service, call, denial, test.reason)
			}
			continue
		}
		if denial != nil {
			t.Fatalf("%s: %v", test.service, denial)
		}
		if caller := interceptor.ClaimsFromContext(call.Context()).Subject(); caller != test.caller || call.AwaitsMessage() != test.awaits {
			t.Errorf("%s: called by %q, awaits a message: %t", test.service, caller, call.AwaitsMessage())
		}
	}
}

// TestJudge makes sure that a unary call is judged when its message is there: by what
// the message names, and by the time.
func TestJudge(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service string
		message any
		took    time.Duration
		want    interceptor.Reason
		events  []interceptor.Reason
	}{
		"names it":             {"Field", naming(acme), 0, "", []interceptor.Reason{""}},
		"names another":        {"Field", naming(globex), 0, organization.reason, []interceptor.Reason{organization.reason}},
		"is no message":        {"Field", "acme", 0, organization.reason, []interceptor.Reason{organization.reason}},
		"in time":              {"Field", naming(acme), time.Minute - 1, "", []interceptor.Reason{""}},
		"too late":             {"Field", naming(acme), time.Minute, expired.reason, []interceptor.Reason{expired.reason}},
		"need not name it":     {"Token", naming(globex), 0, "", []interceptor.Reason{""}},
		"is late all the same": {"Token", naming(acme), time.Minute, expired.reason, []interceptor.Reason{"", expired.reason}},
		"public":               {"Public", nil, time.Hour, "", []interceptor.Reason{""}},
	} {
		bubble(t, name, func(t *testing.T) {
			ctx, record := withCall(t.Context())
			call := admit(t, ctx, expiring(t, time.Minute, interceptor.WithObserver(harness.Observe)), test.service)
			time.Sleep(test.took) // the bubble's clock
			denial := call.Judge(test.message)
			if (denial == nil) != (test.want == "") || denial != nil && denial.Reason() != test.want {
				t.Errorf("%v, want %q", denial, test.want)
			}
			if got := record.Decisions(); !slices.Equal(got, test.events) {
				t.Errorf("events %q, want %q", got, test.events)
			}
		})
	}
}

// TestServe makes sure that a refusal is returned as a denial and nothing else, whatever the
// handler made of it, and that the handler's error comes back as it is.
func TestServe(t *testing.T) {
	t.Parallel()
	own := errors.New("the handler's own")
	type serve = func(*interceptor.Call, interceptor.Transport, func(context.Context, *interceptor.Stream) error) error
	for way, serve := range map[string]struct {
		serve
		options []interceptor.Option
	}{
		"Serve":                {(*interceptor.Call).Serve, nil},
		"Serve without expiry": {(*interceptor.Call).Serve, []interceptor.Option{interceptor.WithoutStreamExpiry()}},
		"ServeUnary":           {(*interceptor.Call).ServeUnary, nil},
	} {
		for name, test := range map[string]struct {
			service string
			in      []string
			handler func(context.Context, *interceptor.Stream) error
			want    interceptor.Reason
			err     error
			sent    []string
			events  []interceptor.Reason
		}{
			"let in":   {"Field", []string{acme, acme}, echoPlain, "", nil, []string{acme, acme}, []interceptor.Reason{""}},
			"returned": {"Field", []string{acme, globex, acme}, echoPlain, organization.reason, nil, []string{acme}, []interceptor.Reason{"", organization.reason}},
			"swallowed": {"Field", []string{globex, acme}, func(_ context.Context, stream *interceptor.Stream) error {
				for range 2 {
					received := new(message)
					if err := stream.Receive(received); !isDenial(err, organization.reason) || received.GetOrganizationId() != "" {
						t.Errorf("received %v, %v", received, err)
					}
					if err := stream.Send(text(acme)); !isDenial(err, organization.reason) {
						t.Errorf("sent: %v", err)
					}
				}
				return nil
			}, organization.reason, nil, nil, []interceptor.Reason{organization.reason}},
			"replaced": {"Field", []string{globex}, func(_ context.Context, stream *interceptor.Stream) error {
				_ = stream.Receive(new(message))
				return own
			}, organization.reason, nil, nil, []interceptor.Reason{organization.reason}},
			"no message": {"Field", nil, func(_ context.Context, stream *interceptor.Stream) error {
				if err := stream.Receive(new(message)); !isDenial(err, organization.reason) {
					t.Errorf("received: %v", err)
				}
				return nil
			}, organization.reason, nil, nil, []interceptor.Reason{organization.reason}},
			"not asked":        {"Field", []string{acme}, func(context.Context, *interceptor.Stream) error { return nil }, organization.reason, nil, nil, []interceptor.Reason{organization.reason}},
			"the handler's":    {"Field", nil, func(context.Context, *interceptor.Stream) error { return own }, "", own, nil, nil},
			"the handler's, 2": {"Token", nil, func(context.Context, *interceptor.Stream) error { return own }, "", own, nil, []interceptor.Reason{""}},
			"the handler's, 3": {"Public", nil, func(context.Context, *interceptor.Stream) error { return own }, "", own, nil, []interceptor.Reason{""}},
			"public":           {"Public", []string{globex}, echoPlain, "", nil, []string{globex}, []interceptor.Reason{""}},
		} {
			bubble(t, way+", "+name, func(t *testing.T) {
				ctx, record := withCall(t.Context())
				guard := expiring(t, time.Minute, append(serve.options, interceptor.WithObserver(harness.Observe))...)
				stream := newPlainStream(test.in...)
				served := serve.serve(admit(t, ctx, guard, test.service), stream.transport(), func(ctx context.Context, stream *interceptor.Stream) error {
					if (interceptor.ClaimsFromContext(ctx) == nil) != (test.service == "Public") {
						t.Errorf("claims %v", interceptor.ClaimsFromContext(ctx))
					}
					return test.handler(ctx, stream)
				})
				denial, err := split(served)
				if (denial == nil) != (test.want == "") || denial != nil && denial.Reason() != test.want || err != test.err { //nolint:errorlint // the very error is promised
					t.Errorf("%v, %v, want %q, %v", denial, err, test.want, test.err)
				}
				if !slices.Equal(stream.sent, test.sent) || !slices.Equal(record.Decisions(), test.events) {
					t.Errorf("sent %q, events %q", stream.sent, record.Decisions())
				}
			})
		}
	}
}

// TestServeLate makes sure that the handler of a stream does not run at all if the token has
// expired before.
func TestServeLate(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]interceptor.Reason{time.Minute - 1: "", time.Minute: expired.reason} {
		bubble(t, took.String(), func(t *testing.T) {
			ctx, record := withCall(t.Context())
			call := admit(t, ctx, expiring(t, time.Minute, interceptor.WithObserver(harness.Observe)), "Token")
			time.Sleep(took) // the bubble's clock
			ran := false
			served := call.Serve(newPlainStream().transport(), func(context.Context, *interceptor.Stream) error {
				ran = true
				return nil
			})
			denial, err := split(served)
			synctest.Wait()
			if (denial == nil) != (want == "") || denial != nil && denial.Reason() != want || err != nil || ran != (want == "") {
				t.Errorf("%v, %v, ran: %t", denial, err, ran)
			}
			if n := len(record.Decisions()); n == 2 != (want != "") {
				t.Errorf("events %q", record.Decisions())
			}
		})
	}
}

// TestServeUnaryLate makes sure that the message of a unary call has to come in time, and
// that its handler may take its time after that.
func TestServeUnaryLate(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]interceptor.Reason{time.Minute - 1: "", time.Minute: expired.reason} {
		bubble(t, took.String(), func(t *testing.T) {
			stream := &plainStream{in: make(chan *message, 1)}
			time.AfterFunc(took, func() { stream.in <- naming(acme) })
			served := admit(t, t.Context(), expiring(t, time.Minute), "Field").ServeUnary(stream.transport(), func(ctx context.Context, stream *interceptor.Stream) error {
				received := new(message)
				if err := stream.Receive(received); isDenial(err, want) != (want != "") || (received.GetOrganizationId() == "") != (want != "") {
					t.Errorf("received %v, %v", received, err)
				}
				time.Sleep(time.Hour) // the bubble's clock
				_ = stream.Send(text(acme))
				return ctx.Err()
			})
			denial, err := split(served)
			if (denial == nil) != (want == "") || denial != nil && denial.Reason() != want || err != nil || len(stream.sent) > 0 != (want == "") {
				t.Errorf("%v, %v, sent %q", denial, err, stream.sent)
			}
		})
	}
}

// TestServeWithoutExpiry makes sure that a stream whose guard says so outlives its token, and
// is judged to its end.
func TestServeWithoutExpiry(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		stream := &plainStream{in: make(chan *message)}
		go func() {
			stream.in <- naming(acme)
			time.Sleep(time.Hour) // the bubble's clock
			stream.in <- naming(acme)
			stream.in <- naming(globex)
		}()
		served := admit(t, t.Context(), expiring(t, time.Minute, interceptor.WithoutStreamExpiry()), "Field").Serve(stream.transport(), echoPlain)
		denial, err := split(served)
		if denial == nil || denial.Reason() != organization.reason || err != nil || !slices.Equal(stream.sent, []string{acme, acme}) {
			t.Errorf("%v, %v, sent %q", denial, err, stream.sent)
		}
	})
}

// TestInterrupt makes sure that a stream is interrupted once, if its handler still runs when
// the token has expired, and never otherwise.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler func(context.Context, *interceptor.Stream) error
		times   int
		want    interceptor.Reason
		took    time.Duration
	}{
		"waits for the client": {func(_ context.Context, stream *interceptor.Stream) error { return stream.Receive(new(message)) }, 1, expired.reason, time.Minute},
		"waits for the end": {func(ctx context.Context, _ *interceptor.Stream) error {
			<-ctx.Done()
			if cause := context.Cause(ctx); !errors.Is(cause, token.ErrExpired) {
				t.Errorf("the context ends because of %v", cause)
			}
			return nil
		}, 1, expired.reason, time.Minute},
		"computes": {func(context.Context, *interceptor.Stream) error {
			time.Sleep(time.Hour) // the bubble's clock
			return nil
		}, 1, expired.reason, time.Minute + time.Second/2},
		"returned before":  {func(context.Context, *interceptor.Stream) error { return nil }, 0, "", 0},
		"a refusal before": {func(context.Context, *interceptor.Stream) error { return new(interceptor.Denial) }, 0, "", 0},
	} {
		bubble(t, name, func(t *testing.T) {
			stream, start := &wokenStream{plainStream: &plainStream{in: make(chan *message)}}, time.Now()
			served := admit(t, t.Context(), expiring(t, time.Minute), "Token").Serve(stream.transport(), test.handler)
			denial, err := split(served)
			if (denial == nil) != (test.want == "") || denial != nil && (denial.Reason() != test.want || err != nil) {
				t.Errorf("%v, %v", denial, err)
			}
			if took := time.Since(start); stream.times != test.times || took != test.took {
				t.Errorf("interrupted %d times, after %v", stream.times, took)
			}
		})
	}
	bubble(t, "returned, and the context says expired", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stream := &wokenStream{plainStream: &plainStream{in: make(chan *message)}}
		served := admit(t, ctx, expiring(t, time.Minute), "Token").Serve(stream.transport(), func(context.Context, *interceptor.Stream) error {
			cancel(token.ErrExpired)
			return nil
		})
		denial, err := split(served)
		if denial == nil || denial.Reason() != expired.reason || err != nil || stream.times != 0 {
			t.Errorf("%v, %v, interrupted %d times", denial, err, stream.times)
		}
	})
}

// TestSendUnderWay makes sure that Serve does not wait for ever for a Send, that such a Send
// is the last, and that no handler is told that its call was refused by another's Receive.
func TestSendUnderWay(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		end, finished := make(chan struct{}), make(chan struct{})
		stream := &plainStream{in: make(chan *message), sending: func() { <-end }}
		start := time.Now()
		served := admit(t, t.Context(), expiring(t, time.Minute), "Token").Serve(stream.transport(), func(_ context.Context, stream *interceptor.Stream) error {
			defer close(finished)
			if err := stream.Send(text(acme)); err != nil {
				t.Errorf("the Send that was under way: %v", err)
			}
			if err := stream.Send(text(globex)); !isDenial(err, expired.reason) {
				t.Errorf("the next Send: %v", err)
			}
			if err := stream.Receive(new(message)); !isDenial(err, expired.reason) {
				t.Errorf("the next Receive: %v", err)
			}
			return nil
		})
		denial, err := split(served)
		if took := time.Since(start); denial == nil || denial.Reason() != expired.reason || err != nil || took != time.Minute+time.Second/2 {
			t.Errorf("%v, %v after %v", denial, err, took)
		}
		close(end) // as the end of the call does
		<-finished
		if !slices.Equal(stream.sent, []string{acme}) {
			t.Errorf("sent %q", stream.sent)
		}
	})
}

// TestAtExpiry makes sure that nothing is received and nothing sent once the token has expired,
// even if the goroutine that ends the call is late.
func TestAtExpiry(t *testing.T) {
	t.Parallel()
	for i := range 100 { // whose turn it is first is left to chance
		bubble(t, "", func(t *testing.T) {
			stream := newPlainStream(acme)
			err := admit(t, t.Context(), expiring(t, time.Minute), "Token").Serve(stream.transport(), func(_ context.Context, stream *interceptor.Stream) error {
				time.Sleep(time.Minute) // the bubble's clock
				if i%2 == 0 {
					received := new(message)
					if err := stream.Receive(received); !isDenial(err, expired.reason) || received.GetOrganizationId() != "" {
						t.Errorf("received %v, %v", received, err)
					}
				}
				for range 10 {
					if err := stream.Send(text(acme)); !isDenial(err, expired.reason) {
						t.Errorf("sent: %v", err)
					}
				}
				return nil
			})
			if !isDenial(err, expired.reason) || len(stream.sent) > 0 {
				t.Errorf("%v, sent %q", err, stream.sent)
			}
		})
	}
}
