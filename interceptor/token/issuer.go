package token

import "time"

// An Issuer describes an authorization server whose tokens are accepted: where its keys are, which of the
// tokens that it signs are access tokens for this API, and what their claims are called. The presets, such as
// [Logto] and [Keycloak], return one, whose fields may be changed. For another issuer, write a literal. The
// README of this package has a literal for many providers.
//
// A claim is named by its name. A claim inside another claim is named by a JSON Pointer (RFC 6901), which
// begins with a slash: "/realm_access/roles". So is a name with a dot, "/p1.rid", unless it is a URI such as
// "https://acme.example/roles". In a pointer ~1 stands for a slash and ~0 for a tilde. A step of a pointer is
// the name of a member, never an index of an array, or a placeholder where the field allows it:
//
//   - * leads to every element of an array, and to every member of an object.
//   - {scope} leads to every member of an object. The name of the member is the scope. A member that is false, 0
//     or "" grants nothing.
//   - {organization} leads, in OrganizationClaim, to every member of an object. The name of the member is the
//     organization. In ScopeClaims it leads to the member whose name is the organization of the token.
//
// A claim is absent if a member on its way is absent, before any placeholder. A token is [ErrInvalid] if a value on the
// way has no members, or if the claim has another type than the field asks for, such as null.
type Issuer struct {
	// Which issuer, and where its keys are:

	// URL is the issuer identifier. `iss` must be equal to it byte for byte, including a trailing slash.
	// Required. The scheme is https, or http to this machine: see InsecureHTTPHosts. With a KeySetURL it may be any
	// StringOrURI (RFC 7519 section 2), such as "acme.com".
	//
	// A placeholder such as {tid} stands for the claim of that name, as a whole segment of the path:
	// "https://login.microsoftonline.com/{tid}/v2.0" accepts several tenants. A placeholder needs a KeySetURL,
	// and an entry in RequiredClaims that lists the tenants, or [AnyValue]. The claim has letters, digits, "-",
	// "_" and "." only. OrganizationClaim then names the same claim, since the administrators of a tenant can
	// add other claims. With listed tenants OrganizationClaim may be empty.
	URL string
	// KeySetURL is the URL of the key set (RFC 7517). If empty, OpenID Connect Discovery finds it at URL +
	// "/.well-known/openid-configuration". A key that has an `issuer` of its own verifies the tokens of that
	// issuer only. A placeholder in that `issuer` stands for a segment of `iss`.
	//
	// A file of this machine is written as "file:///etc/keys/jwks.json". Nothing is then fetched from the network.
	// The file may be missing at start, has at most 1 MiB, and may be a symbolic link. The file is read again once
	// the keys are three seconds old and a token needs them. A file that is missing or broken leaves the previous
	// keys in use, for up to 24 hours.
	KeySetURL string
	// KeySetTokenFile is a file with a token that authorizes the fetch of the key set, as Kubernetes asks
	// for. The file is read for every fetch. The token is sent as a bearer token to KeySetURL only, never to
	// the target of a redirect. KeySetTokenFile needs a KeySetURL.
	KeySetTokenFile string
	// CAFile is a PEM file with the certificate authorities that vouch for the servers of the metadata, of the key set
	// and of the introspection endpoint, in place of the system's. The file is read for every fetch, and serves this
	// issuer alone. CAFile needs a transport that is a [net/http.Transport], as the default is: see [WithTransport].
	CAFile string
	// IntrospectionURL is the URL of the introspection endpoint (RFC 7662 section 2), for an [Introspector]. If
	// empty, the metadata at URL + "/.well-known/openid-configuration" names it (RFC 8414 section 2).
	IntrospectionURL string
	// InsecureHTTPHosts are other machines to which plain http is allowed, for URL, KeySetURL, IntrospectionURL and the
	// URLs in the metadata: exact names or addresses without scheme, port and path, such as "logto". Case does not
	// matter. An https issuer needs an entry for any key set over plain http, even on this machine. Whoever can answer
	// for a listed host, or read and change its answers on the way, can make keys, and so every token. List a host only
	// if the network to it is as safe as this process, such as the network of one docker compose, or a mesh whose
	// sidecars encrypt.
	//
	// Plain http to this machine needs no entry: 127.0.0.0/8, ::1, localhost and names below localhost (RFC 6761
	// section 6.3). A name must lead to a loopback address or a Unix socket: each connection is checked. Only the
	// connections of a [net/http.Transport] can be checked. Another transport gets localhost unchecked, and no
	// name below localhost. Plain http uses no proxy.
	InsecureHTTPHosts []string
	// Algorithms are the `alg` values to accept, out of RS256, RS384, RS512, PS256, PS384, PS512, ES256,
	// ES384, ES512 and EdDSA. EdDSA and Ed25519 (RFC 9864) are two names of one algorithm. Required. A key is
	// used with one algorithm only: its `alg` or, for a key without `alg`, the only algorithm in this list
	// that fits the key. A key without `alg` is skipped if several algorithms fit, so list one algorithm for
	// RSA keys.
	Algorithms []string

	// Which tokens of the issuer are access tokens for this API:

	// Types are the `typ` values to accept, without regard to case and to the prefix "application/" (RFC 7515
	// section 4.1.9). The default is "at+jwt" (RFC 9068), which ID tokens do not have. "" stands for a token
	// without `typ`. The type "" needs an entry in RequiredClaims that only access tokens meet. For any other
	// type than "at+jwt" such an entry is advisable.
	Types []string
	// RequiredClaims are claims that a token must have, each with one of the values in its list. A value is
	// the text of a string byte for byte, true or false, or the JSON text of a number. Of an array one element
	// is enough. [AnyValue] alone stands for any value, and [NoValue] alone for an absent claim. "" beside
	// values means that the claim may be absent. A claim that is there and empty is refused.
	//
	// The claims at_hash, c_hash, nonce, events and token_introspection belong to ID tokens, logout tokens,
	// security events and introspection answers, which are signed with the same keys. A token that has one is
	// refused, unless RequiredClaims names the claim. {"", AnyValue} means for these claims that they may be
	// there.
	//
	// Pointers may have the placeholder *.
	RequiredClaims map[string][]string
	// RequiredHeader are members that the JOSE header must have, in the form of RequiredClaims, for issuers
	// whose kinds of token differ in the header alone. Types and Algorithms judge `typ` and `alg`.
	RequiredHeader map[string][]string
	// MaxLifetime is the longest time from `iat` to `exp`, at least one second. A token that lives longer, or
	// has no `iat`, is [ErrInvalid]. The default, zero, accepts any lifetime.
	MaxLifetime time.Duration
	// Audience is the audience of tokens that have no `aud`. A token that has an `aud` is judged by it.
	// Audience needs an entry in RequiredClaims that lists the clients of this API, as values of one of
	// ClientClaims or SubjectClaims. If the issuer's keys serve this API alone, list URL for "iss" there. The
	// default, "", leaves such tokens without an audience.
	Audience string

	// What the claims are called:

	// SubjectClaims are the claims that may hold the subject, a string. The first one that a token has
	// counts. The default is "sub". A token without a subject is refused. If the claim that counts is one of ClientClaims,
	// the token is never a user's: a rule with a subject refuses such a token.
	SubjectClaims []string
	// ScopeClaims are the claims that may hold the scopes. Only the first claim that a token has counts,
	// unless UniteScopes is set. The claim is a string of scopes separated by spaces or, unless its name is
	// "scope", an array of strings. Behind the placeholder * a string is one scope, even if it has a space:
	// "/scope/*" stands for an array. A pointer with {organization} is absent in a token without an
	// organization. The default is "scope".
	//
	// Pointers may have the placeholders *, {scope} and {organization}.
	ScopeClaims []string
	// UniteScopes makes all ScopeClaims count. Entra ID needs it: scopes stand in scp and in roles.
	UniteScopes bool
	// ClientClaims are the claims that may hold the client, a string. If a token has several of these claims,
	// they must be equal. The default is "client_id".
	ClientClaims []string
	// ClientTokens are the claims of a token that a client obtained for itself (RFC 6749 section 4.4).
	// UserTokens are the claims of a user's token. Both have the form of RequiredClaims, and {client} in a
	// value stands for the client. All entries of a field must match. If only one field is set, every other
	// token is of the other kind. UserTokens {"sub": {AnyValue}} makes every token a user's. Set both fields if
	// the issuer has tokens of a third kind: a token that matches both or neither is of unknown kind.
	//
	// Every token is of unknown kind if neither field is set. So is a token without a client, if a value has
	// {client}. A rule for users or for clients refuses a token of unknown kind.
	ClientTokens, UserTokens map[string][]string
	// OrganizationClaim is the claim that holds the organization, a string. Leave it empty only if the issuer
	// has no such claim: without it, a token for one organization counts as a token for all. A token whose
	// pointer leads to no organization, or to several, grants nothing if the claim before the placeholder is
	// there.
	//
	// A pointer may have the placeholders * and {organization}.
	OrganizationClaim string
	// OrganizationAudience is the prefix of the organization's id in the `aud` of an organization token.
	// Leave it empty only if the issuer has no such tokens, for the same reason.
	OrganizationAudience string

	faults []error // of the arguments of a preset
}

// The placeholders of a JSON Pointer, and of a value in ClientTokens and UserTokens.
const (
	everyPlaceholder        = "*"
	scopePlaceholder        = "{scope}"
	organizationPlaceholder = "{organization}"
	clientPlaceholder       = "{client}"
)
