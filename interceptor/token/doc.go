// Package token turns the bearer token of a request into verified claims.
//
// A [Verifier] accepts the JWT access tokens of the issuers it was made for
// (RFC 9068, and the older forms that Auth0 and others send) and, by itself, nothing else:
//
//	verifier, err := token.NewVerifier(token.Logto("https://tenant.logto.app"))
//	claims, err := verifier.Authenticate(ctx, request.Header.Values("Authorization"))
//
// Verification is strict. It refuses a token that can be read in two ways, that lacks a
// required claim, or that has a claim of the wrong type. It trims, folds and guesses
// nothing. Keys come from the issuer's own key set (RFC 7517).
//
// An [Introspector] asks the issuer about opaque tokens (RFC 7662). [WithIntrospector] makes a Verifier accept opaque
// tokens too. A verifier of your own, such as one for API keys, makes its claims with [NewClaims].
//
// The package finds out who the caller is, and does not decide what the caller may do.
// Package interceptor decides that, by audience, scopes and organization.
package token
