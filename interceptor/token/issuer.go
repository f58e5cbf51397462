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

// An Issuer says whose tokens are accepted, and what their claims are called.
// [Logto], [Auth0] and [AuthAction] fill it; for other issuers, fill it by hand.
type Issuer struct {
	// URL is the issuer: `iss` must be equal to it byte for byte, trailing slash
	// included. Required; https, or http on a loopback address.
	URL string
	// KeySetURL is where the key set (RFC 7517) is. If empty, it is found by
	// OpenID Connect Discovery at URL + "/.well-known/openid-configuration".
	KeySetURL string
	// Algorithms are the `alg` values to accept, out of RS256, RS384, RS512,
	// PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA, whose other name is Ed25519
	// (RFC 9864): each of the two stands for both. Required. A key is used
	// with one algorithm only: that of its `alg` or, if it has none, the only one
	// listed here that fits it. A key without `alg` that several fit is skipped: list
	// one algorithm for RSA keys.
	Algorithms []string
	// Types are the `typ` values to accept, without regard to case and to the
	// prefix "application/" (RFC 7515 section 4.1.9). If empty: "at+jwt" (RFC
	// 9068), which no ID token bears. A token without `typ` is refused.
	Types []string
	// ScopeClaims are the claims that may hold the scopes. The first one that a
	// token has counts, alone. Each is a string of scopes separated by spaces or,
	// unless it is called "scope", an array of strings. If empty: "scope".
	ScopeClaims []string
	// ClientClaims are the claims that may hold the client. If a token has
	// several, they must agree. If empty: "client_id".
	ClientClaims []string
	// ClientSubject is the `sub` of a token that a client obtained for itself,
	// with "{client}" in place of the client's id. All other tokens that name a
	// client are a user's. If empty, users and clients cannot be told apart, and
	// no token opens what is only for one of them.
	ClientSubject string
	// OrganizationClaim is the claim that holds the organization, or empty if
	// the issuer has none. Where it should be given and is not, a token for one
	// organization counts as one for all.
	OrganizationClaim string
	// OrganizationAudience is what precedes the organization's id in the `aud` of
	// an organization token, or empty if the issuer has no such tokens. The same
	// holds as for OrganizationClaim.
	OrganizationAudience string
	// MaxLifetime is how much later than `iat` a token's `exp` may be. With it a token
	// needs an `iat`; one without, or that lives longer, is [ErrInvalid]. Zero stands for any
	// lifetime, and is what [Logto], [Auth0] and [AuthAction] set. It must not be negative.
	MaxLifetime time.Duration
}

const clientPlaceholder = "{client}"

// Logto is the issuer of a Logto tenant, given its endpoint such as
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

// Auth0 is the issuer of an Auth0 tenant, given its domain such as
// "tenant.eu.auth0.com" or a custom domain, without https:// and path.
//
// If the API adds permissions to its tokens (role-based access control), these are
// the scopes; else `scope` is. Permissions are all that the user may do, whatever
// the client asked for: to go by what it asked for, set ScopeClaims to "scope". The
// organization of MODEL_ORGANIZATION_RESOURCE is `org_id`; Auth0 has no tokens for
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

// AuthAction is the issuer of an AuthAction tenant, given its domain such as
// "tenant.eu.authaction.com", without https:// and path. AuthAction does not say how a client's own token
// differs from a user's, nor how it names an organization: [Claims.Caller] is
// unknown, and only MODEL_GLOBAL_RESOURCE has tokens.
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

// withDefaults returns the issuer as it is used, with defaults filled in and
// sharing no memory with its caller, and every fault.
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
		// One bad domain spoils both URLs of a preset in the same way.
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

// checkKeySetURL makes sure that keys come over a channel no weaker than the
// issuer's own.
func checkKeySetURL(issuer, raw string) error {
	if strings.HasPrefix(issuer, "https:") && strings.HasPrefix(raw, "http:") {
		return errors.New("it is not an https URL, while the issuer's is")
	}
	return endpoint.CheckURL(raw)
}
