package token

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// The media types of answers.
const (
	typeJSON   = "application/json"
	typeSigned = "application/token-introspection+jwt" // RFC 9701 section 8.2
)

// adviceIntrospection is for an endpoint that seems to be wrong.
const adviceIntrospection = "is it the introspection endpoint of the issuer (Issuer.IntrospectionURL)?"

// ask asks the issuer about a token (RFC 7662 section 2). An error means that the issuer has not answered.
func (i *Introspector) ask(ctx context.Context, raw string) (*answer, error) {
	address, err := i.endpoint.get(ctx, i)
	if err != nil {
		return nil, err
	}
	transport, err := i.reader.transport(i.transport)
	if err != nil {
		return nil, err
	}
	request, err := i.request(ctx, address, raw)
	if err != nil {
		return nil, err
	}
	body, contentType, status, err := i.reader.plainHTTPFor(introspectionField).DoTyped(transport, request, adviceIntrospection, http.StatusOK)
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		err = fmt.Errorf("the endpoint refused this server with status %d: check Introspection.Client, and that the issuer lets this client introspect tokens", status)
	}
	var a *answer
	if err == nil {
		a, err = i.readResponse(ctx, contentType, string(body))
	}
	if err != nil {
		return nil, fmt.Errorf("introspection at %q: %w", endpoint.DisplayURL(address), err)
	}
	return a, nil
}

// readResponse reads the answer in a response, which is signed if it must be.
func (i *Introspector) readResponse(ctx context.Context, contentType, text string) (*answer, error) {
	if i.keys == nil && isSigned(contentType) {
		return nil, errors.New("the answer is signed: set Introspection.SignedResponseAudience to this server's id at the issuer")
	}
	if i.keys != nil {
		said, err := i.verifySigned(ctx, contentType, text)
		if err != nil {
			return nil, fmt.Errorf("the signed answer: %w", err)
		}
		text = said
	}
	return i.read(text)
}

// request returns the request for an answer about a token.
func (i *Introspector) request(ctx context.Context, address, raw string) (*http.Request, error) {
	form, header := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}, http.Header{}
	if err := i.settings.Client.add(i.reader.URL, form, header); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	header.Set("Accept", typeJSON)
	if i.keys != nil {
		header.Set("Accept", typeSigned)
	}
	header["Idempotency-Key"] = nil // net/http then asks again if a kept connection is dead. It does not send the field.
	request.Header = header
	return request, nil
}

// isSigned reports whether a Content-Type is the type of signed answers.
func isSigned(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == typeSigned
}

// An endpointURL is the URL of the introspection endpoint, as the issuer's metadata names it.
type endpointURL struct {
	mu    sync.Mutex
	url   string
	err   error     // of the last attempt
	asked time.Time // the end of the last attempt
}

// get returns the URL. One call at a time asks for the metadata, and others wait. A URL that was found serves on if
// the metadata cannot be had within a second, so that the call has time left to ask about its token.
func (e *endpointURL) get(ctx context.Context, i *Introspector) (string, error) {
	if i.reader.IntrospectionURL != "" {
		return i.reader.IntrospectionURL, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	pause := minRetry
	if e.url != "" {
		pause = softAge
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxWait/2)
		defer cancel()
	}
	if time.Since(e.asked) >= pause {
		var found string
		if found, e.err = i.discover(ctx); e.err == nil {
			e.url = found
		}
		e.asked = time.Now()
	}
	if e.url == "" {
		return "", e.err
	}
	return e.url, nil
}

// discover finds the URL of the introspection endpoint in the issuer's metadata. A client with a certificate may have
// another URL (RFC 8705 section 5).
func (i *Introspector) discover(ctx context.Context) (string, error) {
	const member = "introspection_endpoint"
	document, err := metadata(ctx, &i.reader.Issuer, i.transport, introspectionField)
	if err != nil {
		return "", err
	}
	if i.settings.Client.mutual {
		aliases, _ := document.Get("mtls_endpoint_aliases")
		if object, _ := jose.ParseObject([]byte(aliases)); object.Has(member) {
			document = object
		}
	}
	return i.reader.endpointIn(document, member, introspectionField)
}
