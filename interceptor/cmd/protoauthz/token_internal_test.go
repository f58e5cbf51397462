package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/tenant"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// segment returns the header or the payload of a token.
func segment(t *testing.T, raw string, n int) (members map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

// TestToken makes tokens by command line, and gives them to a verifier.
func TestToken(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.yaml", []byte(`
resources: {"https://api.test": [read:a, write:a]}
organizations: [acme]
organizationScopes: [invite:member]
users:
  - id: alice
    scopes: {"https://api.test": [read:a]}
    claims: {level: 3, client_id: web}
    organizations: {acme: {organizationScopes: [invite:member], scopes: {"https://api.test": [write:a]}}}
clients: [{id: shop, secret: s3cret, scopes: {"https://api.test": [write:a]}}]
`))
	s := startIssuer(t, "-config", config)
	verifier := verifierAt(t, s.address)
	const api, organization = "https://api.test", "urn:logto:organization:acme"
	for name, test := range map[string]struct {
		args   []string
		claims map[string]any // the ones to look at; nil: absent
		typ    any
		err    error
		note   string
	}{
		"a user's": {[]string{"-sub", "alice", "-scope", "read:a  write:a"},
			map[string]any{"aud": api, "sub": "alice", "client_id": "web", "scope": "read:a", "level": 3.0}, "at+jwt", nil,
			`note: write:a is left out: add the scope to users[0].scopes["https://api.test"] (tenant.yaml:7), or give -organization acme -resource https://api.test, where alice holds the scope`},
		"a scope outside of organizations": {[]string{"-sub", "alice", "-organization", "acme", "-resource", api, "-scope", "read:a"}, nil, "at+jwt", nil,
			`note: read:a is left out: add the scope to users[0].organizations["acme"].scopes["https://api.test"] (tenant.yaml:9), or leave -organization out: alice holds the scope outside of organizations`},
		"a scope of an API in organization": {[]string{"-sub", "alice", "-organization", "acme", "-scope", "write:a"}, nil, "at+jwt", nil,
			`note: write:a is left out: add the scope to organizationScopes (tenant.yaml:4) and to users[0].organizations["acme"].organizationScopes (tenant.yaml:9), or give -organization acme -resource https://api.test, where alice holds the scope`},
		"a scope of an organization": {[]string{"-sub", "alice", "-scope", "invite:member"}, nil, "at+jwt", nil,
			`note: invite:member is left out: add the scope to resources["https://api.test"] (tenant.yaml:2) and to users[0].scopes["https://api.test"] (tenant.yaml:7), or give -organization acme, where alice holds the scope`},
		"commas":                   {[]string{"-sub", "alice", "-scope", "read:a,write:a"}, map[string]any{"scope": nil}, "at+jwt", nil, "note: read:a,write:a is left out: separate scopes by spaces"},
		"a client's":               {[]string{"-client", "shop"}, map[string]any{"aud": api, "sub": "shop", "scope": nil}, "at+jwt", nil, "note: the token has no scope: give -scope"},
		"an organization's":        {[]string{"-sub", "alice", "-organization", "acme", "-scope", "invite:member"}, map[string]any{"aud": organization, "scope": "invite:member"}, "at+jwt", nil, ""},
		"an API's in organization": {[]string{"-sub", "alice", "-organization", "acme", "-resource", api, "-scope", "write:a"}, map[string]any{"aud": api, "organization_id": "acme", "scope": "write:a"}, "at+jwt", nil, ""},
		"an unknown scope": {[]string{"-sub", "alice", "-organization", "acme", "-scope", "x"}, map[string]any{"scope": ""}, "at+jwt", nil,
			`note: x is left out: add the scope to organizationScopes (tenant.yaml:4) and to users[0].organizations["acme"].organizationScopes (tenant.yaml:9)`},
		"a scope's claim": {[]string{"-sub", "alice", "-claim", `scope="read:a"`}, map[string]any{"scope": "read:a"}, "at+jwt", nil, ""},
		"claims":          {[]string{"-sub", "alice", "-scope", "read:a", "-claim", `a={"b": [1, null]}`, "-claim", "level=null", "-claim", "sub=\"bob\""}, map[string]any{"a": map[string]any{"b": []any{1.0, nil}}, "level": nil, "sub": "bob"}, "at+jwt", nil, ""},
		"expired":         {[]string{"-sub", "alice", "-scope", "read:a", "-claim", "exp=1"}, map[string]any{"exp": 1.0}, "at+jwt", token.ErrExpired, ""},
		"another issuer":  {[]string{"-sub", "alice", "-scope", "read:a", "-claim", `iss="https://other"`}, map[string]any{"iss": "https://other"}, "at+jwt", token.ErrInvalid, ""},
		"an ID token":     {[]string{"-sub", "alice", "-scope", "read:a", "-typ", "JWT"}, nil, "JWT", token.ErrInvalid, ""},
		"without typ":     {[]string{"-sub", "alice", "-scope", "read:a", "-typ", "none"}, nil, nil, token.ErrInvalid, ""},
		"without subject": {[]string{"-sub", "alice", "-scope", "read:a", "-claim", "sub=null"}, map[string]any{"sub": nil}, "at+jwt", token.ErrInvalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, nil, append([]string{"token", "-config", config}, test.args...)...)
			if got.status != exitOK {
				t.Fatal(got.stderr)
			}
			note := strings.TrimSuffix(strings.ReplaceAll(got.stderr, filepath.Dir(config)+"/", ""), "\n")
			if want := strings.TrimSuffix("protoauthz: "+test.note, "protoauthz: "); note != want {
				t.Errorf("note %q, want %q", note, want)
			}
			raw := strings.TrimSpace(got.stdout)
			claims := segment(t, raw, 1)
			for claim, want := range test.claims {
				if got, there := claims[claim]; fmt.Sprint(got) != fmt.Sprint(want) || there != (want != nil) {
					t.Errorf("%s: %v, want %v", claim, got, want)
				}
			}
			if header := segment(t, raw, 0); header["typ"] != test.typ {
				t.Errorf("typ %v", header["typ"])
			}
			if _, err := verifier.Verify(t.Context(), raw); !errors.Is(err, test.err) || test.err == nil && err != nil {
				t.Errorf("%v, want %v", err, test.err)
			}
		})
	}
}

// TestTokenOfOpenKeys makes sure that the command tells who else can make tokens.
func TestTokenOfOpenKeys(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.json", []byte(people))
	startIssuer(t, "-config", config).end()
	keys := tenant.KeysFile(config)
	if err := os.Chmod(keys, 0o644); err != nil {
		t.Fatal(err)
	}
	got := execute(t, nil, "token", "-config", config, "-sub", "alice", "-scope", "read:a")
	if want := "protoauthz: note: other users can read or write " + keys + ", and so make tokens: run chmod 600 " + keys + "\n"; got.status != exitOK || got.stderr != want {
		t.Errorf("status %d: %q, want %q", got.status, got.stderr, want)
	}
}

// TestOpaqueToken gives an opaque token of the command to a server that asks the issuer.
func TestOpaqueToken(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.json", []byte(people))
	s := startIssuer(t, "-config", config)
	issuer := token.Logto("http://127.0.0.1:3001")
	issuer.IntrospectionURL = "http://" + s.address + "/oidc/introspect"
	introspector, err := token.NewIntrospector(issuer, token.Introspection{Client: token.ClientSecretBasic("shop", "s3cret")})
	if err != nil {
		t.Fatal(err)
	}
	raw := mintedBy(t, "-config", config, "-sub", "alice", "-scope", "read:a", "-opaque")
	if claims, err := introspector.Verify(t.Context(), raw); err != nil || claims.Subject() != "alice" || !claims.HasScope("read:a") {
		t.Errorf("%v, %v", claims, err)
	}
	if _, err := introspector.Verify(t.Context(), mintedBy(t, "-config", config, "-sub", "alice", "-claim", "exp=1", "-opaque")); err == nil {
		t.Error("an expired token is accepted")
	}
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.json", []byte(strings.Replace(people, `"https://api.test": ["read:a", "write:a"]`, `"https://api.test": ["read:a", "write:a"], "https://other.test": []`, 1)))
	startIssuer(t, "-config", config).end()
	fresh := write(t, "fresh.json", []byte(people))
	empty := write(t, "empty.json", []byte(`{"users": [{"id": "alice"}]}`))
	other := write(t, "other.json", []byte(`{"signingAlgorithm": "RS256"}`))
	keys := filepath.Join(filepath.Dir(config), "tenant.keys.json")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no keys":               {[]string{"-config", fresh, "-sub", "alice"}, "fresh.keys.json does not exist: start protoauthz dev-issuer with the same -config and -keys, or start it again: at its start it writes the file"},
		"another algorithm":     {[]string{"-config", other, "-keys", keys, "-sub", "alice"}, "other.json:1: signingAlgorithm: the first key is of ES384: write that algorithm, or remove the keys (the file tenant.keys.json)"},
		"nobody":                {[]string{"-config", config}, "give -sub for the token of a user, or -client for the token of a client"},
		"an unknown user":       {[]string{"-config", config, "-sub", "bob", "-resource", "https://api.test"}, "-sub: no such user: add it to the users, or write one of alice (tenant.json:5: users)"},
		"an unknown client":     {[]string{"-config", config, "-client", "x", "-resource", "https://api.test"}, "-client: no such client: add it to the clients, or write one of shop (tenant.json:8: clients)"},
		"a client as user":      {[]string{"-config", config, "-sub", "shop", "-resource", "https://api.test"}, "-sub: shop is a client: give -client shop"},
		"a user as client":      {[]string{"-config", config, "-client", "alice", "-resource", "https://api.test"}, "-client: alice is a user: give -sub alice"},
		"scopes without quotes": {[]string{"-config", config, "-sub", "alice", "-scope", "read:a", "write:a"}, "token takes no argument: write several scopes in quotes, as -scope 'read:a write:a', and name the tenant with -config"},
		"no member":             {[]string{"-config", config, "-client", "shop", "-organization", "acme"}, `-organization: "shop" is not a member: add it to the organizations of shop (tenant.json:8: clients[0].organizations)`},
		"which resource":        {[]string{"-config", config, "-sub", "alice"}, "-resource: write one of https://api.test, https://other.test (tenant.json:2: resources)"},
		"no resource":           {[]string{"-config", empty, "-keys", keys, "-sub", "alice"}, "-resource: the tenant has no resource: add one (empty.json:1: resources)"},
		"an unknown resource":   {[]string{"-config", config, "-sub", "alice", "-resource", "x"}, "-resource: no such resource: add it to the resources, or write one of https://api.test, https://other.test (tenant.json:2: resources)"},
		"a claim without name":  {[]string{"-config", config, "-sub", "alice", "-claim", "s3cret"}, `-claim: write NAME=JSON, such as exp=1 or 'email="alice@example.com"'`},
		"a claim, not JSON":     {[]string{"-config", config, "-sub", "alice", "-claim", "email=s3cret"}, `-claim email: the value is not JSON: write a text as 'email="…"', and a number, true, false, null, array or object as it is`},
		"an argument":           {[]string{"s3cret"}, "token takes no argument: write several scopes in quotes, as -scope 'read:a write:a', and name the tenant with -config"},
	} {
		got := execute(t, nil, append([]string{"token"}, test.args...)...)
		text := got.stderr
		for _, file := range []string{config, fresh, empty, other} {
			text = strings.ReplaceAll(text, filepath.Dir(file)+"/", "")
		}
		if want := "protoauthz: " + test.want + "\n"; got.status != exitFailed || got.stdout != "" || text != want {
			t.Errorf("%s: status %d: %s%s, want %s", name, got.status, got.stdout, text, want)
		}
	}
}
