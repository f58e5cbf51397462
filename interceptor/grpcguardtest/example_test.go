package grpcguardtest_test

import (
	"errors"
	"testing"

	"google.golang.org/grpc"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/grpcguardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// newProgram stands for the function of a program that makes its server and its rules.
func newProgram() (*grpc.Server, *policy.Table, error) {
	verifier, verifierErr := token.NewVerifier(token.Logto("https://tenant.logto.app"))
	table, tableErr := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		return nil, nil, err
	}
	server := grpc.NewServer(grpcguard.ServerOptions(interceptor.New(verifier, table))...)
	registerServices(server, table) // as functions that protoc-gen-go-grpc generates do
	return server, table, nil
}

// testGuarded is a test of the whole server: it fails if the server was made without
// grpcguard.ServerOptions. Name it TestGuarded, so that go test calls it.
func testGuarded(t *testing.T) {
	server, table, err := newProgram()
	if err != nil {
		t.Fatal(err)
	}
	grpcguardtest.AssertGuarded(t, grpcguardtest.InProcess(t, server), table)
}

func ExampleAssertGuarded() {
	var t *testing.T // go test supplies one
	testGuarded(t)
}
