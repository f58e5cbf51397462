package grpcguard_test

import (
	"errors"
	"fmt"
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

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
