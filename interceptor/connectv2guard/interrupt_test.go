package connectv2guard_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectinprocess"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// patience is how long a test waits for what must come before it fails.
const patience = 2 * time.Minute

// dial returns a connection to a server that a test can write on by hand.
func dial(t *testing.T, server *harness.Server) net.Conn {
	t.Helper()
	connection, err := server.Dial(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return connection
}

// head is that of a call over HTTP/1.1 whose body has two bytes.
func head(service string) string {
	return "POST " + catalogue.Procedure(service, catalogue.Unary) + " HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
}

// TestRefusedBody is about a call over HTTP/1.1 without a token, whose body does not come:
// net/http would wait for it before it answers.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t) // which belong to no bubble
	synctest.Test(t, func(t *testing.T) {
		connection := dial(t, harness.ServePiped(t, interceptor.DeadlineHandler(mount(newServer(harness.Expiring(t, time.Minute), echo)))))
		answers := bufio.NewReader(connection)
		for _, sent := range []struct {
			text string
			took time.Duration
		}{{head("Field") + "{}", 0}, {head("Field") + "{}", 0}, {head("Field"), time.Second}} {
			start := time.Now()
			if _, err := io.WriteString(connection, sent.text); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%q: %v", sent.text, err)
			}
			_, err = io.Copy(io.Discard, response.Body)
			if err := errors.Join(err, response.Body.Close()); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); response.StatusCode != http.StatusUnauthorized || took != sent.took {
				t.Errorf("%q: %s after %v", sent.text, response.Status, took)
			}
		}
	})
}

// TestRefusedInProcess makes sure that a call which a handler makes in process, with its own
// context and header, is refused without an end to what the handler itself reads.
func TestRefusedInProcess(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t)
	refusing := func() *connect.Server { return newServer(harness.Expiring(t, time.Minute), echo) }
	spec := specOf("Global", catalogue.Unary)
	for name, call := range map[string]func(ctx context.Context, header http.Header) error{
		"by HTTP": func(ctx context.Context, header http.Header) error {
			request := httptest.NewRequestWithContext(ctx, http.MethodPost, spec.Procedure, http.NoBody)
			request.Header = header.Clone()
			request.Host = header.Get("Host")
			request.Header.Set("Content-Type", "application/proto")
			recorder := httptest.NewRecorder()
			mount(refusing()).ServeHTTP(recorder, request)
			if recorder.Code != http.StatusUnauthorized {
				return nil
			}
			return connect.NewError(connect.CodeUnauthenticated, "over HTTP")
		},
		"by a transport in process": func(ctx context.Context, header http.Header) error {
			ctx, info := connect.NewClientContext(ctx)
			for name, values := range header { // as a proxy does
				info.RequestHeader().SetValues(name, values)
			}
			return connect.NewClient(connectinprocess.New(refusing())).CallUnary(ctx, spec, new(message), new(answer))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused := make(chan error, 1)
				served := harness.ServePiped(t, interceptor.DeadlineHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.Header["Host"] = []string{r.Host} // as connecthttp does
					refused <- call(r.Context(), r.Header)
					body, err := io.ReadAll(r.Body)
					_, _ = fmt.Fprintf(w, "%s %v", body, err)
				})))
				connection := dial(t, served)
				_, err := io.WriteString(connection, head("Field")+"a")
				if err := <-refused; connect.CodeOf(err) != connect.CodeUnauthenticated {
					t.Errorf("the call in process ends with %v", err)
				}
				time.Sleep(2 * time.Second) // the bubble's clock: longer than a refused call has for its body
				_, err2 := io.WriteString(connection, "b")
				response, err3 := http.ReadResponse(bufio.NewReader(connection), nil)
				if err := errors.Join(err, err2, err3); err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				if err := errors.Join(err, response.Body.Close()); err != nil || string(body) != "ab <nil>" {
					t.Errorf("the handler read %q, %v", body, err)
				}
			})
		})
	}
}

// sendOn sends until it cannot.
func sendOn(stream connect.ServerStream) error {
	noise := make([]byte, 1<<20) // which nothing compresses
	_, _ = rand.Read(noise)
	large := text(base64.StdEncoding.EncodeToString(noise))
	for {
		if err := stream.Send(large); err != nil {
			return err
		}
	}
}

// A sendingStream tells whether something is being sent.
type sendingStream struct {
	connect.ServerStream
	sending *atomic.Bool
}

func (s sendingStream) Send(message any) error {
	s.sending.Store(true)
	defer s.sending.Store(false)
	return s.ServerStream.Send(message)
}

// TestUnreadStream is about a client that does not read, so that a Send blocks: the call ends
// with its token, and not before that Send, even if the handler has left it behind. It is in no
// bubble, since who waits for that Send waits for a lock.
func TestUnreadStream(t *testing.T) {
	t.Parallel()
	var calls sync.WaitGroup // not subtests, of which only a few run at a time
	for wayName, way := range ways {
		for name, handler := range map[string]func(context.Context, connect.ServerStream) error{
			"sends": func(_ context.Context, stream connect.ServerStream) error { return sendOn(stream) },
			"leaves a Send behind": func(ctx context.Context, stream connect.ServerStream) error {
				go func() { _ = sendOn(stream) }()
				<-ctx.Done()
				return nil
			},
		} {
			if way.inProcess {
				continue
			}
			name += ", " + wayName
			returned := make(chan error, 1)
			server := connect.NewServer(func(next connect.ServerFunc) connect.ServerFunc {
				return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
					var sending atomic.Bool
					err := next(ctx, spec, sendingStream{stream, &sending})
					if sending.Load() {
						t.Errorf("%s: the call has ended while a message was being sent", name)
					}
					returned <- err
					return err
				}
			}, connectv2guard.Interceptor(harness.Expiring(t, 4*time.Second)))
			server.Register(connect.Method{Spec: specOf("Token", catalogue.Server), Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
				if err := stream.Receive(new(message)); err != nil {
					return err
				}
				return handler(ctx, stream)
			}})
			served := harness.Serve(t, interceptor.DeadlineHandler(mount(server)))
			client := served.HTTP2
			if way.http1 {
				client = served.HTTP1
			}
			calls.Go(func() {
				ctx, _ := authorized(t.Context())
				stream, err := connect.NewClient(connecthttp.NewTransport(client, served.URL, way.options...)).CallServerStream(ctx, specOf("Token", catalogue.Server), new(message))
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				defer func() { _ = stream.Close() }()
				select {
				case err := <-returned:
					if denial, ok := errors.AsType[*interceptor.Denial](err); !ok || string(denial.Reason()) != catalogue.Expired.Reason {
						t.Errorf("%s: it ends with %v", name, err)
					}
				case <-time.After(patience):
					t.Errorf("%s: it does not end", name)
				}
			})
		}
	}
	calls.Wait()
}
