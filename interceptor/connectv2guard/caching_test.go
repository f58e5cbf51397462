package connectv2guard_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestOutsideCaching makes sure that an answer to a GET tells caches what they may keep: see package interceptor.
func TestOutsideCaching(t *testing.T) {
	t.Parallel()
	saying := func(err error, values ...string) connect.ServerFunc {
		return func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			if err := stream.Receive(new(message)); err != nil {
				return err
			}
			info, _ := connect.CallInfoForServerContext(ctx)
			if values != nil {
				info.ResponseHeader().SetValues("Cache-Control", values)
			}
			if err != nil {
				return err
			}
			return stream.Send(new(answer))
		}
	}
	recovering := func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) (err error) {
			defer func() {
				if value := recover(); value != nil {
					err = connect.NewError(connect.CodeInternal, "recovered")
				}
			}()
			return next(ctx, spec, stream)
		}
	}
	for name, test := range map[string]struct {
		services []string
		handler  connect.ServerFunc
		lives    time.Duration // the token
		message  string
		status   int
		own      []string // the handler's own Cache-Control
		want     []string
	}{
		"C15 answered":                    {services: []string{"Token", "Field"}, handler: saying(nil), status: 200, want: []string{"private"}},
		"C15 public":                      {services: []string{"Public", catalogue.Opened}, handler: saying(nil), status: 200},
		"C15 public, fails":               {services: []string{"Public", catalogue.Opened}, handler: saying(errors.New("any")), status: 500},
		"C15 its own":                     {services: []string{"Token", "Field"}, handler: saying(nil, "public", "max-age=60"), status: 200, own: []string{"public", "max-age=60"}, want: []string{"public", "max-age=60"}},
		"C15 its own without a directive": {services: []string{"Token", "Field"}, handler: saying(nil, ""), status: 200, own: []string{""}, want: []string{"private"}},
		"C15 header sent first": {services: []string{"Token", "Field"}, status: 200, want: []string{"private"}, handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			return errors.Join(stream.Receive(new(message)), stream.SendHeaders(), stream.Send(new(answer)))
		}},
		"C15 fails":              {services: []string{"Token", "Field"}, handler: saying(errors.New("any")), status: 500, want: []string{"no-store"}},
		"C15 fails with its own": {services: []string{"Token", "Field"}, handler: saying(errors.New("any"), "max-age=1"), status: 500, own: []string{"max-age=1"}, want: []string{"max-age=1"}},
		"C15 header sent first, fails": {services: []string{"Token", "Field"}, status: 500, want: []string{"no-store"}, handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			return errors.Join(stream.Receive(new(message)), stream.SendHeaders(), errors.New("any"))
		}},
		"C15 message that cannot be decoded": {services: []string{"Token", "Field"}, handler: saying(nil), message: "{", status: 400, want: []string{"no-store"}},
		"C15 panics": {services: []string{"Token", "Field"}, status: 500, want: []string{"no-store"}, handler: func(context.Context, connect.Spec, connect.ServerStream) error {
			panic("any")
		}},
		"C15 answers nothing": {services: []string{"Token", "Field"}, status: 200, want: []string{"private"}, handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			return stream.Receive(new(message))
		}},
		"C15 not modified":         {services: []string{"Token", "Field"}, handler: saying(connecthttp.NewNotModifiedError()), status: 304, want: []string{"private"}},
		"C15 expired":              {services: []string{"Token", "Field"}, handler: saying(nil), lives: -time.Hour, status: 401, want: []string{"no-store"}},
		"C15 another model":        {services: []string{"Read"}, handler: saying(nil), status: 403, want: []string{"no-store"}},
		"C15 another organization": {services: []string{"Field"}, handler: saying(nil, "public"), message: `{"organizationId":"globex"}`, status: 403, want: []string{"no-store"}},
		"C15 no rule":              {services: []string{catalogue.Unruled}, handler: saying(nil), status: 403, want: []string{"no-store"}},
	} {
		for _, service := range test.services {
			t.Run(name+", "+service, func(t *testing.T) {
				t.Parallel()
				sent := cmp.Or(test.message, `{"organizationId":"acme"}`)
				handler := mount(newServer(harness.Expiring(t, cmp.Or(test.lives, time.Hour)), test.handler, recovering))
				for method, want := range map[string][]string{http.MethodGet: test.want, http.MethodPost: test.own} {
					target, body := catalogue.Procedure(service, catalogue.Unary), sent
					if method == http.MethodGet {
						target, body = target+"?connect=v1&encoding=json&message="+sent, ""
					}
					request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
					request.Header.Set("Authorization", "Bearer any")
					if method == http.MethodPost {
						request.Header.Set("Content-Type", "application/json")
					}
					recorder := httptest.NewRecorder()
					handler.ServeHTTP(recorder, request)
					status := test.status
					if method == http.MethodPost && status == http.StatusNotModified {
						status = http.StatusInternalServerError // which stands for an error without a code
					}
					if got := recorder.Header()["Cache-Control"]; recorder.Code != status || !slices.Equal(got, want) {
						t.Errorf("%s: %d, %q, want %d, %q: %s", method, recorder.Code, got, status, want, recorder.Body)
					}
				}
			})
		}
	}
}
