package provider_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

var unavailable = answer{code: connect.CodeUnavailable, reason: "VERIFIER_UNAVAILABLE"}

// plain is the issuer of the JWTs of the shape plain.
func plain(i *idp) token.Issuer {
	return token.Issuer{
		URL:          i.issuer,
		Algorithms:   []string{"RS256"},
		ClientTokens: map[string][]string{"sub": {"{client}"}},
	}
}

// plainAnswers is the same issuer by its answers. An answer about a client's own token has no `sub`.
func plainAnswers(i *idp) token.Issuer {
	issuer := plain(i)
	issuer.SubjectClaims = []string{"sub", "client_id"}
	issuer.ClientTokens, issuer.UserTokens = nil, map[string][]string{"sub": {token.AnyValue}}
	return issuer
}

// introspected serves the sample's API to opaque tokens, and asks the issuer about the tokens.
func introspected(t *testing.T, issuer token.Issuer, audience string, how token.Introspection, opts ...token.Option) *sample {
	t.Helper()
	introspector, err := token.NewIntrospector(issuer, how, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return guarded(t, introspector, audience)
}

// TestIntrospection asks oidc-provider about tokens of every kind, by every method of authentication, for
// plain answers and for signed answers.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	e2e.NodeModules(t, ".")
	methods := authMethods(t)
	i := startShape(t, "plain", registrations(methods)...)
	user := i.signIn(t, login{"web", api + opaque, readAll})
	machine := grant{"worker", api + opaque, "", readAll}
	for _, m := range methods {
		for name, audience := range map[string]string{"plain": "", "signed": m.client} {
			t.Run(m.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				issuer, opts := m.reach(t, i)
				s := introspected(t, issuer, api, token.Introspection{Client: m.right, SignedResponseAudience: audience}, opts...)
				for _, c := range []struct {
					name, token string
					want        who
				}{
					{"user", user.AccessToken, who{"ada", "web", "user", "", readAll}},
					{"client", i.obtain(t, machine), who{"worker", "worker", "client", "", readAll}},
				} {
					if got, err := s.whoIs(t.Context(), c.token, ""); got != c.want {
						t.Errorf("%s: got %+v, want %+v (%v)", c.name, got, c.want, err)
					}
					s.checkModels(t, c.name, c.token, c.want)
				}
				for name, c := range map[string]struct {
					token string
					want  answer
				}{
					"refresh token":   {user.RefreshToken, invalid},
					"ID token":        {user.IDToken, malformed},
					"JWT":             {i.obtain(t, grant{"worker", api, "", readAll}), malformed},
					"made up":         {"made-up", invalid},
					"for another API": {i.obtain(t, grant{"worker", elsewhere + opaque, "", readAll}), wrongAudience},
					"for no API":      {i.obtain(t, grant{client: "worker"}), wrongAudience},
					"other scopes":    {i.obtain(t, machine.with("read:data")), insufficient("read:products")},
				} {
					check(t, name, models[0].call(t.Context(), s, protocols[1], c.token, ""), c.want)
				}
				s = introspected(t, issuer, api, token.Introspection{Client: m.wrong, SignedResponseAudience: audience}, opts...)
				check(t, "wrong credentials", models[0].call(t.Context(), s, protocols[1], user.AccessToken, ""), unavailable)
			})
		}
	}
}

// A tampering is a transport that changes requests for answers, and the answers.
type tampering struct {
	base    http.RoundTripper
	request func(*http.Request)
	answer  func(*http.Response)
}

// RoundTrip implements [http.RoundTripper].
func (a *tampering) RoundTrip(request *http.Request) (*http.Response, error) {
	asked := request.Method == http.MethodPost
	if asked && a.request != nil {
		request = request.Clone(request.Context())
		a.request(request)
	}
	response, err := a.base.RoundTrip(request)
	if err == nil && asked && a.answer != nil {
		a.answer(response)
	}
	return response, err
}

// TestSignedAnswers makes sure that only answers count that the issuer has signed now for this server, and that
// a new key counts at once.
func TestSignedAnswers(t *testing.T) {
	t.Parallel()
	e2e.NodeModules(t, ".")
	methods := authMethods(t)[:1]
	basic := methods[0]
	i := startShape(t, "plain", registrations(methods)...)
	signed := i.obtain(t, grant{"worker", api, "", readAll}) // a JWT, by the key of the answers
	var kept string                                          // an answer that an attacker keeps
	a := &tampering{base: i.client.Transport}
	s := introspected(t, plainAnswers(i), api, token.Introspection{Client: basic.right, SignedResponseAudience: basic.client}, token.WithTransport(a))
	call := func() error { // with a token that has no answer yet
		return models[0].call(t.Context(), s, protocols[1], i.obtain(t, grant{"worker", api + opaque, "", readAll}), "")
	}
	body := func(change func(string) string) func(*http.Response) {
		return func(r *http.Response) {
			defer r.Body.Close()
			text, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			changed := change(string(text))
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(changed)), int64(len(changed))
		}
	}
	keep := body(func(text string) string { kept = text; return text })
	replay := body(func(string) string { return kept })
	sign := body(func(text string) string { return transplant(text, signed) })
	for _, step := range []struct {
		name   string
		rotate []int
		a      tampering
		want   answer
	}{
		{"signed", []int{0}, tampering{answer: keep}, accepted},
		{"plain", nil, tampering{request: func(r *http.Request) { r.Header.Set("Accept", "application/json") }}, unavailable},
		{"plain, with the type of a signed answer", nil, tampering{
			request: func(r *http.Request) { r.Header.Set("Accept", "application/json") },
			answer:  func(r *http.Response) { r.Header.Set("Content-Type", "application/token-introspection+jwt") },
		}, unavailable},
		{"signed, with the type of a plain answer", nil, tampering{
			answer: func(r *http.Response) { r.Header.Set("Content-Type", "application/json") },
		}, unavailable},
		{"with the signature of a token", nil, tampering{answer: sign}, unavailable},
		{"new key beside the old", []int{1, 0}, tampering{}, accepted},
		{"new key alone", []int{2}, tampering{}, accepted},
		{"by the old key", nil, tampering{answer: replay}, unavailable},
		{"signed again", nil, tampering{}, accepted},
	} {
		if step.rotate != nil {
			if err := i.rotate(t.Context(), step.rotate...); err != nil {
				t.Fatal(err)
			}
		}
		a.request, a.answer = step.a.request, step.a.answer
		check(t, step.name, call(), step.want)
	}
	s = introspected(t, plainAnswers(i), api, token.Introspection{Client: basic.right, SignedResponseAudience: "another"})
	check(t, "for another server", call(), unavailable)
}

// TestOneQuestion makes sure that a thousand calls at once with one token ask the issuer once.
func TestOneQuestion(t *testing.T) {
	t.Parallel()
	e2e.NodeModules(t, ".")
	methods := authMethods(t)[:1]
	i := startShape(t, "plain", registrations(methods)...)
	s := introspected(t, plainAnswers(i), api, token.Introspection{Client: methods[0].right})
	issued := i.obtain(t, grant{"worker", api + opaque, "", readAll})
	var group sync.WaitGroup
	for range 1_000 {
		group.Go(func() {
			check(t, "call", models[0].call(t.Context(), s, protocols[1], issued, ""), accepted)
		})
	}
	group.Wait()
	if asked := i.introspections(t); asked != 1 {
		t.Errorf("the issuer was asked %d times", asked)
	}
}

// TestBothForms makes sure that a server takes the JWTs and the opaque tokens of one issuer, and that the issuer
// is not asked about a JWT.
func TestBothForms(t *testing.T) {
	t.Parallel()
	e2e.NodeModules(t, ".")
	methods := authMethods(t)[:1]
	i := startShape(t, "plain", registrations(methods)...)
	introspector, err := token.NewIntrospector(plainAnswers(i), token.Introspection{Client: methods[0].right})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(plain(i), token.WithIntrospector(introspector))
	if err != nil {
		t.Fatal(err)
	}
	s := guarded(t, verifier, api)
	machine, worker := grant{"worker", api, "", readAll}, who{"worker", "worker", "client", "", readAll}
	signed := i.obtain(t, machine)
	user := i.signIn(t, login{"web", api, readAll})
	for name, c := range map[string]struct {
		token string
		want  who
	}{
		"user":   {user.AccessToken, who{"ada", "web", "user", "", readAll}},
		"client": {signed, worker},
	} {
		if got, err := s.whoIs(t.Context(), c.token, ""); got != c.want {
			t.Errorf("%s: got %+v, want %+v (%v)", name, got, c.want, err)
		}
	}
	for name, c := range map[string]struct {
		token string
		want  answer
	}{
		"ID token":            {user.IDToken, invalid},
		"another's signature": {transplant(signed, user.AccessToken), invalid},
		"without signature":   {signed[:strings.LastIndexByte(signed, '.')], malformed},
		"header alone":        {signed[:strings.IndexByte(signed, '.')], malformed},
	} {
		check(t, name, models[0].call(t.Context(), s, protocols[1], c.token, ""), c.want)
	}
	if asked := i.introspections(t); asked != 0 {
		t.Errorf("the issuer was asked about %d JWTs", asked)
	}
	machine.resource += opaque
	if got, err := s.whoIs(t.Context(), i.obtain(t, machine), ""); got != worker {
		t.Errorf("opaque: got %+v, want %+v (%v)", got, worker, err)
	}
	check(t, "made up", models[0].call(t.Context(), s, protocols[1], "made-up", ""), invalid)
	if asked := i.introspections(t); asked != 2 {
		t.Errorf("the issuer was asked about %d tokens, want the two that are opaque", asked)
	}
}

// TestWithdrawnToken makes sure that an answer is good for its time, that a stream outlives its answer, and that a
// token that was withdrawn opens nothing and ends its stream.
func TestWithdrawnToken(t *testing.T) {
	t.Parallel()
	e2e.NodeModules(t, ".")
	methods := authMethods(t)[:1]
	i := startShape(t, "plain", registrations(methods)...)
	asked := make(chan struct{}, 1_000)
	a := &tampering{base: i.client.Transport, answer: func(*http.Response) { asked <- struct{}{} }}
	s := introspected(t, plainAnswers(i), api, token.Introspection{Client: methods[0].right, MaxAge: time.Second}, token.WithTransport(a))
	issued := i.obtain(t, grant{"worker", api + opaque, "", readAll})
	ctx, cancel := context.WithTimeout(t.Context(), e2e.Patience)
	defer cancel()
	stream, err := s.catalog(protocols[1]).WatchProducts(ctx, request(issued, &samplev1.WatchProductsRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	ended := make(chan error, 1)
	go func() {
		stream.Receive()
		ended <- stream.Err()
	}()
	<-asked
	select {
	case <-asked: // when the answer is old
	case err := <-ended:
		t.Fatalf("the stream has not asked again, and ended with %v", err)
	}
	call := func() error { return models[0].call(ctx, s, protocols[1], issued, "") }
	check(t, "not withdrawn", call(), accepted)
	if _, err := i.post(ctx, i.endpoints.Revocation, "worker", url.Values{"token": {issued}}); err != nil {
		t.Fatal(err)
	}
	for answerOf(call()) == accepted { // the last answer is good for a second
	}
	check(t, "withdrawn", call(), invalid)
	check(t, "stream", <-ended, invalid)
}
