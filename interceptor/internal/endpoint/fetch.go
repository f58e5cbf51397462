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

// What one fetch may cost.
const (
	Timeout = 5 * time.Second // for all requests that it takes
	MaxBody = 1 << 20         // of a response, in bytes, decompressed
)

// byteOrderMark may stand before a document, though RFC 8259 section 8.1 forbids to send it. Readers may ignore it.
const byteOrderMark = "\ufeff"

// Transport is like [http.DefaultTransport], but keeps no idle connections.
func Transport() http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	transport = transport.Clone()
	transport.DisableKeepAlives = true // one fetch in ten minutes needs none
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

// locations drops each Location that cannot be parsed: [http.Client] would take the redirect for a request that
// failed.
type locations struct{ http.RoundTripper }

func (l locations) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(request)
	if err != nil || response == nil {
		return response, err
	}
	if _, err := response.Location(); err != nil {
		response.Header.Del("Location")
	}
	return response, nil
}

// Do makes a request and returns the response's body, without a byte order mark, and the response's status,
// which is 0 if there is no response. A response of another status than the given ones is an error, and so are
// a redirect and a response over [MaxBody]. The advice is for somebody whose URL leads elsewhere. No error
// repeats anything of the request or the response, but for the request's host, the proxy's, and where a
// redirect leads. [MayPass] says whether another attempt may succeed.
func Do(transport http.RoundTripper, request *http.Request, advice string, statuses ...int) (body []byte, status int, err error) {
	client := &http.Client{
		Transport: locations{transport},
		// Who follows a redirect lets another host choose the answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request) //nolint:gosec // the URL is configured
	if err != nil {
		return nil, 0, requestError(transport, request, err)
	}
	defer func() { _ = response.Body.Close() }()
	if !slices.Contains(statuses, response.StatusCode) {
		return nil, response.StatusCode, statusError(transport, request, response, advice)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, response.StatusCode, requestError(transport, request, err)
	case len(body) > MaxBody:
		return nil, response.StatusCode, &failure{text: fmt.Sprintf("the response is larger than %d bytes: %s", MaxBody, advice)}
	}
	return bytes.TrimPrefix(body, []byte(byteOrderMark)), response.StatusCode, nil
}
