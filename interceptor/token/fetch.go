package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What one fetch may cost.
const (
	fetchTimeout = 5 * time.Second // for discovery and key set together
	maxBody      = 1 << 20         // of a response, in bytes, decompressed
	maxErrorText = 512             // of what net/http says, in bytes
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

// discover finds the key set as OpenID Connect Discovery 1.0 section 4 says.
func (s *source) discover(ctx context.Context) (string, error) {
	body, err := s.get(ctx, strings.TrimSuffix(s.issuer.URL, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
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
		return nil, err
	case len(body) > maxBody:
		return nil, fmt.Errorf("the response is larger than %d bytes", maxBody)
	}
	return body, nil
}

// requestError is the cause of a failed request. It leaves the URL out, whose query
// may hold a key, and what may be a whole response that net/http quotes.
func requestError(err error) error {
	for wrapped, ok := errors.AsType[*url.Error](err); ok; wrapped, ok = errors.AsType[*url.Error](err) {
		err = wrapped.Err
	}
	if len(err.Error()) > maxErrorText {
		return errors.New("the response is malformed")
	}
	return err
}
