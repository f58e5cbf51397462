package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

func handlerGroup(ctx context.Context, b *bench) error {
	c := contest{title: "handler without a network", note: "Unary, proto, an organization in the message. Ours is gate and interceptor."}
	for _, w := range b.ways() {
		c.contenders = append(c.contenders, contender{w.name, newMemoryCall(ctx, w.handler, b.issuer.token(usual), http.StatusOK).op()})
	}
	return b.compare(ctx, c)
}

// A way is a handler with one kind of protection.
type way struct {
	name    string
	handler http.Handler
}

// ways are all ways to protect a handler of connect-go. The handlers do the same.
func (b *bench) ways() []way {
	return []way{
		{nameOpen, documentsHandler()},
		{nameOurs, documentsHandler(b.guard.HandlerOption())},
		{nameKeyfunc, documentsHandler(connect.WithInterceptors(b.keyfunc.interceptor()))},
		{"connect authn + keyfunc", authnMiddleware(b.keyfunc, documentsHandler())},
	}
}

func documentsHandler(options ...connect.HandlerOption) http.Handler {
	return connect.NewUnaryHandler(listDocuments, func(context.Context, *connect.Request[samplev1.ListDocumentsRequest]) (*connect.Response[samplev1.ListDocumentsResponse], error) {
		return connect.NewResponse(documents()), nil
	}, options...)
}

func documents() *samplev1.ListDocumentsResponse {
	return &samplev1.ListDocumentsResponse{Documents: []*samplev1.Document{{Name: "plan", Text: "Buy tea."}}}
}

func documentsRequest() *samplev1.ListDocumentsRequest {
	return &samplev1.ListDocumentsRequest{OrganizationId: organization}
}

func encodedDocumentsRequest() []byte { return tokens.Must(proto.Marshal(documentsRequest())) }

// A memoryCall calls a handler without a network. All calls share one request and one answer, so that
// only the handler's costs count.
type memoryCall struct {
	handler http.Handler
	request *http.Request
	body    *bytes.Reader
	answer  answerWriter
	want    int // the status
}

// newMemoryCall makes a call with a token, or without one.
func newMemoryCall(ctx context.Context, handler http.Handler, raw string, want int) *memoryCall {
	body := bytes.NewReader(encodedDocumentsRequest())
	request := tokens.Must(http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+listDocuments, body))
	request.Header.Set("Content-Type", "application/proto")
	if raw != "" {
		request.Header.Set("Authorization", "Bearer "+raw)
	}
	return &memoryCall{handler: handler, request: request, body: body, answer: answerWriter{header: http.Header{}}, want: want}
}

func (c *memoryCall) op() operation { return repeat(c.do) }

func (c *memoryCall) do() error {
	if _, err := c.body.Seek(0, 0); err != nil {
		return err
	}
	clear(c.answer.header)
	c.answer.status, c.answer.body = 0, c.answer.body[:0]
	c.handler.ServeHTTP(&c.answer, c.request)
	switch {
	case c.answer.status != c.want:
		return fmt.Errorf("status %d, want %d: %s", c.answer.status, c.want, c.answer.body)
	case len(c.answer.body) == 0:
		return errors.New("the answer is empty")
	default:
		return nil
	}
}

// An answerWriter is an [http.ResponseWriter] that keeps the beginning of the body, for errors.
type answerWriter struct {
	header http.Header
	status int
	body   []byte
}

func (a *answerWriter) Header() http.Header { return a.header }

func (a *answerWriter) WriteHeader(status int) { a.status = status }

func (a *answerWriter) Write(data []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.body = append(a.body, data[:min(len(data), 512-len(a.body))]...)
	return len(data), nil
}
