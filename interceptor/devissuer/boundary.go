package devissuer

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Refusal returns why the issuer answers a request with 403, as described at [Issuer], or nil. It is the same for all
// paths. The [Fault] repeats nothing of the request. Its field is the field of [Config] that lets such requests in,
// AllowRemote or Hosts, or Origin, the header of a web page.
//
// A browser on this machine can reach the issuer for any web page. A page may have its own domain
// resolve to 127.0.0.1 (DNS rebinding): then the browser takes the issuer for the page's server, and
// lets the page read the answer. The Host header names the domain of such a page, and the Origin
// header names any other page.
func (i *Issuer) Refusal(r *http.Request) *Fault {
	switch {
	case !i.allowRemote && !isLocalPeer(r):
		return &Fault{"AllowRemote", "the request does not come from this machine: to answer others, set AllowRemote in devissuer.Config, or give protoauthz dev-issuer the flag -remote"}
	case !i.isOwnHost(r.Host):
		return &Fault{"Hosts", "the Host header names neither this machine nor the issuer: address the issuer by its URL, " + i.url + ", or list the host in Hosts of devissuer.Config, which is hosts in tenant.json"}
	case slices.ContainsFunc(r.Header.Values("Origin"), func(origin string) bool { return !i.isOwnOrigin(origin) }):
		return &Fault{"Origin", "the request comes from a web page of another origin: ask without a browser, or from a page of this machine"}
	}
	return nil
}

// isLocalPeer reports whether a request comes from this machine: over loopback, over a network that
// reaches no other machine, or from this process, without a RemoteAddr. A request of unknown origin
// is remote.
func isLocalPeer(r *http.Request) bool {
	if r.RemoteAddr == "" {
		return true
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && slices.Contains([]string{"unix", "pipe", "bufconn"}, local.Network()) {
		return true
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero AddrPort is not loopback
	return peer.Addr().IsLoopback()
}

// isOwnHost reports whether a Host header names the issuer or this machine, with any port.
func (i *Issuer) isOwnHost(host string) bool {
	u, err := url.Parse("//" + host)
	return err == nil && u.Host == host && (i.isOwnName(u) || slices.Contains(i.hosts, strings.ToLower(u.Hostname())))
}

// isOwnOrigin does the same for an Origin header (RFC 6454 §7), without the further names of Config.Hosts: no page
// is at them.
func (i *Issuer) isOwnOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && i.isOwnName(u)
}

func (i *Issuer) isOwnName(u *url.URL) bool {
	name := strings.ToLower(u.Hostname())
	return isLoopback(name) || name == i.host
}
