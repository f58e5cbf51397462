package connectv2guard_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestOutsidePanic makes sure that a panic of a streaming handler comes out with its own value, and
// that its stack is logged, once. That of a unary handler is not lost, and not logged.
func TestOutsidePanic(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	text := harness.Logged(t)
	for _, method := range catalogue.Methods {
		for _, value := range []any{"secret", errors.New("secret"), http.ErrAbortHandler} {
			text.Reset()
			var recovered any
			recovering := func(next connect.ServerFunc) connect.ServerFunc {
				return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
					defer func() { recovered = recover() }()
					return next(ctx, spec, stream)
				}
			}
			_, _ = direct(t.Context(), "Token", method, new(fakeStream), func(context.Context, connect.Spec, connect.ServerStream) error { panic(value) },
				recovering, connectv2guard.Interceptor(harness.Expiring(t, time.Hour)))
			want := 1
			if method == catalogue.Unary || value == http.ErrAbortHandler { //nolint:errorlint // so does net/http
				want = 0
			}
			got := text.String()
			if recovered != value || strings.Count(got, "\n") != want || strings.Contains(got, "secret") {
				t.Errorf("C13 %s: recovered %v, logged %s", method.Name, recovered, got)
			}
			if want > 0 && (!strings.Contains(got, "procedure="+catalogue.Procedure("Token", method)+" ") || !strings.Contains(got, "connectv2guard_test.TestOutsidePanic.func")) {
				t.Errorf("C13 %s: logged %s", method.Name, got)
			}
		}
	}
}

// TestOutsideProcedure makes sure that a server with a handler for unknown procedures does not tell
// its observer the client's own text.
func TestOutsideProcedure(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"unknown":                     "/test.v1.Token/Other",
		"line breaks":                 "/test.v1.Token/b%0D%0A%1B[2J/c",
		"endless":                     "/test.v1.Token/" + strings.Repeat("x", 20<<10),
		"of a service that is public": "/test.v1.Opened/a%0Ab",
	} {
		t.Run("C14 "+name, func(t *testing.T) {
			t.Parallel()
			var events []interceptor.Event
			server := newServer(harness.Expiring(t, time.Hour,
				interceptor.WithObserver(func(_ context.Context, event interceptor.Event) { events = append(events, event) })), echo)
			server.SetUnknownHandler(func(context.Context, connect.Spec, connect.ServerStream) error { return errors.New("proxied") })
			request := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}"))
			request.Header = http.Header{"Authorization": {"Bearer any"}, "Content-Type": {"application/json"}}
			mount(server).ServeHTTP(httptest.NewRecorder(), request)
			if len(events) != 1 || !slices.Contains([]string{"", "/test.v1.Opened/*"}, events[0].Procedure) {
				t.Fatalf("the events are %+v", events)
			}
			if denial := events[0].Denial; denial != nil && (len(denial.Unwrap().Error()) > 1000 || strings.ContainsAny(denial.Unwrap().Error(), "\n\r\x1b")) {
				t.Errorf("the cause is %q", denial.Unwrap())
			}
		})
	}
}
