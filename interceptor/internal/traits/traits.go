// Package traits tells what the tokens of an issuer can be. It passes that from package token to package interceptor,
// outside of the public API.
package traits

// An Issuer is what the tokens of one issuer can be, by the settings of the issuer.
type Issuer struct {
	// URL is the token.Issuer.URL.
	URL string
	// Accepts reports whether a token can have an `iss`.
	Accepts func(iss string) bool
	// Users and Clients say that a token can be of a user, and that a token can be a client's own. An issuer that tells
	// no kind from the other has neither.
	Users, Clients bool
	// Kinds says that the issuer tells users from clients.
	Kinds bool
	// Client says that a token can name its client.
	Client bool
	// OrganizationClaim is the name of the organization claim, or "" if no token can have the claim.
	OrganizationClaim string
	// OrganizationRequired says that each token has the organization claim.
	OrganizationRequired bool
	// OrganizationAudience says that an `aud` can name an organization.
	OrganizationAudience bool
}

// Any returns an issuer that fits all rules, for the verifier of a test or a tool.
func Any(url string) Issuer {
	return Issuer{
		URL: url, Accepts: func(string) bool { return true },
		Users: true, Clients: true, Kinds: true, Client: true, OrganizationClaim: "any", OrganizationAudience: true,
	}
}

// Of returns the issuers of a *token.Verifier or a *token.Introspector. It reports false for any other value. Package
// token sets it before main runs.
var Of func(verifier any) (issuers []Issuer, known bool)

// A Teller is a verifier of this project that tells its issuers. No other verifier can be one.
type Teller interface {
	Traits() []Issuer
}
