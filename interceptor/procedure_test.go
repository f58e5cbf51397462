package interceptor_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/protoauthz/protoauthz/interceptor"
)

// TestOutsideProcedure makes sure that no event holds text of the client: the Procedure of an event is the
// procedure of its rule, or "unknown".
func TestOutsideProcedure(t *testing.T) {
	t.Parallel()
	header := http.Header{"Authorization": {"Bearer any"}}
	endless := strings.Repeat("x", 20<<10)
	for name, test := range map[string]struct{ called, want string }{
		"known":                         {"/test.v1.Token/Unary", "/test.v1.Token/Unary"},
		"known, refused":                {"/test.v1.Read/Unary", "/test.v1.Read/Unary"},
		"known, public":                 {"/test.v1.Public/Unary", "/test.v1.Public/Unary"},
		"unknown":                       {"/test.v1.Unruled/Unary", "unknown"},
		"unknown, line breaks":          {"/a\nb\r\n\x1b[2J/c", "unknown"},
		"unknown, endless":              {"/" + endless + "/b", "unknown"},
		"unknown, empty":                {"", "unknown"},
		"unknown, of a known service":   {"/test.v1.Token/" + endless, "unknown"},
		"of a service that is public":   {"/test.v1.Opened/Unary", "/test.v1.Opened/*"},
		"endless, of such a service":    {"/test.v1.Opened/" + endless, "/test.v1.Opened/*"},
		"line break, of such a service": {"/test.v1.Opened/a\nb", "/test.v1.Opened/*"},
	} {
		t.Run("C14 "+name, func(t *testing.T) {
			t.Parallel()
			var events []interceptor.Event
			guard := interceptor.New(unverified(`{"sub": "user", "exp": 4102444800, `+inAcme+`}`), rules(t),
				interceptor.WithObserver(func(_ context.Context, event interceptor.Event) { events = append(events, event) }))
			_, denial := guard.Admit(t.Context(), test.called, header.Clone())
			// A handler of all procedures, as a proxy is.
			proxy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				connect.NewUnaryHandler(test.called, func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
					return connect.NewResponse(new(emptypb.Empty)), nil
				}, guard.HandlerOption()).ServeHTTP(w, r)
			})
			request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
			request.Header = http.Header{"Authorization": {"Bearer any"}, "Content-Type": {"application/json"}}
			proxy.ServeHTTP(httptest.NewRecorder(), request)
			// A guard that is an interceptor alone.
			unary := guard.Interceptor().WrapUnary(func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) { return nil, nil })
			_, err := unary(t.Context(), &unaryRequest{spec: connect.Spec{Procedure: test.called}, header: header.Clone()})
			if refused := refusalIn(err); (refused == nil) != (denial == nil) {
				t.Errorf("refused with %v, and with %v", denial, refused)
			}
			if len(events) != 3 || slices.ContainsFunc(events, func(event interceptor.Event) bool { return event.Procedure != test.want }) {
				t.Errorf("%d events, want 3 of %q", len(events), test.want)
			}
			for _, event := range events {
				if event.Denial != nil {
					checkCause(t, event.Denial.Unwrap().Error())
				}
			}
		})
	}
}

// TestServiceWithoutMethod makes sure that the name of a public service is not a procedure, also for a call
// that has passed the gate of another procedure of the service.
func TestServiceWithoutMethod(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	called := procedure(opened, connect.StreamTypeUnary)
	service := called[:strings.LastIndexByte(called, '/')+1]
	renaming := connect.UnaryInterceptorFunc(func(connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			renamed := &unaryRequest{spec: connect.Spec{Procedure: service}, header: request.Header()}
			return guard.Interceptor().WrapUnary(func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) {
				return connect.NewResponse(new(answer)), nil
			})(ctx, renamed)
		}
	})
	got := post(t.Context(), handlers{}.mux(connect.WithInterceptors(renaming), guard.HandlerOption()), opened, http.Header{})
	if got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), ruleless.text) {
		t.Errorf("%d: %s", got.Code, got.Body)
	}
}

func refusalIn(err error) *interceptor.Denial {
	denial, _ := errors.AsType[*interceptor.Denial](err)
	return denial
}

// checkCause makes sure that a cause is one short line.
func checkCause(t *testing.T, cause string) {
	t.Helper()
	if len(cause) > 1000 || bytes.ContainsFunc([]byte(cause), func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("the cause is %q", cause)
	}
}
