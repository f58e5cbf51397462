package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

const (
	loopbackTitle     = "Connect unary over HTTP/2"
	loopbackTitleGRPC = "gRPC unary over HTTP/2"

	nameGRPCOpen = "grpc-go, no auth"
	nameGRPCAuth = "grpc-go, go-grpc-middleware + keyfunc, ES384"
)

func loopbackGroup(ctx context.Context, b *bench) error {
	all, err := ways(ctx, b.issuer)
	if err != nil {
		return err
	}
	for _, protocol := range []struct {
		title   string
		options []connect.ClientOption
	}{{loopbackTitle, nil}, {loopbackTitleGRPC, []connect.ClientOption{connect.WithGRPC()}}} {
		if err := compareOverLoopback(ctx, b, protocol.title, all, protocol.options); err != nil {
			return err
		}
	}
	if err := compareGRPC(ctx, b); err != nil {
		return err
	}
	return compareBidi(ctx, b)
}

// compareOneByOneAndTogether runs a contest a second time with many callers.
func compareOneByOneAndTogether(ctx context.Context, b *bench, c contest) error {
	if err := b.compare(ctx, c); err != nil {
		return err
	}
	together := c
	callers := 4 * runtime.GOMAXPROCS(0)
	together.title += fmt.Sprintf(", %d callers", callers)
	together.contenders = nil
	for _, one := range c.contenders {
		together.contenders = append(together.contenders, contender{one.name, spread(callers, one.op)})
	}
	return b.compare(ctx, together)
}

func compareOverLoopback(ctx context.Context, b *bench, title string, all []way, options []connect.ClientOption) (err error) {
	c := contest{title: title, note: "Calls one after the other on one connection, unless said otherwise.", reference: nameOpen, added: true}
	for _, w := range all {
		server, serveErr := serve(ctx, w.handler)
		if serveErr != nil {
			return serveErr
		}
		defer func() { err = errors.Join(err, server.stop()) }()
		client := newClient()
		defer client.CloseIdleConnections()
		c.contenders = append(c.contenders, contender{w.name, callDocuments(ctx, client, server.url, w.raw, options...)})
	}
	return compareOneByOneAndTogether(ctx, b, c)
}

func callDocuments(ctx context.Context, client *http.Client, url, raw string, options ...connect.ClientOption) operation {
	documents := connect.NewClient[samplev1.ListDocumentsRequest, samplev1.ListDocumentsResponse](client, url+listDocuments, options...)
	authorization := []string{"Bearer " + raw}
	return repeat(func() error {
		request := connect.NewRequest(&samplev1.ListDocumentsRequest{OrganizationId: organization})
		request.Header()["Authorization"] = authorization
		response, err := documents.CallUnary(ctx, request)
		if err != nil {
			return err
		}
		return checkDocuments(response.Msg)
	})
}

func checkDocuments(response *samplev1.ListDocumentsResponse) error {
	if len(response.GetDocuments()) != 1 {
		return fmt.Errorf("%d documents", len(response.GetDocuments()))
	}
	return nil
}

// compareGRPC is apart from the rest: grpc-go has costs of its own.
func compareGRPC(ctx context.Context, b *bench) (err error) {
	keyfunc, err := newKeyfunc(ctx, b.issuer)
	if err != nil {
		return err
	}
	c := contest{title: "grpc-go unary over HTTP/2", reference: nameGRPCOpen, added: true}
	for _, each := range []struct {
		name    string
		options []grpc.ServerOption
	}{{nameGRPCOpen, nil}, {nameGRPCAuth, []grpc.ServerOption{grpcMiddleware(keyfunc)}}} {
		client, stop, serveErr := serveGRPC(ctx, each.options...)
		if serveErr != nil {
			return serveErr
		}
		defer func() { err = errors.Join(err, stop()) }()
		c.contenders = append(c.contenders, contender{each.name, callGRPC(ctx, client, b.issuer.member("ES384"))})
	}
	return compareOneByOneAndTogether(ctx, b, c)
}

func callGRPC(ctx context.Context, client *grpc.ClientConn, raw string) operation {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+raw)
	return repeat(func() error {
		response := new(samplev1.ListDocumentsResponse)
		if err := client.Invoke(ctx, listDocuments, &samplev1.ListDocumentsRequest{OrganizationId: organization}, response); err != nil {
			return err
		}
		return checkDocuments(response)
	})
}

func compareBidi(ctx context.Context, b *bench) (err error) {
	guard, err := b.issuer.guard()
	if err != nil {
		return err
	}
	c := contest{title: "bidi over HTTP/2, for each message there and back", reference: nameOpen, added: true}
	for _, each := range []struct {
		name    string
		options []connect.HandlerOption
	}{{nameOpen, nil}, {nameOurs, []connect.HandlerOption{guard.HandlerOption()}}} {
		server, serveErr := serve(ctx, syncHandler(each.options...))
		if serveErr != nil {
			return serveErr
		}
		defer func() { err = errors.Join(err, server.stop()) }()
		client := newClient()
		defer client.CloseIdleConnections()
		c.contenders = append(c.contenders, contender{each.name, exchanges(ctx, client, server.url, b.issuer.member("ES384"))})
	}
	return b.compare(ctx, c)
}
