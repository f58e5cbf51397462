package clientauth_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A body knows whether it was closed.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error {
	b.closed = true
	return nil
}

// TestPlainHTTP checks which URLs get a token.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	for base, good := range map[string]bool{
		"https://api.test":             true,
		"https://192.0.2.1:8443/base":  true,
		"http://127.0.0.1:8080":        true,
		"http://127.9.9.9":             true,
		"http://[::1]:8080":            true,
		"http://localhost:8080/base":   true,
		"http://api.test":              false,
		"http://api.test:443":          false,
		"http://0.0.0.0":               false,
		"http://192.168.0.1":           false,
		"http://localhost.api.test":    false,
		"http://127.0.0.1.api.test":    false,
		"http://localhost@api.test":    false,
		"http://api.test/127.0.0.1":    false,
		"http://[::ffff:192.168.0.1]/": false,
		"ws://127.0.0.1":               false,
	} {
		for _, method := range catalogue.Methods {
			t.Run(base+"/"+method.Name, func(t *testing.T) {
				t.Parallel()
				idp := granting(60)
				var mu sync.Mutex
				var sent []string
				network := tokens.Handler(func(request *http.Request) (*http.Response, error) {
					mu.Lock()
					sent = append(sent, request.Header.Get("Authorization"))
					mu.Unlock()
					_, _ = io.Copy(io.Discard, request.Body)
					return tokens.Respond(http.StatusNotFound, "")(request)
				})
				client := connect.NewClient[message, answer](
					clientauth.HTTPClient(&http.Client{Transport: network}), strings.TrimSuffix(base, "/")+catalogue.Procedure("Read", method),
					connect.WithInterceptors(clientauth.NewInterceptor(newClient(t, idp).Source(target))),
				)
				if good {
					refuses(t, client, method, connect.CodeUnimplemented) // by the network
					if len(sent) != 1 || sent[0] != "Bearer secret-1" {
						t.Errorf("sent: %q", sent)
					}
					return
				}
				checkError(t, refusal(t, client, method, connect.CodeInternal), clientauth.ErrInsecure)
				if len(sent) != 0 {
					t.Errorf("sent: %q", sent)
				}
				asked(t, idp, 0)
			})
		}
		for _, header := range []string{"Authorization", "authorization"} {
			t.Run(base+"/own "+header, func(t *testing.T) {
				t.Parallel()
				ours := clientauth.HTTPClient(&http.Client{Transport: tokens.Respond(200, "")})
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base, nil)
				if err != nil {
					t.Fatal(err)
				}
				sent := &body{Reader: strings.NewReader("")}
				request.Body = sent
				request.Header[header] = []string{"Bearer secret"}
				_, err = ours.Do(request)
				if good && err != nil {
					t.Error(err)
				}
				if !good {
					checkError(t, err, clientauth.ErrInsecure)
					if !sent.closed {
						t.Error("the body is open")
					}
				}
			})
		}
	}
}

// TestOtherRequests makes sure that requests without a call are sent as they are.
func TestOtherRequests(t *testing.T) {
	t.Parallel()
	idp := granting(60)
	ours := clientauth.HTTPClient(&http.Client{Transport: tokens.Handler(func(request *http.Request) (*http.Response, error) {
		if request.Header.Get("Authorization") != "" {
			t.Errorf("a token goes to %s", request.URL)
		}
		return tokens.Respond(200, "")(request)
	})})
	below := clientauth.HTTPClient(&http.Client{Transport: tokens.Respond(http.StatusNotFound, "")}).Transport
	get := func(request *http.Request) (*http.Response, error) {
		// Somebody on the way uses our context for something else.
		other, err := http.NewRequestWithContext(request.Context(), http.MethodGet, "https://api.test/other", nil)
		if err != nil {
			return nil, err
		}
		if _, err := ours.Do(other); err != nil {
			t.Error(err)
		}
		return below.RoundTrip(request)
	}
	client := connect.NewClient[message, answer](
		&http.Client{Transport: tokens.Handler(get)}, "https://api.test"+catalogue.Procedure("Read", catalogue.Unary),
		connect.WithInterceptors(clientauth.NewInterceptor(newClient(t, idp).Source(target))),
	)
	refuses(t, client, catalogue.Unary, connect.CodeUnimplemented)
	asked(t, idp, 1)
}

// TestOtherHosts makes sure that a request to another host gets no token, though it has the path and
// the context of a call.
func TestOtherHosts(t *testing.T) {
	t.Parallel()
	for _, method := range catalogue.Methods {
		path := catalogue.Procedure("Read", method)
		for name, run := range map[string]func(*testing.T, *noted){
			// A gateway in this process calls the same procedure, under the same name, where no
			// token is needed.
			"gateway": func(t *testing.T, sent *noted) {
				ours := clientauth.HTTPClient(&http.Client{Transport: sent})
				gateway := tokens.Handler(func(request *http.Request) (*http.Response, error) {
					other, err := http.NewRequestWithContext(request.Context(), http.MethodPost, "https://api.test"+path, nil)
					if err != nil {
						return nil, err
					}
					if _, err := ours.Do(other); err != nil {
						t.Error(err)
					}
					return sent.RoundTrip(request)
				})
				client := connect.NewClient[message, answer](clientauth.HTTPClient(&http.Client{Transport: gateway}), "https://api.test"+path,
					connect.WithInterceptors(clientauth.NewInterceptor(newClient(t, granting(60)).Source(target))))
				refuses(t, client, method, connect.CodeUnimplemented)
			},
			// A transport around ours sends each request to another host too.
			"mirror": func(t *testing.T, sent *noted) {
				ours := clientauth.HTTPClient(&http.Client{Transport: sent}).Transport
				mirror := tokens.Handler(func(request *http.Request) (*http.Response, error) {
					other := request.Clone(request.Context())
					other.URL.Host, other.Body = "other.test", nil
					if _, err := ours.RoundTrip(other); err != nil {
						t.Error(err)
					}
					response, err := ours.RoundTrip(request)
					if request.Header.Get("Authorization") != "" {
						t.Error("the request, which belongs to the mirror, has the token")
					}
					return response, err
				})
				client := connect.NewClient[message, answer](&http.Client{Transport: mirror}, "https://api.test"+path,
					connect.WithInterceptors(clientauth.NewInterceptor(newClient(t, granting(60)).Source(target))))
				refuses(t, client, method, connect.CodeUnimplemented)
			},
		} {
			t.Run(method.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				sent := new(noted)
				run(t, sent)
				other := map[string]string{"gateway": "api.test ", "mirror": "other.test "}[name]
				if want := []string{other, "api.test Bearer secret-1"}; !slices.Equal(sent.requests, want) {
					t.Errorf("sent: %q", sent.requests)
				}
			})
		}
	}
}

// A noted network answers every request, and notes the token that each host gets.
type noted struct {
	mu       sync.Mutex
	requests []string
}

func (n *noted) RoundTrip(request *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.requests = append(n.requests, request.URL.Host+" "+request.Header.Get("Authorization"))
	n.mu.Unlock()
	if request.Body != nil {
		_, _ = io.Copy(io.Discard, request.Body)
	}
	return tokens.Respond(http.StatusNotFound, "")(request)
}

// TestProxy makes sure that a token for this machine goes through no proxy, and other requests do.
func TestProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := new(recorder)
	server := httptest.NewServer(asked)
	t.Cleanup(server.Close)
	proxy, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, proxies := range []func(*http.Request) (*url.URL, error){
		nil, http.ProxyFromEnvironment, http.ProxyURL(nil), http.ProxyURL(proxy),
		func(*http.Request) (*url.URL, error) { return nil, io.EOF },
	} {
		ours := clientauth.HTTPClient(&http.Client{Transport: &http.Transport{Proxy: proxies, DisableKeepAlives: true}})
		does(t, connect.NewClient[message, answer](ours, w.url+catalogue.Procedure("Read", catalogue.Unary),
			connect.WithInterceptors(clientauth.NewInterceptor(w.source))), catalogue.Unary)
	}
	ours := clientauth.HTTPClient(&http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}})
	for _, test := range []struct{ url, authorization string }{{"http://localhost/", ""}, {"https://api.test/", "Bearer secret"}} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.authorization != "" {
			request.Header.Set("Authorization", test.authorization)
		}
		if response, err := ours.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}
	if len(asked.requests) != 2 || asked.requests[0].URL.String() != "http://localhost/" || asked.requests[1].Method != http.MethodConnect || asked.requests[1].Header.Get("Authorization") != "" {
		t.Errorf("the proxy is asked for %v", asked.requests)
	}
}

// A recorder is a server that notes what comes.
type recorder struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
	w.WriteHeader(http.StatusNotFound)
}

// TestRedirects makes sure that no redirect gets a token or a call, on any host and scheme.
func TestRedirects(t *testing.T) {
	t.Parallel()
	path := catalogue.Procedure("Read", catalogue.Unary)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, where := range []string{"the same host", "another host", "http", "another path"} {
			for _, around := range []bool{false, true} {
				t.Run(http.StatusText(status)+"/"+where, func(t *testing.T) {
					t.Parallel()
					elsewhere := new(recorder)
					plain := httptest.NewServer(elsewhere)
					t.Cleanup(plain.Close)
					other := httptest.NewTLSServer(elsewhere)
					t.Cleanup(other.Close)
					to := map[string]string{"the same host": "/base" + path, "another host": other.URL + path, "http": plain.URL + path, "another path": "/login"}[where]
					tokens := 0
					server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path != path {
							elsewhere.ServeHTTP(w, r)
							return
						}
						if r.Header.Get("Authorization") == "Bearer secret-1" {
							tokens++
						}
						http.Redirect(w, r, to, status)
					}))
					t.Cleanup(server.Close)
					base := server.Client()
					base.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
					ours := clientauth.HTTPClient(base)
					if around { // by somebody who takes it apart, and follows redirects
						ours = &http.Client{Transport: ours.Transport}
					}
					client := connect.NewClient[message, answer](ours, server.URL+path,
						connect.WithInterceptors(clientauth.NewInterceptor(newClient(t, granting(60)).Source(target))))
					_, err := call(t.Context(), client, catalogue.Unary)
					if err == nil {
						t.Error("the call has succeeded")
					}
					checkSecrets(t, err)
					elsewhere.mu.Lock()
					defer elsewhere.mu.Unlock()
					for _, request := range elsewhere.requests {
						if !around || where != "another path" || request.Header.Get("Authorization") != "" {
							t.Errorf("%s was called, with %v", request.URL, request.Header)
						}
					}
					if tokens != 1 {
						t.Errorf("%d tokens", tokens)
					}
				})
			}
		}
	}
}

// closing is a transport with connections.
type closing struct {
	http.RoundTripper

	closed bool
}

func (c *closing) CloseIdleConnections() { c.closed = true }

// TestCloseIdleConnections makes sure that the connections of the base can be closed.
func TestCloseIdleConnections(t *testing.T) {
	t.Parallel()
	base := new(closing)
	clientauth.HTTPClient(&http.Client{Transport: base}).CloseIdleConnections()
	if !base.closed {
		t.Error("they are open")
	}
	clientauth.HTTPClient(&http.Client{Transport: tokens.Respond(200, "")}).CloseIdleConnections() // it has none
}

// TestBase makes sure that HTTPClient keeps the settings of base.
func TestBase(t *testing.T) {
	t.Parallel()
	base := &http.Client{Timeout: 1}
	ours := clientauth.HTTPClient(base)
	if ours == base || ours.Timeout != 1 || base.Transport != nil || base.CheckRedirect != nil {
		t.Error("changed")
	}
	if clientauth.HTTPClient(nil).Transport == nil {
		t.Error("no transport")
	}
}
