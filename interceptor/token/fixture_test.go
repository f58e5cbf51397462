package token_test

import (
	"crypto/rsa"
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// epoch is when the bubbles of testing/synctest begin, in seconds: 2000-01-01.
const epoch = 946684800

// scene is where all tokens are minted.
var scene = tokens.Scene{Now: epoch, Leeway: 30, Attacker: "https://evil.test"}

// payload is the payload of a good token, with changes.
func payload(changes ...any) string { return scene.Payload(issuerURL, changes...) }

// Names for package tokens.
type (
	key     = tokens.Key
	idp     = tokens.IDP
	handler = tokens.Handler
	absent  = tokens.Absent
)

const (
	api   = tokens.API
	never = tokens.MaxDate // as exp
)

var (
	issuerURL    = tokens.I1.URL
	discoveryURL = tokens.I1.DiscoveryURL()
	keySetURL    = tokens.I1.KeySetURL()
	otherIssuer  = tokens.I2.URL

	es256, es384, es512 = tokens.I1.ES256, tokens.I1.ES384, tokens.I1.ES512
	rs256, ps256, eddsa = tokens.I1.RS256, tokens.I1.PS256, tokens.I1.EdDSA

	all     = tokens.I1.Keys()
	allowed = tokens.Algorithms()
	rsaKey  = as[*rsa.PrivateKey](rs256.Private)

	// foreign is the key of an attacker and of the other issuer, with the name of es384.
	foreign = tokens.I2.ES384

	encode     = tokens.Encode
	keySet     = tokens.KeySet
	jwksOf     = tokens.JWKs
	newEd25519 = tokens.NewEd25519
	newIDP     = tokens.NewIDP
	respond    = tokens.Respond
	discovery  = tokens.I1.Discovery
)

func must[T any](value T, err error) T { return tokens.Must(value, err) }
func as[T any](value any) T            { return tokens.As[T](value) }

// issuer is Logto with the algorithms of all keys above.
func issuer(url string) token.Issuer {
	issuer := token.Logto(url)
	issuer.Algorithms = allowed
	return issuer
}

func newVerifier(t testing.TB, transport http.RoundTripper, opts ...token.Option) *token.Verifier {
	t.Helper()
	verifier, err := token.NewVerifier(issuer(issuerURL), append(opts, token.WithTransport(transport))...)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

var sentinels = []error{
	token.ErrMissing, token.ErrScheme, token.ErrMalformed, token.ErrInvalid,
	token.ErrExpired, token.ErrNotYetValid, token.ErrKeysUnavailable, token.ErrVerifierUnavailable, token.ErrBusy,
}

// TestSentinels makes sure that the list has every error that token/errors.go exports.
func TestSentinels(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("errors.go")
	if exported := regexp.MustCompile(`(?m)^\tErr\w+ `).FindAll(text, -1); err != nil || len(exported) != len(sentinels) {
		t.Errorf("the list has %d errors, and errors.go exports %q, %v", len(sentinels), exported, err)
	}
}

// checkError fails unless an error matches the one sentinel that is wanted, and
// no other.
func checkError(t testing.TB, err, want error) {
	t.Helper()
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel) != errors.Is(want, sentinel) {
			t.Errorf("error is %v, want %v", err, want)
			return
		}
	}
	if (err == nil) != (want == nil) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// checkSilent fails if an error holds a part of the token or one of its claims.
func checkSilent(t testing.TB, err error, raw string) {
	t.Helper()
	if err == nil {
		return
	}
	secrets := []string{"user_1", "app_1", "token_1", "kid-", "evil"}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 8 {
			secrets = append(secrets, part, part[:8])
		}
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}
