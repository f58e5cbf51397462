package grpcprobe_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/grpcprobe"
	"github.com/protoauthz/protoauthz/interceptor/probe"
)

// A readier is ready unless it has an error.
type readier struct{ err error }

// Ready implements [probe.Readier].
func (r readier) Ready(context.Context, ...string) error { return r.err }

// TestServer asks over a connection.
func TestServer(t *testing.T) {
	t.Parallel()
	const service = "shop.v1.OrderService"
	for name, test := range map[string]struct {
		verifier readier
		service  string
		want     healthpb.HealthCheckResponse_ServingStatus
		code     codes.Code
	}{
		"ready":               {readier{}, "", healthpb.HealthCheckResponse_SERVING, codes.OK},
		"a service":           {readier{}, service, healthpb.HealthCheckResponse_SERVING, codes.OK},
		"not ready":           {readier{errors.New("no keys")}, "", healthpb.HealthCheckResponse_NOT_SERVING, codes.OK},
		"a service not ready": {readier{errors.New("no keys")}, service, healthpb.HealthCheckResponse_NOT_SERVING, codes.OK},
		"an unknown service":  {readier{}, "shop.v1", healthpb.HealthCheckResponse_UNKNOWN, codes.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := grpc.NewServer()
			healthpb.RegisterHealthServer(server, grpcprobe.Server(test.verifier, probe.WithServices(service)))
			conn, err := grpcguard.InProcess(server)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			defer conn.Close()
			got, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: test.service})
			if got.GetStatus() != test.want || status.Code(err) != test.code {
				t.Errorf("got %v, %v, want %v, %v", got, err, test.want, test.code)
			}
		})
	}
}

// TestFault makes sure that the program stops at start for a verifier that is missing.
func TestFault(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("Server takes a verifier that is nil")
		}
	}()
	grpcprobe.Server(nil)
}
