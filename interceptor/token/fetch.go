package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// fetch gets the key set, after discovery if its URL is not fixed.
func (s *source) fetch() (set *keySet, err error) {
	defer func() {
		if recover() != nil { // a transport that panics must not end the process
			err = errors.New("the HTTP transport panicked")
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), endpoint.Timeout)
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
	body, _, err := endpoint.Do(s.transport, request, http.StatusOK)
	return body, err
}
