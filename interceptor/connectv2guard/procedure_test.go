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
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestOutsideProcedure makes sure that an event does not hold the client's own text if the server has a
// handler for unknown procedures.
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
			if len(events) != 1 || !slices.Contains([]string{interceptor.UnknownProcedure, "/test.v1.Opened/*"}, events[0].Procedure) {
				t.Fatalf("the events are %+v", events)
			}
			if denial := events[0].Denial; denial != nil && (len(denial.Unwrap().Error()) > 1000 || strings.ContainsAny(denial.Unwrap().Error(), "\n\r\x1b")) {
				t.Errorf("the cause is %q", denial.Unwrap())
			}
		})
	}
}
