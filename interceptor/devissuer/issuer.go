// Package devissuer is an OAuth 2.0 authorization server for development and tests. It serves
// discovery, a key set, introspection and the client credentials grant as Logto does, so that a service can run and
// its authorization can be tested without an identity provider.
//
// Never use it in production. Its keys live in memory, unless [Config] has Keys. Client secrets are plain text in the
// configuration, no user logs in, and nothing is limited or recorded. [Issuer.Mint] signs any claims: code that
// holds an [Issuer] can act as anybody. Other machines get no answer, unless [Config] has AllowRemote. Web pages of
// other sites never get one.
//
// An [Issuer] is an [net/http.Handler]. In a server, register it for the path of its URL and the
// paths below:
//
//	issuer, err := devissuer.New("http://127.0.0.1:8080/oidc", config)
//	mux.Handle("/oidc/", issuer)
//
// A verifier accepts it as Logto if the path of its URL is /oidc:
//
//	verifier, err := token.NewVerifier(token.Logto(issuer.URL()))
//
// In a test, [Start] serves an issuer, [Issuer.Token] makes any token, such as an expired one, and
// [Issuer.Rotate] and [Issuer.TrimKeys] change the keys. [Issuer.Grant] makes a token with what a user or client
// of the configuration holds. The command protoauthz dev-issuer serves an issuer that keeps its keys in a file.
//
//	issuer := devissuer.Start(t, devissuer.Config{})
//	raw := issuer.Token(t, map[string]any{"sub": "alice", "aud": "https://api.example.com", "scope": "read:orders"})
package devissuer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	discoveryPath     = "/.well-known/openid-configuration"
	jwksPath          = "/jwks"
	tokenPath         = "/token"
	introspectionPath = "/introspect"
)

// An Issuer issues access tokens, and serves the documents that are needed to verify them. Under the
// path of its URL it answers
//
//   - GET .well-known/openid-configuration, its metadata (OpenID Connect Discovery 1.0, RFC 8414),
//   - GET jwks, its key set (RFC 7517),
//   - POST token, the token endpoint (RFC 6749 §4.4),
//   - POST introspect, the introspection endpoint (RFC 7662 §2), for clients with their secret: active are the
//     access tokens of its keys whose iss is its URL, and whose exp is to come,
//
// and 404 to every other request.
//
// Unless [Config] has AllowRemote, an Issuer answers 403 to requests that do not come over loopback,
// over Unix sockets or in memory. The Host header must name the issuer's host, a loopback host
// (localhost, 127.0.0.0/8, ::1) or a host of Hosts in [Config], with any port. This refuses a web page whose name resolves to this
// machine (DNS rebinding). An Origin header that names another host, or "null", is refused: it is
// from a page of another site. Behind a proxy on this machine, every client of the proxy counts as
// this machine.
//
// Make an issuer with [New], or in a test with [Start]. An issuer of New starts no goroutine and needs
// no closing. An Issuer is safe for concurrent use.
type Issuer struct {
	url         string
	host        string // of the URL, in lower case and without the port
	path        string
	hosts       []string // in lower case, without brackets
	allowRemote bool
	algorithm   string
	typ         string
	opaque      bool
	lifetime    time.Duration
	resources   map[string][]string
	users       map[string]User
	clients     map[string]Client
	claims      map[string]any
	discovery   []byte

	mu   sync.RWMutex
	keys *keySet // replaced as a whole, never changed
}

// New returns an issuer with the given URL, and with a fresh signing key unless the configuration has keys.
//
// The URL, such as http://127.0.0.1:8080/oidc, is the iss claim of the tokens, byte for byte. It must
// be absolute, without a trailing slash, query, fragment or user. The scheme http is for loopback
// hosts only.
//
// The error joins a [Fault] for every fault in the URL and the configuration.
// New keeps no reference to the configuration.
func New(issuerURL string, config Config) (*Issuer, error) {
	host, urlPath, urlErr := parseIssuerURL(issuerURL)
	keys, keysErr := config.keys()
	if err := errors.Join(urlErr, config.validate(), keysErr); err != nil {
		return nil, err
	}
	config = config.owned()
	issuer := &Issuer{
		url:         issuerURL,
		host:        host,
		path:        urlPath,
		allowRemote: config.AllowRemote,
		algorithm:   keys.keys[0].method.Alg(),
		typ:         config.Type,
		opaque:      config.Opaque,
		lifetime:    config.TokenLifetime,
		resources:   config.Resources,
		users:       make(map[string]User, len(config.Users)),
		clients:     make(map[string]Client, len(config.Clients)),
		claims:      config.Claims,
		keys:        keys,
	}
	for _, host := range config.Hosts {
		issuer.hosts = append(issuer.hosts, strings.ToLower(strings.Trim(host, "[]")))
	}
	for _, user := range config.Users {
		issuer.users[user.ID] = user
	}
	for _, client := range config.Clients {
		issuer.clients[client.ID] = client
	}
	issuer.discovery, _ = json.Marshal(metadata{ // strings have a JSON form
		Issuer:                   issuerURL,
		TokenEndpoint:            issuer.TokenURL(),
		JWKSURI:                  issuerURL + jwksPath,
		ScopesSupported:          config.scopes(),
		ResponseTypesSupported:   []string{},
		GrantTypesSupported:      []string{"client_credentials"},
		SubjectTypesSupported:    []string{"public"},
		IDTokenSigningAlgorithms: []string{issuer.algorithm},
		TokenEndpointAuthMethods: authMethods,
		IntrospectionEndpoint:    issuerURL + introspectionPath,
		IntrospectionAuthMethods: authMethods,
	})
	return issuer, nil
}

var authMethods = []string{"client_secret_basic", "client_secret_post"}

// keys returns the keys that were kept, or a fresh key.
func (c Config) keys() (*keySet, error) {
	if c.Keys == nil {
		key, err := newSigningKey(cmp.Or(c.SigningAlgorithm, "ES384"))
		return newKeySet(key), err
	}
	keys, err := parseKeys(c.Keys)
	if err != nil {
		return nil, err
	}
	if first := keys[0].method.Alg(); isSupported(c.SigningAlgorithm) && c.SigningAlgorithm != first {
		return nil, fault("SigningAlgorithm", "the first key is of %s: write that algorithm, or remove the keys", first)
	}
	return newKeySet(keys...), nil
}

// metadata is the discovery document that OpenID Connect Discovery 1.0 §3 requires of an issuer
// without an authorization endpoint.
type metadata struct {
	Issuer                   string   `json:"issuer"`
	TokenEndpoint            string   `json:"token_endpoint"`
	JWKSURI                  string   `json:"jwks_uri"`
	ScopesSupported          []string `json:"scopes_supported"`
	ResponseTypesSupported   []string `json:"response_types_supported"`
	GrantTypesSupported      []string `json:"grant_types_supported"`
	SubjectTypesSupported    []string `json:"subject_types_supported"`
	IDTokenSigningAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	TokenEndpointAuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionEndpoint    string   `json:"introspection_endpoint"` // RFC 8414 §2
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
}

// URL returns the URL that [New] was given: the iss claim of the issuer's tokens.
func (i *Issuer) URL() string { return i.url }

// TokenURL returns the URL of the token endpoint.
func (i *Issuer) TokenURL() string { return i.url + tokenPath }

// ServeHTTP implements [net/http.Handler]. It answers 403 as described at [Issuer]. It finds the
// endpoint by the path alone, so the address of the server may differ from the URL's.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refusal := i.Refusal(r); refusal != nil {
		http.Error(w, "devissuer: "+refusal.Detail, http.StatusForbidden)
		return
	}
	switch r.URL.Path {
	case i.path + discoveryPath:
		serveDocument(w, r, "application/json", i.discovery)
	case i.path + jwksPath:
		keys := i.keySet()
		// Logto sends this too: a verifier must limit its fetches itself.
		w.Header().Set("Cache-Control", "no-cache, max-age=0")
		w.Header().Set("ETag", keys.etag)
		serveDocument(w, r, "application/jwk-set+json", keys.document)
	case i.path + tokenPath:
		if !allowMethods(w, r, http.MethodPost) {
			return
		}
		serveAnswer(w, r, i.answerToken)
	case i.path + introspectionPath:
		if !allowMethods(w, r, http.MethodPost) {
			return
		}
		serveAnswer(w, r, i.answerIntrospection)
	default:
		http.NotFound(w, r)
	}
}

func serveDocument(w http.ResponseWriter, r *http.Request, contentType string, document []byte) {
	if !allowMethods(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	w.Header().Set("Content-Type", contentType)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document)) // answers If-None-Match
}

// parseIssuerURL returns the host name and the path of the issuer's URL. Its errors never quote the
// URL, which may hold a password.
func parseIssuerURL(issuerURL string) (host, urlPath string, err error) {
	u, err := url.Parse(issuerURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return "", "", fault("issuerURL", "is not an absolute http or https URL: write one such as http://127.0.0.1:8080/oidc")
	}
	var faults []error
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		faults = append(faults, fault("issuerURL", "is http, which is for loopback hosts alone: write https or, for containers, keep a host such as 127.0.0.1 and list the other name among the hosts"))
	}
	if port := u.Port(); port != "" && !isPort(port) {
		faults = append(faults, fault("issuerURL", "has a port above 65535: write one such as 3001"))
	}
	if u.User != nil {
		faults = append(faults, fault("issuerURL", "has a user or password: remove both"))
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		faults = append(faults, fault("issuerURL", "has a query or fragment: remove it"))
	}
	// Verifiers compare the issuer byte for byte, so clients must not rewrite the URL.
	if !isCleanPath(u.Path) {
		faults = append(faults, fault("issuerURL", "has a path with a trailing slash, an empty segment, . or ..: write a path such as /oidc"))
	} else if len(faults) == 0 && (u.RawPath != "" || u.String() != issuerURL) {
		faults = append(faults, fault("issuerURL", "is not in normal form: write the scheme in small letters, and escape only what needs an escape"))
	}
	return strings.ToLower(u.Hostname()), u.Path, errors.Join(faults...)
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func isCleanPath(p string) bool { return p == "" || p != "/" && path.Clean(p) == p }

func isLoopback(host string) bool {
	addr, _ := netip.ParseAddr(host) // the zero Addr is not loopback
	return host == "localhost" || addr.IsLoopback()
}

// allowMethods reports whether the request has one of the methods, and answers 405 otherwise.
func allowMethods(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}
