package grpcguard_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestOutsidePanic makes sure that a panic of a streaming handler comes out with its own value, and
// that its stack is logged, once.
func TestOutsidePanic(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	text := harness.Logged(t)
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any"))
	for _, method := range []catalogue.Method{catalogue.Server, catalogue.Client, catalogue.Bidi} {
		for _, value := range []any{"secret", errors.New("secret"), http.ErrAbortHandler} {
			text.Reset()
			recovered := func() (recovered any) {
				defer func() { recovered = recover() }()
				_ = grpcguard.Stream(harness.Expiring(t, time.Hour))(nil, &fakeStream{ctx: ctx},
					&grpc.StreamServerInfo{FullMethod: catalogue.Procedure("Token", method)}, func(any, grpc.ServerStream) error { panic(value) })
				return nil
			}()
			want := 1
			if value == http.ErrAbortHandler { //nolint:errorlint // so does net/http
				want = 0
			}
			got := text.String()
			if recovered != value || strings.Count(got, "\n") != want || strings.Contains(got, "secret") {
				t.Errorf("C13 %s: recovered %v, logged %s", method.Name, recovered, got)
			}
			if want > 0 && (!strings.Contains(got, "procedure="+catalogue.Procedure("Token", method)+" ") || !strings.Contains(got, "grpcguard_test.TestOutsidePanic.func")) {
				t.Errorf("C13 %s: logged %s", method.Name, got)
			}
		}
	}
}

// TestOutsideProcedure makes sure that a server with a handler for unknown services does not tell
// its observer the client's own text.
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
		if !slices.Contains([]string{"", "/test.v1.Opened/*"}, event.Procedure) {
			t.Errorf("C14 %s: the procedure is %q", name, event.Procedure)
		}
		if denial := event.Denial; denial != nil && (len(denial.Unwrap().Error()) > 1000 || strings.ContainsAny(denial.Unwrap().Error(), "\n\r\x1b\u202e")) {
			t.Errorf("C14 %s: the cause is %q", name, denial.Unwrap())
		}
	}
}
