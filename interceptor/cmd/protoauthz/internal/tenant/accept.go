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
	"github.com/protoauthz/protoauthz/interceptor/internal/document"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Accepting returns the member of authz.json with which a server accepts the tokens of the tenant, and the Go code: the
// issuer without authz.json or, for opaque tokens, what a server needs beside authz.json. The code for opaque tokens is
// empty without a client. A server in another container knows the issuer by a name of Hosts, and by the port of the
// address that the issuer listens on. For other servers, name is empty.
func (t *Tenant) Accepting(name string, address net.Addr) (code, member string) {
	base, isLogtos := strings.CutSuffix(t.URL, "/oidc")
	code = fmt.Sprintf("issuer := token.Logto(%q)", base)
	member = `"issuers": [{"preset": ["logto", ` + quote(base) + "]"
	change := func(isNeeded bool, field, literal string, value any) {
		if isNeeded {
			code += fmt.Sprintf("\nissuer.%s = %s", field, literal)
			member += fmt.Sprintf(", %q: %s", document.MemberName(field), quote(value))
		}
	}
	text := func(isNeeded bool, field, value string) { change(isNeeded, field, strconv.Quote(value), value) }
	text(!isLogtos, "URL", t.URL)
	typ := strings.Replace(t.Type, devissuer.NoType, "", 1)
	isTyped := t.Type != "" && t.Type != "at+jwt"
	change(isTyped, "Types", fmt.Sprintf("[]string{%q}", typ), []string{typ})
	change(isTyped, "RequiredClaims", `map[string][]string{"client_id": {token.AnyValue}}`, map[string][]string{"client_id": {token.AnyValue}}) // ID tokens have none
	at := t.reached(name, address)
	text(at != t.URL, "KeySetURL", at+"/jwks")
	text(at != t.URL && t.Opaque, "IntrospectionURL", at+"/introspect")
	change(name != "", "InsecureHTTPHosts", fmt.Sprintf("[]string{%q}", name), []string{name})
	if t.Opaque {
		code = ""
	}
	if t.Opaque && len(t.Clients) > 0 {
		code = fmt.Sprintf(`d, err := deployment.Read("authz.json")
client := token.ClientSecretBasic(%q, os.Getenv("CLIENT_SECRET"))
introspector, err := token.NewIntrospector(d.Issuers[0], token.Introspection{Client: client})
verifier, err := d.NewVerifier(token.WithIntrospector(introspector))`, t.Clients[0].ID)
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
