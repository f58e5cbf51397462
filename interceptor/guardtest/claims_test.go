package guardtest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// The test of a handler needs no token, no key and no issuer.
func ExampleClaims() {
	t, ctx := new(testing.T), context.Background() // a test has both

	claims := guardtest.Claims(t, token.Logto("https://tenant.logto.app"),
		`{"sub": "user_1", "exp": 1, "scope": "read:orders", "organization_id": "acme"}`)
	ctx = interceptor.ContextWithClaims(ctx, claims)

	handler := func(ctx context.Context) string { return interceptor.ClaimsFromContext(ctx).OrganizationID() }
	fmt.Println(handler(ctx))
	// Output: acme
}

// TestClaims makes sure that Claims reads a payload as a verifier does, and that a payload that a verifier
// does not accept ends the test.
func TestClaims(t *testing.T) {
	t.Parallel()
	logto := token.Logto("https://tenant.logto.app")
	claims := guardtest.Claims(t, logto, `{"sub": "user_1", "exp": 1, "scope": "read:orders", "organization_id": "acme"}`)
	if claims.Issuer() != logto.URL || claims.Subject() != "user_1" || !slices.Equal(claims.Scopes(), []string{"read:orders"}) || claims.OrganizationID() != "acme" || !claims.Expiry().Equal(time.Unix(1, 0)) {
		t.Errorf("%+v", claims)
	}
	short := logto
	short.MaxLifetime = time.Hour
	for name, test := range map[string]struct {
		issuer        token.Issuer
		payload, want string
	}{
		"no subject":   {logto, `{"exp": 1}`, "sub is missing"},
		"no exp":       {logto, `{"sub": "user_1"}`, "exp is missing"},
		"no iat":       {short, `{"sub": "user_1", "exp": 1}`, "iat is missing"},
		"a name twice": {logto, `{"sub": "user_1", "exp": 1, "sub": "user_2"}`, "malformed token: payload: "},
		"no issuer":    {token.Issuer{}, `{"sub": "user_1", "exp": 1}`, "URL is empty"},
	} {
		r, done := &harness.Report{TB: t}, make(chan bool)
		var got *token.Claims
		went := false
		go func() {
			defer close(done)
			got = guardtest.Claims(r, test.issuer, test.payload)
			went = true
		}()
		<-done
		faults := r.Faults()
		if went || got != nil || len(faults) != 1 || !strings.HasPrefix(faults[0], "guardtest: claims: ") || !strings.Contains(faults[0], test.want) {
			t.Errorf("%s: %v, and the test goes on: %t, %q", name, got, went, faults)
		}
	}
}
