package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// An Issuer describes an authorization server whose tokens are accepted: where its keys
// are, and which claims its tokens use. [Logto], [Auth0] and [AuthAction] return one. For
// another issuer, write a literal.
type Issuer struct {
	// URL is the issuer identifier. `iss` must be equal to it byte for byte, including
	// a trailing slash. Required. The scheme is https, or http on a loopback address.
	URL string
	// KeySetURL is the URL of the key set (RFC 7517). If empty, OpenID Connect Discovery
	// finds it at URL + "/.well-known/openid-configuration".
	KeySetURL string
	// Algorithms are the `alg` values to accept, out of RS256, RS384, RS512,
	// PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA. EdDSA and Ed25519 (RFC 9864)
	// are two names of one algorithm. Required. A key is used with one algorithm only:
	// its `alg` or, for a key without `alg`, the only algorithm in this list that fits
	// the key. A key without `alg` is skipped if several algorithms fit, so list one
	// algorithm for RSA keys.
	Algorithms []string
	// Types are the `typ` values to accept, without regard to case and to the
	// prefix "application/" (RFC 7515 section 4.1.9). The default is "at+jwt" (RFC
	// 9068), which ID tokens do not have. A token without `typ` is refused.
	Types []string
	// ScopeClaims are the names of the claims that may hold the scopes. Only the first
	// claim that a token has counts. The claim is a string of scopes separated by spaces or,
	// unless its name is "scope", an array of strings. The default is "scope".
	ScopeClaims []string
	// ClientClaims are the names of the claims that may hold the client. If a token has
	// several of these claims, they must be equal. The default is "client_id".
	ClientClaims []string
	// ClientSubject is the `sub` of a token that a client obtained for itself,
	// with "{client}" in place of the client's id. Every other token that names a
	// client is a user's. If empty, users and clients cannot be told apart, and a rule
	// for one of them refuses every token.
	ClientSubject string
	// OrganizationClaim is the name of the claim that holds the organization. Leave it
	// empty only if the issuer has no such claim: without it, a token for one organization
	// counts as a token for all.
	OrganizationClaim string
	// OrganizationAudience is the prefix of the organization's id in the `aud` of an
	// organization token. Leave it empty only if the issuer has no such tokens, for the
	// same reason.
	OrganizationAudience string
	// MaxLifetime is the longest time from `iat` to `exp`, at least one second. A token
	// that lives longer, or has no `iat`, is [ErrInvalid]. The default, zero, accepts any
	// lifetime.
	MaxLifetime time.Duration
}

const clientPlaceholder = "{client}"

// Logto returns the issuer of a Logto tenant, given its endpoint such as
// "https://tenant.logto.app", with or without "/oidc".
func Logto(tenant string) Issuer {
	return Issuer{
		URL:                  endpoint.WithPath(tenant, "/oidc"),
		Algorithms:           []string{"ES384", "ES256", "ES512", "RS256"},
		Types:                []string{"at+jwt"},
		ScopeClaims:          []string{"scope"},
		ClientClaims:         []string{"client_id"},
		ClientSubject:        clientPlaceholder,
		OrganizationClaim:    "organization_id",
		OrganizationAudience: "urn:logto:organization:",
	}
}

// Auth0 returns the issuer of an Auth0 tenant, given its domain such as
// "tenant.eu.auth0.com" or a custom domain, without https:// and path.
//
// The scopes are `permissions` if the API adds them to its tokens (role-based access
// control), and `scope` otherwise. Permissions are all that the user may do, whatever
// the client asked for: set ScopeClaims to "scope" to use what the client asked for. The
// organization of MODEL_ORGANIZATION_RESOURCE is `org_id`. Auth0 has no tokens for
// MODEL_ORGANIZATION.
func Auth0(domain string) Issuer {
	return Issuer{
		URL:               endpoint.DomainURL(domain, "/"),
		KeySetURL:         endpoint.DomainURL(domain, "/.well-known/jwks.json"),
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT", "at+jwt"},
		ScopeClaims:       []string{"permissions", "scope"},
		ClientClaims:      []string{"azp", "client_id"},
		ClientSubject:     clientPlaceholder + "@clients",
		OrganizationClaim: "org_id",
	}
}

// AuthAction returns the issuer of an AuthAction tenant, given its domain such as
// "tenant.eu.authaction.com", without https:// and path. AuthAction documents neither how the
// tokens of clients differ from the tokens of users, nor how a token names an organization.
// So [Claims.Caller] is unknown, and only MODEL_GLOBAL_RESOURCE has tokens.
func AuthAction(domain string) Issuer {
	return Issuer{
		URL:          endpoint.DomainURL(domain, ""),
		KeySetURL:    endpoint.DomainURL(domain, "/.well-known/jwks.json"),
		Algorithms:   []string{"RS256"},
		Types:        []string{"JWT", "at+jwt"},
		ScopeClaims:  []string{"permissions", "scope"},
		ClientClaims: []string{"azp", "client_id"},
	}
}

// withDefaults returns a copy of the issuer that has its defaults and shares no memory, and
// every fault.
func (i Issuer) withDefaults() (_ Issuer, faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("token: issuer %q: %w", endpoint.DisplayURL(i.URL), fmt.Errorf(format, args...)))
	}
	urlErr := endpoint.CheckURL(i.URL)
	if endpoint.IsBlank(i.URL) {
		faults = append(faults, errors.New("token: an issuer's URL is empty: give the tenant's endpoint or domain, or Issuer.URL; if a variable or a file should supply it, set the variable or fill the file"))
	} else if urlErr != nil {
		fault("URL: %w", urlErr)
	} else if strings.Contains(i.URL, "?") {
		fault("URL: it has a query")
	} else if strings.HasSuffix(i.URL, discoveryPath) {
		fault("URL: it is where the issuer's metadata is: leave out %s", discoveryPath)
	}
	if i.KeySetURL != "" {
		// A bad domain is the same fault in both URLs of a preset.
		if err := checkKeySetURL(i.URL, i.KeySetURL); err != nil && (urlErr == nil || urlErr.Error() != err.Error()) {
			fault("KeySetURL: %w", err)
		}
	}
	if len(i.Algorithms) == 0 {
		fault("Algorithms: none given")
	}
	for _, name := range i.Algorithms {
		if !slices.Contains(jose.Algorithms(), name) {
			fault("Algorithms: %q is none of %q", name, jose.Algorithms())
		}
	}
	if i.ClientSubject != "" && strings.Count(i.ClientSubject, clientPlaceholder) != 1 {
		fault("ClientSubject: %q does not hold %s once", i.ClientSubject, clientPlaceholder)
	}
	if i.OrganizationClaim != "" && endpoint.IsBlank(i.OrganizationClaim) {
		fault("OrganizationClaim: it is blank")
	}
	if i.OrganizationAudience != "" && endpoint.IsBlank(i.OrganizationAudience) {
		fault("OrganizationAudience: it is blank")
	}
	if i.MaxLifetime != 0 && i.MaxLifetime < time.Second {
		fault("MaxLifetime: %v is less than a second: 0 stands for any lifetime", i.MaxLifetime)
	}
	i.Types = slices.Clone(i.Types)
	for n, typ := range i.Types {
		i.Types[n] = jose.CanonicalType(typ)
	}
	list := func(field string, names []string, fallback string) []string {
		if slices.ContainsFunc(names, endpoint.IsBlank) {
			fault("%s: an empty name", field)
		}
		if len(names) == 0 {
			return []string{fallback}
		}
		return slices.Clone(names)
	}
	i.Types = list("Types", i.Types, "at+jwt")
	i.ScopeClaims = list("ScopeClaims", i.ScopeClaims, "scope")
	i.ClientClaims = list("ClientClaims", i.ClientClaims, "client_id")
	i.Algorithms = slices.Clone(i.Algorithms)
	return i, faults
}

// checkKeySetURL refuses a key set over plain http for an https issuer.
func checkKeySetURL(issuer, raw string) error {
	if strings.HasPrefix(issuer, "https:") && strings.HasPrefix(raw, "http:") {
		return errors.New("it is not an https URL, while the issuer's is")
	}
	return endpoint.CheckURL(raw)
}
