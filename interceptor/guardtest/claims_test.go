package guardtest_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A stopped test keeps why it has failed at once.
type stopped struct {
	testing.TB
	why string
}

func (*stopped) Helper() {}

func (s *stopped) Fatalf(format string, args ...any) {
	s.why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

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
		s, done := new(stopped), make(chan bool)
		var got *token.Claims
		went := false
		go func() {
			defer close(done)
			got = guardtest.Claims(s, test.issuer, test.payload)
			went = true
		}()
		<-done
		if went || got != nil || !strings.HasPrefix(s.why, "guardtest: claims: ") || !strings.Contains(s.why, test.want) {
			t.Errorf("%s: %v, and the test goes on: %t, %q", name, got, went, s.why)
		}
	}
}
