package grpcguardtest

import (
	"testing"

	"google.golang.org/grpc"

	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
)

// InProcess serves a server in memory until the test ends, and returns a connection to the server. Register all
// services first. The test fails at once if the server cannot be served: see [grpcguard.InProcess].
//
//	grpcguardtest.AssertGuarded(t, grpcguardtest.InProcess(t, server), table)
func InProcess(t testing.TB, server *grpc.Server, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpcguard.InProcess(server, options...)
	if err != nil {
		t.Fatalf("grpcguardtest: InProcess: %v", err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	return conn
}
