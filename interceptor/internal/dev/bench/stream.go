package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// syncHandler answers each message with one.
func syncHandler(options ...connect.HandlerOption) http.Handler {
	return connect.NewBidiStreamHandler(syncDocuments, func(_ context.Context, stream *connect.BidiStream[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]) error {
		for {
			request, err := stream.Receive()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := stream.Send(&samplev1.SyncDocumentsResponse{Document: request.GetDocument()}); err != nil {
				return err
			}
		}
	}, options...)
}

func syncRequest() *samplev1.SyncDocumentsRequest {
	return &samplev1.SyncDocumentsRequest{OrganizationId: organization, Document: &samplev1.Document{Name: "plan", Text: "Buy tea."}}
}

// exchanges makes an operation that sends messages on one stream, and waits for the answer to
// each.
func exchanges(ctx context.Context, client *http.Client, url, raw string) operation {
	return func(n int) error {
		stream, err := openSync(ctx, client, url, raw)
		if err != nil {
			return err
		}
		return errors.Join(exchange(stream, n), stream.CloseRequest(), stream.CloseResponse())
	}
}

type syncStream = connect.BidiStreamForClient[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]

func openSync(ctx context.Context, client *http.Client, url, raw string) (*syncStream, error) {
	stream := connect.NewClient[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse](client, url+syncDocuments).CallBidiStream(ctx)
	stream.RequestHeader().Set("Authorization", "Bearer "+raw)
	return stream, exchange(stream, 1)
}

func exchange(stream *syncStream, n int) error {
	request := syncRequest()
	for range n {
		if err := stream.Send(request); err != nil {
			return err
		}
		response, err := stream.Receive()
		if err != nil {
			return err
		}
		if got := response.GetDocument().GetName(); got != "plan" {
			return fmt.Errorf("document %q", got)
		}
	}
	return nil
}

// An endlessConn has a message at any time, and takes any.
type endlessConn struct {
	spec                     connect.Spec
	request, header, trailer http.Header
	message                  *samplev1.SyncDocumentsRequest
}

func newEndlessConn(raw string) *endlessConn {
	return &endlessConn{
		spec:    connect.Spec{Procedure: syncDocuments, StreamType: connect.StreamTypeBidi},
		request: http.Header{"Authorization": {"Bearer " + raw}}, header: http.Header{}, trailer: http.Header{},
		message: syncRequest(),
	}
}

// Spec implements [connect.StreamingHandlerConn].
func (c *endlessConn) Spec() connect.Spec { return c.spec }

// Peer implements [connect.StreamingHandlerConn].
func (*endlessConn) Peer() connect.Peer { return connect.Peer{Protocol: connect.ProtocolGRPC} }

// RequestHeader implements [connect.StreamingHandlerConn].
func (c *endlessConn) RequestHeader() http.Header { return c.request }

// ResponseHeader implements [connect.StreamingHandlerConn].
func (c *endlessConn) ResponseHeader() http.Header { return c.header }

// ResponseTrailer implements [connect.StreamingHandlerConn].
func (c *endlessConn) ResponseTrailer() http.Header { return c.trailer }

// Receive implements [connect.StreamingHandlerConn].
func (c *endlessConn) Receive(into any) error {
	message, ok := into.(*samplev1.SyncDocumentsRequest)
	if !ok {
		return fmt.Errorf("%T is no request", into)
	}
	message.OrganizationId, message.Document = c.message.GetOrganizationId(), c.message.GetDocument()
	return nil
}

// Send implements [connect.StreamingHandlerConn].
func (*endlessConn) Send(any) error { return nil }

// relay makes an operation that receives and sends on one connection.
func relay(ctx context.Context, interceptor connect.Interceptor, raw string) operation {
	conn := newEndlessConn(raw)
	return func(n int) error {
		relayed := 0
		handler := func(_ context.Context, conn connect.StreamingHandlerConn) error {
			received, reply := new(samplev1.SyncDocumentsRequest), new(samplev1.SyncDocumentsResponse)
			for range n {
				if err := conn.Receive(received); err != nil {
					return err
				}
				if err := conn.Send(reply); err != nil {
					return err
				}
				relayed++
			}
			return nil
		}
		wrapped := connect.StreamingHandlerFunc(handler)
		if interceptor != nil {
			wrapped = interceptor.WrapStreamingHandler(wrapped)
		}
		if err := wrapped(ctx, conn); err != nil {
			return err
		}
		if relayed != n {
			return fmt.Errorf("%d messages of %d", relayed, n)
		}
		return nil
	}
}

func streamGroup(ctx context.Context, b *bench) error {
	guard, err := b.issuer.guard()
	if err != nil {
		return err
	}
	raw := b.issuer.member("ES384")
	err = b.compare(ctx, contest{
		title: "stream without a network, for each message received and one sent", reference: nameOpen, added: true,
		note:       "Each message names the organization, and is checked.",
		contenders: []contender{{nameOpen, relay(ctx, nil, raw)}, {nameOurs, relay(ctx, guard.Interceptor(), raw)}},
	})
	if err != nil {
		return err
	}
	return reportLongStream(ctx, b)
}

// reportLongStream tells whether a stream takes memory for each of its messages.
func reportLongStream(ctx context.Context, b *bench) error {
	guard, err := b.issuer.guard()
	if err != nil {
		return err
	}
	t := table{
		title: "one bidi stream over HTTP/2", note: grouped(int64(b.messages)) + " messages there and back, once. The heap is that of client and server, after garbage collection.",
		columns: []string{"", "time of a message", "heap growth"},
	}
	for _, each := range []struct {
		name    string
		options []connect.HandlerOption
	}{{nameOpen, nil}, {nameOurs, []connect.HandlerOption{guard.HandlerOption()}}} {
		took, growth, err := longStream(ctx, b, each.options)
		if err != nil {
			return err
		}
		t.rows = append(t.rows, []string{each.name, duration(float64(took) / float64(b.messages)), megabytes(growth)})
	}
	return b.report.table(t)
}

func longStream(ctx context.Context, b *bench, options []connect.HandlerOption) (took time.Duration, growth float64, err error) {
	server, err := serve(ctx, syncHandler(options...))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	client := newClient()
	defer client.CloseIdleConnections()
	stream, err := openSync(ctx, client, server.url, b.issuer.member("ES384"))
	if err != nil {
		return 0, 0, err
	}
	if err := exchange(stream, 1000); err != nil { // until buffers have their size
		return 0, 0, err
	}
	before, start := heap(), time.Now()
	if err := exchange(stream, b.messages); err != nil {
		return 0, 0, err
	}
	took = time.Since(start)
	growth = heap() - before
	return took, growth, errors.Join(stream.CloseRequest(), stream.CloseResponse())
}

// heap is what is in use after garbage collection. What pools hold survives one.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
