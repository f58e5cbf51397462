package token

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

const defaultCacheSize = 10_000

// WithCache sets how many verified tokens are cached. The signature of a cached token is
// verified once, and not for every call. The default is 10,000 tokens. Choose more than the
// number of tokens in use at one time. When the cache is full, a token that was not used lately
// makes room, and is verified again when it comes back.
//
// A token takes its own size, about 750 bytes, and 50 bytes for each scope beyond ten. 10,000
// tokens of 1 KiB take about 20 MB. 10,000 tokens of 16 KiB, the largest, take about 170 MB, or
// 400 MB if 300 scopes fill them, or 2.3 GB if scopes of one letter fill them.
//
// A cached token is refused as soon as it would be refused without the cache: when its time is
// over, and when the key that signed it leaves the issuer's key set or can no longer be
// used. Only tokens that passed every check are cached, and only a token with the same bytes
// is found.
//
// For [NewIntrospector], size is the number of answers that are kept.
func WithCache(size int) Option {
	return func(o *options) {
		if size < 1 {
			o.faults = append(o.faults, fmt.Errorf("token: WithCache: %d is not positive: use WithoutCache", size))
		}
		o.cacheSize = size
	}
}

// WithoutCache verifies the signature of a token for every call. All calls then wait for each
// other and for forged tokens: see [WithSignatureLimit].
func WithoutCache() Option {
	return func(o *options) { o.cacheSize = 0 }
}

// A verifiedToken is a token that passed every check, with what may end its validity.
type verifiedToken struct {
	claims    *Claims
	validity  validity
	issuer    *issuerKeys
	key       *publicKey
	anonymous bool          // the token does not name the key
	flight    atomic.Uint64 // of the last key set in which the key was found
}

// keyName returns the name by which the token refers to its key.
func (t *verifiedToken) keyName() keyName {
	if t.anonymous {
		return keyName{"", t.key.Algorithm}
	}
	return keyName{t.key.ID, t.key.Algorithm}
}

// cached returns the verified token, or nil if there is none.
func (v *Verifier) cached(raw string) *verifiedToken {
	if v.cache == nil || len(raw) > maxBytes { // a longer token is not cached, and its hash is expensive
		return nil
	}
	return v.cache.Get(raw)
}

// fromCache returns the claims of a cached token, or the error with which its verification
// would end now. It returns false if the token must be verified.
func (v *Verifier) fromCache(ctx context.Context, raw string) (claims *Claims, ok bool, err error) {
	token := v.cached(raw)
	if token == nil {
		return nil, false, nil
	}
	now := time.Now()
	if err := token.validity.check(now, v.leeway, true); err != nil {
		return nil, true, err
	}
	source := token.issuer.keys
	keys := source.current.Load()
	if !source.fresh(keys, now) {
		if keys, err = source.usable(ctx, now, token.keyName()); err != nil {
			return nil, true, err
		}
		if err := token.validity.check(time.Now(), v.leeway, true); err != nil { // the call may have waited
			return nil, true, err
		}
	}
	if !token.signedBy(keys) {
		return nil, false, nil
	}
	v.hits.add()
	return token.claims, true, nil
}

// signedBy reports whether the key that verified the token is one of the keys for its name.
func (t *verifiedToken) signedBy(keys *keySet) bool {
	if t.flight.Load() == keys.flight {
		return true
	}
	if !slices.ContainsFunc(keys.find(t.keyName()), t.key.equal) {
		return false
	}
	t.flight.Store(keys.flight)
	return true
}
