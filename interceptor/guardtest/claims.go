package guardtest

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Claims returns the claims that a token of an issuer with a JSON payload has, for the test of a handler:
//
//	claims := guardtest.Claims(t, token.Logto("https://tenant.logto.app"),
//		`{"sub": "user_1", "exp": 1, "scope": "read:orders", "organization_id": "acme"}`)
//	ctx := interceptor.ContextWithClaims(t.Context(), claims)
//
// The payload needs a `sub` and an `exp`, and an `iat` for an issuer with
// [token.Issuer.MaxLifetime]. Claims checks neither a signature nor a clock: the dates may have passed.
// The test fails at once if a token of the issuer cannot have the payload, or if the issuer is faulty.
//
// Never decide anything by the result: nobody has signed the payload.
func Claims(t testing.TB, issuer token.Issuer, payload string) *token.Claims {
	t.Helper()
	claims, err := unverified.Claims(issuer, payload)
	if err != nil {
		t.Fatalf("guardtest: claims: %v", err)
	}
	return claims
}
