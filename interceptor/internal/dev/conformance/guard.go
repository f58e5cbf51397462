package main

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const issuerURL = "http://127.0.0.1/oidc"

// newGuard makes a guard for the methods in the files, and a token with the claims that all methods
// require, and with more claims.
func newGuard(counts *tally, claims map[string]any, files ...protoreflect.FileDescriptor) (guard *interceptor.Guard, raw string, err error) {
	issuer, err := devissuer.New(issuerURL, devissuer.Config{})
	if err != nil {
		return nil, "", err
	}
	verifier, verifierErr := token.NewVerifier(token.Logto(issuerURL), token.WithTransport(inProcess{issuer}))
	table, tableErr := policy.Compile(files, policy.WithAudience(audience))
	all := map[string]any{"aud": audience, "scope": unaryScope + " " + streamScope}
	maps.Copy(all, claims)
	raw, tokenErr := issuer.Mint(all)
	if err := errors.Join(verifierErr, tableErr, tokenErr); err != nil {
		return nil, "", err
	}
	return interceptor.New(verifier, table, interceptor.WithObserver(counts.decided)), raw, nil
}

// newHandler puts the service behind a guard. The suite's clients send no token and name no
// organization: the handler adds them in front of the guard, as the mode demands.
func newHandler(service protoreflect.ServiceDescriptor, m mode, counts *tally, options ...connect.HandlerOption) (http.Handler, error) {
	guard, raw, err := newGuard(counts, m.claims(), service.ParentFile())
	if err != nil {
		return nil, err
	}
	options = append([]connect.HandlerOption{guard.HandlerOption(), compressions()}, options...)
	if names := m.names(); names != nil {
		options = append([]connect.HandlerOption{connect.WithInterceptors(names)}, options...)
	}
	handler := interceptor.DeadlineHandler(halfDuplex(newService(service, counts.handled, options...)))
	if m != withoutTokens {
		handler = authorized(raw, handler)
	}
	return counts.requested(handler), nil
}

// authorized adds a token to each request.
func authorized(raw string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+raw)
		next.ServeHTTP(w, r)
	})
}

// halfDuplex serves bidirectional streams over HTTP/1.1. connect-go refuses them, since it cannot know
// that client and server take turns. The clients of the suite take turns.
func halfDuplex(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && r.URL.Path == "/"+pkg+"."+serviceName+"/BidiStream" {
			r = r.WithContext(r.Context())
			r.ProtoMajor, r.ProtoMinor = 2, 0
		}
		next.ServeHTTP(w, r)
	})
}

// inProcess carries requests to a handler without a network.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}
