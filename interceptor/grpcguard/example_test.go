package grpcguard_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func Example() {
	verifier, verifierErr := token.NewVerifier(token.Logto("https://tenant.logto.app"))
	table, tableErr := policy.Compile(policy.Files{grpc_health_v1.File_grpc_health_v1_health_proto}, policy.WithPublic("grpc.health.v1.Health"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(verifier, table)
	server := grpc.NewServer(grpcguard.ServerOptions(guard)...)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	if err := grpcguard.Check(server, table); err != nil {
		log.Fatal(err)
	}
	fmt.Print(table)
	// Output:
	// /grpc.health.v1.Health/Check  public
	// /grpc.health.v1.Health/List   public
	// /grpc.health.v1.Health/Watch  public
}

// InProcess gives grpc-gateway a connection through the guard, as the last argument of
// RegisterXHandler. A call over the connection stands for a call of the gateway here.
func ExampleInProcess() {
	verifier, verifierErr := token.NewVerifier(token.Logto("https://tenant.logto.app"))
	table, tableErr := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpcguard.ServerOptions(interceptor.New(verifier, table))...)
	registerCatalogServiceServer(server)
	conn, err := grpcguard.InProcess(server) // after all services are registered
	if err != nil {
		log.Fatal(err)
	}

	request, response := new(samplev1.ListProductsRequest), new(samplev1.ListProductsResponse)
	err = conn.Invoke(context.Background(), "/sample.v1.CatalogService/ListProducts", request, response)
	fmt.Println(err)

	err = conn.Close()
	server.Stop()
	if err != nil {
		log.Fatal(err)
	}
	// Output: rpc error: code = Unauthenticated desc = a bearer token is required
}

// registerCatalogServiceServer stands for a function that protoc-gen-go-grpc generates.
func registerCatalogServiceServer(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "sample.v1.CatalogService",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "ListProducts",
			Handler: func(_ any, ctx context.Context, decode func(any) error, guard grpc.UnaryServerInterceptor) (any, error) {
				request := new(samplev1.ListProductsRequest)
				if err := decode(request); err != nil {
					return nil, err
				}
				info := &grpc.UnaryServerInfo{FullMethod: "/sample.v1.CatalogService/ListProducts"}
				return guard(ctx, request, info, func(context.Context, any) (any, error) {
					return new(samplev1.ListProductsResponse), nil
				})
			},
		}},
	}, nil)
}
