package main

import (
	"maps"
	"net/http"
	"strings"
	"testing"
)

const page = "http://localhost:5173"

// A corsAnswer is the part of an answer that a browser decides by.
type corsAnswer struct {
	status             int
	origin, vary       string
	methods, headers   string // of a preflight
	exposed, challenge string // of any other request
}

// corsCall makes a request as a page would, and fails if the answer allows cookies.
func corsCall(t *testing.T, method, url, origin string, header http.Header) corsAnswer {
	t.Helper()
	request, err := http.NewRequestWithContext(ending(t), method, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	if request.Header.Set("Content-Type", "application/json"); origin != "" {
		request.Header.Set("Origin", origin)
	}
	response, err := new(http.Client).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	answer := func(name string) string { return strings.Join(response.Header.Values(name), "; ") }
	if allowed := answer("Access-Control-Allow-Credentials"); allowed != "" {
		t.Errorf("%s %s: credentials are allowed: %q", method, url, allowed)
	}
	return corsAnswer{
		response.StatusCode, answer("Access-Control-Allow-Origin"), answer("Vary"),
		answer("Access-Control-Allow-Methods"), answer("Access-Control-Allow-Headers"),
		answer("Access-Control-Expose-Headers"), answer("WWW-Authenticate"),
	}
}

const (
	exposed       = "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, Www-Authenticate"
	preflightVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
)

// A page of a named origin may call, and read why it is refused. Its preflights have no token, and do not reach
// the guard.
func TestOrigins(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "-origins", "https://app.example.com,"+page)
	defer p.end(t)
	list := p.url + "/sample.v1.CatalogService/ListProducts"

	for _, method := range []string{http.MethodPost, http.MethodGet} {
		const headers = "authorization,connect-protocol-version,connect-timeout-ms,content-type,grpc-timeout,x-grpc-web,x-organization-id,x-user-agent"
		asked := http.Header{"Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {headers}}
		got := corsCall(t, http.MethodOptions, list, page, asked)
		if got != (corsAnswer{status: http.StatusNoContent, origin: page, vary: preflightVary, methods: method, headers: headers}) {
			t.Errorf("preflight of %s: got %+v", method, got)
		}
		// A header field that the services do not need, and a method that they do not have.
		asked.Set("Access-Control-Request-Headers", "cookie")
		got = corsCall(t, http.MethodOptions, list, page, asked)
		if got != (corsAnswer{status: http.StatusNoContent, vary: preflightVary}) {
			t.Errorf("preflight of %s with a cookie: got %+v", method, got)
		}
	}
	got := corsCall(t, http.MethodOptions, list, page, http.Header{"Access-Control-Request-Method": {http.MethodDelete}})
	if got != (corsAnswer{status: http.StatusNoContent, vary: preflightVary}) {
		t.Errorf("preflight of DELETE: got %+v", got)
	}
	if log := p.stderr.String(); strings.Contains(log, "procedure=") {
		t.Errorf("preflights reach the guard: %s", log)
	}

	viewer := http.Header{"Authorization": {"Bearer " + tokenOf(t, p.url, "-client", "acme-viewer", "-scope", "read:products")}}
	refused := corsAnswer{status: http.StatusUnauthorized, origin: page, vary: "Origin", exposed: exposed, challenge: `Bearer realm="` + api + `"`}
	forbidden := corsAnswer{status: http.StatusForbidden, origin: page, vary: "Origin", exposed: exposed,
		challenge: `Bearer realm="` + api + `", error="insufficient_scope", scope="write:orders"`}
	for _, c := range []struct {
		procedure string
		header    http.Header
		want      corsAnswer
	}{
		{"ListProducts", viewer, corsAnswer{status: http.StatusOK, origin: page, vary: "Origin", exposed: exposed}},
		{"ListProducts", nil, refused},
		{"CreateOrder", viewer, forbidden},
	} {
		if got := corsCall(t, http.MethodPost, p.url+"/sample.v1.CatalogService/"+c.procedure, page, c.header); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.procedure, got, c.want)
		}
	}
}

// Pages of other origins read no answer. No page reads an answer of the embedded issuer, which would give it
// tokens.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	named, none := startProcess(t, "-origins", "https://app.example.com,"+page), startProcess(t, "-origins", "")
	defer named.end(t)
	defer none.end(t)
	preflight := http.Header{"Access-Control-Request-Method": {http.MethodPost}, "Access-Control-Request-Headers": {"authorization"}}
	const info = "/sample.v1.CatalogService/GetInfo"
	for _, c := range []struct {
		name, url string
		origins   []string
	}{
		{"origins are named", named.url + info, []string{
			"", "null", "https://evil.example", "http://localhost", "http://localhost:51730", "https://localhost:5173",
			"http://evil.localhost:5173", "http://127.0.0.1:5173", page + ".evil.example", "https://app.example.com, " + page,
		}},
		{"none is named", none.url + info, []string{"", "null", page, none.url}},
		{"the issuer", named.url + "/oidc/.well-known/openid-configuration", []string{page}},
		{"the issuer's tokens", named.url + "/oidc/token", []string{page}},
	} {
		for _, origin := range c.origins {
			for method, header := range map[string]http.Header{http.MethodOptions: preflight, http.MethodPost: nil, http.MethodGet: nil} {
				got := corsCall(t, method, c.url, origin, header)
				if got.origin != "" || got.methods != "" || got.headers != "" || got.exposed != "" {
					t.Errorf("%s: %s from %q: got %+v", c.name, method, origin, got)
				}
			}
		}
	}
	// The origins do not matter to a client that is not a page.
	for _, p := range []*process{named, none} {
		if got := corsCall(t, http.MethodPost, p.url+info, "", nil); got.status != http.StatusOK {
			t.Errorf("GetInfo: got %+v", got)
		}
	}
}

// tokenOf returns a token of a running server.
func tokenOf(t *testing.T, server string, args ...string) string {
	t.Helper()
	status, stdout, stderr := runOnce(t, append([]string{"token", "-server", server}, args...)...)
	if status != exitOK {
		t.Fatalf("%q: %s", args, stderr)
	}
	return strings.TrimSpace(stdout)
}
