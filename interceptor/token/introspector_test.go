package token_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const (
	// opaqueToken has dots, as some opaque tokens have, and looks like a JWT to nobody.
	opaqueToken  = "mF_9aXk2.B5f-4Qv7.1JqMz0Lw"
	clientSecret = "h%unter 2+/=:zebra"
)

var introspectionURL = issuerURL + "/token/introspection"

// A fakeIssuer is an introspection endpoint without a network. It keeps the requests.
type fakeIssuer struct {
	answer func(form url.Values) (*http.Response, error)
	idp    *idp // gets the other requests, or nil

	mu       sync.Mutex
	requests []*http.Request // with their forms
}

// RoundTrip implements [http.RoundTripper].
func (f *fakeIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.idp != nil && r.URL.String() != introspectionURL {
		return f.idp.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.PostForm, err = url.ParseQuery(string(body)); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.requests = append(f.requests, r)
	f.mu.Unlock()
	return f.answer(r.PostForm)
}

// count returns the number of requests.
func (f *fakeIssuer) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

// last returns the last request.
func (f *fakeIssuer) last() *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[len(f.requests)-1]
}

// says answers every question with the same text.
func says(text string) func(url.Values) (*http.Response, error) {
	return answers(http.StatusOK, text)
}

func answers(status int, text string, headers ...string) func(url.Values) (*http.Response, error) {
	return func(url.Values) (*http.Response, error) { return respond(status, text, headers...)(new(http.Request)) }
}

// saying is the answer about an active token, with changes: see tokens.With.
func saying(changes ...any) string {
	return tokens.With(map[string]any{
		"active": true, "token_type": "Bearer", "iss": issuerURL, "sub": "user_1", "client_id": "app_1", "jti": "token_1",
		"aud": api, "scope": "read:a write:b",
	}, changes...)
}

const inactive = `{"active":false}`

// introspected is an issuer with an introspection endpoint.
func introspected(changes ...func(*token.Issuer)) token.Issuer {
	made := issuer(issuerURL)
	made.IntrospectionURL = introspectionURL
	for _, change := range changes {
		change(&made)
	}
	return made
}

func basic() token.ClientAuthentication { return token.ClientSecretBasic("api", clientSecret) }

func newIntrospector(t testing.TB, transport http.RoundTripper, how token.Introspection, opts ...token.Option) *token.Introspector {
	t.Helper()
	how.Client = basic()
	introspector, err := token.NewIntrospector(introspected(), how, append(opts, token.WithTransport(transport))...)
	if err != nil {
		t.Fatal(err)
	}
	return introspector
}

// checkConfidential fails if a text holds a piece of a secret.
func checkConfidential(t testing.TB, text string, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, clientSecret, url.QueryEscape(clientSecret)) {
		piece := 6
		if len(secret) > 100 { // a number of a key, whose shorter pieces occur by chance
			piece = 20
		}
		for n := range max(0, len(secret)-piece+1) {
			if strings.Contains(text, secret[n:n+piece]) {
				t.Errorf("the text holds %q: %s", secret[n:n+piece], text)
				return
			}
		}
	}
}

// madeUp returns a token that nobody has issued.
func madeUp() string { return "made_up_" + rand.Text() }

// TestIntrospection verifies an opaque token by each of the ways to call an Introspector.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	endpoint := &fakeIssuer{answer: func(form url.Values) (*http.Response, error) {
		if form.Get("token") != opaqueToken {
			return says(inactive)(form)
		}
		return says(saying())(form)
	}, idp: newIDP(jwksOf(all...)...)}
	introspector := newIntrospector(t, endpoint, token.Introspection{})
	both := newVerifier(t, endpoint, token.WithIntrospector(introspector))
	for name, verify := range map[string]func(raw string) (*token.Claims, error){
		"Verify": func(raw string) (*token.Claims, error) { return introspector.Verify(t.Context(), raw) },
		"Authenticate": func(raw string) (*token.Claims, error) {
			return introspector.Authenticate(t.Context(), []string{"bearer " + raw})
		},
		"a verifier of both": func(raw string) (*token.Claims, error) { return both.Verify(t.Context(), raw) },
		"a verifier's Authenticate": func(raw string) (*token.Claims, error) {
			return both.Authenticate(t.Context(), []string{"Bearer " + raw})
		},
	} {
		claims, err := verify(opaqueToken)
		if err != nil || claims.Subject() != "user_1" || claims.Issuer() != issuerURL || !claims.HasScope("write:b") {
			t.Errorf("%s: %v, %v", name, claims, err)
		}
		raw := madeUp()
		_, err = verify(raw)
		checkError(t, err, token.ErrInvalid)
		checkConfidential(t, fmt.Sprintf("%+v %q", err, err), raw, opaqueToken)
		for given, want := range map[string]error{
			"": token.ErrMalformed, "=": token.ErrMalformed, "a b": token.ErrMalformed, "a,b": token.ErrMalformed, "é": token.ErrMalformed, "a=b": token.ErrMalformed,
			strings.Repeat("x", token.MaxBytes+1): token.ErrMalformed, strings.Repeat("x", 4<<10): token.ErrInvalid,
		} {
			before := endpoint.count()
			_, err := verify(given)
			checkError(t, err, want)
			if asked := endpoint.count() > before; asked && errors.Is(want, token.ErrMalformed) {
				t.Errorf("%s: %.10q is asked for", name, given)
			}
		}
	}
	for _, values := range [][]string{nil, {"Basic x"}, {"Bearer a", "Bearer b"}} {
		_, want := token.Bearer(values)
		_, err := introspector.Authenticate(t.Context(), values)
		checkError(t, err, want)
	}
	if claims, err := both.Verify(t.Context(), es256.Mint(es256.Header(), payload("exp", never))); err != nil || claims.Subject() != "user_1" {
		t.Error(err)
	}
}

// TestNoIntrospector makes sure that an Introspector that nobody made accepts nothing.
func TestNoIntrospector(t *testing.T) {
	t.Parallel()
	for _, introspector := range []*token.Introspector{nil, new(token.Introspector)} {
		_, err := introspector.Verify(t.Context(), opaqueToken)
		checkError(t, err, token.ErrInvalid)
		_, err = introspector.Authenticate(t.Context(), []string{"Bearer " + opaqueToken})
		checkError(t, err, token.ErrInvalid)
		for _, raw := range []string{"", "eyJhIjoxfQ.a.b", strings.Repeat("x", token.MaxBytes+1)} {
			if _, err := introspector.Verify(t.Context(), raw); err == nil {
				t.Errorf("%.10q is accepted", raw)
			}
		}
	}
}
