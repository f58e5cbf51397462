package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
)

const (
	loopbackTitle     = "Connect unary over HTTP/2"
	loopbackTitleGRPC = "gRPC unary over HTTP/2"
)

func loopbackGroup(ctx context.Context, b *bench) error {
	for _, protocol := range []struct {
		title   string
		options []connect.ClientOption
	}{{loopbackTitle, nil}, {loopbackTitleGRPC, []connect.ClientOption{connect.WithGRPC()}}} {
		c := contest{title: protocol.title}
		for _, w := range b.ways() {
			url, err := b.serve(ctx, w.handler)
			if err != nil {
				return err
			}
			client := newClient()
			defer client.CloseIdleConnections()
			c.contenders = append(c.contenders, contender{w.name, callConnect(ctx, client, url, b.issuer.token(usual), protocol.options...)})
		}
		if err := b.compare(ctx, c); err != nil {
			return err
		}
	}
	return compareGRPC(ctx, b)
}

func callConnect(ctx context.Context, client *http.Client, url, raw string, options ...connect.ClientOption) operation {
	caller := connect.NewClient[samplev1.ListDocumentsRequest, samplev1.ListDocumentsResponse](client, url+listDocuments, options...)
	authorization := []string{"Bearer " + raw}
	return repeat(func() error {
		request := connect.NewRequest(documentsRequest())
		request.Header()["Authorization"] = authorization
		response, err := caller.CallUnary(ctx, request)
		if err != nil {
			return err
		}
		return checkDocuments(response.Msg)
	})
}

func checkDocuments(response *samplev1.ListDocumentsResponse) error {
	if n := len(response.GetDocuments()); n != 1 {
		return fmt.Errorf("%d documents", n)
	}
	return nil
}

// compareGRPC is apart from connect-go: grpc-go has costs of its own.
func compareGRPC(ctx context.Context, b *bench) error {
	c := contest{title: "grpc-go unary over HTTP/2"}
	for _, w := range b.waysGRPC() {
		client, err := b.serveGRPC(ctx, w.options...)
		if err != nil {
			return err
		}
		c.contenders = append(c.contenders, contender{w.name, callGRPC(ctx, client, b.issuer.token(usual))})
	}
	return b.compare(ctx, c)
}

// A wayGRPC is a server of grpc-go with one kind of protection.
type wayGRPC struct {
	name    string
	options []grpc.ServerOption
}

func (b *bench) waysGRPC() []wayGRPC {
	return []wayGRPC{
		{nameOpen, nil},
		{nameOurs, grpcguard.ServerOptions(b.guard)},
		{"go-grpc-middleware + keyfunc", []grpc.ServerOption{grpcMiddleware(b.keyfunc)}},
	}
}

// serveGRPC serves one method with grpc-go until the bench ends, and returns a connection to it.
func (b *bench) serveGRPC(ctx context.Context, options ...grpc.ServerOption) (*grpc.ClientConn, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	client, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := grpc.NewServer(options...)
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "sample.v1.DocumentService",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "ListDocuments", Handler: grpcListDocuments}},
	}, struct{}{})
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	b.ends = append(b.ends, func() error {
		err := client.Close()
		s.Stop()
		return errors.Join(err, <-served)
	})
	return client, nil
}

//nolint:revive // the order is grpc-go's
func grpcListDocuments(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	request := new(samplev1.ListDocumentsRequest)
	if err := decode(request); err != nil {
		return nil, err
	}
	handler := func(context.Context, any) (any, error) { return documents(), nil }
	if interceptor == nil {
		return handler(ctx, request)
	}
	return interceptor(ctx, request, &grpc.UnaryServerInfo{FullMethod: listDocuments}, handler)
}

func callGRPC(ctx context.Context, client *grpc.ClientConn, raw string) operation {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+raw)
	return repeat(func() error {
		response := new(samplev1.ListDocumentsResponse)
		if err := client.Invoke(ctx, listDocuments, documentsRequest(), response); err != nil {
			return err
		}
		return checkDocuments(response)
	})
}
