package catalogue

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// The names of the trusts.
const (
	// Both trusts two issuers, and a third whose keys cannot be had.
	Both = "both issuers"
	// Alone trusts the first issuer.
	Alone = "one issuer"
)

const (
	down   = "https://down.test/oidc"
	leeway = 5 * time.Minute
	// slack is how long the answers of the cases hold after the tokens were made.
	slack = 4 * time.Minute
)

// Fleeting reports whether a row is about the edges of a token's life: make its calls soon after [Cases].
func Fleeting(row string) bool { return row == "D20" || row == "D23" }

// A Trust is the verifier of a server, with the endpoint of its keys.
type Trust struct {
	verifier *token.Verifier
	idp      *tokens.IDP
	issuers  []string
	endpoint string // that is asked about opaque tokens, or empty
}

// NewTrusts makes the trusts, by name. A request for a URL that is not an issuer's goes to the network, where the
// attacker's server may count it.
func NewTrusts() (map[string]*Trust, error) {
	network := &http.Transport{DisableKeepAlives: true}
	trust := func(issuers ...string) (*Trust, error) {
		idp := tokens.NewIDP(tokens.JWKs(tokens.I1.Keys()...)...)
		idp.Elsewhere = network
		if len(issuers) > 1 {
			idp.ServeIssuer(tokens.I2, tokens.JWKs(tokens.I2.Keys()...)...)
			idp.Serve(discoveryURL(down), tokens.Respond(http.StatusServiceUnavailable, ""))
		}
		// A call must not be refused because of other calls at the same time.
		options := []token.Option{token.WithLeeway(leeway), token.WithTransport(idp), token.WithSignatureLimit(1000)}
		for _, url := range issuers[1:] {
			options = append(options, token.WithIssuer(issuer(url)))
		}
		verifier, err := token.NewVerifier(issuer(issuers[0]), options...)
		return &Trust{verifier: verifier, idp: idp, issuers: issuers}, err
	}
	both, err1 := trust(tokens.I1.URL, tokens.I2.URL, down)
	alone, err2 := trust(tokens.I1.URL)
	return map[string]*Trust{Both: both, Alone: alone}, errors.Join(err1, err2)
}

func issuer(url string) token.Issuer {
	issuer := token.Logto(url)
	issuer.Algorithms = tokens.Algorithms()
	return issuer
}

func discoveryURL(issuer string) string { return (&tokens.Issuer{URL: issuer}).DiscoveryURL() }

// ErrForeign is an error that no verifier should return.
var ErrForeign = errors.New("out of order")

// Verify verifies a token, and breaks the contract of a verifier for some strings that are not tokens.
func (r *Trust) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	switch raw {
	case "foreign":
		return nil, ErrForeign
	case "unanswered":
		return nil, token.ErrVerifierUnavailable
	case "busy":
		return nil, token.ErrBusy
	case "nothing":
		return nil, nil
	case "panic", "secret.panic":
		panic(errors.New("cannot handle " + raw))
	default:
		return r.verifier.Verify(ctx, raw)
	}
}

// Strays returns the URLs that the verifier has requested and that are not an issuer's, sorted.
func (r *Trust) Strays() []string {
	return slices.DeleteFunc(r.idp.Requested(), func(url string) bool {
		return url == r.endpoint || slices.ContainsFunc(r.issuers, func(issuer string) bool {
			i := tokens.Issuer{URL: issuer}
			return url == i.DiscoveryURL() || url == i.KeySetURL()
		})
	})
}
