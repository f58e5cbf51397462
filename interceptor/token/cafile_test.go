package token_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// secureIssuer serves metadata and a key set over TLS, with a certificate that no authority of the system vouches for.
func secureIssuer(t *testing.T) (mine token.Issuer, certificate string) {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that the test wants to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	mux.HandleFunc("/oidc/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"issuer":"` + server.URL + `/oidc","jwks_uri":"` + server.URL + `/jwks"}`))
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(keySet(eddsa.JWK()))) })
	mine = issuer(server.URL)
	return mine, certificateOf(server)
}

// certificateOf returns the certificate of a server in PEM.
func certificateOf(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// TestCAFile makes sure that the authorities in the file vouch for the servers of their issuer alone.
func TestCAFile(t *testing.T) {
	t.Parallel()
	mine, certificate := secureIssuer(t)
	others, _ := secureIssuer(t) // httptest has one certificate for all servers
	mine.CAFile = tokenFile(t, certificate)
	with := func(transport *http.Transport) []token.Option { return []token.Option{token.WithTransport(transport)} }
	for name, opts := range map[string][]token.Option{
		"the default transport": nil, "a transport of the user": with(&http.Transport{}), "one that dials": with(&http.Transport{DialContext: (&net.Dialer{}).DialContext}),
	} {
		verifier, err := token.NewVerifier(mine, append(opts, token.WithIssuer(others))...)
		if err != nil {
			t.Fatal(err)
		}
		for url, want := range map[string]error{mine.URL: nil, others.URL: token.ErrKeysUnavailable} {
			if _, err = verifier.Verify(t.Context(), eddsa.Mint(eddsa.Header(), payload("iss", url, "exp", never))); (err == nil) != (want == nil) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
			checkError(t, err, want)
		}
	}
}

// TestCAFileAndSettings makes sure that the other settings of a transport hold on.
func TestCAFileAndSettings(t *testing.T) {
	t.Parallel()
	mine, certificate := secureIssuer(t)
	mine.CAFile = tokenFile(t, certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "another.test", MinVersion: tls.VersionTLS12}}
	verifier, err := token.NewVerifier(mine, token.WithTransport(transport))
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifier.Verify(t.Context(), eddsa.Mint(eddsa.Header(), payload("iss", mine.URL, "exp", never)))
	checkError(t, err, token.ErrKeysUnavailable)
	if transport.TLSClientConfig.RootCAs != nil {
		t.Error("the user's transport has changed")
	}
}

// TestCAFileFaults has files that hold no authorities, and transports that take none.
func TestCAFileFaults(t *testing.T) {
	t.Parallel()
	mine, _ := secureIssuer(t)
	for name, fault := range map[string]string{
		filepath.Join(t.TempDir(), "missing"):         ": no such file or directory",
		t.TempDir():                                   " is not a file of at most 1048576 bytes",
		tokenFile(t, strings.Repeat("secret", 1<<18)): " is not a file of at most 1048576 bytes",
		tokenFile(t, "secret"):                        " holds no certificate in PEM",
	} {
		mine.CAFile = name
		verifier, err := token.NewVerifier(mine)
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifier.Verify(t.Context(), eddsa.Mint(eddsa.Header(), payload("iss", mine.URL, "exp", never)))
		if checkError(t, err, token.ErrKeysUnavailable); err == nil || !strings.Contains(err.Error(), "CAFile: ") || !strings.HasSuffix(err.Error(), fault) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
	mine = issuer(issuerURL)
	mine.CAFile = "/nowhere"
	for _, transport := range []http.RoundTripper{
		newIDP(), &http.Transport{DialTLSContext: (&tls.Dialer{}).DialContext},
		&http.Transport{DialTLS: func(string, string) (net.Conn, error) { return nil, io.EOF }}, //nolint:staticcheck // users may set it
	} {
		want := fmt.Sprintf("token: issuer %q: CAFile: the transport (%T) takes no certificate authorities: have the transport trust them itself, and leave CAFile empty", issuerURL, transport)
		if _, err := token.NewVerifier(mine, token.WithTransport(transport)); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := token.NewVerifier(mine); err != nil {
		t.Errorf("the default transport: %v", err)
	}
}
