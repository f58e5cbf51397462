package provider_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/url"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestZitadel calls methods with JWTs of zitadel/oidc, the engine of Zitadel, before and after rotations.
func TestZitadel(t *testing.T) {
	t.Parallel()
	z := startZitadel(t)
	verifier, err := token.NewVerifier(token.Zitadel(z.idp.issuer, project))
	if err != nil {
		t.Fatal(err)
	}
	s := guarded(t, verifier, project)
	machine := grant{client: "worker", scope: readAll}
	before := z.idp.obtain(t, machine)
	for _, step := range []struct {
		published []int
		want      answer // to a token of the key before
	}{
		{[]int{0}, accepted}, {[]int{1, 0}, accepted}, {[]int{2}, invalid},
	} {
		z.rotate(t, step.published...)
		user := z.idp.signIn(t, login{client: "web", scope: readAll})
		own := z.idp.signIn(t, login{client: project, scope: readAll})
		for name, c := range map[string]struct {
			token string
			want  who
		}{
			"user":                      {user.AccessToken, who{"id1", "web", "unknown", acmeID, readAll}},
			"user, by the API's client": {own.AccessToken, who{"id1", project, "unknown", acmeID, readAll}},
			"client":                    {z.idp.obtain(t, machine), who{"worker", "worker", "unknown", acmeID, readAll}},
		} {
			if got, err := s.whoIs(t.Context(), c.token, acmeID); got != c.want {
				t.Errorf("%s: got %+v, want %+v (%v)", name, got, c.want, err)
			}
			s.checkModels(t, name, c.token, c.want)
		}
		implicit := z.idp.authorize(t, login{client: project, scope: readAll}, url.Values{"response_type": {"id_token"}, "nonce": {"n-0S6"}}).Get("id_token")
		for name, refused := range map[string]string{
			"ID token": user.IDToken, "ID token of the API's client": own.IDToken, "ID token without an access token": implicit,
		} {
			check(t, name, models[2].call(t.Context(), s, protocols[1], refused, acmeID), invalid)
		}
		check(t, "key before", models[2].call(t.Context(), s, protocols[1], before, acmeID), step.want)
		before = z.idp.obtain(t, machine)
	}
}

// TestZitadelIntrospection asks zitadel/oidc about opaque tokens, in both forms that Zitadel has.
func TestZitadelIntrospection(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for form, opts := range map[string][]op.Option{
		"JWE": nil,
		//nolint:staticcheck // servers have such tokens until they expire
		"without dots": {op.WithCrypto(op.NewAESCrypto([32]byte{1}))},
	} {
		encrypted := form == "JWE"
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			z := startZitadel(t, opts...)
			z.gateway = key.Public()
			issuer := token.Zitadel(z.idp.issuer, project)
			user := z.idp.signIn(t, login{client: "web" + opaque, scope: readAll + " offline_access"})
			machine := grant{client: "worker" + opaque, scope: readAll}
			for name, client := range map[string]struct {
				right, wrong token.ClientAuthentication
			}{
				"client_secret_basic": {token.ClientSecretBasic("gateway", "gateway-secret"), token.ClientSecretBasic("gateway", "wrong")},
				"private_key_jwt":     {token.PrivateKeyJWT("gateway", "RS256", "k1", key), token.PrivateKeyJWT("worker", "RS256", "k1", key)},
			} {
				s := introspected(t, issuer, project, token.Introspection{Client: client.right, JWE: encrypted})
				for name, c := range map[string]struct {
					token string
					want  who
				}{
					"user":   {user.AccessToken, who{"id1", "web" + opaque, "unknown", acmeID, readAll}},
					"client": {z.idp.obtain(t, machine), who{"worker" + opaque, "worker" + opaque, "unknown", acmeID, readAll}},
				} {
					if got, err := s.whoIs(t.Context(), c.token, acmeID); got != c.want {
						t.Errorf("%s: got %+v, want %+v (%v)", name, got, c.want, err)
					}
					s.checkModels(t, name, c.token, c.want)
				}
				withdrawn := z.idp.obtain(t, machine)
				if _, err := z.idp.post(t.Context(), z.idp.endpoints.Revocation, machine.client, url.Values{"token": {withdrawn}}); err != nil {
					t.Fatal(err)
				}
				for name, c := range map[string]struct {
					token string
					want  answer
				}{
					"refresh token": {user.RefreshToken, invalid},
					"ID token":      {user.IDToken, malformed},
					"made up":       {"made-up", invalid},
					"withdrawn":     {withdrawn, invalid},
				} {
					check(t, name, models[2].call(t.Context(), s, protocols[1], c.token, acmeID), c.want)
				}
				s = introspected(t, issuer, project, token.Introspection{Client: client.wrong, JWE: encrypted})
				check(t, name+", wrong", models[2].call(t.Context(), s, protocols[1], user.AccessToken, acmeID), unavailable)

				introspector, err := token.NewIntrospector(issuer, token.Introspection{Client: client.right, JWE: encrypted})
				if err != nil {
					t.Fatal(err)
				}
				verifier, err := token.NewVerifier(issuer, token.WithIntrospector(introspector))
				if err != nil {
					t.Fatal(err)
				}
				s = guarded(t, verifier, project)
				for _, client := range []string{"worker", "worker" + opaque} {
					issued := z.idp.obtain(t, grant{client: client, scope: readAll})
					check(t, "both forms, "+client, models[2].call(t.Context(), s, protocols[1], issued, acmeID), accepted)
				}
			}
		})
	}
}
