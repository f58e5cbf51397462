package endpoint

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// What one fetch may cost.
const (
	Timeout = 5 * time.Second // for all requests that it takes
	MaxBody = 1 << 20         // of a response, in bytes, decompressed
)

// ErrTooLarge is about a response that was not read to its end.
var ErrTooLarge = fmt.Errorf("the response is larger than %d bytes", MaxBody)

// Transport is like [http.DefaultTransport], but keeps no idle connections.
func Transport() http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	transport = transport.Clone()
	transport.DisableKeepAlives = true // one fetch in ten minutes needs none
	transport.MaxResponseHeaderBytes = 64 << 10
	return transport
}

// Do makes a request and returns the response's body and its status, which is 0 if there is
// none. A response of another status than the given ones is an error, and so are a redirect and a
// response over [MaxBody], which is [ErrTooLarge]. No error repeats anything of the request or the
// response, but for the request's host and that of the proxy.
func Do(transport http.RoundTripper, request *http.Request, statuses ...int) (body []byte, status int, err error) {
	client := &http.Client{
		Transport: transport,
		// Who follows a redirect lets another host choose the answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request) //nolint:gosec // the URL is configured
	if err != nil {
		return nil, 0, requestError(transport, request, err)
	}
	defer func() { _ = response.Body.Close() }()
	if !slices.Contains(statuses, response.StatusCode) {
		return nil, response.StatusCode, statusError(transport, request, response.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, response.StatusCode, requestError(transport, request, err)
	case len(body) > MaxBody:
		return nil, response.StatusCode, ErrTooLarge
	}
	return body, response.StatusCode, nil
}
