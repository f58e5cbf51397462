package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// fetch gets the key set, after discovery if Issuer.KeySetURL is empty. If no key of the set can be used, fetch
// returns both the set and an error.
func (s *source) fetch() (set *keySet, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), endpoint.Timeout)
	defer cancel()
	keySetURL, advice := s.issuer.KeySetURL, "is Issuer.KeySetURL right?"
	if keySetURL == "" {
		advice = "the issuer's jwks_uri names it: is the issuer's metadata right?"
		if keySetURL, err = s.discover(ctx); err != nil {
			return nil, err
		}
	}
	body, err := s.document(ctx, keySetURL, advice)
	if err == nil {
		set, err = parseKeySet(body, s.issuer.Algorithms)
	}
	if errors.Is(err, jose.ErrJSON) {
		err = endpoint.NotJSON(body, advice)
	}
	if err != nil {
		return set, fmt.Errorf("key set: %q: %w", endpoint.DisplayURL(keySetURL), err)
	}
	if s.issuer.hasKeySetFile() {
		set.text = body
	}
	return set, nil
}

// document returns the text of the key set at a URL.
func (s *source) document(ctx context.Context, keySetURL, advice string) ([]byte, error) {
	if s.issuer.hasKeySetFile() {
		return s.issuer.readKeySetFile()
	}
	authorization, err := s.issuer.keySetAuthorization()
	if err != nil {
		return nil, err
	}
	return get(ctx, s.issuer, s.transport, resource{keySetURL, authorization, advice, keySetField})
}

// The fields of Issuer that replace discovery.
const (
	keySetField        = "Issuer.KeySetURL"
	introspectionField = "Issuer.IntrospectionURL"
)

// discoveryPath is the path of an issuer's metadata, behind the issuer's URL.
const discoveryPath = "/.well-known/openid-configuration"

// discover returns the URL of the key set from the issuer's metadata.
func (s *source) discover(ctx context.Context) (string, error) {
	document, err := metadata(ctx, s.issuer, s.transport, keySetField)
	if err != nil {
		return "", err
	}
	return s.issuer.endpointIn(document, "jwks_uri", keySetField)
}

// metadata returns the issuer's metadata (OpenID Connect Discovery 1.0 section 4), without null members. Errors name
// the field of Issuer that could replace the metadata.
func metadata(ctx context.Context, issuer *Issuer, transport http.RoundTripper, field string) (document jose.Object, err error) {
	defer func() {
		if err != nil {
			err = issuer.discoveryError(err)
		}
	}()
	advice := "is Issuer.URL right? Its metadata must be at Issuer.URL + " + discoveryPath + "; for an issuer that has none, set " + field
	body, err := get(ctx, issuer, transport, resource{url: issuer.metadataURL(), advice: advice, field: field})
	if err != nil {
		return jose.Object{}, err
	}
	document, err = jose.ParseObject(body)
	if errors.Is(err, jose.ErrJSON) {
		return jose.Object{}, endpoint.NotJSON(body, advice)
	} else if err != nil {
		return jose.Object{}, fmt.Errorf("%w: the issuer must correct the document", err)
	}
	document.DropNulls()
	switch name, ok, err := document.Text("issuer"); {
	case err != nil || !ok:
		return jose.Object{}, errors.New("the document names no issuer: " + advice)
	case name != issuer.URL:
		return jose.Object{}, anotherIssuer(issuer.URL, name, field)
	}
	return document, nil
}

// metadataURL returns the URL of the issuer's metadata.
func (i *Issuer) metadataURL() string { return strings.TrimSuffix(i.URL, "/") + discoveryPath }

// discoveryError names the URL of the issuer's metadata.
func (i *Issuer) discoveryError(err error) error {
	return fmt.Errorf("discovery: %q: %w", endpoint.DisplayURL(i.metadataURL()), err)
}

// endpointIn returns a URL in the issuer's metadata, or in an object of the metadata, by its member. Errors name the
// field of Issuer that could name the URL.
func (i *Issuer) endpointIn(document jose.Object, member, field string) (string, error) {
	address, _, err := document.Text(member)
	switch {
	case err != nil:
		return "", i.discoveryError(fmt.Errorf("%s is not a string: set %s", member, field))
	case address == "":
		return "", i.discoveryError(fmt.Errorf("the document has no %s: set %s", member, field))
	}
	if err := i.checkServerURL(address); err != nil {
		return "", i.discoveryError(fmt.Errorf("%s: %w", member, err))
	}
	return address, nil
}

// anotherIssuer returns the error for metadata that names another issuer. The error may show both names: they are
// public, and no claim of a token. The field of Issuer could replace the metadata.
func anotherIssuer(want, found, field string) error {
	switch {
	case found == want+"/":
		return fmt.Errorf("the document's issuer is %q: write Issuer.URL with the slash at its end", endpoint.DisplayURL(found))
	case found+"/" == want:
		return fmt.Errorf("the document's issuer is %q: write Issuer.URL without the slash at its end", endpoint.DisplayURL(found))
	case strings.Contains(found, "{"):
		return fmt.Errorf("the document's issuer is %q, which holds a placeholder: set Issuer.URL to the URL of your own tenant; to accept several tenants, see token.EntraTenants", endpoint.DisplayURL(found))
	default:
		another := ""
		if hostOf(found) != hostOf(want) {
			another = ", and " + field + " to the address that this server reaches"
		}
		return fmt.Errorf("the document's issuer is %q: if you trust this issuer, set Issuer.URL to exactly this value%s; if not, correct Issuer.URL, or find out who answers at that URL", endpoint.DisplayURL(found), another)
	}
}

// hostOf returns the host of a URL with its port, or "".
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// A resource is a document of an issuer's server.
type resource struct {
	url, authorization string
	advice             string // for a URL that seems to be wrong
	field              string // of Issuer, that could replace the URL
}

// get returns a document. Errors end with the advice if the URL seems to be wrong.
func get(ctx context.Context, issuer *Issuer, shared http.RoundTripper, from resource) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	if from.authorization != "" {
		request.Header.Set("Authorization", from.authorization)
	}
	transport, err := issuer.transport(shared)
	if err != nil {
		return nil, err
	}
	body, _, err := issuer.plainHTTPFor(from.field).Do(transport, request, from.advice, http.StatusOK)
	return body, err
}
