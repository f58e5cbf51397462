package token

import "slices"

// GoogleServiceAccounts returns the issuer of the ID tokens of Google service accounts, given the addresses
// of the accounts that are accepted, such as "worker@project.iam.gserviceaccount.com". Anybody's service
// account gets a token for any audience, so nothing but the address tells yours from others'.
//
// At Google: the caller asks for a token with the audience that rules name, such as the URL of the service. A
// token has no scopes: rules must be `authenticated`. All tokens are clients', and the client is the
// account's unique id.
func GoogleServiceAccounts(addresses ...string) Issuer {
	issuer := Issuer{
		URL:            "https://accounts.google.com",
		KeySetURL:      "https://www.googleapis.com/oauth2/v3/certs",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: claims{"email": slices.Clone(addresses), "email_verified": {"true"}},
		ClientClaims:   []string{"azp"},
		ClientTokens:   claims{"email_verified": {"true"}},
	}
	return issuer.check("GoogleServiceAccounts", given("addresses", addressForm, "worker@project.iam.gserviceaccount.com", addresses...))
}

// Kubernetes returns the issuer of the service account tokens of a cluster, given the URL that `kubectl get
// --raw /.well-known/openid-configuration` shows as issuer, for a server that runs in the cluster. The server
// reads the key set from the API server, with its own pod's token and the cluster's authority. Where
// everybody can read the key set at the issuer's own URL, as on EKS and GKE, clear KeySetURL, KeySetTokenFile
// and CAFile.
//
// The caller's pod must mount a projected token for the audience that rules name. Choose another audience
// than the API server's, or every pod can call. A token has no scopes: rules must be `authenticated`. The
// client is the service account, such as "system:serviceaccount:payments:worker". The organization is its
// namespace: clear OrganizationClaim to protect methods with MODEL_GLOBAL_RESOURCE, and list the service
// accounts for "sub" in RequiredClaims.
func Kubernetes(url string) Issuer {
	return Issuer{ //nolint:gosec // it names a file, and holds no credentials
		URL:               url,
		KeySetURL:         "https://kubernetes.default.svc/openid/v1/jwks",
		KeySetTokenFile:   "/var/run/secrets/kubernetes.io/serviceaccount/token",
		CAFile:            "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
		Algorithms:        []string{"RS256"},
		Types:             []string{""},
		RequiredClaims:    claims{"/kubernetes.io/serviceaccount/name": {AnyValue}},
		ClientClaims:      []string{"sub"},
		ClientTokens:      claims{"sub": {clientPlaceholder}},
		OrganizationClaim: "/kubernetes.io/namespace",
	}
}
