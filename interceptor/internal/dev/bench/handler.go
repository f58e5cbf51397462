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
)

// productsHandler and documentsHandler are the two unary procedures that are called.
func productsHandler(options ...connect.HandlerOption) http.Handler {
	return connect.NewUnaryHandler(listProducts, func(context.Context, *connect.Request[samplev1.ListProductsRequest]) (*connect.Response[samplev1.ListProductsResponse], error) {
		return connect.NewResponse(&samplev1.ListProductsResponse{Products: []*samplev1.Product{{Id: "tea", Title: "Green tea"}}}), nil
	}, options...)
}

func documentsHandler(options ...connect.HandlerOption) http.Handler {
	return connect.NewUnaryHandler(listDocuments, func(context.Context, *connect.Request[samplev1.ListDocumentsRequest]) (*connect.Response[samplev1.ListDocumentsResponse], error) {
		return connect.NewResponse(documents()), nil
	}, options...)
}

func documents() *samplev1.ListDocumentsResponse {
	return &samplev1.ListDocumentsResponse{Documents: []*samplev1.Document{{Name: "plan", Text: "Buy tea."}}}
}

func (p *keyfuncPeer) handlerOption() connect.HandlerOption {
	return connect.WithInterceptors(p.interceptor())
}

// A memoryCall is a call of a handler without a network. Request and answer are used again
// and again, so that what is counted is the handler's.
type memoryCall struct {
	handler http.Handler
	request *http.Request
	body    rewound
	answer  discarded
	want    int // the status
}

func newMemoryCall(ctx context.Context, handler http.Handler, procedure, raw string, want int) *memoryCall {
	c := &memoryCall{handler: handler, want: want, answer: discarded{header: http.Header{}}}
	if procedure == listDocuments {
		c.body.data = encodedDocumentsRequest()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+procedure, nil)
	if err != nil {
		panic(err) // the procedures are constants
	}
	request.Header.Set("Content-Type", "application/proto")
	request.Header.Set("Authorization", "Bearer "+raw)
	request.Body, request.ContentLength = &c.body, int64(len(c.body.data))
	c.request = request
	return c
}

func encodedDocumentsRequest() []byte {
	data, err := proto.Marshal(&samplev1.ListDocumentsRequest{OrganizationId: organization})
	if err != nil {
		panic(err) // the message is a constant
	}
	return data
}

func (c *memoryCall) do() error {
	c.body.Reset(c.body.data)
	c.answer.reset()
	c.handler.ServeHTTP(&c.answer, c.request)
	if c.answer.status != c.want {
		return fmt.Errorf("status %d, want %d: %s", c.answer.status, c.want, c.answer.body)
	}
	return nil
}

// check makes one call and looks closer at its answer.
func (c *memoryCall) check() error {
	if err := c.do(); err != nil {
		return err
	}
	if len(c.answer.body) == 0 {
		return errors.New("the answer is empty")
	}
	return nil
}

// A rewound body can be read again.
type rewound struct {
	bytes.Reader
	data []byte
}

// Close implements [io.Closer].
func (*rewound) Close() error { return nil }

// A discarded answer keeps the beginning of its body only, for errors.
type discarded struct {
	header http.Header
	status int
	body   []byte
}

func (d *discarded) reset() {
	clear(d.header)
	d.status, d.body = 0, d.body[:0]
}

// Header implements [http.ResponseWriter].
func (d *discarded) Header() http.Header { return d.header }

// WriteHeader implements [http.ResponseWriter].
func (d *discarded) WriteHeader(status int) { d.status = status }

// Write implements [http.ResponseWriter].
func (d *discarded) Write(data []byte) (int, error) {
	if d.status == 0 {
		d.status = http.StatusOK
	}
	d.body = append(d.body, data[:min(len(data), 512-len(d.body))]...)
	return len(data), nil
}
