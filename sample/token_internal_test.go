package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
)

// TestToken gets every kind of token for every client and user by command line, and calls the methods that the token
// grants.
func TestToken(t *testing.T) {
	t.Parallel()
	const audience = "https://api.acme.example"
	p := startProcess(t, "-audience", audience)
	defer p.end(t)
	// The token leaves out scopes that the client does not hold.
	global := []string{"-scope", "read:products write:products write:orders read:data"}
	member := []string{"-scope", "invite:member manage:members manage:billing"}
	data := []string{"-scope", "read:data write:data write:settings read:products", "-resource", audience}
	staff := []string{"-scope", "read:accounts support:accounts list:accounts"}
	of := func(organization string, flags []string) []string {
		return append([]string{"-organization", organization}, flags...)
	}
	for _, c := range []struct {
		caller string // "-user" before the id of a user
		flags  []string
		scopes string
	}{
		{"acme-admin", global, "read:products write:products write:orders"},
		{"acme-admin", of("acme", member), "invite:member manage:members manage:billing"},
		{"acme-admin", of("acme", data), "read:data write:data write:settings"},
		{"acme-viewer", global, "read:products"},
		{"acme-viewer", of("acme", member), ""},
		{"acme-viewer", of("acme", data), "read:data"},
		{"globex-admin", global, "read:products"},
		{"globex-admin", of("globex", member), "invite:member manage:members manage:billing"},
		{"globex-admin", of("globex", data), "read:data write:data write:settings"},
		{"no-roles", global, ""},
		{"no-roles", nil, ""},
		{"-user alice", nil, ""},
		{"-user alice", staff, ""},
		{"-user alice", of("acme", data), "read:data"},
		{"-user alice", of("acme", member), ""},
		{"-user bob", of("globex", data), "read:data"},
		{"-user sam", staff, "read:accounts support:accounts"},
	} {
		flag, subject := "-client", c.caller
		wantClient := c.caller
		if user, ok := strings.CutPrefix(c.caller, "-user "); ok {
			flag, subject, wantClient = "-user", user, "devissuer"
		}
		status, stdout, stderr := runOnce(t, append([]string{"token", "-server", p.url, flag, subject}, c.flags...)...)
		if status != exitOK || stderr != "" || strings.Count(stdout, "\n") != 1 {
			t.Errorf("%s %s: status %d, stdout %q, stderr %q", c.caller, c.flags, status, stdout, stderr)
			continue
		}
		claims := payload(t, stdout)
		if claims.Scope != c.scopes || claims.Subject != subject || claims.ClientID != wantClient {
			t.Errorf("%s %s: got %+v, want scopes %q", c.caller, c.flags, claims, c.scopes)
		}
		wantAudience, wantOrganization := audience, ""
		if c.flags != nil && c.flags[0] == "-organization" {
			if wantOrganization = c.flags[1]; len(c.flags) == 4 { // without -resource
				wantAudience, wantOrganization = "urn:logto:organization:"+wantOrganization, ""
			}
		}
		if claims.Audience != wantAudience || claims.OrganizationID != wantOrganization {
			t.Errorf("%s %s: got %+v, want audience %q and organization %q",
				c.caller, c.flags, claims, wantAudience, wantOrganization)
		}
	}

	_, stdout, _ := runOnce(t, "token", "-server", p.url+"/", "-client", "acme-admin", "-scope", "read:products")
	_, err := samplev1connect.NewCatalogServiceClient(new(http.Client), p.url).ListProducts(ending(t),
		request("Bearer "+strings.TrimSpace(stdout), &samplev1.ListProductsRequest{}))
	check(t, err, answer{})
}

// tokenClaims are the claims that TestToken compares.
type tokenClaims struct {
	Audience       string `json:"aud"`
	Subject        string `json:"sub"`
	ClientID       string `json:"client_id"`
	OrganizationID string `json:"organization_id"`
	Scope          string `json:"scope"`
}

// payload reads a token without verifying it.
func payload(t testing.TB, raw string) (claims tokenClaims) {
	t.Helper()
	segments := strings.Split(raw, ".")
	if len(segments) != 3 {
		t.Fatalf("no token: %q", raw)
	}
	decoded, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(decoded, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
