package token_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A brokenBody fails after some text.
type brokenBody struct{ io.Reader }

func (b brokenBody) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err == nil {
		return n, nil
	}
	return 0, errors.New("broken by " + opaqueToken + clientSecret)
}

func (brokenBody) Close() error { return nil }

// echo is a text that repeats everything that the request holds.
const echo = "/" + opaqueToken + "/" + clientSecret + "?token=" + opaqueToken + "#" + clientSecret

// outages are endpoints that give no answer. Each repeats the secrets of the request.
func outages() map[string]func(url.Values) (*http.Response, error) {
	broken := func(text string) func(url.Values) (*http.Response, error) {
		return func(form url.Values) (*http.Response, error) {
			response, err := says(text)(form)
			response.Body = brokenBody{strings.NewReader(text)}
			return response, err
		}
	}
	all := map[string]func(url.Values) (*http.Response, error){
		"down":    func(url.Values) (*http.Response, error) { return nil, errors.New(echo) },
		"refused": func(url.Values) (*http.Response, error) { return nil, &net.OpError{Op: "dial", Err: errors.New(echo)} },
		"unknown": func(url.Values) (*http.Response, error) {
			return nil, &net.DNSError{Err: echo, Name: echo, IsNotFound: true}
		},
		"nothing":                 func(url.Values) (*http.Response, error) { return nil, nil },
		"cut off":                 broken(saying()[:30] + echo),
		"cut off behind the JSON": broken(saying()),
		"panics":                  func(url.Values) (*http.Response, error) { panic(echo) },
		"panics with an error":    func(url.Values) (*http.Response, error) { panic(token.ErrExpired) },
		"exits":                   func(url.Values) (*http.Response, error) { runtime.Goexit(); return nil, nil },
		"another error": func(url.Values) (*http.Response, error) {
			return nil, fmt.Errorf("%w %w %w", token.ErrInvalid, token.ErrExpired, token.ErrBusy)
		},
		"an echo":      says(echo),
		"HTML":         says("<p>" + echo),
		"an array":     says(`["` + opaqueToken + `"]`),
		"broken JSON":  says(`{"active":true,"` + opaqueToken),
		"twice":        says(`{"` + opaqueToken + `":1,"` + opaqueToken + `":1}`),
		"larger":       says(saying("pad", strings.Repeat(opaqueToken, 1<<16))),
		"a signature?": answers(http.StatusOK, opaqueToken, "Content-Type", "application/token-introspection+jwt"),
	}
	for _, status := range []int{201, 204, 206, 301, 302, 303, 307, 308, 304, 400, 401, 403, 404, 405, 407, 429, 500, 502, 503, 504, 599} {
		all[fmt.Sprint(status)] = answers(status, saying("sub", echo), "Location", "https://user:"+url.QueryEscape(clientSecret)+"@evil.test"+echo, "WWW-Authenticate", echo)
		all[fmt.Sprint(status, " with a host")] = answers(status, echo, "Location", "https://"+opaqueToken+".evil.test/")
		all[fmt.Sprint(status, " without a Location")] = answers(status, echo)
		all[fmt.Sprint(status, " with a broken Location")] = answers(status, echo, "Location", "://"+echo)
	}
	return all
}

// TestOutages makes sure that a call is refused as unavailable while the endpoint gives no answer, that nothing is
// kept, and that the next call asks again.
func TestOutages(t *testing.T) {
	t.Parallel()
	for name, outage := range outages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				endpoint := &fakeIssuer{answer: outage}
				introspector := newIntrospector(t, endpoint, token.Introspection{})
				for n := range 2 {
					claims, err := introspector.Verify(t.Context(), opaqueToken)
					checkError(t, err, token.ErrVerifierUnavailable)
					if claims != nil || endpoint.count() != n+1 {
						t.Errorf("%v after %d requests", claims, endpoint.count())
					}
					for cause := err; cause != nil; cause = errors.Unwrap(cause) {
						checkConfidential(t, fmt.Sprintf("%v %+v %q %#v", cause, cause, cause, cause), opaqueToken, url.QueryEscape(opaqueToken))
					}
				}
				endpoint.answer = says(saying())
				if claims, err := introspector.Verify(t.Context(), opaqueToken); err != nil || claims.Subject() != "user_1" {
					t.Errorf("afterwards: %v", err)
				}
				endpoint.answer = outage // of no consequence to what is known
				if _, err := introspector.Verify(t.Context(), opaqueToken); err != nil {
					t.Errorf("while the answer is good: %v", err)
				}
				time.Sleep(time.Minute) // the bubble's clock
				_, err := introspector.Verify(t.Context(), opaqueToken)
				checkError(t, err, token.ErrVerifierUnavailable)
				endpoint.answer = says(inactive)
				_, err = introspector.Verify(t.Context(), opaqueToken)
				checkError(t, err, token.ErrInvalid)
			})
		})
	}
}

// TestPrinted makes sure that neither an Introspector nor its parts show a secret when they are printed.
func TestPrinted(t *testing.T) {
	t.Parallel()
	introspector := newIntrospector(t, &fakeIssuer{answer: says(saying())}, token.Introspection{})
	if _, err := introspector.Verify(t.Context(), opaqueToken); err != nil {
		t.Fatal(err)
	}
	post, keyed := token.ClientSecretPost("api", clientSecret), token.PrivateKeyJWT("api", "RS256", "k", rsaKey)
	for _, printed := range []any{introspector, token.Introspection{Client: basic()}, basic(), post, &post, keyed, &keyed, token.TLSClientAuth("api")} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			checkConfidential(t, fmt.Sprintf(format, printed), opaqueToken, rsaKey.D.String(), fmt.Sprintf("%x", clientSecret), rsaKey.D.Text(16))
		}
	}
}

// TestHanging makes sure that a call waits for two seconds for an endpoint that hangs, that other calls share its
// request, and that the request ends after five seconds.
func TestHanging(t *testing.T) {
	t.Parallel()
	hang := func(endpoint *fakeIssuer) func(url.Values) (*http.Response, error) {
		return func(url.Values) (*http.Response, error) {
			<-endpoint.last().Context().Done()
			return nil, endpoint.last().Context().Err()
		}
	}
	hangInBody := func(endpoint *fakeIssuer) func(url.Values) (*http.Response, error) {
		return func(form url.Values) (*http.Response, error) {
			response, err := says("")(form)
			reader, writer := io.Pipe()
			context.AfterFunc(endpoint.last().Context(), func() { _ = writer.CloseWithError(context.DeadlineExceeded) })
			response.Body = reader
			return response, err
		}
	}
	for name, hangs := range map[string]func(*fakeIssuer) func(url.Values) (*http.Response, error){"before the answer": hang, "in the body": hangInBody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				endpoint := new(fakeIssuer)
				endpoint.answer = hangs(endpoint)
				introspector := newIntrospector(t, endpoint, token.Introspection{})
				start := time.Now()
				for _, test := range []struct {
					at       time.Duration
					requests int
				}{{0, 1}, {2 * time.Second, 1}, {4 * time.Second, 2}} {
					if at := time.Since(start); at != test.at {
						t.Errorf("a call begins at %v, want %v", at, test.at)
					}
					_, err := introspector.Verify(t.Context(), opaqueToken)
					checkError(t, err, token.ErrVerifierUnavailable)
					checkConfidential(t, err.Error(), opaqueToken)
					if test.at == 4*time.Second {
						// The flight has ended at five seconds, and has told the call.
						if at := time.Since(start); at != 5*time.Second {
							t.Errorf("the flight ends at %v", at)
						}
						_, _ = introspector.Verify(t.Context(), opaqueToken)
					}
					if n := endpoint.count(); n != test.requests {
						t.Errorf("%d requests, want %d", n, test.requests)
					}
				}
				time.Sleep(6 * time.Second) // the bubble's clock
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start = time.Now()
				_, err := introspector.Verify(ctx, opaqueToken)
				checkError(t, err, token.ErrVerifierUnavailable)
				if took := time.Since(start); took != time.Second {
					t.Errorf("a call that ends after a second waits %v", took)
				}
				time.Sleep(6 * time.Second) // the bubble's clock
			})
		})
	}
}

// TestDiscoveredEndpoint makes sure that the issuer's metadata names the endpoint, and that an endpoint that was found
// serves on while the metadata is away.
func TestDiscoveredEndpoint(t *testing.T) {
	t.Parallel()
	good := discovery("introspection_endpoint", introspectionURL)
	for name, test := range map[string]struct {
		metadata handler
		want     error
	}{
		"good":              {respond(200, good), nil},
		"absent":            {respond(200, discovery()), token.ErrVerifierUnavailable},
		"null":              {respond(200, discovery("introspection_endpoint", nil)), token.ErrVerifierUnavailable},
		"a number":          {respond(200, discovery("introspection_endpoint", 1)), token.ErrVerifierUnavailable},
		"http":              {respond(200, discovery("introspection_endpoint", "http://idp.test/introspect")), token.ErrVerifierUnavailable},
		"loopback":          {respond(200, discovery("introspection_endpoint", "http://127.0.0.1/introspect")), token.ErrVerifierUnavailable},
		"a relative URL":    {respond(200, discovery("introspection_endpoint", "/token/introspection")), token.ErrVerifierUnavailable},
		"of another issuer": {respond(200, discovery("issuer", otherIssuer, "introspection_endpoint", introspectionURL)), token.ErrVerifierUnavailable},
		"in another case":   {respond(200, discovery("Introspection_Endpoint", introspectionURL)), token.ErrVerifierUnavailable},
		"an alias for mTLS": {respond(200, discovery("mtls_endpoint_aliases", map[string]string{"introspection_endpoint": introspectionURL})), token.ErrVerifierUnavailable},
		"twice":             {respond(200, strings.Replace(good, "{", `{"introspection_endpoint":"https://evil.test",`, 1)), token.ErrVerifierUnavailable},
		"no metadata":       {respond(404, ""), token.ErrVerifierUnavailable},
		"a redirect":        {respond(302, "", "Location", discoveryURL), token.ErrVerifierUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				endpoint := &fakeIssuer{answer: says(saying()), idp: newIDP()}
				endpoint.idp.Serve(discoveryURL, test.metadata)
				made := introspected(func(i *token.Issuer) { i.IntrospectionURL = "" })
				introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(endpoint)))
				for range 2 {
					_, err := introspector.Verify(t.Context(), opaqueToken)
					checkError(t, err, test.want)
				}
				if n := endpoint.idp.Count(""); n != 1 {
					t.Errorf("asked %d times at once for %q", n, endpoint.idp.Requested())
				}
				if test.want == nil {
					return
				}
				endpoint.idp.Serve(discoveryURL, respond(200, good))
				time.Sleep(time.Second) // the bubble's clock
				if _, err := introspector.Verify(t.Context(), opaqueToken); err != nil {
					t.Errorf("a second later: %v", err)
				}
			})
		})
	}
}

// TestAliases makes sure that a client with a certificate asks at the alias that the metadata has for it (RFC 8705
// section 5), if there is one.
func TestAliases(t *testing.T) {
	t.Parallel()
	const elsewhere = "https://mtls.test/introspect"
	alias := func(value any) string {
		return discovery("introspection_endpoint", introspectionURL, "mtls_endpoint_aliases", value)
	}
	for name, test := range map[string]struct {
		metadata string
		client   token.ClientAuthentication
		good     bool // the endpoint that is not an alias is asked
	}{
		"an alias":               {alias(map[string]string{"introspection_endpoint": elsewhere}), token.TLSClientAuth("api"), false},
		"an alias over http":     {alias(map[string]string{"introspection_endpoint": "http://mtls.test"}), token.TLSClientAuth("api"), false},
		"an alias that is null":  {alias(map[string]any{"introspection_endpoint": nil}), token.TLSClientAuth("api"), false},
		"another endpoint's":     {alias(map[string]string{"token_endpoint": elsewhere}), token.TLSClientAuth("api"), true},
		"none":                   {alias(map[string]string{}), token.TLSClientAuth("api"), true},
		"no aliases":             {alias(absent{}), token.TLSClientAuth("api"), true},
		"aliases that are none":  {alias("x"), token.TLSClientAuth("api"), true},
		"an alias, and a secret": {alias(map[string]string{"introspection_endpoint": elsewhere}), basic(), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			endpoint := &fakeIssuer{answer: says(saying()), idp: newIDP()}
			endpoint.idp.Serve(discoveryURL, respond(200, test.metadata))
			made := introspected(func(i *token.Issuer) { i.IntrospectionURL = "" })
			introspector := must(token.NewIntrospector(made, token.Introspection{Client: test.client}, token.WithTransport(endpoint)))
			_, err := introspector.Verify(t.Context(), opaqueToken)
			if (err == nil) != test.good || (endpoint.count() > 0) != test.good {
				t.Errorf("%s: %v", name, err)
			}
			if asked := endpoint.idp.Count(elsewhere) > 0; asked != (name == "an alias") {
				t.Errorf("%s: the alias is asked: %t", name, asked)
			}
		})
	}
}

// TestMetadataAway makes sure that an endpoint that was found serves on while the metadata cannot be had.
func TestMetadataAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]handler{
		"down":   func(*http.Request) (*http.Response, error) { return nil, errors.New("down") },
		"broken": respond(500, ""),
		"hangs": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				endpoint := &fakeIssuer{answer: says(saying()), idp: newIDP()}
				endpoint.idp.Serve(discoveryURL, respond(200, discovery("introspection_endpoint", introspectionURL)))
				made := introspected(func(i *token.Issuer) { i.IntrospectionURL = "" })
				introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(endpoint)))
				if _, err := introspector.Verify(t.Context(), madeUp()); err != nil {
					t.Fatal(err)
				}
				endpoint.idp.Serve(discoveryURL, away)
				for n := range 60 {
					time.Sleep(time.Minute) // the bubble's clock
					if _, err := introspector.Verify(t.Context(), madeUp()); err != nil {
						t.Errorf("after %d minutes: %v", n+1, err)
					}
				}
				if n := endpoint.idp.Count(discoveryURL); n != 7 {
					t.Errorf("the metadata is asked for %d times in an hour", n)
				}
			})
		})
	}
}

// TestEndpointMoves makes sure that an endpoint that the metadata no longer names is left after ten minutes.
func TestEndpointMoves(t *testing.T) {
	t.Parallel()
	const moved = "https://idp.test/moved"
	synctest.Test(t, func(t *testing.T) {
		endpoint := &fakeIssuer{answer: says(inactive), idp: newIDP()}
		endpoint.idp.Serve(moved, respond(200, saying()))
		endpoint.idp.Serve(discoveryURL, respond(200, discovery("introspection_endpoint", introspectionURL)))
		made := introspected(func(i *token.Issuer) { i.IntrospectionURL = "" })
		introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(endpoint)))
		for _, step := range []struct {
			wait time.Duration
			want error
		}{{0, token.ErrInvalid}, {10*time.Minute - 1, token.ErrInvalid}, {1, nil}} {
			time.Sleep(step.wait) // the bubble's clock
			_, err := introspector.Verify(t.Context(), madeUp())
			checkError(t, err, step.want)
			endpoint.idp.Serve(discoveryURL, respond(200, discovery("introspection_endpoint", moved)))
		}
	})
}

// TestRealEndpoint asks an endpoint over real connections, which are kept, and may be dead when they are used again.
func TestRealEndpoint(t *testing.T) {
	t.Parallel()
	var connections, requests atomic.Int64
	var mu sync.Mutex
	var open []net.Conn
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		id, secret, ok := r.BasicAuth()
		if r.Method != http.MethodPost || !ok || id != "api" || secret != url.QueryEscape(clientSecret) || r.PostFormValue("token") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, saying("iss", absent{}))
	}))
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	mine := issuer(server.URL)
	mine.IntrospectionURL = server.URL + "/introspect"
	introspector := must(token.NewIntrospector(mine, token.Introspection{Client: basic()}, token.WithTransport(transport)))
	for range 5 {
		if _, err := introspector.Verify(t.Context(), madeUp()); err != nil {
			t.Error(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for calls in turn", n)
	}
	for range 5 {
		mu.Lock()
		for _, c := range open {
			_ = c.Close() // the client may not know yet
		}
		open = nil
		mu.Unlock()
		if _, err := introspector.Verify(t.Context(), madeUp()); err != nil {
			t.Errorf("over a dead connection: %v", err)
		}
	}
	if n := requests.Load(); n < 10 {
		t.Errorf("%d requests", n)
	}
}

// TestKeptTransport asks an endpoint over plain http on this machine, by the default transport.
func TestKeptTransport(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, saying("iss", absent{})) }))
	t.Cleanup(server.Close)
	mine := issuer(server.URL)
	mine.IntrospectionURL = server.URL + "/introspect"
	introspector := must(token.NewIntrospector(mine, token.Introspection{Client: basic()}))
	for range 3 {
		if _, err := introspector.Verify(t.Context(), madeUp()); err != nil {
			t.Error(err)
		}
	}
}
