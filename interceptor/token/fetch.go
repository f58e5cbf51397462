package token

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

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
	advice := "the issuer's jwks_uri names it: is the issuer's metadata right?"
	if s.issuer.KeySetURL != "" {
		advice = "is Issuer.KeySetURL right?"
	}
	body, err := s.get(ctx, keySetURL, advice)
	if err != nil {
		return nil, fmt.Errorf("key set: %q: %w", shown(keySetURL), err)
	}
	if set, err = parseKeySet(body, s.issuer.Algorithms); errors.Is(err, errJSON) {
		return nil, fmt.Errorf("key set: %q: %w", shown(keySetURL), notJSON(body))
	} else if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	return set, nil
}

// discoveryPath is where an issuer's metadata is.
const discoveryPath = "/.well-known/openid-configuration"

// discover finds the key set as OpenID Connect Discovery 1.0 section 4 says.
func (s *source) discover(ctx context.Context) (string, error) {
	const advice = "is Issuer.URL right? Its metadata must be at Issuer.URL + " + discoveryPath + "; for an issuer that has none, set Issuer.KeySetURL"
	body, err := s.get(ctx, strings.TrimSuffix(s.issuer.URL, "/")+discoveryPath, advice)
	if err != nil {
		return "", err
	}
	document, err := parseObject(body)
	if errors.Is(err, errJSON) {
		return "", fmt.Errorf("%w: %s", notJSON(body), advice)
	} else if err != nil {
		return "", err
	}
	switch issuer, ok, err := document.text("issuer"); {
	case err != nil || !ok:
		return "", errors.New("the document names no issuer: " + advice)
	case issuer != s.issuer.URL:
		return "", anotherIssuer(s.issuer.URL, issuer)
	}
	keySetURL, ok, err := document.text("jwks_uri")
	switch {
	case !ok || err == nil && keySetURL == "":
		return "", errors.New("the document has no jwks_uri: set Issuer.KeySetURL")
	case err != nil:
		return "", errors.New("jwks_uri is not a string: set Issuer.KeySetURL")
	}
	if err := checkKeySetURL(s.issuer.URL, keySetURL); err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	return keySetURL, nil
}

// anotherIssuer says whose document was found in place of the issuer's own. That is what the endpoint says
// of itself, and no claim of a token.
func anotherIssuer(want, found string) error {
	switch {
	case found == want+"/":
		return fmt.Errorf("the document's issuer is %q: write Issuer.URL with the slash at its end", shown(found))
	case found+"/" == want:
		return fmt.Errorf("the document's issuer is %q: write Issuer.URL without the slash at its end", shown(found))
	default:
		return fmt.Errorf("the document's issuer is %q: if that is the one to trust, Issuer.URL must be equal to it, byte for byte; if not, somebody else's endpoint answers", shown(found))
	}
}

// maxShown is how much an error shows of a URL, in bytes.
const maxShown = 200

// shown is a URL as errors show it, without what may be a secret: user information, query and fragment.
func shown(address string) string {
	address = endpoint.DisplayURL(address)
	if n := strings.IndexAny(address, "?#"); n >= 0 {
		address = address[:n] + "?…"
	}
	if len(address) > maxShown {
		address = strings.ToValidUTF8(address[:maxShown], "") + "…"
	}
	return address
}

// byteOrderMark may stand before a document, though RFC 8259 section 8.1 forbids to send it. Readers may ignore it.
const byteOrderMark = "\ufeff"

// get returns a document. The advice is for somebody whose URL leads elsewhere.
func (s *source) get(ctx context.Context, address, advice string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	body, status, err := endpoint.Do(s.transport, request, http.StatusOK)
	if status >= 300 && status < 500 && status != http.StatusTooManyRequests {
		err = fmt.Errorf("%w: %s", err, advice)
	}
	return bytes.TrimPrefix(body, []byte(byteOrderMark)), err
}

// notJSON is errJSON with what was found in place of a JSON object. It repeats nothing of that.
func notJSON(body []byte) error {
	found := ""
	switch begins := func(with string) bool { return bytes.HasPrefix(body, []byte(with)) }; {
	case len(bytes.TrimSpace(body)) == 0:
		found = "it is empty"
	case begins(byteOrderMark):
		found = "it has two byte order marks"
	case begins("\x00\x00\xfe\xff"), begins("\xff\xfe\x00\x00"), begins("\x00\x00\x00"), len(body) > 2 && string(body[1:3]) == "\x00\x00":
		found = "it is in UTF-32: the server must send UTF-8"
	case begins("\xfe\xff"), begins("\xff\xfe"), begins("\x00"), len(body) > 1 && body[1] == 0:
		found = "it is in UTF-16: the server must send UTF-8"
	case begins("\x1f\x8b"):
		found = "it is compressed, and Content-Encoding does not say so"
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")):
		found = "it is HTML or XML, such as a page for signing in or an error page"
	case !utf8.Valid(body):
		found = "it has bytes that are not UTF-8"
	case json.Valid(body):
		found = "it is JSON, but not an object"
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		found = "it is cut short, or has a mistake"
	default:
		return errJSON
	}
	return fmt.Errorf("%w: %s", errJSON, found)
}
