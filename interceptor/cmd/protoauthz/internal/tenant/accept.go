package tenant

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Accepting returns the Go code, and the member of authz.json, with which a server accepts the tokens of the tenant.
// A server in another container knows the issuer by a name of Hosts, and by the port of the address that the issuer
// listens on. For other servers, name is empty.
func (t *Tenant) Accepting(name string, address net.Addr) (code, member string) {
	base, isLogtos := strings.CutSuffix(t.URL, "/oidc")
	code = fmt.Sprintf("issuer := token.Logto(%q)", base)
	member = `"issuers": [{"preset": ["logto", ` + quote(base) + "]"
	change := func(isNeeded bool, field, of string, value any) {
		if isNeeded {
			code += fmt.Sprintf("\nissuer.%s = %#v", field, value)
			member += fmt.Sprintf(", %q: %s", of, quote(value))
		}
	}
	change(!isLogtos, "URL", "url", t.URL)
	typ := strings.Replace(t.Type, devissuer.NoType, "", 1)
	isTyped := t.Type != "" && t.Type != "at+jwt"
	change(isTyped, "Types", "types", []string{typ})
	change(isTyped, "RequiredClaims", "requiredClaims", map[string][]string{"client_id": {token.AnyValue}}) // ID tokens have none
	at := t.reached(name, address)
	change(at != t.URL && !t.Opaque, "KeySetURL", "keySetURL", at+"/jwks")
	change(at != t.URL && t.Opaque, "IntrospectionURL", "introspectionURL", at+"/introspect")
	change(name != "", "InsecureHTTPHosts", "insecureHTTPHosts", []string{name})
	if t.Opaque {
		client := "ID"
		if len(t.Clients) > 0 {
			client = t.Clients[0].ID
		}
		code += fmt.Sprintf("\nintrospector, err := token.NewIntrospector(issuer, token.Introspection{Client: token.ClientSecretBasic(%q, secret)})", client)
	}
	return code, member + "}]"
}

// reached returns the URL at which a server reaches the issuer, by a name of Hosts or on this machine. A URL of https
// leads to a proxy. So may the URL of an issuer that does not listen on a loopback address: the port of a container
// has another number outside.
func (t *Tenant) reached(name string, address net.Addr) string {
	u, _ := url.Parse(t.URL) // devissuer has parsed it
	listens, _ := netip.ParseAddrPort(address.String())
	port := strconv.Itoa(int(listens.Port()))
	switch {
	case name != "":
		return "http://" + net.JoinHostPort(name, port) + u.Path
	case u.Scheme == "http" && listens.Addr().IsLoopback() && port != cmp.Or(u.Port(), "80"):
		return "http://" + listens.String() + u.Path
	default:
		return t.URL
	}
}

// quote returns a value of texts as JSON, on one line.
func quote(value any) string {
	text, _ := json.Marshal(value) // texts have a JSON form
	return string(text)
}
