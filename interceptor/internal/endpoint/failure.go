package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// A failure is an error of [PlainHTTP.Do].
type failure struct {
	text    string
	mayPass bool
}

func (f *failure) Error() string { return f.text }

// MayPass reports whether another attempt may succeed after an error of [PlainHTTP.Do], though nobody changes the
// configuration.
func MayPass(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.mayPass
}

// Transient reports whether another attempt may succeed after a response with a status.
func Transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	default:
		return status >= http.StatusInternalServerError
	}
}

// statusError is the error for an unexpected status.
func statusError(transport http.RoundTripper, request *http.Request, response *http.Response, advice string) error {
	status := response.StatusCode
	text := fmt.Sprintf("the endpoint answered with status %d", status)
	switch location, err := response.Location(); {
	case status == http.StatusProxyAuthRequired:
		text = "a proxy answered with status 407: " + credentials(request)
	case Transient(status):
		text += ": it is tried again later"
	case status/100 == 3 && err == nil && location.Host != "":
		text += fmt.Sprintf(", a redirect to %s, which is not followed: %s", displayTarget(request, location), advice)
	case status/100 == 3:
		text += ", a redirect, which is not followed: " + advice
	default:
		text += ": " + advice
	}
	return &failure{text + through(transport, request, false), Transient(status)}
}

// A connectError is the status with which a proxy refuses to connect.
type connectError int

func (connectError) Error() string { return "the proxy refused to connect" }

// refusedBy returns the status with which a proxy refused to connect, or 0. If the transport is not from
// [Transport], the status is known only by the text that net/http makes of the proxy's status line.
func refusedBy(innermost error) int {
	if status, ok := errors.AsType[connectError](innermost); ok {
		return int(status)
	}
	for n := range 200 { // from 400 to 599
		status := http.StatusBadRequest + n
		if text := http.StatusText(status); text != "" && innermost.Error() == text {
			return status
		}
	}
	return 0
}

// credentials returns the advice for a proxy that wants credentials.
func credentials(request *http.Request) string {
	return "put the proxy's user and password into " + strings.ToUpper(request.URL.Scheme) + "_PROXY"
}

// requestError returns an error that tells why a request failed, and what to do. It repeats nothing of the text of
// err, which may hold the URL, whose query can hold a key, or a piece of the response.
func (p PlainHTTP) requestError(transport http.RoundTripper, request *http.Request, err error) error {
	innermost := err
	for wrapped := err; wrapped != nil; wrapped = errors.Unwrap(wrapped) {
		innermost = wrapped
	}
	operation, toProxy := "", false // of the innermost net.OpError, and of any
	for failed, ok := errors.AsType[*net.OpError](err); ok; failed, ok = errors.AsType[*net.OpError](failed.Err) {
		operation, toProxy = failed.Op, toProxy || failed.Op == "proxyconnect"
	}
	proxy := through(transport, request, toProxy)
	connection := peers{"the server", "the server", p.CASetting}
	if toProxy {
		connection = peers{theProxy, theProxy, ""}
	} else if proxy != "" {
		connection.either = "the server or the proxy"
	}
	d := connection.diagnose(operation, err, innermost)
	if away, ok := errors.AsType[*AwayError](err); ok {
		d = diagnosis{away.cause(), away.remedy(), false}
	}
	status := 0
	if d.cause == "" {
		status = refusedBy(innermost)
	}
	if status != 0 {
		proxy = through(transport, request, true)
	}
	switch {
	case proxy == unreadable:
		d, proxy = diagnosis{"the proxy's URL cannot be read", "look at HTTPS_PROXY", false}, ""
	case status != 0:
		d = diagnosis{fmt.Sprintf("the proxy refused to connect, with status %d", status), fmt.Sprintf("have the proxy allow %q", request.URL.Hostname()), Transient(status)}
		if status == http.StatusProxyAuthRequired {
			d.remedy = credentials(request)
		} else if d.mayPass {
			d.remedy = fmt.Sprintf("it is tried again later; if that does not help, can the proxy reach %q, or does it limit requests?", request.URL.Hostname())
		}
	case toProxy:
		if d.cause == "" {
			d = diagnosis{unknown, "is the proxy's address right, and what does curl -v print for the URL on this machine?", true}
		}
		d.cause = "the proxy cannot be used: " + d.cause
	case d.cause == "" && proxy != "":
		d = diagnosis{unknown, "did the proxy refuse to connect?", true}
	case d.cause == "":
		d = diagnosis{unknown, "what does curl -v print for the URL on this machine?", true}
	case d.cause == syscall.ECONNREFUSED.Error() && (IsLoopback(request.URL.Hostname()) || isLocalName(request.URL.Hostname())):
		d.remedy += p.inContainer(request.URL)
	}
	return &failure{"the request failed: " + d.cause + ": " + d.remedy + proxy, d.mayPass}
}

// inContainer returns the end of an advice for a loopback address at which nobody listens.
func (p PlainHTTP) inContainer(u *url.URL) string {
	const container = " In a container, localhost is the container itself: "
	switch {
	case p.URLSetting == "":
		return container + "give the address of the server that the container reaches"
	case u.Scheme == "http":
		return container + "set " + p.URLSetting + " to the address that the container reaches, and list its host in " + p.Setting
	default:
		return container + "set " + p.URLSetting + " to the address that the container reaches"
	}
}

const unknown = "a malformed response, or a fault of the transport"

// A diagnosis is the cause of a failed request, and what to do. The cause is empty if it is not known.
type diagnosis struct {
	cause, remedy string
	mayPass       bool
}

const theProxy = "the proxy"

// peers names the other end of a failed connection: the known end is the server or the proxy, and either is what
// to call an end that may be both. caSetting is the setting for a private authority of the known end, or "".
type peers struct{ known, either, caSetting string }

// address returns a question about the server's address, or the question about the proxy's address.
func (p peers) address(question string) string {
	if p.known == theProxy {
		return "is the proxy's address right?"
	}
	return question
}

// diagnose finds the cause of a failed connection.
func (p peers) diagnose(operation string, err, innermost error) diagnosis {
	network, isNetwork := errors.AsType[net.Error](innermost)   // a *url.Error is one too
	number, isNumber := errors.AsType[syscall.Errno](innermost) // 0 otherwise
	name, isDNS := errors.AsType[*net.DNSError](err)
	_, isAddress := errors.AsType[*net.AddrError](err)
	_, isRecord := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case isDNS && name.IsTimeout:
		return diagnosis{"DNS does not answer", "can this machine reach its name server?", true}
	case isDNS:
		return diagnosis{p.known + "'s name cannot be resolved", p.address("is the URL right, and does this machine's DNS know the host?"), true}
	case isAddress:
		return diagnosis{p.known + " has no valid address", p.address("are host and port of the URL right?"), false}
	case isNetwork && network.Timeout() && p.known != p.either:
		return diagnosis{p.either + " does not answer in time", "can this machine reach the proxy, and the proxy the server?", true}
	case isNetwork && network.Timeout():
		return diagnosis{p.known + " does not answer in time", p.address("does a firewall drop the connection, or must the request go through a proxy (HTTPS_PROXY)?"), true}
	case number == syscall.ECONNREFUSED:
		return diagnosis{number.Error(), p.address("does the server run, and are host and port of the URL right?"), true}
	case isNumber:
		return diagnosis{number.Error(), p.address("can this machine reach the host?"), true}
	case operation == "remote error":
		return diagnosis{p.either + " ended the TLS handshake", handshakeAdvice, strings.HasSuffix(innermost.Error(), "internal error")}
	case errors.Is(err, http.ErrSchemeMismatch), isRecord:
		return diagnosis{p.known + " does not speak TLS", p.address("is the URL's port right?"), false}
	}
	if d := diagnoseCertificate(p, err); d.cause != "" {
		return d
	}
	switch {
	case strings.HasPrefix(innermost.Error(), "tls: "):
		return diagnosis{"TLS with " + p.either + " failed", handshakeAdvice, true}
	case errors.Is(innermost, io.ErrUnexpectedEOF), errors.Is(innermost, io.EOF):
		return diagnosis{"the connection was cut", p.address("does a proxy or a firewall cut connections?"), true}
	}
	return diagnosis{}
}

const handshakeAdvice = "is a client certificate wanted, or another version of TLS? See WithTransport"

// diagnoseCertificate finds the fault of the certificate of the server or the proxy.
func diagnoseCertificate(p peers, err error) diagnosis {
	_, isHost := errors.AsType[x509.HostnameError](err)
	_, isAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, isRoots := errors.AsType[x509.SystemRootsError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	certificate := p.known + "'s certificate "
	setting := ""
	if p.caSetting != "" {
		setting = "by " + p.caSetting + ", a file with its certificate, "
	}
	switch {
	case isHost:
		return diagnosis{certificate + "is for another host", p.address("is the URL's host right?"), false}
	case isAuthority, isRoots:
		return diagnosis{certificate + "is of an unknown authority",
			"trust a private authority " + setting + "by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates", false}
	case invalid.Reason == x509.Expired:
		return diagnosis{certificate + "has expired or is not valid yet", "have the certificate renewed, unless this machine's clock is wrong", true}
	case isInvalid, isCertificate:
		return diagnosis{certificate + "is not valid", "have the certificate replaced", false}
	}
	return diagnosis{}
}

// unreadable is the text for a proxy URL that cannot be parsed.
const unreadable = " (the proxy's URL cannot be read: look at HTTPS_PROXY)"

// through returns a text that names the proxy of a request, without user information, or "". A transport inside
// another one is not known. Then HTTPS_PROXY names the proxy, if the request went to a proxy.
func through(transport http.RoundTripper, request *http.Request, proxied bool) string {
	var proxy *url.URL
	var err error
	text := " (asked through the proxy %q; if HTTPS_PROXY names it, %q in NO_PROXY goes around it)"
	if t, ok := transport.(*http.Transport); ok && t.Proxy != nil {
		proxy, err = t.Proxy(request)
	} else if !ok && proxied {
		proxy, err = http.ProxyFromEnvironment(request)
		text = " (HTTPS_PROXY names the proxy %q; %q in NO_PROXY goes around it)"
	}
	switch {
	case err != nil:
		return unreadable
	case proxy != nil:
		return fmt.Sprintf(text, proxy.Host, request.URL.Hostname())
	}
	return ""
}
