package token

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/cache"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

const (
	defaultLeeway = 30 * time.Second
	maxLeeway     = 5 * time.Minute
	maxNames      = 5 // of issuers that an error lists
)

// A Verifier verifies the tokens of its issuers. It is safe for concurrent use
// and needs no closing. The zero Verifier accepts nothing.
//
// Keys are refreshed in the background once they are 10 minutes old; from 15 minutes on
// a call waits for that, unless it is known to fail. While it fails they serve for up to
// 24 hours after the last success. A fetch takes at most 5 seconds, reads at most 1 MiB per
// response and follows no redirect. One that fails is tried again, when a call needs it,
// after 1 second, doubling to 60; in the first minute without any keys, to 2.
//
// A token with an unknown `kid`, or one that the key of its `kid` has not signed, draws a fetch too,
// so that a rotation is seen at once. A budget of five such fetches, which refills by one in 30
// seconds, bounds what made-up tokens cost the issuer. While the budget is spent, such tokens are
// refused with [ErrInvalid]. One `kid` may stand for two keys.
//
// Dates are judged before the signature, so expired tokens cost little. The error tells the distance of a date
// only for a good signature: always for cached tokens, else ten times at once and once a second, if there are keys
// and a place for a signature is free. No call waits for that.
type Verifier struct {
	issuers map[string]*issuerKeys
	names   []string // of the issuers, sorted
	claims  []string // what any of them may have to know of a token
	leeway  time.Duration
	cache   *cache.Cache[verifiedToken] // nil if there is none
	limit   *limiter

	hits   counter
	misses atomic.Uint64

	explained explanations // of refusals by date

	errIssuer error // for a token of none of them
}

type issuerKeys struct {
	Issuer
	keys *source

	algorithms   []string // each by its one name
	errAlgorithm error    // for a token of another
}

// An Option changes how a [Verifier] works.
type Option func(*options)

type options struct {
	issuers        []Issuer
	leeway         time.Duration
	cacheSize      int // 0 for none
	signatureLimit int
	transport      http.RoundTripper
	observer       func(KeySetEvent)
	faults         []error
}

// WithIssuer accepts the tokens of another issuer too. Each issuer's tokens are
// verified with its own keys only. Scopes and organization ids mean the same
// whoever grants them: an issuer that is trusted for one is trusted for all.
func WithIssuer(issuer Issuer) Option {
	return func(o *options) { o.issuers = append(o.issuers, issuer) }
}

// WithLeeway sets by how much the clocks of issuer and verifier may differ, from
// zero to 5 minutes. The default is 30 seconds. An `iat` may be ahead of the verifier's
// clock by as much, but by at least 10 and at most 60 seconds.
func WithLeeway(leeway time.Duration) Option {
	return func(o *options) {
		if leeway < 0 || leeway > maxLeeway {
			o.faults = append(o.faults, fmt.Errorf("token: WithLeeway: %v is not between 0 and %v", leeway, maxLeeway))
		}
		o.leeway = leeway
	}
}

// WithTransport sets how keys are fetched: for private certificate authorities
// ([net/http.Transport.TLSClientConfig], RootCAs) and proxies ([net/http.Transport.Proxy]).
// It must end a request when the request's context ends. Timeouts, size limits and the
// refusal of redirects still apply.
// The default is like [http.DefaultTransport], but keeps no idle connections.
func WithTransport(transport http.RoundTripper) Option {
	return func(o *options) {
		if transport == nil {
			o.faults = append(o.faults, errors.New("token: WithTransport: transport is nil"))
		}
		o.transport = transport
	}
}

// NewVerifier makes a verifier for the tokens of an issuer. It does no I/O: keys
// are fetched when the first token comes, and an issuer that cannot be reached
// keeps no server from starting. The error holds every fault of the issuers and
// options.
func NewVerifier(issuer Issuer, opts ...Option) (*Verifier, error) {
	o := &options{issuers: []Issuer{issuer}, leeway: defaultLeeway, cacheSize: defaultCacheSize, signatureLimit: runtime.GOMAXPROCS(0), transport: endpoint.Transport()}
	for _, option := range opts {
		if option == nil {
			o.faults = append(o.faults, errors.New("token: an option is nil"))
			continue
		}
		option(o)
	}
	v := &Verifier{issuers: make(map[string]*issuerKeys, len(o.issuers)), leeway: o.leeway}
	for _, issuer := range o.issuers {
		issuer, faults := issuer.withDefaults()
		o.faults = append(o.faults, faults...)
		if v.issuers[issuer.URL] != nil && !endpoint.IsBlank(issuer.URL) {
			o.faults = append(o.faults, fmt.Errorf("token: issuer %q is given twice", endpoint.DisplayURL(issuer.URL)))
		}
		keys := &issuerKeys{
			Issuer:       issuer,
			errAlgorithm: invalid("alg is not one of %q, the issuer's Algorithms: if the issuer may sign access tokens with the token's algorithm, add that algorithm to Issuer.Algorithms", issuer.Algorithms),
		}
		for _, name := range issuer.Algorithms {
			keys.algorithms = append(keys.algorithms, jose.CanonicalAlgorithm(name))
		}
		keys.keys = &source{issuer: &keys.Issuer, transport: o.transport, observer: o.observer}
		v.issuers[issuer.URL] = keys
		v.claims = append(v.claims, issuer.claimNames()...)
	}
	slices.Sort(v.claims) // one look-up for each name, however many issuers
	v.claims = slices.Compact(v.claims)
	if len(o.faults) > 0 {
		return nil, endpoint.JoinFaults(o.faults)
	}
	v.limit = newLimiter(o.signatureLimit)
	if o.cacheSize > 0 {
		v.cache = cache.New[verifiedToken](o.cacheSize)
	}
	v.names = slices.Sorted(maps.Keys(v.issuers))
	v.errIssuer = invalid("iss is none of %q: compare slash by slash", v.names)
	if more := len(v.names) - maxNames; more > 0 {
		v.errIssuer = invalid("iss is none of %q and %d more: compare slash by slash", v.names[:maxNames], more)
	}
	return v, nil
}

// Ready returns nil if the issuers of the given URLs, or all issuers if none are given, have keys that
// can be used: it is for readiness probes, not for liveness probes. It fetches keys if there are none,
// waiting as long as [Verifier.Verify] does, and refreshes old ones as Verify does.
//
// The error matches [ErrKeysUnavailable] and names the issuers whose keys are missing. Of all issuers,
// one without keys is enough to fail, so that a new release which cannot reach it does not replace one
// that has its keys. Give the URLs of the issuers that must be up if the outage of another one, such as
// a partner's, must not stop a rollout; ask for each alone to tell them apart. A URL that is no
// [Issuer.URL] of the verifier is an error that matches none of this package's.
func (v *Verifier) Ready(ctx context.Context, issuers ...string) error {
	if v == nil || len(v.names) == 0 {
		return fmt.Errorf("%w: the verifier has no issuer: make it with NewVerifier", ErrKeysUnavailable)
	}
	if len(issuers) == 0 {
		issuers = v.names
	}
	now := time.Now()
	for _, name := range issuers { // all at once, so that their waits do not add up
		if issuer := v.issuers[name]; issuer != nil {
			issuer.keys.refresh(now, keyName{})
		}
	}
	var errs []error
	for _, name := range issuers {
		issuer := v.issuers[name]
		if issuer == nil {
			errs = append(errs, fmt.Errorf("token: Ready: %q is the Issuer.URL of no issuer of this verifier, whose issuers are %q", endpoint.DisplayURL(name), v.names))
			continue
		}
		if _, err := issuer.keys.usable(ctx, now, keyName{}); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
