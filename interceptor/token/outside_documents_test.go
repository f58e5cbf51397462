package token_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func inUTF16(text string, order func(unit uint16) [2]byte) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		pair := order(unit)
		b.Write(pair[:])
	}
	return b.String()
}

func gzipped(text string) string {
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	_, _ = packer.Write([]byte(text))
	_ = packer.Close()
	return packed.String()
}

func testByteOrderMark(t *testing.T) {
	const mark = "\ufeff"
	idp := newIDP()
	idp.Serve(discoveryURL, respond(200, mark+discovery()))
	idp.Serve(keySetURL, respond(200, mark+keySet(es256.JWK())))
	_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
	checkError(t, err, nil)
	for _, raw := range []string{es256.Mint(mark+es256.Header(), payload()), es256.Mint(es256.Header(), mark+payload())} { // tokens stay strict
		_, err := unverified.Token(issuer(issuerURL), raw)
		checkError(t, err, token.ErrMalformed)
	}

	little := func(u uint16) [2]byte { return [2]byte{byte(u), byte(u >> 8)} }
	big := func(u uint16) [2]byte { return [2]byte{byte(u >> 8), byte(u)} }
	const (
		in16   = "not a JSON object in UTF-8: it is in UTF-16 or UTF-32: it must be sent or saved in UTF-8"
		not8   = "not a JSON object in UTF-8: it has bytes that are not UTF-8: it must be sent or saved in UTF-8"
		html   = "not a JSON object in UTF-8: it is HTML or XML, such as a page for signing in or an error page: "
		keys   = "the issuer's jwks_uri names it: is the issuer's metadata right?"
		advice = "is Issuer.URL right? Its metadata must be at Issuer.URL + /.well-known/openid-configuration; for an issuer that has none, set Issuer.KeySetURL"
	)
	set := keySet(es256.JWK())
	for name, test := range map[string]struct{ body, want string }{
		"two marks":                    {mark + mark + set, "not a JSON object in UTF-8: it has two byte order marks: "},
		"UTF-16, little":               {inUTF16(mark+set, little), in16},
		"UTF-16, big":                  {inUTF16(mark+set, big), in16},
		"UTF-16, little, without mark": {inUTF16(set, little), in16},
		"UTF-16, big, without mark":    {inUTF16(set, big), in16},
		"UTF-32, little":               {"\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00", in16},
		"UTF-32, big":                  {"\x00\x00\xfe\xff\x00\x00\x00{\x00\x00\x00}", in16},
		"UTF-32, little, without mark": {"{\x00\x00\x00}\x00\x00\x00", in16},
		"UTF-32, big, without mark":    {"\x00\x00\x00{\x00\x00\x00}", in16},
		"UTF-16, a line break first":   {inUTF16("\n"+set, little), in16},
		"UTF-16, an array":             {inUTF16("[]", big), in16},
		"Latin-1":                      {strings.Replace(set, "{", "{\"name\":\"Jos\xe9\",", 1), not8},
		"HTML":                         {"\n<!doctype html><title>Sign in</title>", html},
		"HTML with a mark":             {mark + "<html>", html},
		"gzip":                         {gzipped(set), "not a JSON object in UTF-8: it is compressed, and Content-Encoding does not name the compression: the endpoint must name the compression, or send the answer without compression"},
		"DER":                          {"\x30\x82\x00\x01", "not a JSON object in UTF-8: it is binary, and not JSON: "},
		"a NUL in a string":            {"{\"secret\":\"\x00\"}", "not a JSON object in UTF-8: it is cut short, or has a mistake: "},
		"empty":                        {" \n", "not a JSON object in UTF-8: it is empty: "},
		"a mark alone":                 {mark, "not a JSON object in UTF-8: it is empty: "},
		"array":                        {"[" + set + "]", "not a JSON object in UTF-8: it is JSON, but not an object: "},
		"null":                         {"null", "not a JSON object in UTF-8: it is JSON, but not an object: "},
		"cut":                          {set[:len(set)-1], "not a JSON object in UTF-8: it is cut short, or has a mistake: "},
		"text":                         {"secret", "not a JSON object in UTF-8: "},
	} {
		after := func(advice string) string {
			if strings.HasSuffix(test.want, ": ") {
				return test.want + advice
			}
			return test.want
		}
		idp := newIDP()
		idp.Serve(keySetURL, respond(200, test.body))
		_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
		checkText(t, name, err, `issuer keys are unavailable: issuer "https://idp.test/oidc": key set: "https://idp.test/oidc/jwks": `+after(keys))
		idp.Serve(discoveryURL, respond(200, test.body))
		_, err = newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
		checkText(t, name, err, `issuer keys are unavailable: issuer "https://idp.test/oidc": discovery: "https://idp.test/oidc/.well-known/openid-configuration": `+after(advice))
	}
}

func testFetchTexts(t *testing.T) {
	nameServer := &net.DNSError{Name: "secret"}
	nameServer.IsTimeout = true
	fails := func(err error) handler { return func(*http.Request) (*http.Response, error) { return nil, err } }
	dial := func(err error) handler {
		return fails(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
	}
	certificate := func(err error) handler { return fails(&tls.CertificateVerificationError{Err: err}) }
	const (
		of         = `issuer keys are unavailable: issuer "https://idp.test/oidc": `
		discovered = `discovery: "https://idp.test/oidc/.well-known/openid-configuration": `
		advice     = ": is Issuer.URL right? Its metadata must be at Issuer.URL + /.well-known/openid-configuration; for an issuer that has none, set Issuer.KeySetURL"
		else_      = `: if you trust this issuer, set Issuer.URL to exactly this value; if not, correct Issuer.URL, or find out who answers at that URL`
		host_      = `: if you trust this issuer, set Issuer.URL to exactly this value, and Issuer.KeySetURL to the address that this server reaches; if not, correct Issuer.URL, or find out who answers at that URL`
		failed     = of + discovered + "the request failed: "
	)
	document := func(changes ...any) handler { return respond(200, discovery(changes...)) }
	for name, test := range map[string]struct {
		serve handler
		want  string
	}{
		"slash":                   {document("issuer", issuerURL+"/"), of + discovered + `the document's issuer is "https://idp.test/oidc/": write Issuer.URL with the slash at its end`},
		"another issuer":          {document("issuer", otherIssuer), of + discovered + `the document's issuer is "` + otherIssuer + `"` + host_},
		"another tenant":          {document("issuer", "https://idp.test/{tenantid}/v2.0"), of + discovered + `the document's issuer is "https://idp.test/{tenantid}/v2.0", which holds a placeholder: set Issuer.URL to the URL of your own tenant; to accept several tenants, see token.EntraTenants`},
		"a third issuer":          {document("issuer", "https://third.test"), of + discovered + `the document's issuer is "https://third.test"` + host_},
		"secrets":                 {document("issuer", "https://user:secret@idp.test/?key=secret#secret"), of + discovered + `the document's issuer is "xxxxx@idp.test/?…"` + else_},
		"a query":                 {document("issuer", "https://idp.test/oidc?key=secret"), of + discovered + `the document's issuer is "https://idp.test/oidc?…"` + else_},
		"a long issuer":           {document("issuer", "https://idp.test/"+strings.Repeat("é", 1000)), of + discovered + `the document's issuer is "https://idp.test/` + strings.Repeat("é", 91) + `…"` + else_},
		"line breaks":             {document("issuer", "\x1b[31m\nevil"), of + discovered + `the document's issuer is "\x1b[31m\nevil"` + host_},
		"no issuer":               {document("issuer", absent{}), of + discovered + "the document names no issuer" + advice},
		"issuer null":             {document("issuer", nil), of + discovered + "the document names no issuer" + advice},
		"issuer a number":         {document("issuer", 1), of + discovered + "the document names no issuer" + advice},
		"a member twice":          {respond(200, strings.Replace(discovery(), "{", `{"issuer":"`+issuerURL+`",`, 1)), of + discovered + "an object has a member name twice: the issuer must correct the document"},
		"no jwks_uri":             {document("jwks_uri", absent{}), of + discovered + "the document has no jwks_uri: set Issuer.KeySetURL"},
		"jwks_uri empty":          {document("jwks_uri", ""), of + discovered + "the document has no jwks_uri: set Issuer.KeySetURL"},
		"jwks_uri null":           {document("jwks_uri", nil), of + discovered + "the document has no jwks_uri: set Issuer.KeySetURL"},
		"jwks_uri a number":       {document("jwks_uri", 1), of + discovered + "jwks_uri is not a string: set Issuer.KeySetURL"},
		"404":                     {respond(404, ""), of + discovered + "the endpoint answered with status 404" + advice},
		"403":                     {respond(403, ""), of + discovered + "the endpoint answered with status 403" + advice},
		"503":                     {respond(503, ""), of + discovered + "the endpoint answered with status 503: it is tried again later"},
		"429":                     {respond(429, ""), of + discovered + "the endpoint answered with status 429: it is tried again later"},
		"408":                     {respond(408, ""), of + discovered + "the endpoint answered with status 408: it is tried again later"},
		"425":                     {respond(425, ""), of + discovered + "the endpoint answered with status 425: it is tried again later"},
		"407":                     {respond(407, ""), of + discovered + "a proxy answered with status 407: put the proxy's user and password into HTTPS_PROXY"},
		"redirect":                {respond(302, "", "Location", "https://user:secret@evil.test/sign-in?key=secret#secret"), of + discovered + `the endpoint answered with status 302, a redirect to "https://evil.test/sign-in?…", which is not followed` + advice},
		"a private authority":     {certificate(x509.UnknownAuthorityError{}), failed + "the server's certificate is of an unknown authority: trust a private authority by Issuer.CAFile, a file with its certificate, by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates"},
		"another host":            {certificate(x509.HostnameError{Host: "secret", Certificate: new(x509.Certificate)}), failed + "the server's certificate is for another host: is the URL's host right?"},
		"an expired certificate":  {certificate(x509.CertificateInvalidError{Reason: x509.Expired}), failed + "the server's certificate has expired or is not valid yet: have the certificate renewed, unless this machine's clock is wrong"},
		"a certificate of no use": {certificate(x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}), failed + "the server's certificate is not valid: have the certificate replaced"},
		"a client certificate":    {fails(&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}), failed + "the server ended the TLS handshake: is a client certificate wanted, or another version of TLS? See WithTransport"},
		"no such host":            {fails(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "secret", IsNotFound: true}}), failed + "the server's name cannot be resolved: is the URL right, and does this machine's DNS know the host?"},
		"no name server":          {fails(&net.OpError{Op: "dial", Err: nameServer}), failed + "DNS does not answer: can this machine reach its name server?"},
		"refused":                 {dial(syscall.ECONNREFUSED), failed + "connection refused: does the server run, and are host and port of the URL right?"},
		"no route":                {dial(syscall.EHOSTUNREACH), failed + "no route to host: can this machine reach the host?"},
		"timeout":                 {fails(os.ErrDeadlineExceeded), failed + "the server does not answer in time: does a firewall drop the connection, or must the request go through a proxy (HTTPS_PROXY)?"},
		"plain HTTP":              {fails(http.ErrSchemeMismatch), failed + "the server does not speak TLS: is the URL's port right?"},
		"cut":                     {fails(io.ErrUnexpectedEOF), failed + "the connection was cut: does a proxy or a firewall cut connections?"},
		"a panic":                 {func(*http.Request) (*http.Response, error) { panic("secret") }, of + "the HTTP transport panicked"},
		"a goroutine's end":       {func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }, of + "the HTTP transport called runtime.Goexit"},
		"anything else":           {fails(errors.New("secret")), failed + "a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?"},
	} {
		idp := newIDP(es256.JWK())
		idp.Serve(discoveryURL, test.serve)
		_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
		checkText(t, name, err, test.want)
	}
	without := issuer(issuerURL)
	without.URL += "/"
	idp := newIDP(es256.JWK())
	_, err := must(token.NewVerifier(without, token.WithTransport(idp))).Verify(t.Context(), scene.Token(es256, "iss", without.URL))
	checkText(t, "a slash too much", err, `issuer keys are unavailable: issuer "https://idp.test/oidc/": discovery: "https://idp.test/oidc/.well-known/openid-configuration": the document's issuer is "https://idp.test/oidc": write Issuer.URL without the slash at its end`)

	idp.Serve(keySetURL, respond(404, ""))
	_, err = newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
	checkText(t, "no key set", err, of+`key set: "https://idp.test/oidc/jwks": the endpoint answered with status 404: the issuer's jwks_uri names it: is the issuer's metadata right?`)
	fixed := issuer(issuerURL)
	fixed.KeySetURL = "https://keys.test/jwks?key=secret"
	idp.Serve(fixed.KeySetURL, respond(404, ""))
	_, err = must(token.NewVerifier(fixed, token.WithTransport(idp))).Verify(t.Context(), scene.Token(es256))
	checkText(t, "no key set there", err, of+`key set: "https://keys.test/jwks?…": the endpoint answered with status 404: is Issuer.KeySetURL right?`)
}

// testNetworkTexts checks the texts for the errors of a network.
func testNetworkTexts(t *testing.T) {
	t.Parallel()
	quiet := log.New(io.Discard, "", 0)
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, discovery("issuer", "https://"+r.Host, "jwks_uri", "https://"+r.Host+"/jwks"))
	}))
	proxy.Config.ErrorLog, secure.Config.ErrorLog = quiet, quiet
	proxy.Start()
	secure.StartTLS()
	t.Cleanup(proxy.Close)
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	through := func(host string) *http.Transport {
		return &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("user", "secret"), Host: host}), DisableKeepAlives: true}
	}
	unreadable := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("secret") }}
	for name, test := range map[string]struct {
		url       string
		transport *http.Transport
		want      string
	}{
		"a proxy that does not run":    {issuerURL, through("127.0.0.1:1"), `discovery: "https://idp.test/oidc/.well-known/openid-configuration": the request failed: the proxy cannot be used: connection refused: is the proxy's address right? (asked through the proxy "127.0.0.1:1"; if HTTPS_PROXY names it, "idp.test" in NO_PROXY goes around it)`},
		"a proxy that refuses":         {issuerURL, through(proxy.Listener.Addr().String()), `discovery: "https://idp.test/oidc/.well-known/openid-configuration": the request failed: the proxy refused to connect, with status 403: have the proxy allow "idp.test" (asked through the proxy "` + proxy.Listener.Addr().String() + `"; if HTTPS_PROXY names it, "idp.test" in NO_PROXY goes around it)`},
		"a proxy of unreadable URL":    {issuerURL, unreadable, `discovery: "https://idp.test/oidc/.well-known/openid-configuration": the request failed: the proxy's URL cannot be read: look at HTTPS_PROXY`},
		"a private authority":          {secure.URL, &http.Transport{DisableKeepAlives: true}, `discovery: "` + secure.URL + `/.well-known/openid-configuration": the request failed: the server's certificate is of an unknown authority: trust a private authority by Issuer.CAFile, a file with its certificate, by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates`},
		"a private authority, trusted": {secure.URL, &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, `key set: "` + secure.URL + `/jwks": it is the issuer's metadata, and not a key set: leave Issuer.KeySetURL empty; if it is empty, the issuer must correct jwks_uri`},
	} {
		of := issuer(issuerURL)
		of.URL = test.url
		verifier, fetched := fetching(t, of, token.WithTransport(test.transport))
		_, _ = verifier.Verify(t.Context(), scene.Token(eddsa, "iss", test.url, "exp", never))
		checkText(t, name, (<-fetched).Err, fmt.Sprintf("issuer keys are unavailable: issuer %q: %s", test.url, test.want))
	}
}
