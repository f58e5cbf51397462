package interceptor_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

var errShared = connect.NewError(connect.CodeNotFound, errors.New("of all calls"))

// TestOutsideCaching makes sure that a shared cache stores no answer to a GET of a method that is not
// public, and no refusal.
func TestOutsideCaching(t *testing.T) {
	t.Parallel()
	type response = connect.Response[answer]
	saying := func(values ...string) func(context.Context) (*response, error) {
		return func(context.Context) (*response, error) {
			r := connect.NewResponse(new(answer))
			r.Header()["Cache-Control"] = values
			return r, nil
		}
	}
	failing := func(err error, values ...string) func(context.Context) (*response, error) {
		return func(context.Context) (*response, error) {
			if coded, ok := errors.AsType[*connect.Error](err); ok && values != nil {
				own := *coded
				own.Meta()["Cache-Control"] = values
				return nil, &own
			}
			return nil, err
		}
	}
	wireError := func() error { // an error that a client has received
		server := serve(t, handlers{unary: func(context.Context, *connect.Request[message]) (*response, error) {
			return failing(errShared, "public")(t.Context())
		}}.mux())
		_, err := server.connect(wires[0], procedure("Read", connect.StreamTypeUnary)).CallUnary(t.Context(), connect.NewRequest(new(message)))
		return err
	}()
	good, member, public := []string{"Bearer " + mint(t, shared(t).good, global("read:a"))}, []string{"Bearer " + mint(t, shared(t).good, resource(acme, "read:data"))}, []string{"Bearer a"}
	for name, test := range map[string]struct {
		service       string
		authorization []string
		handler       func(context.Context) (*response, error) // nil answers
		status        int
		own           []string                            // Cache-Control of the handler
		lost          bool                                // an interceptor before the guard replaces the context
		forwarded     bool                                // an interceptor before the guard forwards the request
		behind        func() (connect.AnyResponse, error) // an interceptor behind the guard answers
		want          []string
	}{
		"C15 answered":                          {service: "Read", authorization: good, status: 200, want: []string{"private"}},
		"C15 answered, organization by message": {service: "Field", authorization: member, status: 200, want: []string{"private"}},
		"C15 public":                            {service: "Public", authorization: public, status: 200},
		"C15 public as a whole":                 {service: opened, authorization: good, status: 200},
		"C15 public, fails":                     {service: "Public", handler: failing(errShared), status: 404},
		"C15 its own":                           {service: "Read", authorization: good, handler: saying("public, max-age=60"), status: 200, own: []string{"public, max-age=60"}, want: []string{"public, max-age=60"}},
		"C15 its own in two fields":             {service: "Read", authorization: good, handler: saying("max-age=60", "must-revalidate"), status: 200, own: []string{"max-age=60", "must-revalidate"}, want: []string{"max-age=60", "must-revalidate"}},
		"C15 its own without a directive":       {service: "Read", authorization: good, handler: saying("", " "), status: 200, own: []string{"", ""}, want: []string{"private", "", ""}},
		"C15 its own through the context": {
			service: "Read", authorization: good, status: 200, own: []string{"max-age=60"}, want: []string{"max-age=60"},
			handler: func(ctx context.Context) (*response, error) {
				info, _ := connect.CallInfoForHandlerContext(ctx)
				info.ResponseHeader().Set("Cache-Control", "max-age=60")
				return connect.NewResponse(new(answer)), nil
			},
		},
		"C15 its own in lower case": {
			service: "Read", authorization: good, status: 200, own: []string{"max-age=60"}, want: []string{"max-age=60"},
			handler: func(context.Context) (*response, error) {
				r := connect.NewResponse(new(answer))
				r.Header()["cache-control"] = []string{"max-age=60"}
				return r, nil
			},
		},
		"C15 fails":                       {service: "Read", authorization: good, handler: failing(errors.New("any")), status: 500, want: []string{"no-store"}},
		"C15 fails with a code":           {service: "Field", authorization: member, handler: failing(errShared), status: 404, want: []string{"no-store"}},
		"C15 fails with its own":          {service: "Read", authorization: good, handler: failing(errShared, "max-age=1"), status: 404, own: []string{"max-age=1"}, want: []string{"max-age=1"}},
		"C15 fails with another server's": {service: "Read", authorization: good, handler: failing(wireError), status: 404, want: []string{"no-store"}},
		"C15 fails with a panic":          {service: "Read", authorization: good, handler: func(context.Context) (*response, error) { panic("any") }, status: 500, want: []string{"no-store"}},
		"C15 forwarded":                   {service: "Read", authorization: good, forwarded: true, handler: saying(""), status: 200, own: []string{""}, want: []string{"private", ""}},
		"C15 forwarded, fails":            {service: "Read", authorization: good, forwarded: true, handler: failing(errShared), status: 404, want: []string{"no-store"}},
		"C15 context replaced":            {service: "Read", authorization: good, lost: true, handler: saying(""), status: 200, own: []string{""}, want: []string{"private"}},
		"C15 fails beside an answer":      {service: "Read", authorization: good, behind: func() (connect.AnyResponse, error) { return connect.NewResponse(new(answer)), errShared }, status: 404, want: []string{"no-store"}},
		"C15 fails beside a nil answer":   {service: "Read", authorization: good, behind: func() (connect.AnyResponse, error) { return (*response)(nil), errShared }, status: 404, want: []string{"no-store"}},
		"C15 context replaced, fails":     {service: "Read", authorization: good, lost: true, behind: func() (connect.AnyResponse, error) { return (*response)(nil), errShared }, status: 404},
		"C15 context replaced, no answer": {service: "Read", authorization: good, lost: true, behind: func() (connect.AnyResponse, error) { return nil, nil }, status: 200},
		"C15 no token":                    {service: "Read", status: 401, want: []string{"no-store"}},
		"C15 expired":                     {service: "Field", authorization: []string{"Bearer " + mint(t, shared(t).good, with(global(""), "exp", 1))}, status: 401, want: []string{"no-store"}},
		"C15 scope missing":               {service: "Field", authorization: []string{"Bearer " + mint(t, shared(t).good, resource(acme, ""))}, status: 403, want: []string{"no-store"}},
		"C15 another organization":        {service: "Field", authorization: []string{"Bearer " + mint(t, shared(t).good, resource(globex, "read:data"))}, status: 403, want: []string{"no-store"}},
		"C15 no rule":                     {service: unruled, authorization: good, status: 403, want: []string{"no-store"}},
		"C15 keys unavailable":            {service: "Read", authorization: []string{"Bearer unavailable"}, status: 503, want: []string{"no-store"}},
		"C15 busy":                        {service: "Read", authorization: []string{"Bearer busy"}, status: 503, want: []string{"no-store"}},
		"C15 guard fails":                 {service: "Read", authorization: []string{"Bearer panic"}, status: 500, want: []string{"no-store"}},
	} {
		verify := func(ctx context.Context, raw string) (*token.Claims, error) {
			switch raw {
			case "unavailable":
				return nil, token.ErrKeysUnavailable
			case "busy":
				return nil, token.ErrBusy
			case "panic":
				panic(raw)
			}
			return shared(t).verifier.Verify(ctx, raw)
		}
		guard := interceptor.New(verifierFunc(verify), rules(t))
		recovering := connect.WithRecover(func(context.Context, connect.Spec, http.Header, any) error {
			return connect.NewError(connect.CodeInternal, errors.New("recovered"))
		})
		for installed, option := range map[string]connect.HandlerOption{"option": guard.HandlerOption(), "interceptor": connect.WithInterceptors(guard.Interceptor())} {
			t.Run(name+", "+installed, func(t *testing.T) {
				t.Parallel()
				var own handlers
				if test.handler != nil {
					own.unary = func(ctx context.Context, _ *connect.Request[message]) (*response, error) { return test.handler(ctx) }
				}
				options := []connect.HandlerOption{recovering, option}
				if test.lost {
					options = []connect.HandlerOption{connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
						return func(_ context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
							got, err := next(t.Context(), request)
							if got == nil && err == nil {
								return connect.NewResponse(new(answer)), nil
							}
							return got, err
						}
					})), option}
				}
				if test.forwarded {
					mirror := serve(t, handlers{}.mux()).connect(wires[0], procedure("Read", connect.StreamTypeUnary))
					options = []connect.HandlerOption{connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
						return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
							typed, _ := request.(*connect.Request[message])
							if _, err := mirror.CallUnary(ctx, typed); err != nil {
								t.Errorf("not forwarded: %v", err)
							}
							return next(ctx, request)
						}
					})), option}
				}
				if test.behind != nil {
					options = append(options, connect.WithInterceptors(connect.UnaryInterceptorFunc(func(connect.UnaryFunc) connect.UnaryFunc {
						return func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) { return test.behind() }
					})))
				}
				server := serve(t, own.mux(options...))
				url := server.URL + procedure(test.service, connect.StreamTypeUnary)
				for method, want := range map[string][]string{http.MethodGet: test.want, http.MethodPost: test.own} {
					query := `?connect=v1&encoding=json&message={"organizationId":"acme"}`
					if method == http.MethodPost {
						query = ""
					}
					request, err := http.NewRequestWithContext(t.Context(), method, url+query, strings.NewReader(`{"organizationId":"acme"}`))
					if err != nil {
						t.Fatal(err)
					}
					request.Header.Set("Content-Type", "application/json")
					if method == http.MethodGet {
						request.Body, request.ContentLength = nil, 0
						request.Header.Del("Content-Type")
					}
					request.Header["Authorization"] = test.authorization
					got, err := server.HTTP1.Do(request)
					if err != nil {
						t.Fatal(err)
					}
					_ = got.Body.Close()
					if values := got.Header.Values("Cache-Control"); got.StatusCode != test.status || !slices.Equal(values, want) {
						t.Errorf("%s: %d, %q, want %d, %q", method, got.StatusCode, values, test.status, want)
					}
				}
			})
		}
	}
}

// TestOutsideNotModified makes sure that a 304 of a handler keeps the stored answer as private as it was.
func TestOutsideNotModified(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header http.Header
		want   []string
	}{
		"C15 no header": {nil, []string{"private"}},
		"C15 ETag":      {http.Header{"Etag": {`"1"`}}, []string{"private"}},
		"C15 its own":   {http.Header{"Cache-Control": {"max-age=60"}}, []string{"max-age=60"}},
	} {
		own := handlers{unary: func(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
			return nil, connect.NewNotModifiedError(test.header)
		}}
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, procedure("Read", connect.StreamTypeUnary)+`?encoding=json&message={}`, nil)
		request.Header = bearer(t, global("read:a"))
		own.mux(interceptor.New(shared(t).verifier, rules(t)).HandlerOption()).ServeHTTP(recorder, request)
		if got := recorder.Header()["Cache-Control"]; recorder.Code != http.StatusNotModified || !slices.Equal(got, test.want) {
			t.Errorf("%s: %d, %q", name, recorder.Code, got)
		}
	}
}
