package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// WithKeySetObserver calls a function after each attempt to fetch a key set, which is
// how a failing issuer is seen before its keys are too old. The function must be safe for
// concurrent use; events may come out of order. Nothing waits for it, but each call of it
// that does not return holds a goroutine. A panic is dropped. The default is none.
func WithKeySetObserver(observer func(KeySetEvent)) Option {
	return func(o *options) {
		if observer == nil {
			o.faults = append(o.faults, errors.New("token: WithKeySetObserver: observer is nil"))
		}
		o.observer = observer
	}
}

// A KeySetEvent is the outcome of one attempt to fetch an issuer's key set.
type KeySetEvent struct {
	// Issuer is the URL of the issuer.
	Issuer string
	// Err is nil if the attempt succeeded. Otherwise it matches [ErrKeysUnavailable],
	// and the keys that were there before stay in use, for up to 24 hours after they
	// were fetched.
	Err error
	// Skipped holds, for each key of the set that is not used, its position and the
	// reason. Encryption keys are among them.
	Skipped []error
	// Keys is the number of keys in use after the attempt.
	Keys int
	// Fetched is when the last successful fetch began, the zero time if there was none.
	Fetched time.Time
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

// observe tells the observer, for whom no call waits. It decides nothing, so a panic
// changes nothing.
func (s *source) observe(event KeySetEvent) {
	defer func() { _ = recover() }()
	if s.observer != nil {
		s.observer(event)
	}
}
