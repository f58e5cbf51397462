package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// executeExplain runs the command on rules of the tokens' audience.
func executeExplain(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return execute(t, []byte(stdin), append([]string{"explain", "-audience", tokens.API}, args...)...)
}

// TestExplanations compares whole outputs with those in testdata/explain.
func TestExplanations(t *testing.T) {
	t.Parallel()
	image := write(t, "image.binpb", sampleImage(t))
	goldens, err := os.ReadDir(filepath.Join("testdata", "explain"))
	if err != nil {
		t.Fatal(err)
	}
	stale := map[string]bool{}
	for _, golden := range goldens {
		stale[golden.Name()] = true
	}
	scene := tokens.Scene{Now: 946684800} // when bubbles begin
	k := tokens.I1.ES256
	acme := func(changes ...any) string {
		return scene.Token(k, append([]any{"organization_id", "acme", "scope", "read:data write:data"}, changes...)...)
	}
	const (
		list = "/sample.v1.DocumentService/ListDocuments"
		sync = "/sample.v1.DocumentService/SyncDocuments"
	)
	for _, test := range []struct {
		name, method, token string
		args                []string
		status              int
	}{
		{"allowed", list, acme(), []string{"-message", `{"organizationId": "acme"}`}, exitOK},
		{"public", "/sample.v1.CatalogService/GetInfo", "", nil, exitOK},
		{"organization_not_given", list, acme(), nil, exitOK},
		{"pattern_not_given", "sample.v1.DocumentService/GetDocument", acme(), nil, exitOK},
		{"missing_scope", "sample.v1.DocumentService.SyncDocuments", acme("scope", "read:data"), nil, exitNo},
		{"missing_any_scope", "/sample.v1.MemberService/ListMembers", scene.Token(k, "aud", "urn:logto:organization:acme"), nil, exitNo},
		{"wrong_organization", list, acme(), []string{"-message", `{"organization_id": "globex"}`}, exitNo},
		{"wrong_organization_element", "/sample.v1.DocumentService/BatchGetDocuments", acme(), []string{"-message", `{"requests": [{"organizationId": "acme"}, {"organizationId": "globex"}]}`}, exitNo},
		{"wrong_organization_later", sync, acme(), []string{"-message", `{"organization_id": "acme"}`, "-message", `{"organization_id": "globex", "document": {"name": "a,b"}}`}, exitNo},
		{"allowed_header", "/sample.v1.DocumentService/UpdateSettings", acme("scope", "write:settings"), []string{"-header", "X-Organization-ID: acme"}, exitOK},
		{"wrong_organization_header", "/sample.v1.DocumentService/UpdateSettings", acme("scope", "write:settings"), []string{"-header", "X-Organization-ID: globex"}, exitNo},
		{"wrong_model", list, scene.Token(k, "scope", "read:data"), nil, exitNo},
		{"wrong_audience", list, acme("aud", "https://other.example"), nil, exitNo},
		{"expired", list, acme("exp", scene.Now-180), nil, exitNo},
		{"id_token", list, k.Mint(k.Header("typ", "JWT"), scene.Payload(k.Issuer)), nil, exitNo},
		{"no_token", list, "", nil, exitNo},
		{"json", list, acme("scope", "read:data"), []string{"-format", "json"}, exitOK},
		{"json_refused", sync, acme("scope", "read:data"), []string{"-format", "json"}, exitNo},
	} {
		delete(stale, test.name+".golden")
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-method", test.method}, test.args...)
			if test.token != "" {
				args = append(args, "-token", write(t, "token", []byte(test.token+"\n")))
			}
			synctest.Test(t, func(t *testing.T) {
				got := executeExplain(t, "", append(args, image)...)
				if got.stderr != "" || got.status != test.status {
					t.Fatalf("status %d, want %d: %s\n%s", got.status, test.status, got.stderr, got.stdout)
				}
				golden(t, filepath.Join("explain", test.name+".golden"), got.stdout)
			})
		})
	}
	if len(stale) > 0 {
		t.Errorf("nobody writes %v", stale)
	}
}

// issuers starts the server of one issuer, and returns another issuer with the same URL and another key.
func issuers(t *testing.T) (url string, good, other *devissuer.Issuer) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	url = "http://" + server.Listener.Addr().String() + "/oidc"
	made := make([]*devissuer.Issuer, 2)
	for n := range made {
		var err error
		if made[n], err = devissuer.New(url, devissuer.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	server.Config.Handler = made[0]
	server.Start()
	t.Cleanup(server.Close)
	return url, made[0], made[1]
}

// TestExplainIssuer verifies tokens with the keys of an issuer.
func TestExplainIssuer(t *testing.T) {
	t.Parallel()
	image := write(t, "image.binpb", sampleImage(t))
	url, good, other := issuers(t)
	claims := map[string]any{"aud": tokens.API, "scope": "read:products"}
	for _, test := range []struct {
		name   string
		issuer *devissuer.Issuer
		args   []string
		status int
		names  string
	}{
		{"good", good, []string{"-issuer", url}, exitOK, `"verified": true`},
		{"good, by its endpoint", good, []string{"-issuer", strings.TrimSuffix(url, "/oidc")}, exitOK, `"verified": true`},
		{"forged", other, []string{"-issuer", url}, exitNo, `"reason": "TOKEN_INVALID"`},
		{"forged, and not verified", other, []string{"-issuer", url}, exitNo, `"verified": false`},
		{"forged, without keys", other, nil, exitOK, `"verified": false`},
		{"of another issuer", good, []string{"-issuer", "http://127.0.0.1:1/oidc"}, exitNo, `"reason": "TOKEN_INVALID"`},
		{"of another provider", good, []string{"-provider", "auth0"}, exitNo, `"reason": "TOKEN_INVALID"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			raw, err := test.issuer.Mint(claims)
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{"-method", "sample.v1.CatalogService/ListProducts", "-token", "-", "-format", "json"}, test.args...)
			got := executeExplain(t, "Bearer "+raw, append(args, image)...)
			if got.stderr != "" || got.status != test.status || !strings.Contains(got.stdout, test.names) {
				t.Errorf("status %d, want %d: %s\n%s", got.status, test.status, got.stderr, got.stdout)
			}
		})
	}
	// The leeway holds for finding the reason too.
	late, err := other.Mint(map[string]any{"aud": tokens.API, "scope": "read:products", "iat": time.Now().Unix() - 3600, "exp": time.Now().Unix() - 120})
	if err != nil {
		t.Fatal(err)
	}
	forged := executeExplain(t, late, "-method", "sample.v1.CatalogService/ListProducts", "-token", "-", "-issuer", url, "-leeway", "4m", image)
	if forged.status != exitNo || !strings.Contains(forged.stdout, "REFUSED  signature") {
		t.Errorf("status %d: %s\n%s", forged.status, forged.stderr, forged.stdout)
	}
}

// TestExplainUnreachable makes sure that the command alone tells that an issuer has no keys, and no log beside it.
func TestExplainUnreachable(t *testing.T) { //nolint:paralleltest // replaces the logger of the process
	logged := harness.Logged(t)
	image := write(t, "image.binpb", sampleImage(t))
	unreachable := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(unreachable.Close)
	lost, err := devissuer.New(unreachable.URL+"/oidc", devissuer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := lost.Mint(map[string]any{"aud": tokens.API, "scope": "read:products"})
	if err != nil {
		t.Fatal(err)
	}
	got := executeExplain(t, raw, "-method", "sample.v1.CatalogService/ListProducts", "-token", "-", "-issuer", unreachable.URL, image)
	if !strings.Contains(got.stderr, "the issuer's keys are not available") || got.status != exitFailed || !strings.Contains(got.stdout, "unavailable KEYS_UNAVAILABLE") {
		t.Errorf("status %d: %s\n%s", got.status, got.stderr, got.stdout)
	}
	if logged.Len() > 0 {
		t.Errorf("the log has %s", logged)
	}
}

// TestExplainFaults makes sure that no error about a call that cannot be explained repeats a secret.
func TestExplainFaults(t *testing.T) {
	t.Parallel()
	image := write(t, "image.binpb", sampleImage(t))
	const secret = "eyJhbGciOiJFUzI1NiJ9.hunter2.hunter2"
	method := []string{"-method", "sample.v1.DocumentService/ListDocuments"}
	for _, test := range []struct {
		name  string
		args  []string
		names []string
	}{
		{"no method", []string{image}, []string{"method"}},
		{"no image", method, []string{"standard input", "empty"}},
		{"two images", append(method, image, image), []string{"2 arguments"}},
		{"a near method", []string{"-method", "/sample.v1.DocumentService/ListDocument", image}, []string{"/sample.v1.DocumentService/ListDocuments or"}},
		{"the method alone", []string{"-method", "getusage", image}, []string{"is it /sample.v1.DocumentService/GetUsage?"}},
		{"another package", []string{"-method", "sample.v2.DocumentService.GetUsage", image}, []string{"/sample.v1.DocumentService/GetUsage"}},
		{"nothing near", []string{"-method", "/a.B/Xyzzy", image}, []string{`there is no "/a.B/Xyzzy"`}},
		{"no name", []string{"-method", "", image}, []string{"-method"}},
		{"token on the command line", append(method, "-token", secret, image), []string{"-token", "command line"}},
		{"long token on the command line", append(method, "-token", strings.Repeat(secret, 1000), image), []string{"-token"}},
		{"token in a directory", append(method, "-token", t.TempDir(), image), []string{"-token"}},
		{"token empty", append(method, "-token", "-", image), []string{"-token", "empty"}},
		{"standard input twice", append(method, "-token", "-", "-"), []string{"standard input"}},
		{"header without a name", append(method, "-header", secret, image), []string{"-header", "Name: value"}},
		{"Authorization", append(method, "-header", "authorization: Bearer "+secret, image), []string{"-token"}},
		{"message of another type", append(method, "-message", `{"organization_id": 1}`, image), []string{"-message", "number 1", "sample.v1.ListDocumentsRequest"}},
		{"message in no file", append(method, "-message", "@/nonexistent", image), []string{"-message", "/nonexistent"}},
		{"two messages", append(method, "-message", "{}", "-message", "{}", image), []string{"takes one message"}},
		{"header and file", append(method, "-reflect-header", "A: b", image), []string{"-reflect-header"}},
		{"format", append(method, "-format", "xml", image), []string{"-format"}},
		{"provider", append(method, "-provider", "okta", image), []string{"-provider"}},
		{"issuer", append(method, "-issuer", "http://issuer.example", image), []string{"-issuer"}},
		{"issuer of Auth0", append(method, "-provider", "auth0", "-issuer", "tenant.auth0.com", image), []string{"-issuer"}},
		{"leeway", append(method, "-leeway", "1h", image), []string{"-leeway:", "5m"}},
		{"several", append(method, "-header", "x", "-leeway", "1h", image), []string{"-header", "-leeway"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := executeExplain(t, "", test.args...)
			if got.status != exitFailed || got.stderr == "" {
				t.Fatalf("status %d: %s\n%s", got.status, got.stderr, got.stdout)
			}
			for _, name := range test.names {
				if !strings.Contains(got.stderr, name) {
					t.Errorf("%q does not name %q", got.stderr, name)
				}
			}
			if strings.Contains(got.stderr+got.stdout, "hunter2") {
				t.Errorf("a secret is told: %s\n%s", got.stderr, got.stdout)
			}
		})
	}
}

// TestIssuers tries the URLs of each provider's issuers.
func TestIssuers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ provider, issuer, url, keys string }{
		{"logto", "https://tenant.logto.app", "https://tenant.logto.app/oidc", ""},
		{"logto", "https://tenant.logto.app/oidc", "https://tenant.logto.app/oidc", ""},
		{"auth0", "https://tenant.auth0.com/", "https://tenant.auth0.com/", "https://tenant.auth0.com/.well-known/jwks.json"},
		{"auth0", "http://127.0.0.1:1", "http://127.0.0.1:1/", "http://127.0.0.1:1/.well-known/jwks.json"},
		{"authaction", "https://tenant.authaction.com", "https://tenant.authaction.com", "https://tenant.authaction.com/.well-known/jwks.json"},
	} {
		issuer, err := issuerOf(test.provider, test.issuer)
		if err != nil || issuer.URL != test.url || issuer.KeySetURL != test.keys {
			t.Errorf("%s %s: %q with keys at %q: %v", test.provider, test.issuer, issuer.URL, issuer.KeySetURL, err)
		}
	}
	for _, url := range []string{"tenant.auth0.com", "http://tenant.auth0.com/", "https://tenant.auth0.com/path", "ftp://tenant.auth0.com", "https://"} {
		if issuer, err := issuerOf("auth0", url); err == nil {
			t.Errorf("%s is taken as %q", url, issuer.URL)
		}
	}
}

// TestMessageFile reads a message from a file.
func TestMessageFile(t *testing.T) {
	t.Parallel()
	k := tokens.I1.ES256
	raw := k.Mint(k.Header(), tokens.Scene{}.Payload(k.Issuer, "exp", tokens.MaxDate, "organization_id", "acme", "scope", "read:data"))
	for organization, want := range map[string]int{"acme": exitOK, "globex": exitNo} {
		got := executeExplain(t, raw, "-method", "sample.v1.DocumentService/ListDocuments", "-token", "-",
			"-message", "@"+write(t, "message.json", []byte(`{"organization_id": "`+organization+`"}`)), write(t, "image.binpb", sampleImage(t)))
		if got.stderr != "" || got.status != want {
			t.Errorf("%s: status %d, want %d: %s\n%s", organization, got.status, want, got.stderr, got.stdout)
		}
	}
}

// TestExplainOpaque makes sure that the decision on an opaque token is not known, unless no token is read. The token may
// be another secret.
func TestExplainOpaque(t *testing.T) {
	t.Parallel()
	image := write(t, "image.binpb", sampleImage(t))
	const secret = "hunter2-is-the-secret-of-the-client"
	for _, test := range []struct {
		method, token string
		args          []string
		status        int
	}{
		{"ListProducts", secret, nil, exitFailed},
		{"ListProducts", secret, []string{"-format", "json"}, exitFailed},
		{"ListProducts", secret, []string{"-issuer", "https://tenant.logto.app"}, exitFailed},
		{"ListProducts", "e30.e30." + secret, nil, exitNo},
		{"ListProducts", "eyJhbGciOi" + secret, nil, exitNo},
		{"GetInfo", secret, nil, exitOK},
	} {
		got := executeExplain(t, test.token, append([]string{"-method", "sample.v1.CatalogService/" + test.method, "-token", "-", image}, test.args...)...)
		if failed := strings.Contains(got.stderr, "this command does not introspect") && got.stdout == ""; got.status != test.status || failed != (test.status == exitFailed) || strings.Contains(got.stdout+got.stderr, "hunter2") {
			t.Errorf("%+v: got %+v", test, got)
		}
	}
}
