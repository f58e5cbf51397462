package harness

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

var compiled = sync.OnceValues(catalogue.Compile)

// Rules are those of catalogue's services. They belong to no bubble of testing/synctest: ask for
// them before the first.
func Rules(t testing.TB) *policy.Table {
	t.Helper()
	table, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A VerifierFunc is a verifier that is no token.Verifier.
type VerifierFunc func(ctx context.Context, raw string) (*token.Claims, error)

// Verify implements [interceptor.Verifier].
func (f VerifierFunc) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	return f(ctx, raw)
}

// Acme is the organization that the tokens of Expiring open.
const Acme = "acme"

// Expiring is a guard that calls Observe, for which every token opens Acme until it expires: that
// is so long after it was verified, however late that may be.
func Expiring(t testing.TB, in time.Duration, options ...interceptor.Option) *interceptor.Guard {
	t.Helper()
	verify := func(context.Context, string) (*token.Claims, error) {
		return unverified.Claims(token.Logto("https://issuer.example"), `{"sub": "a", "aud": "`+tokens.API+
			`", "scope": "read:data", "organization_id": "`+Acme+`", "exp": `+strconv.FormatInt(time.Now().Add(in).Unix(), 10)+`}`)
	}
	return interceptor.New(VerifierFunc(verify), Rules(t), append([]interceptor.Option{interceptor.WithObserver(Observe)}, options...)...)
}

// Explain takes over what a detail of a refusal says.
func (a *Answer) Explain(info *errdetails.ErrorInfo) {
	a.More--
	a.Reason, a.Domain = info.GetReason(), info.GetDomain()
	a.Required, a.Any = info.GetMetadata()["required_scopes"], info.GetMetadata()["any_scopes"]
	a.Told = info.GetMetadata()["challenge"]
	for name := range info.GetMetadata() {
		if name != "required_scopes" && name != "any_scopes" && name != "challenge" {
			a.More++
		}
	}
}
