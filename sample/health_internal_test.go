package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"

	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/probe"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// A server is not ready as long as its issuer cannot be reached.
func TestHealthFollowsKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, err := devissuer.New("http://127.0.0.1:1/oidc", devissuer.Config{})
		if err != nil {
			t.Fatal(err)
		}
		down := true
		transport := roundTripper(func(request *http.Request) (*http.Response, error) {
			if down {
				return nil, syscall.ECONNREFUSED
			}
			recorder := httptest.NewRecorder()
			issuer.ServeHTTP(recorder, request)
			return recorder.Result(), nil
		})
		var log bytes.Buffer
		verifier, err := token.NewVerifier(token.Logto(issuer.URL()), token.WithTransport(transport),
			token.WithKeySetObserver(logKeySet(slog.New(slog.NewTextHandler(&log, nil)))))
		if err != nil {
			t.Fatal(err)
		}
		checker := probe.Checker(verifier, probe.WithServices(samplev1connect.CatalogServiceName))
		check := func(want grpchealth.Status) {
			t.Helper()
			for _, service := range []string{"", samplev1connect.CatalogServiceName} {
				response, err := checker.Check(t.Context(), &grpchealth.CheckRequest{Service: service})
				if err != nil || response.Status != want {
					t.Errorf("%q is %v, %v, want %v", service, response, err, want)
				}
			}
			synctest.Wait() // for the log
		}
		check(grpchealth.StatusNotServing)
		down = false
		time.Sleep(2 * time.Second) // the bubble's clock
		check(grpchealth.StatusServing)
		_, err = checker.Check(t.Context(), &grpchealth.CheckRequest{Service: "sample.v1.Unknown"})
		if connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("an unknown service: %v", err)
		}
		down = true
		time.Sleep(time.Hour) // the bubble's clock
		check(grpchealth.StatusServing)

		var got []string
		for line := range strings.Lines(log.String()) {
			_, line, _ = strings.Cut(line, " ") // the time
			got = append(got, strings.TrimSpace(line))
		}
		const cause = `cause="issuer keys are unavailable: issuer \"http://127.0.0.1:1/oidc\": discovery: \"http://127.0.0.1:1/oidc/.well-known/openid-configuration\": the request failed: connection refused: does the server run, and are host and port of the URL right? In a container, localhost is the container itself: set Issuer.KeySetURL to the address that the container reaches, and list its host in Issuer.InsecureHTTPHosts"`
		want := []string{
			`level=ERROR msg="no issuer keys" issuer=http://127.0.0.1:1/oidc keys=0 ` + cause,
			`level=INFO msg="issuer keys fetched" issuer=http://127.0.0.1:1/oidc keys=1 age=0s`,
			`level=WARN msg="issuer keys not refreshed" issuer=http://127.0.0.1:1/oidc keys=1 age=1h0m0s ` + cause,
		}
		if !slices.Equal(got, want) {
			t.Errorf("the log is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
