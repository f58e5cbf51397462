package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// statusError is a response of a status that does not count.
func statusError(transport http.RoundTripper, request *http.Request, status int) error {
	text := fmt.Sprintf("the endpoint answered with status %d", status)
	switch {
	case status >= 300 && status < 400:
		text += ", a redirect, which is not followed: give the URL that it leads to"
	case status == http.StatusProxyAuthRequired:
		text += ": a proxy wants credentials"
	}
	return errors.New(text + through(transport, request))
}

// requestError says why a request failed, and what to do. It repeats nothing of what the error says, which
// may be the URL, whose query can hold a key, or a piece of the response.
func requestError(transport http.RoundTripper, request *http.Request, err error) error {
	cause, remedy := diagnose(err)
	proxy := through(transport, request)
	switch {
	case proxy == unreadable:
		cause, remedy, proxy = "the proxy's URL cannot be read", "look at HTTPS_PROXY", ""
	case remedy == "" && proxy != "":
		remedy = "did the proxy refuse to connect?"
	case remedy == "":
		remedy = "what does curl -v say of the URL on this machine?"
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok && failed.Op == "proxyconnect" {
		cause, remedy = "the proxy cannot be used: "+cause, "is the proxy's address right?"
	}
	return errors.New("the request failed: " + cause + ": " + remedy + proxy)
}

// diagnose returns the cause of a failed request and the remedy, which is empty if none is known.
func diagnose(err error) (cause, remedy string) {
	var innermost error
	for wrapped := err; wrapped != nil; wrapped = errors.Unwrap(wrapped) {
		innermost = wrapped
	}
	network, isNetwork := errors.AsType[net.Error](innermost) // a *url.Error is one too
	number, isNumber := errors.AsType[syscall.Errno](innermost)
	name, isDNS := errors.AsType[*net.DNSError](err)
	operation, isOperation := errors.AsType[*net.OpError](err)
	switch {
	case isDNS && name.IsTimeout:
		return "DNS does not answer", "can this machine reach its name server?"
	case isDNS:
		return "its host cannot be resolved", "is the URL right, and does this machine's DNS know the host?"
	case isNetwork && network.Timeout():
		return "it takes too long", "does a firewall stop it, or does the way lead through a proxy (HTTPS_PROXY)?"
	case isNumber && number == syscall.ECONNREFUSED:
		return number.Error(), "does the server run, and are host and port of the URL right?"
	case isNumber:
		return number.Error(), "can this machine reach the host?"
	case isOperation && operation.Op == "remote error":
		return "it broke off the TLS handshake", "does it ask for a client certificate, or for another version of TLS? See WithTransport"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS", "is the URL's port right?"
	}
	if cause, remedy = diagnoseCertificate(err); cause != "" {
		return cause, remedy
	}
	if errors.Is(innermost, io.ErrUnexpectedEOF) || errors.Is(innermost, io.EOF) {
		return "it broke off", "does a proxy or firewall cut the connection?"
	}
	return "a malformed response, or a fault of the transport", ""
}

// diagnoseCertificate is diagnose for the server's certificate. The cause is empty if nothing is wrong with that.
func diagnoseCertificate(err error) (cause, remedy string) {
	_, isHost := errors.AsType[x509.HostnameError](err)
	_, isAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, isRoots := errors.AsType[x509.SystemRootsError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case isHost:
		return "its certificate is for another host", "is the URL's host right?"
	case isAuthority, isRoots:
		return "its certificate is of an unknown authority",
			"trust a private authority by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates"
	case isInvalid && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet", "have it renewed, unless this machine's clock is wrong"
	case isInvalid, isCertificate:
		return "its certificate is not valid", "have the server's certificate replaced"
	}
	return "", ""
}

// unreadable is what through returns if nobody knows which proxy is meant.
const unreadable = " (the proxy's URL cannot be read: look at HTTPS_PROXY)"

// through names the proxy of a request, without user information, or returns nothing.
func through(transport http.RoundTripper, request *http.Request) string {
	if t, ok := transport.(*http.Transport); ok && t.Proxy != nil {
		switch proxy, err := t.Proxy(request); {
		case err != nil:
			return unreadable
		case proxy != nil:
			return fmt.Sprintf(" (asked through the proxy %q; if HTTPS_PROXY names it, %q in NO_PROXY goes around it)", proxy.Host, request.URL.Hostname())
		}
	}
	return ""
}
