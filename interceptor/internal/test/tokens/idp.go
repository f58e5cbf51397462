package tokens

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A Handler answers a request for keys.
type Handler func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (h Handler) RoundTrip(request *http.Request) (*http.Response, error) { return h(request) }

// An IDP is the HTTP endpoint of identity providers, without a network. It counts the requests. It is safe for
// concurrent use.
type IDP struct {
	// Elsewhere gets the requests for URLs that are not served. Nil answers them with 404.
	Elsewhere http.RoundTripper

	mu       sync.Mutex
	handlers map[string]Handler
	requests map[string]int
	running  int
	peak     int // of running
}

// NewIDP serves the first issuer's metadata, with a key set of JWKs.
func NewIDP(jwks ...string) *IDP {
	idp := &IDP{requests: map[string]int{}, handlers: map[string]Handler{}}
	idp.ServeIssuer(I1, jwks...)
	return idp
}

// ServeIssuer serves an issuer's metadata, with a key set of JWKs.
func (i *IDP) ServeIssuer(issuer *Issuer, jwks ...string) {
	i.Serve(issuer.DiscoveryURL(), Respond(http.StatusOK, issuer.Discovery()))
	i.Serve(issuer.KeySetURL(), Respond(http.StatusOK, KeySet(jwks...)))
}

// Serve sets the handler of a URL.
func (i *IDP) Serve(url string, handler Handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.handlers[url] = handler
}

// RoundTrip implements [http.RoundTripper].
func (i *IDP) RoundTrip(request *http.Request) (*http.Response, error) {
	url := request.URL.String()
	i.mu.Lock()
	i.requests[url]++
	i.running++
	i.peak = max(i.peak, i.running)
	serve := i.handlers[url]
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.running--
	}()
	switch {
	case serve != nil:
		return serve(request)
	case i.Elsewhere != nil:
		return i.Elsewhere.RoundTrip(request)
	default:
		return Respond(http.StatusNotFound, "")(request)
	}
}

// Count returns the number of requests for a URL, or for all URLs if the URL is empty.
func (i *IDP) Count(url string) (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for requested, times := range i.requests {
		if url == "" || requested == url {
			n += times
		}
	}
	return n
}

// Requested returns the URLs of all requests, sorted.
func (i *IDP) Requested() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Sorted(maps.Keys(i.requests))
}

// AtOnce returns the largest number of requests that were under way at the same time.
func (i *IDP) AtOnce() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.peak
}

// UnderWay returns the number of requests that are not answered yet.
func (i *IDP) UnderWay() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.running
}

// Respond returns a handler that answers with JSON. The headers are name, value, name, value …
func Respond(status int, body string, headers ...string) Handler {
	return func(request *http.Request) (*http.Response, error) {
		header := http.Header{"Content-Type": {"application/json"}}
		for pair := range slices.Chunk(headers, 2) {
			header.Set(pair[0], pair[1])
		}
		return &http.Response{
			StatusCode: status, Header: header, Request: request, ContentLength: -1,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}
