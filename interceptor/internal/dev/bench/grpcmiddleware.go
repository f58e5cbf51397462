package main

import (
	"context"
	"errors"
	"net"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// grpcMiddleware is the auth interceptor of go-grpc-middleware on grpc-go, which leaves
// the token to its user: here it does what keyfuncPeer does, and checks and misses the
// same.
func grpcMiddleware(p *keyfuncPeer) grpc.ServerOption {
	return grpc.ChainUnaryInterceptor(auth.UnaryServerInterceptor(func(ctx context.Context) (context.Context, error) {
		raw, err := auth.AuthFromMD(ctx, "bearer")
		if err != nil {
			return nil, err
		}
		procedure, ok := grpc.Method(ctx)
		if !ok {
			return nil, status.Error(codes.Internal, "no method")
		}
		claims, err := p.parse(ctx, raw)
		if err != nil {
			return nil, status.Errorf(codes.Unauthenticated, "invalid token: %v", err)
		}
		if err := checkScopes(procedure, splitScopes(claims.Scope)); err != nil {
			return nil, status.Error(codes.PermissionDenied, err.Error())
		}
		return context.WithValue(ctx, keyfuncKey{}, claims), nil
	}))
}

// serveGRPC serves the documents' one method with grpc-go, and returns a client's
// connection to it.
func serveGRPC(ctx context.Context, options ...grpc.ServerOption) (*grpc.ClientConn, func() error, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	s := grpc.NewServer(options...)
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "sample.v1.DocumentService",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "ListDocuments", Handler: grpcListDocuments}},
	}, struct{}{})
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	client, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	stop := func() error {
		s.Stop()
		err := <-served
		if client != nil {
			err = errors.Join(err, client.Close())
		}
		return err
	}
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return client, stop, nil
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
