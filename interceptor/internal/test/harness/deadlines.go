package harness

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// A Mount serves a handler of all services and methods behind guards, the outermost first. Calls pass the wire before
// the guards.
type Mount func(wire *Wire, handler StreamHandler, guards ...*interceptor.Guard) http.Handler

// Patience is how long a test waits before it fails.
const Patience = 2 * time.Minute

// A Connection is a connection to a server that a test writes on by hand.
type Connection struct {
	net.Conn
	answers *bufio.Reader
}

// DialByHand connects to the server until the test is over.
func (s *Server) DialByHand(t testing.TB) *Connection {
	t.Helper()
	connection, err := s.Dial(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	return &Connection{connection, bufio.NewReader(connection)}
}

// A Reply is an answer over a connection.
type Reply struct {
	Status int
	Body   string
	Closes bool // the server will close the connection
}

// Ask writes a request and reads the reply.
func (c *Connection) Ask(request string) (Reply, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return Reply{}, err
	}
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return Reply{}, err
	}
	body, err := io.ReadAll(response.Body)
	return Reply{response.StatusCode, string(body), response.Close}, errors.Join(err, response.Body.Close())
}

// Envelope is a message of a stream as Connect, gRPC and gRPC-Web write it.
func Envelope(message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))) + message //nolint:gosec // it is short
}

// head is the beginning of a call over HTTP/1.1. More fields of the header may follow.
func head(service string, method catalogue.Method) string {
	format := "application/json"
	if method != catalogue.Unary {
		format = "application/connect+json"
	}
	return "POST " + catalogue.Procedure(service, method) + " HTTP/1.1\r\nHost: test\r\nContent-Type: " + format + "\r\n"
}

const authorization = "Authorization: Bearer any\r\n"

// openBody is the rest of a call over HTTP/1.1: a body with one message and without an end.
func openBody(organization string) string {
	message := Envelope(`{"organizationId":"` + organization + `"}`)
	return "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(message), message)
}

// cloning is middleware that copies requests.
func cloning(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r.Clone(r.Context())) })
}

// authorizing is middleware that sets the token of a request in place.
func authorizing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer any")
		next.ServeHTTP(w, r)
	})
}

func receives(_ context.Context, stream ServerStream) (err error) {
	for err == nil {
		err = stream.Receive(new(samplev1.SyncDocumentsRequest))
	}
	return ended(err)
}

func waits(ctx context.Context, _ ServerStream) error {
	<-ctx.Done()
	return nil
}

// RefusedBodies makes sure that a refused call over HTTP/1.1 is answered although its body does not come. Without
// the guard, net/http waits for the body. The names of the subtests end with the way to install the guard.
func RefusedBodies(t *testing.T, way string, mount Mount, methods ...catalogue.Method) {
	t.Helper()
	_ = Rules(t) // outside of the bubbles
	const sized, chunked = "Content-Length: 2\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"
	for name, sent := range map[string]struct {
		text    string
		took    time.Duration // until it is answered
		keeps   bool          // the connection has another request
		handler StreamHandler // of a stream; the call is refused by its header otherwise
		want    catalogue.Answer

		middleware func(http.Handler) http.Handler // cloning by default
	}{
		"it comes":                       {text: sized + "{}", keeps: true},
		"it does not come":               {text: sized, took: time.Second},
		"it does not come in chunks":     {text: chunked, took: time.Second},
		"it comes in part":               {text: chunked + "2\r\n{}\r\n", took: time.Second},
		"B7 it is waited with":           {text: "Expect: 100-continue\r\n" + sized},
		"B7 it is waited with in chunks": {text: "Expect: 100-continue\r\n" + chunked},
		"B7 written otherwise":           {text: "expect: 100-Continue\r\n" + chunked},
		"B7 it comes all the same":       {text: "Expect: 100-continue\r\n" + sized + "{}"},
		"after a message":                {text: authorization + openBody(globex), took: time.Second, handler: receives, want: catalogue.Organization},
		"when the token expires":         {text: authorization + openBody(Acme), took: time.Minute, handler: waits, want: catalogue.Expired},
		"with a token set in place":      {text: openBody(Acme), took: time.Minute, handler: waits, want: catalogue.Expired, middleware: authorizing},
	} {
		for _, method := range methods {
			if method == catalogue.Unary && sent.handler != nil {
				continue
			}
			t.Run(name+", "+method.Name+way, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					handler, want := sent.handler, sent.want
					if handler == nil {
						handler, want = receives, catalogue.Missing
					}
					middleware := cloning
					if sent.middleware != nil {
						middleware = sent.middleware
					}
					guarded := middleware(mount(new(Wire), handler, Expiring(t, time.Minute)))
					connection := ServePiped(t, interceptor.DeadlineHandler(guarded)).DialByHand(t)
					for range map[bool]int{true: 2, false: 1}[sent.keeps] {
						start := time.Now() // the bubble's clock
						reply, err := connection.Ask(head("Field", method) + sent.text)
						if err != nil {
							t.Fatal(err)
						}
						if took := time.Since(start); !strings.Contains(reply.Body, want.Text) || took != sent.took { // the bubble's clock
							t.Errorf("%+v after %v", reply, took)
						}
					}
					if sent.keeps {
						return
					}
					if _, err := connection.answers.ReadByte(); !errors.Is(err, io.EOF) {
						t.Errorf("the server reads the next bytes as a request: %v", err)
					}
				})
			})
		}
	}
}

// IdleStreams makes sure that a stream over HTTP/1.1 whose client sends nothing more ends with its token, and when it
// is refused, behind one guard and behind two. It does not run in a bubble, whose clock stands still while net/http
// waits for a body.
func IdleStreams(t *testing.T, one, two map[string]Mount) {
	t.Helper()
	var calls sync.WaitGroup // in place of subtests, of which only a few run at a time
	for name, test := range map[string]struct {
		handler StreamHandler
		guards  []time.Duration // how long their tokens are good, the outermost first
		names   string
		want    catalogue.Answer
	}{
		"receives":                 {receives, []time.Duration{2 * time.Second}, Acme, catalogue.Expired},
		"does not read":            {waits, []time.Duration{2 * time.Second}, Acme, catalogue.Expired},
		"inside of a guard":        {receives, []time.Duration{time.Hour, 2 * time.Second}, Acme, catalogue.Expired},
		"around a guard":           {receives, []time.Duration{2 * time.Second, time.Hour}, Acme, catalogue.Expired},
		"a message":                {receives, []time.Duration{time.Hour}, globex, catalogue.Organization},
		"a message, of two guards": {receives, []time.Duration{time.Hour, time.Hour}, globex, catalogue.Organization},
	} {
		mounts := one
		if len(test.guards) > 1 {
			mounts = two
		}
		for way, mount := range mounts {
			var guards []*interceptor.Guard
			for _, lifetime := range test.guards {
				guards = append(guards, Expiring(t, lifetime))
			}
			connection := Serve(t, interceptor.DeadlineHandler(cloning(mount(new(Wire), test.handler, guards...)))).DialByHand(t)
			calls.Go(func() {
				reply, err := connection.Ask(head("Field", catalogue.Client) + authorization + openBody(test.names))
				if err != nil || !strings.Contains(reply.Body, test.want.Text) {
					t.Errorf("B1 %s, %s: %v, %+v", name, way, err, reply)
				}
			})
		}
	}
	calls.Wait()
}

// UnreadStreams makes sure that a call whose client does not read ends with its token, and not before a Send that is
// blocked, even if the handler has left the Send behind. It does not run in a bubble, whose clock stands still while a
// goroutine waits for a lock.
func UnreadStreams(t *testing.T, mount Mount) {
	t.Helper()
	large := &samplev1.SyncDocumentsResponse{Document: &samplev1.Document{Text: strings.Repeat("x", 1<<20)}}
	sendOn := func(stream ServerStream) (err error) {
		for err == nil {
			err = stream.Send(large)
		}
		return err
	}
	var calls sync.WaitGroup // in place of subtests, of which only a few run at a time
	for name, handler := range map[string]StreamHandler{
		"sends": func(_ context.Context, stream ServerStream) error { return sendOn(stream) },
		"leaves a Send behind": func(ctx context.Context, stream ServerStream) error {
			go func() { _ = sendOn(stream) }()
			return waits(ctx, stream)
		},
	} {
		for _, way := range []struct {
			format string
			http1  bool
		}{{"connect+proto", false}, {"grpc", false}, {"grpc-web", false}, {"connect+proto", true}, {"grpc-web", true}} {
			wire := &Wire{over: make(chan struct{}), send: func(w *Wire, message any, next func(any) error) error {
				err := next(message)
				if w.isOver() {
					t.Errorf("%s, %v: the call has ended while a message was being sent", name, way)
				}
				return err
			}}
			server := Serve(t, interceptor.DeadlineHandler(mount(wire, func(ctx context.Context, stream ServerStream) error {
				if err := stream.Receive(new(samplev1.SyncDocumentsRequest)); err != nil {
					return err
				}
				return handler(ctx, stream)
			}, Expiring(t, 4*time.Second))))
			client := server.HTTP2
			if way.http1 {
				client = server.HTTP1
			}
			calls.Go(func() {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+catalogue.Procedure("Token", catalogue.Server), strings.NewReader(Envelope("")))
				if err != nil {
					t.Error(err)
					return
				}
				request.Header = http.Header{"Authorization": {"Bearer any"}, "Content-Type": {"application/" + way.format}}
				response, err := client.Do(request)
				if err != nil {
					t.Errorf("%s, %v: %v", name, way, err)
					return
				}
				defer func() { _ = response.Body.Close() }()
				select {
				case <-wire.over:
					if denial, _ := errors.AsType[*interceptor.Denial](wire.err); reasonOf(denial) != interceptor.ReasonTokenExpired {
						t.Errorf("%s, %v: it ends with %v", name, way, wire.err)
					}
				case <-time.After(Patience):
					t.Errorf("%s, %v: it does not end", name, way)
				}
			})
		}
	}
	calls.Wait()
}
