package token

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WithKeySetObserver calls a function after each attempt to fetch a key set, which is
// how a failing issuer is seen before its keys are too old. The function must return, and
// be safe for concurrent use. Nothing waits for it, and if it panics nothing changes. The
// default is none.
func WithKeySetObserver(observer func(KeySetEvent)) Option {
	return func(o *options) { o.observer = observer }
}

// A KeySetEvent is the outcome of one attempt to fetch an issuer's key set.
type KeySetEvent struct {
	// Issuer is the URL of the issuer.
	Issuer string
	// Err is nil if the attempt succeeded. Otherwise it matches [ErrKeysUnavailable],
	// and the keys that were there before stay in use.
	Err error
	// Skipped says for each key of the set that cannot be used what is wrong with it.
	// Keys for encryption are among them.
	Skipped []error
	// Keys is how many keys can be used now.
	Keys int
	// Fetched is when they were fetched: after 24 hours they are no longer used. It is
	// the zero time if there never were any.
	Fetched time.Time
}

// Ready reports whether tokens can be verified: it is for a readiness probe. It fetches
// keys if there are none, waiting as long as [Verifier.Verify] does, and returns nil if
// every issuer has keys that can be used: a new release that one issuer refuses its keys
// should not replace the old one, which has them. Otherwise the error matches
// [ErrKeysUnavailable] and names the issuers whose keys are missing.
func (v *Verifier) Ready(ctx context.Context) error {
	now := time.Now()
	for _, name := range v.names { // all at once, so that their waits do not add up
		v.issuers[name].keys.refresh(now, "")
	}
	var errs []error
	for _, name := range v.names {
		if _, err := v.issuers[name].keys.usable(ctx, now, ""); err != nil {
			errs = append(errs, fmt.Errorf("token: issuer %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// observe tells the observer, for whom no call waits. It decides nothing, so a panic
// changes nothing.
func (s *source) observe(event KeySetEvent) {
	defer func() { _ = recover() }()
	if s.observer != nil {
		s.observer(event)
	}
}
