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

// HTTPClient returns an HTTP client that works like base, or like the zero [http.Client] if
// that is nil, and sends the tokens of an [Interceptor]. Only here is it known where a
// request goes.
//
// It sends no token, and no Authorization header of the caller's own, over plain HTTP except
// to 127.0.0.0/8, ::1 and localhost, and there not through a proxy: such a request fails with
// [ErrInsecure] and does not go out. It follows no redirects. One such client can serve any
// number of clients with different interceptors, and calls without any.
//
// A token goes to the host of the URL that a client was made with. What sends calls to other
// hosts, as load balancers do, belongs into base: there, a request is sent as it is. A base
// whose transport is no [http.Transport] is trusted to use no proxy for this machine.
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
	// An RPC is not somewhere else; http.Client would send Authorization along, even from
	// https to http.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// A call is how an interceptor and the transport know of each other. It is in the context of
// the request, where no code but this finds it: a token in a header would go out whatever
// HTTP client there is.
type call struct {
	source    *Source
	procedure string
	host      atomic.Pointer[string] // that is called, once it is known
	token     *oauth2.Token          // to send, or nil to ask the source
	sent      atomic.Pointer[oauth2.Token]
	reached   atomic.Bool // the transport
}

type callKey struct{}

// callOf returns the call that a request is, or nil. A request for something else, or to
// another host, by code that was handed the context, is none.
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
		// What is beyond may be a handler in this process, whose own calls are others.
		outgoing = outgoing.WithContext(withCall(ctx, nil))
	}
	return t.next.RoundTrip(outgoing)
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] calls.
func (t *transport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// authorize returns the request as it may go out.
func (t *transport) authorize(request *http.Request, c *call) (*http.Request, error) {
	own := authorized(request.Header)
	switch {
	case c == nil && !own:
		return request, nil
	case !t.secure(request):
		return nil, fmt.Errorf("clientauth: %w: it is plain HTTP to another machine, use https", ErrInsecure)
	case request.Response != nil: // an http.Client around the one of HTTPClient follows them
		return nil, fmt.Errorf("clientauth: %w: it is where a redirect leads", ErrInsecure)
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

// authorized reports whether the caller has set Authorization. What is not spelled that way in
// the map is sent too.
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
