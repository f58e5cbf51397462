// Package token turns the bearer token of a request into verified claims.
//
// A [Verifier] accepts the JWT access tokens of the issuers it was made for
// (RFC 9068, and the older forms that Auth0 and others send) and nothing else:
//
//	verifier, err := token.NewVerifier(token.Logto("https://tenant.logto.app"))
//	claims, err := verifier.Authenticate(ctx, request.Header.Values("Authorization"))
//
// Verification is strict. A token that can be read in two ways, that says less
// than it must, or whose claims are of the wrong type is refused; nothing is
// trimmed, folded or guessed. Keys come from the issuer's own key set (RFC 7517).
//
// The package says who the caller is, not what they may do: what an audience, a
// scope or an organization opens is decided elsewhere. It knows nothing of RPC.
package token
