package clientauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// HTTPClient returns an HTTP client that works like base and sends the tokens of an
// [Interceptor]. A nil base stands for the zero [http.Client].
//
// The client sends no token, and no Authorization header of the caller, over plain HTTP. It makes
// an exception for this machine: 127.0.0.0/8, ::1, localhost and names below localhost (RFC 6761
// section 6.3), if the connection of a name leads to a loopback address or a Unix socket. Other
// requests fail with [ErrInsecure], and nothing of them goes out. For other machines see
// [InsecureHTTPClient]. The client follows no redirects. It may serve any number of Connect
// clients with different interceptors or without one.
//
// A token over plain HTTP uses no proxy: it goes out by a copy of the base's [http.Transport], which
// has connections of its own and no registered protocols. A base with another transport must use no
// proxy for this machine. The connections of such a base cannot be checked, so it gets localhost
// unchecked, and no name below localhost.
//
// A token goes only to the host of the URL of the Connect client. Code that sends calls to other
// hosts, such as a load balancer, belongs into base, which gets the request with the token.
func HTTPClient(base *http.Client) *http.Client {
	return newHTTPClient(base, endpoint.PlainHTTP{Setting: insecureHosts})
}

// insecureHosts is what errors call the hosts of an [InsecureHTTPClient].
const insecureHosts = "InsecureHTTPClient"

// InsecureHTTPClient is [HTTPClient], and sends tokens over plain HTTP to the listed hosts too:
// exact names or addresses without scheme, port and path, such as "orders". Case does not matter.
// Whoever can read a request on the way can use its token until it expires. List a host only if the
// network to it is as safe as this process, such as the network of one docker compose, or a mesh whose
// sidecars encrypt. The error names every fault of the list.
func InsecureHTTPClient(base *http.Client, hosts ...string) (*http.Client, error) {
	plain := endpoint.PlainHTTP{Setting: insecureHosts, Hosts: slices.Clone(hosts)}
	var faults []error
	for _, fault := range plain.Faults() {
		faults = append(faults, fmt.Errorf("clientauth: %w", fault))
	}
	if len(hosts) == 0 {
		faults = append(faults, errors.New("clientauth: InsecureHTTPClient: no host is listed: use HTTPClient, or list the hosts of the URLs"))
	}
	if len(faults) > 0 {
		return nil, endpoint.JoinFaults(faults)
	}
	return newHTTPClient(base, plain), nil
}

func newHTTPClient(base *http.Client, plain endpoint.PlainHTTP) *http.Client {
	client := new(http.Client)
	if base != nil {
		*client = *base
	}
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = &transport{next, plain, sync.OnceValue(func() http.RoundTripper { return plain.Direct(next) })}
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

type transport struct {
	next   http.RoundTripper
	plain  endpoint.PlainHTTP
	direct func() http.RoundTripper // for tokens over plain http
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	outgoing, err := t.authorize(request, callOf(request))
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, connect.NewError(codeOf(err), err)
	}
	next := t.next
	if outgoing.URL.Scheme == "http" && authorized(outgoing.Header) {
		next = t.direct()
	}
	if ctx := outgoing.Context(); ctx.Value(callKey{}) != nil {
		// The next transport may run a handler in this process, whose calls are not this call.
		outgoing = outgoing.WithContext(withCall(ctx, nil))
	}
	response, err := next.RoundTrip(outgoing)
	if endpoint.IsAway(err) {
		return nil, connect.NewError(connect.CodeInternal, fmt.Errorf("clientauth: %w: %w", ErrInsecure, err))
	}
	return response, err
}

// CloseIdleConnections serves [http.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	for _, next := range []http.RoundTripper{t.next, t.direct()} {
		if next, ok := next.(interface{ CloseIdleConnections() }); ok {
			next.CloseIdleConnections()
		}
	}
}

// authorize returns the request that may go out.
func (t *transport) authorize(request *http.Request, c *call) (*http.Request, error) {
	own := authorized(request.Header)
	switch {
	case c == nil && !own:
		return request, nil
	case request.URL.Scheme != "http" && request.URL.Scheme != "https":
		return nil, fmt.Errorf("clientauth: %w: the URL is neither https nor http", ErrInsecure)
	}
	if err := t.plain.Check(request.URL, t.next); err != nil {
		return nil, fmt.Errorf("clientauth: %w: %w", ErrInsecure, err)
	}
	switch {
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

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}
