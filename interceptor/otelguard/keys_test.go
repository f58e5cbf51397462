package otelguard_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// newVerifier returns a verifier that tells the backend of its keys before any other observer, and trusts the first
// issuer alone.
func (b *backend) newVerifier(t *testing.T, transport http.RoundTripper, options ...token.Option) *token.Verifier {
	t.Helper()
	options = append(append(b.VerifierOptions(), token.WithTransport(transport)), options...)
	verifier, err := token.NewVerifier(token.Logto(tokens.I1.URL), options...)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// check compares the points of an instrument.
func (b *backend) check(t *testing.T, name string, want ...string) {
	t.Helper()
	if got := b.points(t, name); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

// TestKeys makes sure that the metrics tell how old the keys of an issuer are, and how its fetches end.
func TestKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const age, fetches, issuer = "protoauthz.key.age", "protoauthz.key.fetch.duration", "issuer=https://idp.test/oidc"
		b, idp := newBackend(t), tokens.NewIDP(tokens.I1.ES256.JWK())
		answer := tokens.Respond(http.StatusServiceUnavailable, "")
		idp.Serve(tokens.I1.KeySetURL(), func(request *http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // the bubble's clock
			return answer(request)
		})
		verifier := b.newVerifier(t, idp)
		raw := tokens.Scene{Now: time.Now().Unix()}.Token(tokens.I1.ES256, "exp", tokens.MaxDate)
		b.check(t, age)
		b.check(t, fetches)

		if _, err := verifier.Verify(t.Context(), raw); err == nil {
			t.Error("there are keys")
		}
		synctest.Wait()
		b.check(t, age) // keys have an age only once they are fetched
		b.check(t, fetches, "error.type=KEYS_UNAVAILABLE "+issuer+" 1")

		answer = tokens.Respond(http.StatusOK, tokens.KeySet(tokens.I1.ES256.JWK()))
		time.Sleep(time.Minute) // the bubble's clock
		if _, err := verifier.Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		b.check(t, age, issuer+" 1")
		time.Sleep(9 * time.Minute) // the bubble's clock
		b.check(t, age, issuer+" 541")
		b.check(t, fetches, "error.type=KEYS_UNAVAILABLE "+issuer+" 1", issuer+" 1")

		answer = tokens.Respond(http.StatusServiceUnavailable, "")
		time.Sleep(time.Hour) // the bubble's clock
		if _, err := verifier.Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // the bubble's clock
		synctest.Wait()
		b.check(t, age, issuer+" 4143") // a failed fetch makes no keys younger
		b.check(t, fetches, "error.type=KEYS_UNAVAILABLE "+issuer+" 2", issuer+" 1")
		if took := b.seconds(t, fetches); took != 3 {
			t.Errorf("the fetches took %v s", took)
		}
	})
}

// seconds returns the sum of a histogram.
func (b *backend) seconds(t *testing.T, name string) (sum float64) {
	t.Helper()
	for _, scope := range b.collect(t).ScopeMetrics {
		for _, m := range scope.Metrics {
			if data, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
				for _, point := range data.DataPoints {
					sum += point.Sum
				}
			}
		}
	}
	return sum
}
