package harness

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// epoch is when a bubble begins, in seconds.
const epoch = 946684800

// An askedIssuer is an issuer that is asked about opaque tokens in a bubble. Its answers are good for a minute.
type askedIssuer struct {
	answer func(n int) string // the nth, from 1; "" if the issuer is away
	holds  int                // the answer that is held back, if any

	requests atomic.Int64
	verified atomic.Int64  // calls of the verifier
	held     chan struct{} // closed when the answer is held back
	release  chan struct{} // lets the answer go
}

// verifier makes the verifier. It is called in the bubble.
func (i *askedIssuer) verifier(t testing.TB) interceptor.Verifier {
	t.Helper()
	i.held, i.release = make(chan struct{}), make(chan struct{})
	issuer := token.Logto(tokens.I1.URL)
	issuer.IntrospectionURL = "https://issuer.example/introspection"
	introspector, err := token.NewIntrospector(issuer, token.Introspection{Client: token.ClientSecretBasic("api", "hunter2")}, token.WithLeeway(0), token.WithTransport(i))
	if err != nil {
		t.Fatal(err)
	}
	return VerifierFunc(func(ctx context.Context, raw string) (*token.Claims, error) {
		i.verified.Add(1)
		return introspector.Verify(ctx, raw)
	})
}

// RoundTrip implements [http.RoundTripper].
func (i *askedIssuer) RoundTrip(request *http.Request) (*http.Response, error) {
	n := int(i.requests.Add(1))
	if n == i.holds {
		close(i.held)
		<-i.release
	}
	switch answer := i.answer(n); answer {
	case "":
		return nil, errors.New("away")
	case hanging:
		<-request.Context().Done()
		return nil, request.Context().Err()
	default:
		return tokens.Respond(http.StatusOK, answer)(request)
	}
}

const (
	away    = ""
	hanging = "hanging"
)

// active is the answer about an active token, with changes: see [tokens.With].
func active(changes ...any) string {
	return tokens.With(map[string]any{
		"active": true, "token_type": "Bearer", "sub": "a", "client_id": "c", "aud": tokens.API, "scope": "read:data", "organization_id": Acme,
	}, changes...)
}

const withdrawn = `{"active":false}`

// always is an issuer whose answers do not change.
func always(answer string) *askedIssuer {
	return &askedIssuer{answer: func(int) string { return answer }}
}

// then is an issuer whose answers change after the first so many.
func then(times int, later string) *askedIssuer {
	return &askedIssuer{answer: func(n int) string {
		if n > times {
			return later
		}
		return active()
	}}
}

func refusedAs(want catalogue.Answer) []interceptor.Reason {
	return []interceptor.Reason{"", interceptor.Reason(want.Reason)}
}

// A renewingCase makes a case about claims that end before their token.
type renewingCase func(name string, issuer *askedIssuer, took time.Duration, want catalogue.Answer, handler func(*serving) error, changes ...func(*streamCase)) streamCase

// renewalCases are about claims that end before their token: the guard has the token verified again, and the stream
// goes on unless the verifier refuses the token.
func renewalCases() []streamCase {
	streaming := func(_ *Framework, method catalogue.Method) bool { return method.ClientStreams }
	renewing := func(name string, issuer *askedIssuer, took time.Duration, want catalogue.Answer, handler func(*serving) error, changes ...func(*streamCase)) streamCase {
		c := streamCase{
			name: "asks again, " + name, service: "Token", in: []string{Acme}, open: true, lifetime: time.Minute, verifier: issuer.verifier,
			handler: handler, want: want, events: refusedAs(want), took: took,
		}
		if want == (catalogue.Answer{}) {
			c.events = admitted
		}
		for _, change := range changes {
			change(&c)
		}
		return c
	}
	// waits is a handler that waits for the end of its context, which has no deadline. The cause is nil for any.
	waits := func(cause error) func(*serving) error {
		return func(s *serving) error {
			if _, ok := s.ctx.Deadline(); ok {
				s.Error("there is a deadline")
			}
			<-s.ctx.Done()
			if got := context.Cause(s.ctx); cause != nil && !errors.Is(got, cause) {
				s.Errorf("the context ends because of %v", got)
			}
			return s.ctx.Err()
		}
	}
	goesOn := func(issuer *askedIssuer, requests int, lasts time.Duration) func(*serving) error {
		return func(s *serving) error {
			if _, ok := s.ctx.Deadline(); ok {
				s.Error("there is a deadline")
			}
			sleep(lasts)
			s.must(s.answer(), s.ctx.Err())
			if n := int(issuer.requests.Load()); n != requests {
				s.Errorf("the issuer is asked %d times, want %d", n, requests)
			}
			return nil
		}
	}
	receives := func(want catalogue.Answer) func(*serving) error {
		return func(s *serving) error {
			_, err := s.receive()
			s.must(err)
			_, err = s.receive()
			s.refused(want, err)
			sleep(time.Hour) // the call does not wait
			return errOwn
		}
	}
	lateBy := func(d time.Duration) func(*streamCase) {
		return func(c *streamCase) {
			c.wire.receive = func(_ *Wire, message any, next func(any) error) error {
				sleep(d)
				return next(message)
			}
		}
	}
	onlyStreams := func(c *streamCase) { c.needs = streaming }
	unary := func(c *streamCase) { c.unary = true }
	texts := func(c *streamCase) { c.texts = []string{Acme} }

	stays, long := always(active()), always(active())
	expiring, dies := always(active("exp", epoch+40)), always(active("exp", epoch+150))
	gone, lasting := then(1, withdrawn), then(1, withdrawn)
	back := &askedIssuer{answer: func(n int) string { // away is final for a stream, and not for a new call
		if n == 2 {
			return away
		}
		return active()
	}}
	cases := []streamCase{
		renewing("while the token is active", stays, 5*time.Minute+1, catalogue.Answer{}, goesOn(stays, 6, 5*time.Minute+1), texts),
		renewing("and returns before the first time", long, time.Minute-1, catalogue.Answer{}, goesOn(long, 1, time.Minute-1), texts),
		renewing("withdrawn", then(1, withdrawn), time.Minute, catalogue.Invalid, waits(token.ErrInvalid)),
		renewing("withdrawn later", then(3, withdrawn), 3*time.Minute, catalogue.Invalid, waits(token.ErrInvalid)),
		renewing("withdrawn while it waits for the client", then(2, withdrawn), 2*time.Minute, catalogue.Invalid, receives(catalogue.Invalid), onlyStreams),
		renewing("withdrawn before a first message", then(1, withdrawn), time.Minute, catalogue.Invalid, func(s *serving) error {
			_, err := s.receive()
			s.refused(catalogue.Invalid, err)
			return nil
		}, func(c *streamCase) { c.service, c.in, c.events = "Field", nil, refusedAs(catalogue.Invalid)[1:] }),
		renewing("withdrawn, and it lingers", then(1, withdrawn), time.Minute+grace, catalogue.Invalid, func(s *serving) error {
			s.must(s.answer())
			_ = waits(token.ErrInvalid)(s)
			sleep(time.Second)
			s.SetHeader(late, "late")
			s.goOn(catalogue.Invalid)
			return nil
		}, texts),
		renewing("withdrawn, and it cleans up", then(1, withdrawn), time.Minute+300*time.Millisecond, catalogue.Invalid, func(s *serving) error {
			_ = waits(token.ErrInvalid)(s)
			sleep(300 * time.Millisecond)
			return nil
		}),
		renewing("the issuer is away", then(2, away), 2*time.Minute, catalogue.Unanswered, waits(token.ErrVerifierUnavailable)),
		renewing("the issuer is away while it waits for the client", then(1, away), time.Minute, catalogue.Unanswered, receives(catalogue.Unanswered), onlyStreams),
		renewing("the issuer hangs", then(1, hanging), time.Minute+2*time.Second, catalogue.Unanswered, waits(token.ErrVerifierUnavailable)),
		renewing("the issuer is back too late", back, time.Minute, catalogue.Unanswered, waits(token.ErrVerifierUnavailable)),
		renewing("the issuer says nonsense", then(1, "<html>"), time.Minute, catalogue.Unanswered, waits(token.ErrVerifierUnavailable)),
		renewing("and ends with exp, as a JWT does", expiring, 40*time.Second, catalogue.Expired, func(s *serving) error {
			if left := s.left(); left != 40*time.Second {
				s.Errorf("%v are left", left)
			}
			<-s.ctx.Done()
			if cause := context.Cause(s.ctx); !errors.Is(cause, token.ErrExpired) || expiring.requests.Load() != 1 {
				s.Errorf("the context ends because of %v, after %d requests", cause, expiring.requests.Load())
			}
			return nil
		}),
		renewing("until exp", dies, 150*time.Second, catalogue.Expired, func(s *serving) error {
			_ = waits(token.ErrExpired)(s)
			if n := dies.requests.Load(); n != 3 {
				s.Errorf("the issuer is asked %d times", n)
			}
			return nil
		}),
		renewing("without an end of streams", lasting, 3*time.Hour, catalogue.Answer{}, goesOn(lasting, 1, 3*time.Hour), texts, func(c *streamCase) {
			c.options = []interceptor.Option{interceptor.WithoutStreamExpiry()}
		}),
		renewing("with a deadline of the call", gone, 30*time.Second, ownText, func(s *serving) error {
			time.AfterFunc(30*time.Second, func() { s.wire.expire(errOwn) }) // the bubble's clock
			<-s.ctx.Done()
			return context.Cause(s.ctx)
		}, func(c *streamCase) { c.err, c.events = errOwn, admitted }),
		renewing("a unary message", always(active()), 90*time.Second, catalogue.Answer{}, (*serving).answer, unary, texts, lateBy(90*time.Second)),
		renewing("a unary message, by the message", always(active()), 90*time.Second, catalogue.Answer{}, (*serving).answer, unary, texts, lateBy(90*time.Second), func(c *streamCase) { c.service = "Field" }),
		renewing("a unary message, withdrawn", then(1, withdrawn), 90*time.Second, catalogue.Invalid, refusedFirst(catalogue.Invalid), unary, lateBy(90*time.Second)),
		renewing("a unary message, away", then(1, away), 90*time.Second, catalogue.Unanswered, refusedFirst(catalogue.Unanswered), unary, lateBy(90*time.Second)),
		renewing("a unary message, until exp", always(active("exp", epoch+80)), 90*time.Second, catalogue.Expired, refusedFirst(catalogue.Expired), unary, lateBy(90*time.Second)),
		renewing("a message arrives after the time", always(active()), 90*time.Second, catalogue.Answer{}, (*serving).answer, texts, lateBy(90*time.Second)),
	}
	for name, test := range map[string]struct {
		later string
		want  catalogue.Answer
	}{
		"another subject":      {active("sub", "b"), catalogue.Invalid},
		"another client":       {active("client_id", "d"), catalogue.Invalid},
		"no client":            {active("client_id", tokens.Absent{}), catalogue.Invalid},
		"another organization": {active("organization_id", globex), catalogue.Invalid},
		"no organization":      {active("organization_id", tokens.Absent{}), catalogue.Model},
		"less scopes":          {active("scope", "read:other"), catalogue.Insufficient("read:data")},
		"another audience":     {active("aud", tokens.OtherAPI), catalogue.Audience},
		"another issuer":       {active("iss", "https://other.example"), catalogue.Invalid},
		"a bound token":        {active("cnf", map[string]string{"jkt": "x"}), catalogue.Invalid},
		"a refresh token":      {active("token_type", "refresh_token"), catalogue.Invalid},
		"exp has passed":       {active("exp", epoch+10), catalogue.Expired},
		"nbf is ahead":         {active("nbf", epoch+100), catalogue.NotYetValid},
	} {
		cases = append(cases, renewing("then "+name, then(1, test.later), time.Minute, test.want, waits(nil)))
	}
	more := then(1, active("scope", "write read:data more", "aud", []string{tokens.OtherAPI, tokens.API}))
	cases = append(cases, renewing("then more scopes", more, 2*time.Minute+1, catalogue.Answer{}, goesOn(more, 3, 2*time.Minute+1), texts))
	// The order of cases is the same every time: see Streams.
	sortByName(cases)
	return slices.Concat(cases, heldCases(renewing), waysRenewals(renewing), ownVerifierCases())
}

func sortByName(cases []streamCase) {
	slices.SortFunc(cases, func(a, b streamCase) int { return strings.Compare(a.name, b.name) })
}

// refusedFirst is a handler whose first message is refused.
func refusedFirst(want catalogue.Answer) func(*serving) error {
	return func(s *serving) error {
		organization, err := s.receive()
		if s.refused(want, err); organization != "" {
			s.Errorf("the handler reads %q", organization)
		}
		return nil
	}
}
