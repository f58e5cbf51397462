package harness_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestStreams runs the suite with the smallest adapter: a Transport over channels.
func TestStreams(t *testing.T) {
	t.Parallel()
	harness.Streams(t, harness.Framework{Methods: catalogue.Methods[1:], SendsHeader: true, Serve: serveInMemory})
}

func serveInMemory(_ testing.TB, guard *interceptor.Guard, wire *harness.Wire, handler harness.StreamHandler) harness.StreamClient {
	return func(ctx context.Context, service string, method catalogue.Method) (harness.ClientStream, error) {
		ctx, end := context.WithCancelCause(ctx)
		up, down := make(chan proto.Message), make(chan proto.Message)
		client, server := memoryClient{memoryPeer{ctx, up, down}, end, http.Header{}}, memoryPeer{ctx, down, up}
		adapter := func(ctx context.Context) error {
			call, denial := guard.Admit(ctx, catalogue.Procedure(service, method), http.Header{"Authorization": {"Bearer any"}})
			if denial != nil {
				return denial
			}
			s := new(memoryStream)
			return call.Serve(interceptor.Transport{
				Receive:    func(message any) error { return wire.Receive(message, server.Receive) },
				Send:       func(message any) error { return wire.Send(message, server.Send) },
				Refuse:     func(denial *interceptor.Denial) error { return denial },
				Header:     func() error { client.add(&s.header); return nil },
				Trailer:    func() { client.add(&s.trailer) },
				SendHeader: func() error { return wire.SendHeader(func() error { return nil }) },
			}, func(ctx context.Context, stream *interceptor.Stream) error {
				s.Stream = stream
				return handler(ctx, s)
			})
		}
		go func() { end(cmp.Or(wire.Run(ctx, nil, adapter), io.EOF)) }()
		return client, nil
	}
}

type memoryStream struct {
	*interceptor.Stream
	header, trailer sync.Map
}

func (s *memoryStream) SetHeader(name, value string)  { s.header.Store(name, value) }
func (s *memoryStream) SetTrailer(name, value string) { s.trailer.Store(name, value) }

// A memoryPeer is one end of a call over channels.
type memoryPeer struct {
	ctx context.Context //nolint:containedctx // it ends with the call
	out chan<- proto.Message
	in  <-chan proto.Message
}

func (p memoryPeer) Receive(message any) error {
	select {
	case sent, ok := <-p.in:
		if !ok {
			return io.EOF
		}
		proto.Merge(tokens.As[proto.Message](message), sent)
		return nil
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

func (p memoryPeer) Send(message any) error {
	select {
	case p.out <- tokens.As[proto.Message](message):
		return nil
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

type memoryClient struct {
	memoryPeer
	end context.CancelCauseFunc
	http.Header
}

func (c memoryClient) add(fields *sync.Map) {
	fields.Range(func(name, _ any) bool { c.Set(tokens.As[string](name), "set"); return true })
}
func (c memoryClient) CloseSend() error { close(c.out); return nil }
func (c memoryClient) Close() error     { c.end(nil); return nil }
