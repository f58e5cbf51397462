package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-h"}, {"--help"}, {"token", "-h"}} {
		status, stdout, stderr := runOnce(t, args...)
		if status != exitOK || stderr != "" || !strings.Contains(stdout, "  go run ./sample token ") || !strings.Contains(stdout, "Flags:\n\n  -") {
			t.Errorf("%s: status %d, stderr %q, stdout %q", args, status, stderr, stdout)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	defer p.end(t)
	foreign := startProcess(t, "-issuer", "https://tenant.logto.app")
	defer foreign.end(t)
	token := func(args ...string) []string { return append([]string{"token", "-server", p.url}, args...) }
	for _, c := range []struct {
		args   []string
		status int
		names  string // what the error names
	}{
		{[]string{"serve"}, exitUsage, `"serve"`},
		{[]string{"-listen", "127.0.0.1:0", "token"}, exitUsage, `"token"`},
		{[]string{"-verbose"}, exitUsage, "-verbose"},
		{[]string{"-listen"}, exitUsage, "-listen"},
		{[]string{"-listen", ""}, exitUsage, "-listen"},
		{[]string{"-listen", "8080"}, exitUsage, "-listen"},
		{[]string{"-listen", "127.0.0.1:99999"}, exitUsage, "-listen"},
		{[]string{"-listen", "127.0.0.1:teatime"}, exitUsage, "-listen"},
		{[]string{"-listen", "127.0.0.999:0"}, exitUsage, "-listen"},
		{[]string{"-listen", ":0"}, exitUsage, "-listen"},
		{[]string{"-listen", "0.0.0.0:0"}, exitUsage, "-listen"},
		{[]string{"-listen", strings.TrimPrefix(p.url, "http://")}, exitFailed, "-listen"},
		{[]string{"-provider", "okta"}, exitUsage, "-provider"},
		{[]string{"-provider", ""}, exitUsage, "-provider"},
		{[]string{"-provider", "auth0"}, exitUsage, "-provider"},
		{[]string{"-issuer", ""}, exitUsage, "-issuer"},
		{[]string{"-issuer", "tenant.logto.app"}, exitUsage, "-issuer"},
		{[]string{"-issuer", "http://tenant.logto.app"}, exitUsage, "-issuer"},
		{[]string{"-issuer", "https://tenant.logto.app/oidc?x=y"}, exitUsage, "-issuer"},
		{[]string{"-issuer", "https://user:password@tenant.logto.app"}, exitUsage, "-issuer"},
		{[]string{"-provider", "auth0", "-issuer", "tenant.eu.auth0.com"}, exitUsage, "-issuer"},
		{[]string{"-provider", "auth0", "-issuer", "http://tenant.eu.auth0.com/"}, exitUsage, "-issuer"},
		{[]string{"-provider", "auth0", "-issuer", "https://tenant.eu.auth0.com:"}, exitUsage, "-issuer"},
		{[]string{"-provider", "authaction", "-issuer", "https://tenant.eu.authaction.com/path"}, exitUsage, "-issuer"},
		{[]string{"-authz", ""}, exitUsage, "-authz"},
		{[]string{"-authz", "config.go"}, exitUsage, "-authz: config.go:1: "},
		{[]string{"-authz", "testdata/without_issuer.json"}, exitUsage, "testdata/without_issuer.json:1: issuers: none is given"},
		{[]string{"-authz", "x", "-provider", "logto"}, exitUsage, "leave out -issuer, -provider and -audience"},
		{[]string{"-authz", "x", "-issuer", "https://tenant.logto.app"}, exitUsage, "leave out -issuer, -provider and -audience"},
		{[]string{"-authz", "x", "-audience", "https://api.example.com"}, exitUsage, "leave out -issuer, -provider and -audience"},
		{[]string{"-origins", "*"}, exitUsage, "-origins"},
		{[]string{"-origins", "null"}, exitUsage, "-origins"},
		{[]string{"-origins", "localhost:5173"}, exitUsage, "-origins"},
		{[]string{"-origins", "http://localhost:5173/"}, exitUsage, "-origins"},
		{[]string{"-origins", "http://localhost:"}, exitUsage, "-origins"},
		{[]string{"-origins", "http://:5173"}, exitUsage, "-origins"},
		{[]string{"-origins", "http://user@localhost:5173"}, exitUsage, "-origins"},
		{[]string{"-origins", "file://localhost"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://App.example.com"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://*.example.com"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://bücher.example"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://[0:0::1]:5173"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://app.example.com:0443"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://app.example.com:99999"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://app.example.com:443"}, exitUsage, "-origins"},
		{[]string{"-origins", "http://app.example.com:80"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://app.example.com,"}, exitUsage, "-origins"},
		{[]string{"-origins", "https://app.example.com, https://www.example.com"}, exitUsage, "-origins"},
		{[]string{"-audience", ""}, exitUsage, "-audience"},
		{[]string{"-audience", "api"}, exitUsage, "-audience"},
		{[]string{"-audience", "https://api.example.com/ "}, exitUsage, "-audience"},
		{[]string{"-audience", "https://api.example.com#part"}, exitUsage, "-audience"},
		{[]string{"-audience", "https://api.example.com/\n"}, exitUsage, "-audience"},
		{[]string{"-audience", "urn:logto:organization:acme"}, exitUsage, "-audience"},
		{[]string{"token"}, exitUsage, "-client"},
		{[]string{"token", "acme-admin"}, exitUsage, `"acme-admin"`},
		{token("-clients", "acme-admin"), exitUsage, "-clients"},
		{token("-client", "nobody"), exitFailed, "-client"},
		{token("-client", "acme-admin", "-secret", "wrong"), exitFailed, "-secret"},
		{token("-client", "acme-admin", "-scope", `"read:products"`), exitUsage, "-scope"},
		{token("-client", "acme-admin", "-scope", "read:products\n"), exitUsage, "-scope"},
		{token("-client", "acme-admin", "-organization", "globex"), exitFailed, "-organization"},
		{token("-client", "acme-admin", "-organization", "unknown"), exitFailed, "-organization"},
		{token("-client", "no-roles", "-organization", "acme"), exitFailed, "-organization"},
		{token("-client", "acme-admin", "-resource", "https://other.example.com"), exitFailed, "-resource"},
		{token("-user", "nobody"), exitFailed, "-user: the issuer refused with status 400: invalid_user: no such user: "},
		{token("-user", "acme-admin"), exitFailed, "-user: "},
		{token("-user", "alice", "-organization", "globex"), exitFailed, "-organization: "},
		{token("-user", "alice", "-resource", "https://other.example.com"), exitFailed, "-resource: "},
		{token("-user", "alice", "-client", "acme-admin"), exitUsage, "-user: the token is the user's alone: leave out -client and -secret"},
		{token("-user", "alice", "-secret", "x"), exitUsage, "-user: the token is the user's alone: leave out -client and -secret"},
		{[]string{"token", "-server", foreign.url, "-user", "alice"}, exitFailed, "-user: the sample has no embedded issuer: log in at the sample's issuer"},
		{token("-client", "acme-admin", "-server", "127.0.0.1"), exitUsage, "-server"},
		{token("-client", "acme-admin", "-server", "ftp://127.0.0.1"), exitUsage, "-server"},
		{token("-client", "acme-admin", "-server", "http://127.0.0.1:1"), exitFailed, "-server"},
		{token("-client", "acme-admin", "-server", p.url+"/oidc"), exitFailed, "-server"},
	} {
		status, stdout, stderr := runOnce(t, c.args...)
		if status != c.status || stdout != "" || !strings.HasPrefix(stderr, "sample: ") ||
			!strings.Contains(stderr, c.names) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, stdout %q, stderr %q", c.args, status, stdout, stderr)
		}
	}
}

// The issuers and the audience of a document take the place of the embedded issuer.
func TestDeployment(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "authz.json")
	document := `{"audience": "https://shop.example.com", "issuers": [{"url": "https://idp.example.com", "algorithms": ["RS256"]}]}`
	if err := os.WriteFile(name, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig([]string{"-authz", name, "-listen", "0.0.0.0:0"}, io.Discard)
	if err != nil || len(c.deployment.Issuers) != 1 || c.deployment.Issuers[0].URL != "https://idp.example.com" || c.deployment.Audience != "https://shop.example.com" {
		t.Errorf("the configuration is %+v, %v", c, err)
	}
}

// A flag with an empty value is one fault: leave the flag out for the embedded issuer.
func TestOutside(t *testing.T) {
	t.Parallel()
	const (
		issuer   = "-issuer: it is empty: give the issuer's URL, or leave the flag out for the embedded issuer; if a variable or a file should supply it, set the variable or fill the file"
		audience = "-audience: it is empty: give the API's resource indicator, or leave the flag out; if a variable or a file should supply it, set the variable or fill the file"
	)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"C18/issuer":            {[]string{"-issuer", ""}, issuer},
		"C18/issuer of Auth0":   {[]string{"-issuer=", "-provider", "auth0"}, issuer},
		"C18/issuer for others": {[]string{"-issuer", "", "-listen", "0.0.0.0:0"}, issuer},
		"C18/issuer, blank": {[]string{"-issuer", " "},
			"-issuer: token: an issuer's URL is empty: give the tenant's endpoint or domain, or Issuer.URL; if a variable or a file should supply it, set the variable or fill the file"},
		"C18/audience": {[]string{"-audience", ""}, audience},
		"C18/both":     {[]string{"-audience", "", "-issuer", ""}, issuer + "\n" + audience},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := runOnce(t, c.args...)
			if status != exitUsage || stdout != "" || stderr != "sample: "+c.want+"\n" {
				t.Errorf("status %d, stdout %q, stderr %s", status, stdout, stderr)
			}
		})
	}
}
