package grpcguard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestOutsideProcedure makes sure that an event does not hold the client's own text if the server has a
// handler for unknown services.
func TestOutsideProcedure(t *testing.T) {
	t.Parallel()
	observed := make(chan interceptor.Event, 10)
	guard := harness.Expiring(t, time.Hour, interceptor.WithObserver(func(_ context.Context, event interceptor.Event) { observed <- event }))
	proxy := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return errors.New("proxied") })
	server := grpc.NewServer(append(grpcguard.ServerOptions(guard), proxy)...)
	conn := dial(t, server)
	for name, called := range map[string]string{
		"unknown":                     "/test.v1.Token/Other",
		"escapes":                     "/a\u202eb%0A/c",
		"endless":                     "/" + strings.Repeat("x", 10<<10) + "/b",
		"of a service that is public": "/test.v1.Opened/a b",
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer any")
		if err := conn.Invoke(ctx, called, new(message), new(answer)); err == nil {
			t.Errorf("C14 %s: answered", name)
		}
		event := <-observed
		if !slices.Contains([]string{interceptor.UnknownProcedure, "/test.v1.Opened/*"}, event.Procedure) {
			t.Errorf("C14 %s: the procedure is %q", name, event.Procedure)
		}
		if denial := event.Denial; denial != nil && (len(denial.Unwrap().Error()) > 1000 || strings.ContainsAny(denial.Unwrap().Error(), "\n\r\x1b\u202e")) {
			t.Errorf("C14 %s: the cause is %q", name, denial.Unwrap())
		}
	}
}
