package token

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// keySetAuthorization returns the Authorization header for the key set, which is empty without a KeySetTokenFile.
func (i *Issuer) keySetAuthorization() (string, error) {
	if i.KeySetTokenFile == "" {
		return "", nil
	}
	data, err := readFile("KeySetTokenFile", i.KeySetTokenFile, maxBytes)
	if err != nil {
		return "", err
	}
	raw := strings.TrimSpace(string(data))
	if checkB64Token(raw) != nil {
		return "", fmt.Errorf("KeySetTokenFile: %q does not hold one token", i.KeySetTokenFile)
	}
	return "Bearer " + raw, nil
}

// maxCAFile is the largest CAFile, in bytes.
const maxCAFile = 1 << 20

// checkTransport refuses a transport that cannot trust the authorities in CAFile, if there are any, and a transport
// that cannot tell where a name below localhost leads.
func (i *Issuer) checkTransport(shared http.RoundTripper) error {
	transport, ok := shared.(*http.Transport)
	if i.CAFile == "" || ok && transport.DialTLSContext == nil && transport.DialTLS == nil { //nolint:staticcheck // users may set DialTLS
		return i.checkNames(shared)
	}
	return fmt.Errorf("CAFile: the transport (%T) takes no certificate authorities: have the transport trust them itself, and leave CAFile empty", shared)
}

// transport returns the transport for the issuer's servers, given one that checkTransport has passed: the same, or a
// copy that trusts the authorities in CAFile alone.
func (i *Issuer) transport(shared http.RoundTripper) (http.RoundTripper, error) {
	if i.CAFile == "" {
		return shared, nil
	}
	data, err := readFile("CAFile", i.CAFile, maxCAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("CAFile: %q holds no certificate in PEM", i.CAFile)
	}
	transport := endpoint.Clone(shared.(*http.Transport)) //nolint:errcheck // checkTransport has passed it
	transport.DisableKeepAlives = true                    // the copy serves one request
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	transport.TLSClientConfig.RootCAs = roots
	return transport, nil
}

// readFile reads a file of an issuer. The error names the field.
func readFile(field, name string, size int64) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the name is configured
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	defer func() { _ = file.Close() }()
	// The open file is looked at, and not the name, which may be given to another file. Another kind of file might have
	// no end.
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %q is not a file of at most %d bytes", field, name, size)
	}
	data, err := io.ReadAll(io.LimitReader(file, size+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", field, err)
	case int64(len(data)) > size:
		return nil, fmt.Errorf("%s: %q is not a file of at most %d bytes", field, name, size)
	}
	return data, nil
}
