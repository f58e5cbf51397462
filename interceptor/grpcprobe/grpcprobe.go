// Package grpcprobe answers readiness probes in a server of grpc-go, as package probe does in a server of Connect:
//
//	healthpb.RegisterHealthServer(server, grpcprobe.Server(verifier))
//
// A probe needs no token. The health service must be public in the table of the server's guard: see policy.WithPublic,
// or "public" of a deployment.
package grpcprobe

import (
	"context"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor/probe"
)

// Server returns the health service for grpc-health-probe and Kubernetes' grpc probes. Check answers as
// [probe.Checker] does, and takes its options: see there for what is serving, for the log and for panics. List and
// Watch are not implemented: clients of grpc-go with health checking then take the server for healthy.
func Server(verifier probe.Readier, opts ...probe.Option) healthpb.HealthServer {
	return &server{checker: probe.Checker(verifier, opts...)}
}

type server struct {
	healthpb.UnimplementedHealthServer

	checker grpchealth.Checker
}

// Check implements [healthpb.HealthServer].
func (s *server) Check(ctx context.Context, request *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	found, err := s.checker.Check(ctx, &grpchealth.CheckRequest{Service: request.GetService()})
	if err != nil {
		return nil, status.Error(codes.Code(connect.CodeOf(err)), "unknown service") // both count codes as gRPC does
	}
	answer := healthpb.HealthCheckResponse_NOT_SERVING
	if found.Status == grpchealth.StatusServing {
		answer = healthpb.HealthCheckResponse_SERVING
	}
	return &healthpb.HealthCheckResponse{Status: answer}, nil
}
