package token

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

const defaultCacheSize = 10_000

// WithCache sets how many verified tokens are cached, so that the signature of each is
// verified once and not for every call. A token takes its size, about 750 bytes, and 50 for
// each scope beyond ten: 10,000 tokens of 1 KiB about 20 MB, of 16 KiB, the largest, about
// 170 MB, or 400 MB if 300 scopes fill them. An issuer that fills them with scopes of one letter
// makes it 2.3 GB. When the cache is full, a token makes room that was not used lately; it is verified
// again when it comes back. Choose more than there are tokens in use at one time. The default is
// 10,000.
//
// A cached token is refused as soon as it would be without the cache: when its time is
// over, and when the key that signed it leaves the issuer's key set or can no longer be
// used. Only tokens that passed every check are cached, and they are found by all of their
// bytes.
func WithCache(size int) Option {
	return func(o *options) {
		if size < 1 {
			o.faults = append(o.faults, fmt.Errorf("token: WithCache: %d is not positive: use WithoutCache", size))
		}
		o.cacheSize = size
	}
}

// WithoutCache verifies the signature of a token for every call. All calls then wait for
// each other, see [WithSignatureLimit], and for forged tokens.
func WithoutCache() Option {
	return func(o *options) { o.cacheSize = 0 }
}

// A verifiedToken is one that passed every check, and what may end it.
type verifiedToken struct {
	claims    *Claims
	validity  validity
	issuer    *issuerKeys
	key       *publicKey
	anonymous bool          // the token does not name the key
	flight    atomic.Uint64 // of the last key set in which key was found to be one to use
}

// keyName is what the token says of its key, without the header that it was a part of.
func (t *verifiedToken) keyName() keyName {
	if t.anonymous {
		return keyName{"", t.key.Algorithm}
	}
	return keyName{t.key.ID, t.key.Algorithm}
}

// cached returns the verified token, or nil if there is none.
func (v *Verifier) cached(raw string) *verifiedToken {
	if v.cache == nil || len(raw) > maxBytes { // what is longer is not there, and dear to look for
		return nil
	}
	return v.cache.Get(raw)
}

// fromCache returns the claims of a cached token, or the error with which verifying it now
// would end. It reports false if it must be verified.
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
		if err := token.validity.check(time.Now(), v.leeway, true); err != nil { // it may have waited
			return nil, true, err
		}
	}
	if !token.signedBy(keys) {
		return nil, false, nil
	}
	v.hits.add()
	return token.claims, true, nil
}

// signedBy reports whether the key that verified the token is one that would be used for it now.
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
