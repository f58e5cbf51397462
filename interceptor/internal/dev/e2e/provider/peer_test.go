package provider_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Resources of shapes.mjs, by which clients ask for tokens. A shape gives the first an audience of its own.
const (
	api       = "https://api.example.com"
	elsewhere = "https://other.example.com"
	opaque    = "/opaque" // for opaque tokens
)

// readAll are the scopes of the methods that the tests call, sorted.
const readAll = "read:data read:products"

// A peer is a provider, in the shape of which the identity provider issues tokens.
type peer struct {
	name     string
	audience string
	issuer   func(url string) token.Issuer
	user     who // ada, by a client that is left out
	client   who // worker
}

var peers = []peer{
	{
		name: "keycloak", audience: api, issuer: token.Keycloak,
		user:   who{"ada", "", "user", "acme", readAll},
		client: who{"9c1d8d7e-4c4f-4b0a-8d61-0d6a2c4b7c55", "worker", "client", "", readAll},
	},
	{
		name: "okta", audience: "api://default", issuer: token.Okta,
		user:   who{"ada@example.com", "", "user", "", readAll},
		client: who{"worker", "worker", "client", "", readAll},
	},
	{
		name: "entra", audience: "6e74172b-be56-4843-9ff4-e66a39bb12e3",
		issuer: func(url string) token.Issuer {
			issuer := token.Entra("aaaaaaaa-1111-2222-3333-444444444444")
			issuer.URL = strings.Replace(issuer.URL, "https://login.microsoftonline.com", originOf(url), 1)
			return issuer
		},
		user:   who{"pairwise-1", "", "user", "", readAll + " write:orders"},
		client: who{"sp-1", "worker", "client", "", readAll},
	},
	{
		name: "zitadel", audience: "229",
		issuer: func(url string) token.Issuer { return token.Zitadel(url, "229") },
		user:   who{"ada", "", "unknown", "178204173316174381", readAll},
		client: who{"worker", "worker", "unknown", "178204173316174381", readAll},
	},
	{
		name: "hydra", audience: api,
		issuer: func(url string) token.Issuer { // of the README of package token
			return token.Issuer{
				URL:               url,
				Algorithms:        []string{"RS256"},
				Types:             []string{"JWT"},
				RequiredClaims:    map[string][]string{"client_id": {token.AnyValue}},
				ScopeClaims:       []string{"scp", "scope"},
				ClientTokens:      map[string][]string{"sub": {"{client}"}},
				OrganizationClaim: "/ext/tenant",
			}
		},
		user:   who{"ada", "", "user", "acme", readAll},
		client: who{"worker", "worker", "client", "", readAll},
	},
}

// start starts the identity provider, and a server that trusts the identity provider.
func (p peer) start(t *testing.T) (*idp, *sample) {
	t.Helper()
	i := startShape(t, p.name)
	verifier, err := token.NewVerifier(p.issuer(i.issuer))
	if err != nil {
		t.Fatal(err)
	}
	return i, guarded(t, verifier, p.audience)
}

// TestPeers calls methods with tokens of every kind of every provider. The client with the id of the API is
// registered together with the API, so the audience of its ID tokens is the API's.
func TestPeers(t *testing.T) {
	t.Parallel()
	e2e.NodeModules(t, ".")
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			i, s := p.start(t)
			web, own := i.signIn(t, login{"web", api, readAll}), i.signIn(t, login{p.audience, api, readAll})
			implicit := i.authorize(t, login{client: p.audience}, url.Values{"response_type": {"id_token"}, "nonce": {"n-0S6"}}).Get("id_token")
			machine := i.obtain(t, grant{"worker", api, "", readAll})
			for _, c := range []struct {
				name, token string
				want        who
			}{
				{"user", web.AccessToken, p.user.by("web")},
				{"user, by the API's client", own.AccessToken, p.user.by(p.audience)},
				{"client", machine, p.client},
			} {
				if got, err := s.whoIs(t.Context(), c.token, c.want.organization); got != c.want {
					t.Errorf("%s: got %+v, want %+v (%v)", c.name, got, c.want, err)
				}
				s.checkModels(t, c.name, c.token, c.want)
			}
			for name, refused := range map[string]string{
				"ID token": web.IDToken, "ID token of the API's client": own.IDToken, "ID token without an access token": implicit,
				"another's signature": transplant(machine, web.AccessToken),
			} {
				for _, m := range models {
					check(t, name+", "+m.name, m.call(t.Context(), s, protocols[1], refused, p.user.organization), invalid)
				}
			}
			m, other := models[0], "read:data"
			if p.client.organization != "" {
				m, other = models[2], "read:products"
			}
			call := func(g grant) error {
				return m.call(t.Context(), s, protocols[1], i.obtain(t, g), p.client.organization)
			}
			check(t, "for another API", call(grant{"worker", elsewhere, "", readAll}), wrongAudience)
			check(t, "other scopes", call(grant{"worker", api, "", other}), insufficient(m.scopes))
		})
	}
}

// TestPeersRotate makes sure that a new key is accepted at once, with the old key beside it and without.
func TestPeersRotate(t *testing.T) {
	t.Parallel()
	e2e.NodeModules(t, ".")
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			i, s := p.start(t)
			call := func(token string) error {
				_, err := s.whoIs(t.Context(), token, p.client.organization)
				return err
			}
			var old []string // tokens of the keys before
			for _, step := range []struct {
				published []int
				want      answer // to old keys, once a token of the new key has drawn a fetch
			}{
				{[]int{0}, accepted}, {[]int{1, 0}, accepted}, {[]int{2}, invalid},
			} {
				if err := i.rotate(t.Context(), step.published...); err != nil {
					t.Fatal(err)
				}
				issued := i.obtain(t, grant{"worker", api, "", readAll})
				check(t, "new key, at once", call(issued), accepted)
				for _, token := range old {
					if keyID(token) == keyID(issued) {
						t.Error("the new key does not sign")
					}
					check(t, "old key", call(token), step.want)
				}
				unused := i.obtain(t, grant{"worker", api, "", readAll})
				old = append(old, issued, unused)
			}
		})
	}
}

// by returns the caller with another client.
func (w who) by(client string) who {
	w.client = client
	return w
}

// checkModels makes sure that a token opens the method of its permission model alone, for its organization
// alone.
func (s *sample) checkModels(t *testing.T, name, token string, of who) {
	t.Helper()
	for _, p := range protocols {
		for _, m := range models {
			want := wrongModel
			if of.organization == "" && m.name == "global resource" || of.organization != "" && m.name == "organization resource" {
				want = accepted
			}
			check(t, strings.Join([]string{name, m.name, p.name}, ", "), m.call(t.Context(), s, p, token, of.organization), want)
			if want == accepted && of.organization != "" {
				check(t, name+", for another organization", m.call(t.Context(), s, p, token, "globex"), wrongOrganization)
			}
		}
	}
}
