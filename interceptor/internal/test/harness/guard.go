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

var (
	compiled      = sync.OnceValues(catalogue.Compile)
	compiledPlain = sync.OnceValues(catalogue.CompilePlain)
)

// Rules returns the rules of catalogue's services. They are compiled once, outside of a bubble of
// testing/synctest: call Rules before the first bubble.
func Rules(t testing.TB) *policy.Table {
	t.Helper()
	return must(t, compiled)
}

// PlainRules returns the rules of [catalogue.CompilePlain]: see [Rules].
func PlainRules(t testing.TB) *policy.Table {
	t.Helper()
	return must(t, compiledPlain)
}

// A VerifierFunc is a verifier that is not a token.Verifier.
type VerifierFunc func(ctx context.Context, raw string) (*token.Claims, error)

// Verify implements [interceptor.Verifier].
func (f VerifierFunc) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	return f(ctx, raw)
}

// Acme is the organization of the tokens of Expiring.
const Acme = "acme"

// Expiring returns a guard that admits every token, for Acme. A token expires so long after it was verified. The
// guard has the observer [Observe].
func Expiring(t testing.TB, in time.Duration, options ...interceptor.Option) *interceptor.Guard {
	t.Helper()
	verify := func(context.Context, string) (*token.Claims, error) {
		return unverified.Claims(token.Logto(tokens.I1.URL), `{"sub": "a", "client_id": "c", "aud": "`+tokens.API+
			`", "scope": "read:data", "organization_id": "`+Acme+`", "exp": `+strconv.FormatInt(time.Now().Add(in).Unix(), 10)+`}`)
	}
	return interceptor.New(VerifierFunc(verify), Rules(t), append([]interceptor.Option{interceptor.WithObserver(Observe)}, options...)...)
}

// Explain copies the google.rpc.ErrorInfo of a refusal into the answer.
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
