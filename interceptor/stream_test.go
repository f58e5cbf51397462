package interceptor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// A misbehaviour is what a handler does with a stream that proves nothing, or
// no longer.
type misbehaviour struct {
	name     string
	client   func(context.Context, *connect.ClientStream[message]) (*connect.Response[answer], error)
	bidi     func(context.Context, *connect.BidiStream[message, answer]) error
	messages []string
	want     refusal
	answers  []string // in spite of the refusal, on the bidirectional stream
	events   []interceptor.Reason
}

func misbehaviours() []misbehaviour {
	aborted := func() error { return connect.NewError(connect.CodeAborted, errors.New("the handler's own")) }
	swallowAll := func(stream *connect.BidiStream[message, answer]) {
		for {
			message, err := stream.Receive()
			if err != nil {
				return
			}
			_ = stream.Send(text(message.GetOrganizationId()))
		}
	}
	once := []interceptor.Reason{organization.reason}
	midway := []interceptor.Reason{"", organization.reason}
	return []misbehaviour{
		{
			name: "swallows the refusal", messages: []string{acme, globex}, want: organization, answers: []string{acme}, events: midway,
			client: func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
				for stream.Receive() {
					continue
				}
				return connect.NewResponse(text("done")), nil
			},
			bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
				swallowAll(stream)
				return nil
			},
		},
		{
			name: "goes on after the refusal", messages: []string{acme, globex, acme}, want: organization, answers: []string{acme}, events: midway,
			client: func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
				conn := stream.Conn()
				for range 5 {
					received := new(message)
					if conn.Receive(received) == nil || received.GetOrganizationId() != "" {
						harness.Saw(ctx, received.GetOrganizationId())
					}
				}
				if conn.Send(text("sent")) == nil {
					harness.Saw(ctx, "nothing of a refusal when sending")
				}
				return connect.NewResponse(text("done")), nil
			},
			bidi: func(ctx context.Context, stream *connect.BidiStream[message, answer]) error {
				swallowAll(stream)
				for range 5 {
					if message, err := stream.Receive(); err == nil {
						harness.Saw(ctx, message.GetOrganizationId())
					}
					if stream.Send(text("sent")) == nil {
						harness.Saw(ctx, "nothing of a refusal when sending")
					}
				}
				return nil
			},
		},
		{
			name: "answers the refusal with an error", messages: []string{globex}, want: organization, events: once,
			client: func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
				stream.Receive()
				return nil, aborted()
			},
			bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
				_, _ = stream.Receive()
				return aborted()
			},
		},
		{
			name: "sends first", messages: []string{acme}, want: organization, events: once,
			client: func(context.Context, *connect.ClientStream[message]) (*connect.Response[answer], error) {
				return connect.NewResponse(text("early")), nil
			},
			bidi: func(ctx context.Context, stream *connect.BidiStream[message, answer]) error {
				if stream.Send(text("early")) == nil {
					harness.Saw(ctx, "nothing of a refusal when sending")
				}
				// It is too late now: the first refusal stands.
				if _, err := stream.Receive(); err == nil {
					harness.Saw(ctx, "nothing of a refusal when receiving")
				}
				return stream.Send(text("late"))
			},
		},
		{
			name: "receives nothing", messages: []string{acme}, want: organization, events: once,
			client: func(context.Context, *connect.ClientStream[message]) (*connect.Response[answer], error) {
				return connect.NewResponse(text("early")), nil
			},
			bidi: func(context.Context, *connect.BidiStream[message, answer]) error { return nil },
		},
		{
			name: "does not mind that nothing came", messages: []string{}, want: organization, events: once,
			client: func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
				stream.Receive()
				return connect.NewResponse(text("early")), nil
			},
			bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
				_, _ = stream.Receive()
				return stream.Send(text("early"))
			},
		},
		{
			name: "fails since nothing came", messages: []string{}, want: organization, events: once,
			client: func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
				stream.Receive()
				return nil, aborted()
			},
			bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
				_, _ = stream.Receive()
				return aborted()
			},
		},
		{
			name: "fails by itself before", messages: []string{acme}, want: refusal{code: connect.CodeAborted, text: "the handler's own"},
			client: func(context.Context, *connect.ClientStream[message]) (*connect.Response[answer], error) {
				return nil, aborted()
			},
			bidi: func(context.Context, *connect.BidiStream[message, answer]) error { return aborted() },
		},
		{
			name: "fails by itself after", messages: []string{acme}, want: refusal{code: connect.CodeAborted, text: "the handler's own"},
			events: []interceptor.Reason{""}, answers: []string{acme},
			client: func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
				stream.Receive()
				return nil, aborted()
			},
			bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
				if _, err := stream.Receive(); err != nil {
					return err
				}
				_ = stream.Send(text(acme))
				return aborted()
			},
		},
	}
}

// TestMisbehaviour makes sure that a stream is no safer than its handler is
// careful: with and without the end of streams, since these are two paths.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for _, options := range [][]interceptor.Option{nil, {interceptor.WithoutStreamExpiry()}} {
		guard := interceptor.New(shared(t).verifier, rules(t), append(options, interceptor.WithObserver(harness.Observe))...)
		for _, test := range misbehaviours() {
			server := serve(t, handlers{client: test.client, bidi: test.bidi}.mux(guard.HandlerOption()))
			for _, wire := range http2() {
				for _, kind := range []connect.StreamType{connect.StreamTypeClient, connect.StreamTypeBidi} {
					header := bearer(t, resource(acme, "read:data"))
					call := server.Record(header)
					texts, err := server.do(t.Context(), wire, "Field", kind, header, test.messages...)
					where := test.name + ", " + kinds[kind] + ", " + wire.name
					if got := refused(err); got != test.want {
						t.Errorf("%s: %+v, want %+v", where, got, test.want)
					}
					if kind == connect.StreamTypeClient && texts != nil || kind == connect.StreamTypeBidi && !slices.Equal(texts, test.answers) {
						t.Errorf("%s: the client got %q", where, texts)
					}
					if got := call.Decisions(); !slices.Equal(got, test.events) {
						t.Errorf("%s: events %q, want %q", where, got, test.events)
					}
					if _, seen := call.Seen(); slices.ContainsFunc(seen, func(s string) bool { return s != acme }) {
						t.Errorf("%s: the handler saw %q", where, seen)
					}
				}
			}
		}
	}
}

// TestRefusedMessage makes sure that a refused message is not left where a
// handler that does not look at errors finds it.
func TestRefusedMessage(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	server := serve(t, handlers{
		client: func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
			for stream.Receive() {
				continue
			}
			harness.Saw(ctx, stream.Msg().String())
			return nil, stream.Err()
		},
	}.mux(guard.HandlerOption()))
	header := bearer(t, resource(acme, "read:data"))
	call := server.Record(header)
	_, err := server.do(t.Context(), wires[0], "Field", connect.StreamTypeClient, header, acme, globex)
	if got := reasonOf(err); got != organization.reason {
		t.Errorf("%q: %v", got, err)
	}
	if _, seen := call.Seen(); !slices.Equal(seen, []string{""}) {
		t.Errorf("the handler read %q", seen)
	}
}

// TestUnreadableMessage makes sure that what is no message proves nothing.
func TestUnreadableMessage(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	for name, test := range map[string]struct {
		swallow bool
		want    string
	}{"reported": {false, "invalid_argument"}, "swallowed": {true, "permission_denied"}} {
		mux := handlers{bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
			stream.ResponseHeader().Set("X-Early", "secret")
			stream.ResponseTrailer().Set("X-Early", "secret")
			_, err := stream.Receive()
			if test.swallow {
				return nil
			}
			return err
		}}.mux(guard.HandlerOption())
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure("Field", connect.StreamTypeBidi),
			bytes.NewReader(enveloped([]byte("garbage"), false)))
		request.Header = bearer(t, resource(acme, "read:data"))
		request.Header.Set("Content-Type", "application/connect+json")
		request.ProtoMajor = 2
		recorder := httptest.NewRecorder()
		mux.ServeHTTP(recorder, request)
		if !strings.Contains(recorder.Body.String(), `"`+test.want+`"`) {
			t.Errorf("%s: %s, want %s", name, recorder.Body, test.want)
		}
		if strings.Contains(recorder.Body.String()+fmt.Sprint(recorder.Header()), "secret") {
			t.Errorf("%s: the handler's header is handed on: %v, %s", name, recorder.Header(), recorder.Body)
		}
	}
}

// TestFlowControl makes sure that the guard's locks stop nobody: a handler that
// cannot send, since the client does not read, goes on receiving.
func TestFlowControl(t *testing.T) {
	t.Parallel()
	const count, size = 64, 128 << 10 // more than all buffers on the way hold
	for _, wire := range http2() {
		wire.options = append(slices.Clone(wire.options), connect.WithAcceptCompression("gzip", nil, nil))
		t.Run(wire.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // only ends what hangs
			defer cancel()
			received, sent := make(chan struct{}), make(chan struct{})
			guard := interceptor.New(shared(t).verifier, rules(t))
			server := serve(t, handlers{bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
				if _, err := stream.Receive(); err != nil {
					return err
				}
				var sending sync.WaitGroup
				var sendErr error
				sending.Go(func() {
					defer close(sent)
					for range count {
						if sendErr = stream.Send(text(strings.Repeat("x", size))); sendErr != nil {
							return
						}
					}
				})
				var receiveErr error
				for range count {
					if _, receiveErr = stream.Receive(); receiveErr != nil {
						break
					}
				}
				close(received)
				sending.Wait()
				return errors.Join(receiveErr, sendErr)
			}}.mux(guard.HandlerOption()))
			stream := server.connect(wire, procedure("Field", connect.StreamTypeBidi)).CallBidiStream(ctx)
			defer func() { _ = stream.CloseResponse() }()
			merge(stream.RequestHeader(), bearer(t, resource(acme, "read:data")))
			for range count + 1 {
				if err := stream.Send(&message{OrganizationId: acme, Document: &samplev1.Document{Text: strings.Repeat("x", 1000)}}); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-received: // while nobody reads
			case <-ctx.Done():
				t.Fatal("the handler does not receive while it cannot send")
			}
			select {
			case <-sent:
				t.Error("everything was sent: nothing was tested")
			default:
			}
			_ = stream.CloseRequest()
			for range count {
				if _, err := stream.Receive(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := stream.Receive(); ended(err) != nil {
				t.Error(err)
			}
		})
	}
}

// TestConcurrentStreams keeps many streams busy in both directions, some of which
// are refused in the midst: for the race detector.
func TestConcurrentStreams(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(harness.Observe))
	server := serve(t, handlers{bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
		if _, err := stream.Receive(); err != nil {
			return err
		}
		var sending sync.WaitGroup
		sending.Go(func() {
			for range 20 {
				if stream.Send(text(acme)) != nil {
					return
				}
			}
		})
		defer sending.Wait()
		for {
			if _, err := stream.Receive(); err != nil {
				return ended(err)
			}
		}
	}}.mux(guard.HandlerOption()))
	var calls sync.WaitGroup
	for i := range 30 {
		header := bearer(t, resource(acme, "read:data"))
		call := server.Record(header)
		messages := slices.Repeat([]string{acme}, 20)
		want := []interceptor.Reason{""}
		if i%2 == 0 {
			messages[10] = globex
			want = append(want, organization.reason)
		}
		calls.Go(func() {
			_, err := server.do(t.Context(), http2()[i%3], "Field", connect.StreamTypeBidi, header, messages...)
			if got := reasonOf(err); got != want[len(want)-1] || err != nil && got == "" {
				t.Errorf("%v, want %q", err, want)
			}
			if got := call.Decisions(); !slices.Equal(got, want) {
				t.Errorf("events %q, want %q", got, want)
			}
		})
	}
	calls.Wait()
}
