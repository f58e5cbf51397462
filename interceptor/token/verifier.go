package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/cache"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

const maxNames = 5 // issuers that an error names

// A Verifier verifies the tokens of its issuers. It is safe for concurrent use
// and needs no closing. The zero Verifier accepts nothing.
//
// The first token of an issuer causes a fetch of the issuer's keys. A call refreshes keys in the
// background once they are 10 minutes old, and waits for the refresh once they are 15 minutes old.
// While refreshes fail, no call waits, and the keys serve for up to 24 hours after the last
// success. A fetch takes at most 5 seconds, reads at most 1 MiB per response and follows no
// redirect. After a failure, a call that needs keys causes the next attempt 1 second later. This
// pause doubles with every failure up to 60 seconds, or up to 2 seconds in the first minute
// without any keys.
//
// Keys from a file (see [Issuer.KeySetURL]) are read again once they are 3 seconds old: the call that needs them
// waits for the file. After a failure the pause is at most 3 seconds. So a key that leaves the file is refused 3
// seconds later, unless the file cannot be read.
//
// A token with an unknown `kid` causes a fetch too, so that a rotation is seen at once. So does a token
// that the key of its `kid` has not signed. A budget of five such fetches, which refills by one in 30
// seconds, bounds what made-up tokens cost the issuer. While the budget is spent, such tokens are
// refused with [ErrInvalid]. One `kid` may name two keys.
//
// Dates are checked before the signature, so expired tokens cost little. The error tells how far a date is
// off only for a good signature. It always does so for cached tokens. For other tokens the signature is verified
// for this purpose up to ten times at once and once a second, if there are keys and a free place. No call waits
// for an explanation.
type Verifier struct {
	issuers   map[string]*issuerKeys // by what `iss` may be
	templates []*issuerKeys          // that accept any tenant
	all       []*issuerKeys          // sorted by URL
	leeway    time.Duration
	cache     *cache.Cache[verifiedToken] // nil without a cache
	limit     *limiter

	introspector *Introspector // nil without one

	hits   counter
	misses atomic.Uint64

	explained explanations // of refusals by date

	errIssuer error // for a token of another issuer
}

type issuerKeys struct {
	*reader
	keys *source

	algorithms   []string // by their canonical names
	errAlgorithm error    // for a token with another algorithm
}

func newIssuerKeys(reader *reader, o *options) *issuerKeys {
	keys := &issuerKeys{
		reader:       reader,
		keys:         newSource(&reader.Issuer, o),
		errAlgorithm: invalid("alg is not one of %q, the issuer's Algorithms: if the issuer may sign access tokens with the token's algorithm, add that algorithm to Issuer.Algorithms", reader.Algorithms),
	}
	for _, name := range reader.Algorithms {
		keys.algorithms = append(keys.algorithms, jose.CanonicalAlgorithm(name))
	}
	return keys
}

// NewVerifier returns a verifier for the tokens of an issuer. It does no I/O, so a server
// starts while an issuer is down. The error names every fault of the issuers and options.
func NewVerifier(issuer Issuer, opts ...Option) (*Verifier, error) {
	o := newOptions(opts)
	if o.transport == nil {
		o.transport = endpoint.Transport()
	}
	v := &Verifier{issuers: make(map[string]*issuerKeys, 1+len(o.issuers)), leeway: o.leeway, introspector: o.introspector}
	for _, issuer := range append([]Issuer{issuer}, o.issuers...) {
		reader, faults := issuer.compile(formJWT)
		o.faults = append(o.faults, faults...)
		keys := newIssuerKeys(reader, o)
		if err := reader.checkTransport(o.transport); err != nil {
			o.faults = append(o.faults, reader.fault(err))
		}
		if !endpoint.IsBlank(reader.URL) && len(issuer.faults) == 0 {
			o.faults = append(o.faults, v.add(keys)...)
		}
	}
	if len(o.faults) > 0 {
		return nil, endpoint.JoinFaults(o.faults)
	}
	v.limit = newLimiter(cmp.Or(o.signatureLimit, runtime.GOMAXPROCS(0)))
	if o.cacheSize > 0 {
		v.cache = cache.New[verifiedToken](o.cacheSize)
	}
	slices.SortFunc(v.all, func(a, b *issuerKeys) int { return strings.Compare(a.URL, b.URL) })
	names, advice := v.names(), "compare byte by byte, the slash at the end too"
	if slices.ContainsFunc(v.all, func(issuer *issuerKeys) bool { return issuer.url.placeholder != "" }) {
		advice += "; for a placeholder in braces RequiredClaims lists the tenants"
	}
	if slices.ContainsFunc(v.all, func(issuer *issuerKeys) bool { return issuer.KeySetURL == "" && issuer.plainHTTP().Lists(issuer.URL) }) {
		advice += "; if iss has another host, for browsers, set Issuer.URL to that iss, and Issuer.KeySetURL to the address that this server reaches"
	}
	v.errIssuer = invalid("iss is none of %q: %s", names, advice)
	if more := len(names) - maxNames; more > 0 {
		v.errIssuer = invalid("iss is none of %q and %d more: %s", names[:maxNames], more, advice)
	}
	return v, nil
}

// add adds an issuer. The faults name the issuers that can have one `iss` with it.
func (v *Verifier) add(keys *issuerKeys) (faults []error) {
	fault := func(other *issuerKeys) {
		name := endpoint.DisplayURL(keys.URL)
		if other.URL == keys.URL {
			faults = append(faults, fmt.Errorf("token: issuer %q is given twice: give each iss to one issuer; if two servers write the same iss, set another at one of them", name))
		} else {
			faults = append(faults, fmt.Errorf("token: issuers %q and %q can have the same iss: leave one of them out, or list different tenants in their RequiredClaims", endpoint.DisplayURL(other.URL), name))
		}
	}
	for _, t := range keys.templates() {
		for _, other := range v.templates {
			if t.meets(&other.url) {
				fault(other)
			}
		}
		if t.placeholder == "" {
			if other := v.issuers[t.before]; other != nil {
				fault(other)
			}
			v.issuers[t.before] = keys
			continue
		}
		for iss, other := range v.issuers {
			if t.meets(&template{before: iss}) {
				fault(other)
			}
		}
		v.templates = append(v.templates, keys)
	}
	v.all = append(v.all, keys)
	return faults
}

// issuer returns the issuer of a token by its `iss`, or nil.
func (v *Verifier) issuer(iss string) *issuerKeys {
	if issuer := v.issuers[iss]; issuer != nil {
		return issuer
	}
	for _, issuer := range v.templates {
		if _, ok := issuer.url.value(iss); ok {
			return issuer
		}
	}
	return nil
}

// Issuers returns the [Issuer.URL] of each issuer, sorted.
func (v *Verifier) Issuers() []string {
	if v == nil {
		return nil
	}
	return v.names()
}

// names returns the URLs of the issuers, sorted.
func (v *Verifier) names() []string {
	var names []string
	for _, issuer := range v.all {
		names = append(names, issuer.URL)
	}
	return names
}

// Ready returns nil if every issuer has keys that can be used. Given URLs, it asks only for the issuers
// with these URLs. Ready is for readiness probes (see package probe), not for liveness probes. It fetches
// and refreshes keys, and waits for them, as [Verifier.Verify] does. It does not ask the issuer of an
// [Introspector].
//
// The error matches [ErrKeysUnavailable] and names the issuers without keys. One such issuer is enough,
// so that a new release that cannot reach an issuer does not replace a release that has the keys. If the
// outage of an issuer, such as a partner's, must not stop a rollout, give the URLs of the other issuers.
// A URL that is not the [Issuer.URL] of an issuer of the verifier is an error that matches no error of this
// package.
func (v *Verifier) Ready(ctx context.Context, issuers ...string) error {
	if v == nil || len(v.all) == 0 {
		return fmt.Errorf("%w: the verifier has no issuer: make it with NewVerifier", ErrKeysUnavailable)
	}
	if len(issuers) == 0 {
		issuers = v.names()
	}
	byURL := func(url string) *issuerKeys {
		n := slices.IndexFunc(v.all, func(issuer *issuerKeys) bool { return issuer.URL == url })
		if n < 0 {
			return nil
		}
		return v.all[n]
	}
	now := time.Now()
	for _, name := range issuers { // all fetches begin at once, so that waits do not add up
		if issuer := byURL(name); issuer != nil {
			issuer.keys.refresh(now, keyName{})
		}
	}
	var errs []error
	for _, name := range issuers {
		issuer := byURL(name)
		if issuer == nil {
			errs = append(errs, fmt.Errorf("token: Ready: %q is the Issuer.URL of no issuer of this verifier, whose issuers are %q", endpoint.DisplayURL(name), v.names()))
			continue
		}
		_, err := issuer.keys.usable(ctx, now, keyName{})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
