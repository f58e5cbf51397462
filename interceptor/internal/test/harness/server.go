package harness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A Server serves HTTP/1.1 and HTTP/2 on one port.
type Server struct {
	*Records

	URL          string
	Dial         Dialer
	HTTP1, HTTP2 *http.Client

	mu  sync.Mutex
	log bytes.Buffer
}

// A Dialer is the DialContext of a transport.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// Serve serves on a loopback address until the test is over.
func Serve(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ServeOn(t, listener, new(net.Dialer).DialContext, handler)
}

// ServeOn serves on a listener until the test is over. The clients connect to it with dial.
func ServeOn(t testing.TB, listener net.Listener, dial Dialer, handler http.Handler) *Server {
	t.Helper()
	s := &Server{Records: new(Records), URL: "http://" + listener.Addr().String(), Dial: dial}
	both, only2 := new(http.Protocols), new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	only2.SetUnencryptedHTTP2(true)
	var serving, connections sync.WaitGroup
	backend := &http.Server{ //nolint:gosec // no timeouts: tests wait on purpose
		Protocols: both,
		ErrorLog:  log.New(s, "", 0),
		Handler:   s.recording(handler),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				connections.Add(1)
			case http.StateHijacked, http.StateClosed:
				connections.Done()
			case http.StateActive, http.StateIdle:
			}
		},
	}
	serving.Go(func() { _ = backend.Serve(listener) })
	one, two := &http.Transport{DialContext: dial}, &http.Transport{DialContext: dial, Protocols: only2}
	s.HTTP1, s.HTTP2 = &http.Client{Transport: tap{one, s}}, &http.Client{Transport: tap{two, s}}
	t.Cleanup(func() {
		one.CloseIdleConnections()
		two.CloseIdleConnections()
		_ = backend.Close()
		serving.Wait()
		connections.Wait() // some stay for half a second after their last answer
	})
	return s
}

// ServeInProcess serves without a network: the header of a request arrives as it is, even if HTTP cannot carry it.
func ServeInProcess(handler http.Handler, records *Records) *Server {
	s := &Server{Records: records, URL: "http://in.process"}
	recording := s.recording(handler)
	client := &http.Client{Transport: tap{tokens.Handler(func(request *http.Request) (*http.Response, error) {
		request = request.Clone(request.Context())
		request.ProtoMajor, request.ProtoMinor = 2, 0
		if request.Body == nil {
			request.Body = http.NoBody
		}
		defer func() { _ = request.Body.Close() }() // as a server does
		recorder := httptest.NewRecorder()
		recording.ServeHTTP(recorder, request)
		response := recorder.Result()
		response.ProtoMajor, response.ProtoMinor = 2, 0
		return response, nil
	}), s}}
	s.HTTP1, s.HTTP2 = client, client
	return s
}

// recording puts the record of a request into its context.
func (s *Server) recording(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if record := s.Find(r.Header.Get(Field)); record != nil {
			r = r.WithContext(NewContext(r.Context(), record))
		}
		handler.ServeHTTP(w, r)
	})
}

// Record makes a record, and names it in the header of its call.
func (s *Server) Record(header http.Header) *Record {
	record, id := s.New()
	header.Set(Field, id)
	return record
}

// A tap notes the answers in the records of their calls.
type tap struct {
	http.RoundTripper
	server *Server
}

func (t tap) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	if record := t.server.Find(request.Header.Get(Field)); record != nil && err == nil {
		record.mu.Lock()
		record.status = response.StatusCode
		record.mu.Unlock()
		header := response.Header.Clone()
		header.Del("Date")
		record.Receive(header)
		response.Body = &tappedBody{response.Body, record, response}
	}
	return response, err
}

type tappedBody struct {
	io.ReadCloser
	record   *Record
	response *http.Response
}

func (b *tappedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.record.Receive(string(into[:n]))
	if errors.Is(err, io.EOF) {
		b.record.Receive(b.response.Trailer)
	}
	return n, err
}

// Write implements [io.Writer] for the log of net/http.
func (s *Server) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}

// Logged returns the log of net/http.
func (s *Server) Logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}
