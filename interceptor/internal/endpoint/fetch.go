package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"
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
// none. A response of another status than the given ones is an error, and so is a redirect, and
// [ErrTooLarge].
// No error repeats anything of the request or the response.
func Do(transport http.RoundTripper, request *http.Request, statuses ...int) (body []byte, status int, err error) {
	client := &http.Client{
		Transport: transport,
		// Who follows a redirect lets another host choose the answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request) //nolint:gosec // the URL is configured
	if err != nil {
		return nil, 0, requestError(err)
	}
	defer func() { _ = response.Body.Close() }()
	if !slices.Contains(statuses, response.StatusCode) {
		return nil, response.StatusCode, fmt.Errorf("the endpoint answered with status %d", response.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, response.StatusCode, requestError(err)
	case len(body) > MaxBody:
		return nil, response.StatusCode, ErrTooLarge
	}
	return body, response.StatusCode, nil
}

// requestError says why a request failed. It repeats nothing of what the error says, which
// may be the URL, whose query can hold a key, or a piece of the response.
func requestError(err error) error {
	var innermost error
	for wrapped := err; wrapped != nil; wrapped = errors.Unwrap(wrapped) {
		innermost = wrapped
	}
	network, isNetwork := errors.AsType[net.Error](innermost) // a *url.Error is one too
	number, isNumber := errors.AsType[syscall.Errno](innermost)
	_, isDNS := errors.AsType[*net.DNSError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, isHost := errors.AsType[x509.HostnameError](err)
	_, isAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	text := "a malformed response, or a fault of the transport"
	switch {
	case isDNS:
		text = "its host cannot be resolved"
	case isNetwork && network.Timeout():
		text = "it takes too long"
	case isNumber:
		text = number.Error()
	case isHost:
		text = "its certificate is for another host"
	case isAuthority:
		text = "its certificate is of an unknown authority"
	case isCertificate:
		text = "its certificate is not valid"
	case errors.Is(err, http.ErrSchemeMismatch):
		text = "it does not speak TLS"
	case errors.Is(innermost, io.ErrUnexpectedEOF), errors.Is(innermost, io.EOF):
		text = "it broke off"
	}
	return errors.New("the request failed: " + text)
}
