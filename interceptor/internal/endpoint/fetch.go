package endpoint

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Bounds of one fetch.
const (
	Timeout = 5 * time.Second // for all requests of the fetch
	MaxBody = 1 << 20         // of a response, in bytes, after decompression
)

// byteOrderMark may precede a document. RFC 8259 section 8.1 forbids senders to add it, and lets readers ignore it.
const byteOrderMark = "\ufeff"

// Transport returns a copy of [http.DefaultTransport] that keeps no idle connections.
func Transport() http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	transport = Clone(transport)
	transport.DisableKeepAlives = true // a fetch comes once in ten minutes
	transport.MaxResponseHeaderBytes = 64 << 10
	if transport.OnProxyConnectResponse == nil {
		transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
			if response.StatusCode != http.StatusOK {
				return connectError(response.StatusCode)
			}
			return nil
		}
	}
	return transport
}

// KeptTransport returns a [Transport] that keeps idle connections of HTTP/2 for 4 seconds, for endpoints that are asked
// often. It keeps none of HTTP/1.1, since net/http would log what a server sends on an idle connection.
func KeptTransport() http.RoundTripper {
	transport := Transport()
	if kept, ok := transport.(*http.Transport); ok {
		kept.DisableKeepAlives, kept.MaxIdleConnsPerHost, kept.IdleConnTimeout = false, -1, 4*time.Second
	}
	return transport
}

// locations drops a Location header that cannot be parsed, since [http.Client] would report such a redirect as a
// request that failed.
type locations struct{ http.RoundTripper }

func (l locations) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(request)
	if response != nil {
		if _, err := response.Location(); err != nil {
			response.Header.Del("Location")
		}
	}
	return response, err
}

// Do sends a request and returns the response's body, without a byte order mark, and the response's status,
// which is 0 without a response. A response with a status that is not listed is an error, and so are a redirect and
// a response over [MaxBody]. Errors end with the advice if the URL seems to be wrong. An error names the host of
// the request, the proxy's host and the target of a redirect, and nothing else of the request or the response.
// [MayPass] reports whether another attempt may succeed. A request over plain http goes where p allows it to go, and
// uses no proxy.
func (p PlainHTTP) Do(transport http.RoundTripper, request *http.Request, advice string, statuses ...int) (body []byte, status int, err error) {
	body, _, status, err = p.DoTyped(transport, request, advice, statuses...)
	return body, status, err
}

// DoTyped is [PlainHTTP.Do] that also returns the Content-Type of the response.
func (p PlainHTTP) DoTyped(transport http.RoundTripper, request *http.Request, advice string, statuses ...int) (body []byte, contentType string, status int, err error) {
	if request.URL.Scheme == "http" {
		if err := p.Check(request.URL, transport); err != nil {
			return nil, "", 0, &failure{text: "the request is not sent: " + err.Error()}
		}
		transport = p.Direct(transport)
		if copied, ok := transport.(*http.Transport); ok {
			copied.DisableKeepAlives = true // the copy serves one request
		}
	}
	client := &http.Client{
		Transport: locations{transport},
		// Following a redirect would let another host choose the answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request) //nolint:gosec // the URL is configured
	if err != nil {
		return nil, "", 0, p.requestError(transport, request, err)
	}
	defer func() { _ = response.Body.Close() }()
	if !slices.Contains(statuses, response.StatusCode) {
		return nil, "", response.StatusCode, statusError(transport, request, response, advice)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, "", response.StatusCode, p.requestError(transport, request, err)
	case len(body) > MaxBody:
		return nil, "", response.StatusCode, &failure{text: fmt.Sprintf("the response is larger than %d bytes: %s", MaxBody, advice)}
	}
	return TrimMark(body), response.Header.Get("Content-Type"), response.StatusCode, nil
}

// TrimMark returns a document without a byte order mark.
func TrimMark(document []byte) []byte { return bytes.TrimPrefix(document, []byte(byteOrderMark)) }
