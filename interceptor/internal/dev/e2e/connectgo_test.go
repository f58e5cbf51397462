package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// connect-go, with its generated clients.
func TestConnectGo(t *testing.T) {
	t.Parallel()
	run := func(options ...connect.ClientOption) func(*testing.T, *e2e.Sample, []call) []answer {
		return one(func(t *testing.T, s *e2e.Sample, c call) answer {
			ctx, cancel := context.WithTimeout(t.Context(), e2e.Patience)
			defer cancel()
			protocols := new(http.Protocols)
			protocols.SetUnencryptedHTTP2(true)
			witness := &witness{Transport: &http.Transport{Protocols: protocols}}
			defer witness.CloseIdleConnections()
			g := goClient{t, ctx, c}
			messages, err := g.call(&http.Client{Transport: witness}, s.URL, options...)
			got := parseError(t, err)
			got.Messages, got.Get = messages, witness.get
			return got
		})
	}
	check(t, []client{
		{name: "connect", can: all, challenged: true, run: run()},
		{name: "connect_json", can: all, challenged: true, run: run(connect.WithProtoJSON())},
		{name: "connect_get", can: byGet, challenged: true, get: true, run: run(connect.WithHTTPGet())},
		{name: "grpc", can: all, run: run(connect.WithGRPC())},
		{name: "grpcweb", can: all, run: run(connect.WithGRPCWeb())},
	})
}

// A witness sees whether a call is made by GET.
type witness struct {
	*http.Transport
	get bool
}

func (w *witness) RoundTrip(request *http.Request) (*http.Response, error) {
	w.get = request.Method == http.MethodGet
	return w.Transport.RoundTrip(request)
}

// A goClient makes one call.
type goClient struct {
	t   *testing.T
	ctx context.Context
	c   call
}

func (g goClient) call(client *http.Client, url string, options ...connect.ClientOption) ([]json.RawMessage, error) {
	catalog := samplev1connect.NewCatalogServiceClient(client, url, options...)
	members := samplev1connect.NewMemberServiceClient(client, url, options...)
	documents := samplev1connect.NewDocumentServiceClient(client, url, options...)
	accounts := samplev1connect.NewAccountServiceClient(client, url, options...)
	switch g.c.Method {
	case "GetInfo":
		return unary(g, catalog.GetInfo)
	case "ListProducts":
		return unary(g, catalog.ListProducts)
	case "CreateOrder":
		return unary(g, catalog.CreateOrder)
	case "ListMembers":
		return unary(g, members.ListMembers)
	case "ListDocuments":
		return unary(g, documents.ListDocuments)
	case "UpdateSettings":
		return unary(g, documents.UpdateSettings)
	case "GetAccount":
		return unary(g, accounts.GetAccount)
	case "UpdatePreferences":
		return unary(g, accounts.UpdatePreferences)
	case "ListAccounts":
		return unary(g, accounts.ListAccounts)
	case "RotateKey":
		return unary(g, accounts.RotateKey)
	case "WatchProducts":
		return serverStream(g, catalog.WatchProducts)
	case "ImportProducts":
		return clientStream(g, catalog.ImportProducts)
	case "SyncDocuments":
		return bidiStream(g, documents.SyncDocuments)
	case "ReadAccounts":
		return bidiStream(g, accounts.ReadAccounts)
	}
	g.t.Fatalf("%s is called by nobody here", g.c.procedure())
	return nil, nil
}

// message is the interface of generated types of messages.
type message[T any] interface {
	*T
	proto.Message
}

func requestOf[Req any, P message[Req]](g goClient, document json.RawMessage) *Req {
	request := new(Req)
	if err := protojson.Unmarshal(document, P(request)); err != nil {
		g.t.Fatal(err)
	}
	return request
}

func format[Res any, Q message[Res]](response *Res) json.RawMessage {
	return json.RawMessage(protojson.Format(Q(response)))
}

func (g goClient) setHeader(header http.Header) {
	for name, value := range g.c.Header {
		header.Set(name, value)
	}
}

func unary[Req, Res any, P message[Req], Q message[Res]](
	g goClient, method func(context.Context, *connect.Request[Req]) (*connect.Response[Res], error),
) ([]json.RawMessage, error) {
	request := connect.NewRequest(requestOf[Req, P](g, g.c.Requests[0]))
	g.setHeader(request.Header())
	response, err := method(g.ctx, request)
	if err != nil {
		return nil, err
	}
	return []json.RawMessage{format[Res, Q](response.Msg)}, nil
}

func serverStream[Req, Res any, P message[Req], Q message[Res]](
	g goClient, method func(context.Context, *connect.Request[Req]) (*connect.ServerStreamForClient[Res], error),
) (messages []json.RawMessage, err error) {
	ctx, leave := context.WithCancel(g.ctx)
	defer leave()
	request := connect.NewRequest(requestOf[Req, P](g, g.c.Requests[0]))
	g.setHeader(request.Header())
	stream, err := method(ctx, request)
	if err != nil {
		return nil, err
	}
	for stream.Receive() {
		if messages = append(messages, format[Res, Q](stream.Msg())); len(messages) == g.c.Take {
			leave()
			_ = stream.Close() // canceled
			return messages, nil
		}
	}
	return messages, errors.Join(stream.Err(), stream.Close())
}

func clientStream[Req, Res any, P message[Req], Q message[Res]](
	g goClient, method func(context.Context) *connect.ClientStreamForClient[Req, Res],
) ([]json.RawMessage, error) {
	stream := method(g.ctx)
	g.setHeader(stream.RequestHeader())
	for _, document := range g.c.Requests {
		// EOF: the call has been refused, and CloseAndReceive returns the reason.
		if err := stream.Send(requestOf[Req, P](g, document)); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	response, err := stream.CloseAndReceive()
	if err != nil {
		return nil, err
	}
	return []json.RawMessage{format[Res, Q](response.Msg)}, nil
}

func bidiStream[Req, Res any, P message[Req], Q message[Res]](
	g goClient, method func(context.Context) *connect.BidiStreamForClient[Req, Res],
) (messages []json.RawMessage, err error) {
	stream := method(g.ctx)
	g.setHeader(stream.RequestHeader())
	for _, document := range g.c.Requests {
		if err := stream.Send(requestOf[Req, P](g, document)); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	if err := stream.CloseRequest(); err != nil {
		return nil, err
	}
	for {
		response, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return messages, stream.CloseResponse()
		} else if err != nil {
			_ = stream.CloseResponse() // returns the same error
			return messages, err
		}
		messages = append(messages, format[Res, Q](response))
	}
}

func parseError(t *testing.T, err error) answer {
	t.Helper()
	if err == nil {
		return answer{}
	}
	refusal, ok := errors.AsType[*connect.Error](err)
	if !ok {
		t.Fatalf("not a connect error: %v", err)
	}
	got := answer{Code: refusal.Code(), Challenge: strings.Join(refusal.Meta().Values("WWW-Authenticate"), "; ")}
	for _, detail := range refusal.Details() {
		value, err := detail.Value()
		if err != nil {
			t.Errorf("detail: %v", err)
		}
		if info, ok := value.(*errdetails.ErrorInfo); ok {
			got.explain(info)
		}
	}
	return got
}
