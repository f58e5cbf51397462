package harness

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// heldCases are about a Send and a Receive while the issuer has not answered again: nothing passes before, and all that
// wait take the same answer.
func heldCases(renewing renewingCase) []streamCase {
	// passes makes sure that a step does not pass while the issuer has not answered.
	passes := func(s *serving, i *askedIssuer, step func() error) error {
		<-i.held
		var passed atomic.Bool
		var stepping sync.WaitGroup
		var err error
		stepping.Go(func() {
			err = step()
			passed.Store(true)
		})
		if HappensWithin(FewYields, passed.Load) {
			s.Error("a message passes before the issuer has answered")
		}
		close(i.release)
		stepping.Wait()
		if n := i.verified.Load(); n != 2 {
			s.Errorf("the token is verified %d times", n)
		}
		return err
	}
	var cases []streamCase
	for name, test := range map[string]struct {
		answers []string // the second is held back
		want    catalogue.Answer
	}{
		"is active":                  {[]string{active(), active()}, catalogue.Answer{}},
		"is withdrawn":               {[]string{active(), withdrawn, active()}, catalogue.Invalid},
		"cannot be asked for":        {[]string{active(), away, active()}, catalogue.Unanswered},
		"has other claims meanwhile": {[]string{active(), active("sub", "b"), active()}, catalogue.Invalid},
	} {
		held := func() *askedIssuer {
			return &askedIssuer{holds: 2, answer: func(n int) string { return test.answers[n-1] }}
		}
		check := func(s *serving, err error) {
			s.Helper()
			if test.want == (catalogue.Answer{}) {
				s.must(err)
			} else {
				s.refused(test.want, err)
			}
		}
		answered := func(c *streamCase) {
			if test.want == (catalogue.Answer{}) {
				c.texts = []string{Acme}
			}
		}
		sent, received := held(), held()
		cases = append(cases, renewing("a Send waits, and the token "+name, sent, time.Minute, test.want, func(s *serving) error {
			check(s, passes(s, sent, func() error { return s.send(Acme) }))
			return nil
		}, answered), renewing("a Receive waits, and the token "+name, received, time.Minute, test.want, func(s *serving) error {
			var organization string
			err := passes(s, received, func() (err error) {
				organization, err = s.receive()
				return err
			})
			if check(s, err); (organization == Acme) != (err == nil) {
				s.Errorf("the handler reads %q, %v", organization, err)
			}
			return s.send(Acme)
		}, answered))
	}
	sortByName(cases)
	return cases
}

// ownVerifierCases are about verifiers that are not of package token.
func ownVerifierCases() []streamCase {
	// own is a verifier that returns what a step makes of good claims. Steps count from 1.
	own := func(step func(n int, values token.ClaimValues) (*token.Claims, error)) func(testing.TB) interceptor.Verifier {
		return func(testing.TB) interceptor.Verifier {
			calls := 0
			return VerifierFunc(func(context.Context, string) (*token.Claims, error) {
				calls++
				return step(calls, token.ClaimValues{
					Issuer: "keys", Subject: "a", Audience: []string{tokens.API}, Scopes: []string{"read:data"}, OrganizationID: Acme,
					Deadline: time.Now().Add(time.Minute), // the bubble's clock
				})
			})
		}
	}
	waiting := func(name string, want catalogue.Answer, minutes int, later func(token.ClaimValues) (*token.Claims, error)) streamCase {
		return streamCase{
			name: "verifies again, " + name, service: "Token", in: []string{Acme}, open: true, lifetime: time.Minute, want: want,
			events: refusedAs(want), took: time.Duration(minutes) * time.Minute,
			verifier: own(func(n int, values token.ClaimValues) (*token.Claims, error) {
				if n > minutes {
					return later(values)
				}
				return token.NewClaims(values)
			}),
			handler: func(s *serving) error {
				if _, ok := s.ctx.Deadline(); ok {
					s.Error("there is a deadline")
				}
				<-s.ctx.Done()
				return s.ctx.Err()
			},
		}
	}
	var kept *token.Claims
	cases := []streamCase{
		waiting("and the key is gone", catalogue.Invalid, 3, func(token.ClaimValues) (*token.Claims, error) { return nil, token.ErrInvalid }),
		waiting("and the database is away", catalogue.Unanswered, 2, func(token.ClaimValues) (*token.Claims, error) { return nil, token.ErrVerifierUnavailable }),
		waiting("and the verifier panics", catalogue.Failed, 2, func(token.ClaimValues) (*token.Claims, error) { panic("verifier") }),
		waiting("and the verifier has an error of its own", catalogue.Failed, 1, func(token.ClaimValues) (*token.Claims, error) { return nil, errOwn }),
		waiting("and the verifier returns nothing", catalogue.Failed, 1, func(token.ClaimValues) (*token.Claims, error) { return nil, nil }),
		waiting("and the claims have ended", catalogue.Expired, 1, func(values token.ClaimValues) (*token.Claims, error) {
			values.Deadline = time.Now() // the bubble's clock
			return token.NewClaims(values)
		}),
		waiting("and another issuer has the subject", catalogue.Invalid, 1, func(values token.ClaimValues) (*token.Claims, error) {
			values.Issuer = "other keys"
			return token.NewClaims(values)
		}),
	}
	same := waiting("and the verifier returns the same claims", catalogue.Expired, 1, nil)
	same.verifier = own(func(_ int, values token.ClaimValues) (claims *token.Claims, err error) {
		if kept == nil {
			kept, err = token.NewClaims(values)
		}
		return kept, err
	})
	// Claims with an Expiry end with it, and claims that end before are verified again.
	until := waiting("until the credential ends", catalogue.Expired, 1, nil)
	until.took = 90 * time.Second
	until.verifier = own(func(_ int, values token.ClaimValues) (*token.Claims, error) {
		values.Expiry = time.Unix(epoch+90, 0)
		if values.Deadline.After(values.Expiry) {
			values.Deadline = values.Expiry
		}
		if !time.Now().Before(values.Expiry) { // the bubble's clock
			return nil, token.ErrExpired
		}
		return token.NewClaims(values)
	})
	return append(cases, same, until)
}
