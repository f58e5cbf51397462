package clientauth

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// HTTPClient returns an HTTP client that works like base and sends the tokens of an
// [Interceptor]. A nil base stands for the zero [http.Client].
//
// The client sends no token, and no Authorization header of the caller, over plain HTTP. It makes
// an exception for 127.0.0.0/8, ::1 and localhost without a proxy. Other requests fail with
// [ErrInsecure] and do not go out. The client follows no redirects. It may serve any number of
// Connect clients with different interceptors or without one.
//
// A token goes only to the host of the URL of the Connect client. Code that sends calls to other
// hosts, such as a load balancer, belongs into base, which gets the request with the token. A base
// whose transport is not an [http.Transport] must use no proxy for this machine.
func HTTPClient(base *http.Client) *http.Client {
	client := new(http.Client)
	if base != nil {
		*client = *base
	}
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = &transport{next}
	// http.Client would send Authorization to the target of a redirect, even from https to http.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// A call connects an interceptor and the transport by the context of the request. A token in the
// header instead would go out with any HTTP client.
type call struct {
	source    *Source
	procedure string
	host      atomic.Pointer[string] // of the server, once it is known
	token     *oauth2.Token          // to send, or nil to ask the source
	sent      atomic.Pointer[oauth2.Token]
	reached   atomic.Bool // the transport has seen the call
}

type callKey struct{}

// callOf returns the call of a request, or nil. Other code may use the context for a request to
// another procedure or host, which is not the call.
func callOf(request *http.Request) *call {
	c, _ := request.Context().Value(callKey{}).(*call)
	if c == nil || !strings.HasSuffix(request.URL.Path, c.procedure) {
		return nil
	}
	if host := c.host.Load(); host != nil && *host != request.URL.Host && request.Response == nil { // no redirect, which fails
		return nil
	}
	c.reached.Store(true)
	return c
}

type transport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	outgoing, err := t.authorize(request, callOf(request))
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, connect.NewError(codeOf(err), err)
	}
	if ctx := outgoing.Context(); ctx.Value(callKey{}) != nil {
		// The next transport may run a handler in this process, whose calls are not this call.
		outgoing = outgoing.WithContext(withCall(ctx, nil))
	}
	return t.next.RoundTrip(outgoing)
}

// CloseIdleConnections serves [http.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// authorize returns the request that may go out.
func (t *transport) authorize(request *http.Request, c *call) (*http.Request, error) {
	own := authorized(request.Header)
	switch {
	case c == nil && !own:
		return request, nil
	case !t.secure(request):
		return nil, fmt.Errorf("clientauth: %w: the URL is plain HTTP to another machine: use https", ErrInsecure)
	case request.Response != nil: // another http.Client around ours has followed a redirect
		return nil, fmt.Errorf("clientauth: %w: the URL is the target of a redirect", ErrInsecure)
	case own:
		return request, nil
	}
	token := c.token
	if token == nil {
		var err error
		if token, err = c.source.Token(request.Context()); err != nil {
			return nil, err
		}
	}
	c.sent.Store(token)
	request = request.WithContext(request.Context()) // a copy
	request.Header = request.Header.Clone()
	request.Header.Set("Authorization", "Bearer "+token.AccessToken)
	return request, nil
}

// authorized reports whether the caller has set Authorization. net/http sends the header in any
// spelling.
func authorized(header http.Header) bool {
	for name := range header {
		if strings.EqualFold(name, "Authorization") {
			return true
		}
	}
	return false
}

// secure reports whether nobody else can read the request.
func (t *transport) secure(request *http.Request) bool {
	if request.URL.Scheme != "http" || !endpoint.IsLoopback(request.URL.Hostname()) {
		return request.URL.Scheme == "https"
	}
	next, ok := t.next.(*http.Transport)
	if !ok || next.Proxy == nil {
		return true
	}
	proxy, err := next.Proxy(request)
	return err == nil && proxy == nil
}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}
