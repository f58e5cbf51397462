package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestDeployment compares what the commands print with a document, and with flags beside it.
func TestDeployment(t *testing.T) {
	t.Parallel()
	const undecided = "{\n  \"audience\": \"https://shop.example.com\"\n}\n"
	tr := &transcript{names: map[string]string{
		"IMAGE":     write(t, "image.binpb", encode(t, compileSet(t, protosOf(checked), "shop/v1/shop.proto"))),
		"AUTHZ":     write(t, "authz.json", []byte(strings.Replace(checked["authz.json"], checkedIssuers, "", 1))),
		"YAML":      write(t, "authz.yaml", []byte("audience: https://shop.example.com\nsharedScopes:\n  - read:carts\nunannotatedOpen: [shop.v1.NewsService, shop.v1.StockService]\n")),
		"UNDECIDED": write(t, "undecided.json", []byte(undecided)),
		"MISPLACED": write(t, "misplaced.json", []byte(strings.NewReplacer(`"shadow": [`, "\"shadow\": [\n    \"shop.v1.Cart\",\n    \"no name\",\n    ", `"read:carts"`, `"read carts"`, checkedIssuers, "").Replace(checked["authz.json"]))),
		"MALFORMED": write(t, "malformed.json", []byte("{\n  \"audience\": 1,\n  \"publik\": []\n}")),
		"TENANT":    write(t, "tenant.json", []byte("{\n  \"url\": \"http://127.0.0.1:3001/oidc\",\n  \"users\": [{\"id\": \"alice\"}]\n}")),
		"EMPTY":     write(t, "empty.json", []byte("{}")),
		"MISSING":   t.TempDir() + "/missing.json",
	}}
	for _, c := range []struct{ about, line string }{
		{"the document alone", "matrix -authz AUTHZ IMAGE"},
		{"in YAML", "matrix -authz YAML IMAGE"},
		{"the scopes to create", "scopes -authz AUTHZ IMAGE"},
		{"changes", "diff -authz AUTHZ IMAGE IMAGE"},
		{"flags add", "matrix -authz UNDECIDED -audience https://shop.example.com -shared-scope read:carts -unannotated-open shop.v1.NewsService -unannotated-open shop.v1.StockService -only shop.v1.NewsService IMAGE"},
		{"flags beside the lists of the document", "matrix -authz AUTHZ -shadow shop.v1.OrderService -only shop.v1.OrderService IMAGE"},
		{"what the document has not decided", "matrix -authz UNDECIDED IMAGE"},
		{"another audience", "matrix -authz AUTHZ -audience https://api.example.com IMAGE"},
		{"faults of options", "matrix -authz MISPLACED IMAGE"},
		{"a fault of a flag", "matrix -authz AUTHZ -shadow shop.v1.Cart IMAGE"},
		{"faults of the document", "matrix -authz MALFORMED IMAGE"},
		{"a tenant", "scopes -authz TENANT IMAGE"},
		{"no audience", "scopes -authz EMPTY IMAGE"},
		{"no audience, and a fault of the flag", "matrix -authz EMPTY -audience urn:logto:organization:a -only shop.v1.OrderService IMAGE"},
		{"no document", "diff -authz MISSING IMAGE IMAGE"},
		{"a tenant to check", "check -authz TENANT"},
		{"one call", "explain -authz AUTHZ -method shop.v1.CartService/GetCart IMAGE"},
	} {
		tr.about("%s", c.about)
		tr.run(t, nil, c.line)
	}
	golden(t, "outside/deployment.txt", tr.String())
}

// TestDeploymentIssuers makes sure that explain verifies tokens by the issuers of the document.
func TestDeploymentIssuers(t *testing.T) {
	t.Parallel()
	url, good, other := issuers(t)
	image := write(t, "image.binpb", sampleImage(t))
	document := func(urls ...string) string {
		all := []map[string][]string{}
		for _, url := range urls {
			all = append(all, map[string][]string{"preset": {"logto", url}})
		}
		text, err := json.Marshal(map[string]any{"audience": tokens.API, "issuers": all})
		if err != nil {
			t.Fatal(err)
		}
		return write(t, "authz.json", text)
	}
	const elsewhere = "http://127.0.0.1:1/oidc"
	claims := map[string]any{"aud": tokens.API, "scope": "read:products"}
	mint := func(issuer *devissuer.Issuer) string {
		raw, err := issuer.Mint(claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	genuine, forged := mint(good), mint(other)
	for _, test := range []struct {
		name, token string
		args        []string
		status      int
		says        string
	}{
		{"good", genuine, []string{"-authz", document(url)}, exitOK, `"verified": true`},
		{"of the second issuer", genuine, []string{"-authz", document(elsewhere, url)}, exitOK, `"verified": true`},
		{"forged", forged, []string{"-authz", document(elsewhere, url)}, exitNo, `"reason": "TOKEN_INVALID"`},
		{"forged, without issuers", forged, []string{"-authz", document()}, exitOK, `"verified": false`},
		{"of no issuer of the document", genuine, []string{"-authz", document(elsewhere)}, exitNo, `"reason": "TOKEN_INVALID"`},
		{"-issuer goes first", genuine, []string{"-authz", document(elsewhere), "-issuer", url}, exitOK, `"verified": true`},
		{"-provider", genuine, []string{"-authz", document(url), "-provider", "logto"}, exitFailed, "-provider beside -authz: "},
		{"-leeway", genuine, []string{"-authz", document(url), "-leeway", time.Hour.String()}, exitFailed, "-leeway: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"explain", "-method", "sample.v1.CatalogService/ListProducts", "-token", "-", "-format", "json"}, test.args...)
			got := execute(t, []byte(test.token), append(args, image)...)
			if got.status != test.status || !strings.Contains(got.stdout+got.stderr, test.says) {
				t.Errorf("status %d, want %d and %s: %s\n%s", got.status, test.status, test.says, got.stderr, got.stdout)
			}
		})
	}
}
