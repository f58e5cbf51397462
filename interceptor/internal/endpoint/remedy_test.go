package endpoint_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestSettingsAsRemedies has failures for which an error names a setting as the remedy.
func TestSettingsAsRemedies(t *testing.T) {
	t.Parallel()
	const (
		refused   = "the request failed: connection refused: does the server run, and are host and port of the URL right?"
		container = " In a container, localhost is the container itself: "
		reach     = "set URL to the address that the container reaches"
		list      = ", and list its host in Hosts"
		unknown   = "the request failed: the server's certificate is of an unknown authority: "
		trust     = "WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates"
	)
	named, unnamed := endpoint.PlainHTTP{Setting: "Hosts", Hosts: []string{"idp"}, URLSetting: "URL", CASetting: "CA"}, endpoint.PlainHTTP{}
	closed := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	authority := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for _, test := range []struct {
		plain endpoint.PlainHTTP
		url   string
		err   error
		want  string
	}{
		{named, "http://127.0.0.1:1/", closed, refused + container + reach + list},
		{named, "http://localhost:1/", closed, refused + container + reach + list},
		{named, "https://auth.localhost/", closed, refused + container + reach},
		{named, "https://[::1]/", closed, refused + container + reach},
		{named, "http://idp/", closed, refused},
		{named, "https://idp.test/", closed, refused},
		{unnamed, "http://127.0.0.1:1/", closed, refused + container + "give the address of the server that the container reaches"},
		{named, "http://127.0.0.1:1/", os.ErrDeadlineExceeded, "the request failed: the server does not answer in time: does a firewall drop the connection, or must the request go through a proxy (HTTPS_PROXY)?"},
		{named, "https://idp.test/", authority, unknown + "trust a private authority by CA, a file with its certificate, by " + trust},
		{unnamed, "https://idp.test/", authority, unknown + "trust a private authority by " + trust},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := http.RoundTripper(tokens.Handler(func(*http.Request) (*http.Response, error) { return nil, test.err }))
		if strings.HasPrefix(test.url, "http://localhost") { // needs a transport that can be watched
			transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, test.err }}
		}
		_, _, err = test.plain.Do(transport, request, "advice", http.StatusOK)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s:\n got %v\nwant %s", test.url, err, test.want)
		}
	}
}
