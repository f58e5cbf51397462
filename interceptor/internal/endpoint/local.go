package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// IsLoopback reports whether a host is this machine: an address in 127.0.0.0/8, ::1 or localhost.
func IsLoopback(host string) bool {
	address, _ := netip.ParseAddr(host) // the zero Addr is not loopback
	return host == "localhost" || address.IsLoopback()
}

// isLocalName reports whether a host is localhost or a name below localhost (RFC 6761 section 6.3). The name should
// lead to this machine, but a name server may say otherwise.
func isLocalName(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// isLocal reports whether a connection to an address stays on this machine: the address is a loopback address or a
// Unix socket.
func isLocal(address net.Addr) bool {
	switch address.(type) {
	case nil:
		return false
	case *net.UnixAddr:
		return true
	}
	connected, _ := netip.ParseAddrPort(address.String()) // the zero AddrPort is not loopback
	return connected.Addr().IsLoopback()
}

// An AwayError is the error for a name that should lead to this machine, and does not.
type AwayError struct {
	host    string
	address net.Addr
	advice  string
}

// Error implements error.
func (e *AwayError) Error() string { return e.cause() + ": " + e.remedy() }

func (e *AwayError) cause() string {
	address := "nothing"
	if e.address != nil {
		address = e.address.String()
		if host, _, err := net.SplitHostPort(address); err == nil {
			address = host
		}
	}
	return fmt.Sprintf("%q resolved to %s, which is not a loopback address", shortened(e.host), shortened(address))
}

func (e *AwayError) remedy() string {
	return "correct the name in /etc/hosts or DNS, or use https" + e.advice
}

// IsAway reports whether an error holds an [AwayError]. Then nothing was sent.
func IsAway(err error) bool {
	_, ok := errors.AsType[*AwayError](err)
	return ok
}

// Clone returns a copy of a transport that shares no connections with the transport. A copy of TLSNextProto would send
// requests over the connections of HTTP/2 that golang.org/x/net/http2 keeps for the transport.
func Clone(transport *http.Transport) *http.Transport {
	own := transport.Clone()
	if _, ok := own.TLSNextProto["h2"]; ok {
		own.TLSNextProto, own.ForceAttemptHTTP2 = nil, true
	}
	return own
}

// Direct returns a transport for plain http. It is a copy of an [http.Transport] that uses no proxy, and that connects
// localhost and names below localhost to this machine alone. A listed name below localhost may lead elsewhere. Any other
// transport is returned as it is.
func (p PlainHTTP) Direct(transport http.RoundTripper) http.RoundTripper {
	shared, ok := transport.(*http.Transport)
	if !ok {
		return transport
	}
	direct := Clone(shared)
	direct.Proxy = nil
	dial := direct.DialContext
	if old := direct.Dial; dial == nil && old != nil { //nolint:staticcheck // a user's transport may have the deprecated Dial alone
		dial = func(_ context.Context, network, address string) (net.Conn, error) { return old(network, address) }
	} else if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	direct.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(ctx, network, address)
		host, _, _ := net.SplitHostPort(address)
		mayLeave, advice := p.lists(host), p.OrList(host)
		if strings.EqualFold(host, "localhost") { // which no list gives to another machine
			mayLeave, advice = false, ""
		}
		if connection == nil || !isLocalName(host) || mayLeave || isLocal(connection.RemoteAddr()) {
			return connection, err
		}
		err = &AwayError{host, connection.RemoteAddr(), advice}
		_ = connection.Close()
		return nil, err
	}
	return direct
}
