package interceptor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A renewal has the token of a call verified again once the claims are no longer good. The token may still be good: for
// an opaque token, only the answer of the issuer is old. A renewal is also the context of its call, so that a call
// without a renewal takes no memory for one.
type renewal struct {
	context.Context
	authorization func() []string           // a function cannot be printed
	deadline      atomic.Pointer[time.Time] // of the claims that were verified last

	mu     sync.Mutex
	denial *Denial // once the call is refused
}

// endsEarly reports whether claims may end before their token: see [token.Claims.Deadline].
func endsEarly(claims *token.Claims) bool {
	expiry := claims.Expiry()
	return expiry.IsZero() || claims.Deadline().Before(expiry)
}

func newRenewal(ctx context.Context, claims *token.Claims, authorization []string) *renewal {
	kept := slices.Clone(authorization)
	r := &renewal{Context: ctx, authorization: func() []string { return kept }}
	r.store(claims)
	return r
}

// renewal returns the renewal of a call, or nil if the claims are good as long as their token.
func (c *Call) renewal() *renewal {
	r, _ := c.ctx.(*renewal)
	return r
}

func (r *renewal) store(claims *token.Claims) {
	deadline := claims.Deadline()
	r.deadline.Store(&deadline)
}

// deadline returns when the claims of the call are no longer good.
func (c *Call) deadline() time.Time {
	if r := c.renewal(); r != nil {
		return *r.deadline.Load()
	}
	return c.claims.Deadline()
}

// outdated returns a denial unless the token is still good. If the claims alone are no longer good, outdated has the
// token verified again.
func (c *Call) outdated() *Denial {
	switch {
	case c.rule.Public, time.Now().Before(c.deadline()):
		return nil
	case c.renewal() == nil:
		return denyExpired()
	default:
		return c.renew()
	}
}

// renew has the token verified again. One goroutine at a time does so, and others take its result.
func (c *Call) renew() *Denial {
	r := c.renewal()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denial == nil && !time.Now().Before(c.deadline()) {
		r.denial = r.await(c)
	}
	return own(r.denial) // each caller sets the realm
}

var errOtherParty = fmt.Errorf("%w: the claims of an open call's token have changed: the verifier must return the same issuer, subject, client and organization as when the call began", token.ErrInvalid)

// renewalTimeout is how long a verifier may take to verify a token again.
const renewalTimeout = 5 * time.Second

var errUnanswered = fmt.Errorf("%w: the verifier has not answered within %v, or the call has ended", token.ErrVerifierUnavailable, renewalTimeout)

// await verifies the token in a goroutine of its own, since a verifier may not heed its context.
func (r *renewal) await(c *Call) *Denial {
	ctx, cancel := context.WithTimeout(r, renewalTimeout)
	defer cancel()
	verified := make(chan *Denial, 1)
	go func() { verified <- r.verify(ctx, c) }()
	select {
	case denial := <-verified:
		return denial
	case <-ctx.Done():
		return denyToken(errUnanswered)
	}
}

func (r *renewal) verify(ctx context.Context, c *Call) (denial *Denial) {
	defer recoverVerifier(c, &denial)
	claims, err := c.rule.guard.authenticator.Authenticate(ctx, r.authorization())
	if err != nil {
		return denyCredentials(r.authorization(), err)
	}
	organization, left, denial := c.rule.renew(c.left(), claims)
	proved := c.proved()
	switch {
	case left == 0, proved != 0 && proved&left == 0: // the handler may have sent already, by a way that is gone
		return denial
	case organization != c.organization, claims.Issuer() != c.claims.Issuer(), claims.Subject() != c.claims.Subject(), claims.ClientID() != c.claims.ClientID():
		return denyToken(errOtherParty)
	case !time.Now().Before(claims.Deadline()):
		return denyExpired()
	}
	if !c.keep(left) {
		return denyToken(errOtherParty)
	}
	r.store(claims)
	return nil
}
