package middleware_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// clientOf returns the client of one version of HTTP, for HTTP/2 with a connection. A server of net/http ends an HTTP/2
// connection whose client sends no settings within two seconds, and a client on a busy machine may need longer.
func clientOf(t *testing.T, server *harness.Server, version int) *http.Client {
	if version == 1 {
		return server.HTTP1
	}
	const attempts = 20 // on an idle machine the first succeeds
	for attempt := range attempts {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, server.URL, http.NoBody)
		if err != nil {
			t.Error(err)
			break
		}
		response, err := server.HTTP2.Do(request)
		if err == nil {
			_ = response.Body.Close()
			break
		}
		if attempt == attempts-1 {
			t.Errorf("no connection of HTTP/2: %v", err)
		}
	}
	return server.HTTP2
}

// idle makes a call that ends with its token, while the client sends nothing.
func (s setup) idle(t *testing.T, version int) {
	handler, returned := returning(s.serve(harness.Expiring(t, 2*time.Second)))
	server := harness.Serve(t, handler)
	stream := connect.NewClient[message, answer](clientOf(t, server, version), server.URL+s.prefix+client).CallClientStream(t.Context())
	stream.RequestHeader().Set("Authorization", "Bearer any")
	if err := stream.Send(&message{OrganizationId: harness.Acme}); err != nil && !errors.Is(err, io.EOF) { // it has ended by now, where all processors are busy
		t.Errorf("%s, HTTP/%d: %v", s.name, version, err)
	}
	select {
	case <-returned:
	case <-time.After(patience):
		t.Errorf("%s, HTTP/%d: a stream that is idle does not end with its token", s.name, version)
	}
	if _, err := stream.CloseAndReceive(); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("%s, HTTP/%d: it ends with %v", s.name, version, err)
	}
}

// A headOf is the head of a request with a token that has expired.
func (s setup) headOf(procedure string) http.Header {
	header := http.Header{"Authorization": {"Bearer any"}, "Content-Type": {"application/json"}}
	if procedure == client {
		header.Set("Content-Type", "application/connect+json")
	}
	return header
}

// refused makes a call that is refused though its body does not come.
func (s setup) refused(t *testing.T, version int, procedure string) {
	server := harness.Serve(t, s.serve(harness.Expiring(t, -time.Hour)))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	body, unsent := io.Pipe()
	defer context.AfterFunc(ctx, func() { _ = unsent.Close() })() // for which the client waits
	defer func() { _ = unsent.Close() }()
	told := make(chan struct{}, 1)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() { told <- struct{}{} }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+s.prefix+procedure, body)
	if err != nil {
		t.Error(err)
		return
	}
	request.Header = s.headOf(procedure)
	if version == 2 {
		request.Header.Set("Expect", "100-continue")
	}
	response, err := clientOf(t, server, version).Do(request)
	if err != nil {
		t.Errorf("%s, HTTP/%d, %s: no answer: %v", s.name, version, procedure, err)
		return
	}
	s.check(t, response, procedure)
	if len(told) > 0 {
		t.Errorf("%s, HTTP/%d, %s: the client is told to send its body", s.name, version, procedure)
	}
}

// check makes sure that the answer is a refusal.
func (s setup) check(t *testing.T, response *http.Response, procedure string) {
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Errorf("%s, %s: %v", s.name, procedure, err)
	}
	want := map[string]int{unary: http.StatusUnauthorized, client: http.StatusOK}[procedure]
	if response.StatusCode != want || !strings.Contains(string(body), `"unauthenticated"`) {
		t.Errorf("%s, %s: %s %s", s.name, procedure, response.Status, body)
	}
}

// expectations are the headers of a client of HTTP/1.1 that waits for a 100 Continue before it sends its body.
var expectations = map[string]string{
	"":        "Expect: 100-continue\r\nContent-Length: 1000000\r\n",
	"chunked": "expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n",
}

// expected makes a call that is refused before the client sends its body.
func (s setup) expected(t *testing.T, procedure, expectation string) {
	server := harness.Serve(t, s.serve(harness.Expiring(t, -time.Hour)))
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = connection.Close() }()
	var head strings.Builder
	head.WriteString("POST " + s.prefix + procedure + " HTTP/1.1\r\nHost: test\r\n" + expectations[expectation])
	_ = s.headOf(procedure).Write(&head)
	_, err = io.WriteString(connection, head.String()+"\r\n")
	if err := errors.Join(err, connection.SetDeadline(time.Now().Add(patience))); err != nil {
		t.Error(err)
	}
	answers := bufio.NewReader(connection)
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Errorf("%s, %s, %s: no answer: %v", s.name, procedure, expectation, err)
		return
	}
	s.check(t, response, procedure)
	if _, err := answers.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("%s, %s, %s: the connection takes what the client sends next for a request: %v", s.name, procedure, expectation, err)
	}
}
