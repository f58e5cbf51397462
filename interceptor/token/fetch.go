package token

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// What one fetch may cost.
const (
	fetchTimeout = 5 * time.Second // for discovery and key set together
	maxBody      = 1 << 20         // of a response, in bytes, decompressed
)

// fetch gets the key set, after discovery if its URL is not fixed.
func (s *source) fetch() (set *keySet, err error) {
	defer func() {
		if recover() != nil { // a transport that panics must not end the process
			err = errors.New("the HTTP transport panicked")
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	keySetURL := s.issuer.KeySetURL
	if keySetURL == "" {
		if keySetURL, err = s.discover(ctx); err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
	}
	body, err := s.get(ctx, keySetURL)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if set, err = parseKeySet(body, s.issuer.Algorithms); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	return set, nil
}

// discoveryPath is where an issuer's metadata is.
const discoveryPath = "/.well-known/openid-configuration"

// discover finds the key set as OpenID Connect Discovery 1.0 section 4 says.
func (s *source) discover(ctx context.Context) (string, error) {
	body, err := s.get(ctx, strings.TrimSuffix(s.issuer.URL, "/")+discoveryPath)
	if err != nil {
		return "", fmt.Errorf("%w: is the issuer's URL right?", err)
	}
	document, err := parseObject(body)
	if err != nil {
		return "", err
	}
	if issuer, _, err := document.text("issuer"); err != nil || issuer != s.issuer.URL {
		return "", errors.New("the document is another issuer's: check the issuer's URL, slash by slash")
	}
	keySetURL, _, err := document.text("jwks_uri")
	if err != nil {
		return "", errors.New("jwks_uri is not a string")
	}
	if err := checkKeySetURL(s.issuer.URL, keySetURL); err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	return keySetURL, nil
}

func (s *source) get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	client := &http.Client{
		Transport: s.transport,
		// Who follows a redirect lets another host choose the keys.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, requestError(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the endpoint answered with status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, requestError(err)
	case len(body) > maxBody:
		return nil, fmt.Errorf("the response is larger than %d bytes", maxBody)
	}
	return body, nil
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
