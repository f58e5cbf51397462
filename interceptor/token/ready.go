package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

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
