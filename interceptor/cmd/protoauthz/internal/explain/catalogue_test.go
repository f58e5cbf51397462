package explain_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/explain"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const (
	down   = "https://down.test/oidc"
	leeway = 5 * time.Minute // of catalogue's verifiers
)

func issuer(url string) token.Issuer {
	issuer := token.Logto(url)
	issuer.Algorithms = tokens.Algorithms()
	return issuer
}

// inspectors returns the Inspect functions for the trusts of package catalogue.
var inspectors = map[string]func(string) (*token.Claims, error){
	catalogue.Both: func(raw string) (*token.Claims, error) {
		return unverified.Token(issuer(tokens.I1.URL), raw, token.WithLeeway(leeway), token.WithIssuer(issuer(tokens.I2.URL)), token.WithIssuer(issuer(down)))
	},
	catalogue.Alone: func(raw string) (*token.Claims, error) {
		return unverified.Token(issuer(tokens.I1.URL), raw, token.WithLeeway(leeway))
	},
}

// question returns the question of a case.
func question(table *policy.Table, c *catalogue.Case, method catalogue.Method) explain.Question {
	messages := make([]proto.Message, len(c.Messages))
	for n, m := range c.Messages {
		messages[n] = m.Proto(c.Service)
	}
	return explain.Question{
		Table: table, Inspect: inspectors[c.Trust], Procedure: catalogue.Procedure(c.Service, method),
		Authorization: c.Authorization, Header: c.Header, Messages: messages,
	}
}

// A printed explanation is its JSON form.
type printed struct {
	Decision, Code, Reason, Text string
	Verified                     bool
	Scopes, AnyScopes            []string
	Message                      int
	Organization                 string
	Steps                        []struct{ Check, Status, About, Change string }
	Token                        json.RawMessage
}

// explained explains a call in both forms.
func explained(t *testing.T, q explain.Question) (p printed, text string) {
	t.Helper()
	e := explain.Explain(t.Context(), q)
	var out strings.Builder
	if err := terminal.WriteJSON(&out, e); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out.String()), &p); err != nil {
		t.Fatal(err)
	}
	if err := e.WriteText(&out, true); err != nil {
		t.Fatal(err)
	}
	return p, out.String()
}

// answer returns the refusal in an explanation.
func (p printed) answer() (answer catalogue.Answer) {
	if p.Decision != string(explain.Refused) {
		return catalogue.Answer{}
	}
	for _, code := range codes {
		if code.String() == p.Code {
			answer.Code = int(code)
		}
	}
	answer.Reason, answer.Text = p.Reason, p.Text
	answer.Required, answer.Any = strings.Join(slices.Concat(p.Scopes, p.AnyScopes), " "), strings.Join(p.AnyScopes, " ")
	return answer
}

// seen holds the outcomes of all cases.
type seen struct {
	mu       sync.Mutex
	cases    map[*catalogue.Case]bool
	calls    int
	refusals map[string]int // by the step that refused, and the reason
}

// TestCatalogue makes every call, explains it, and compares the explanation with the answer that
// the server gave.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	s := &seen{cases: map[*catalogue.Case]bool{}, refusals: map[string]int{}}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if want := len(catalogue.Cases("http://127.0.0.1:1")); len(s.cases) != want && whole() {
			t.Errorf("%d cases are explained, want %d", len(s.cases), want)
		}
		if whole() && !maps.Equal(s.reached(), steps) {
			t.Errorf("the steps that refuse are %v, want %v", s.reached(), steps)
		}
		t.Logf("%d cases, %d calls explained; refused at %v", len(s.cases), s.calls, s.refusals)
	})
	harness.Catalogue(t, func(t *testing.T, trust *catalogue.Trust, guard *interceptor.Guard) []harness.Route {
		t.Helper()
		table := harness.Rules(t)
		handler := services(guard.HandlerOption())
		served := harness.Serve(t, handler)
		odd := harness.ServeInProcess(handler, served.Records)
		return []harness.Route{{
			Name: "explained", Records: served.Records, Logged: served.Logged,
			Call: func(ctx context.Context, c *catalogue.Case, method catalogue.Method, header http.Header) (harness.Answer, []string) {
				to := served
				if !c.Travels() {
					to = odd
				}
				texts, err := call(ctx, to, c, method, header)
				got := answerOf(err)
				q := question(table, c, method)
				q.Verifier = trust
				p, text := explained(t, q)
				name := c.Row + "/" + c.Name + ", " + method.Name
				want := got.Answer
				want.Told = "" // it is for clients
				if p.answer() != want {
					t.Errorf("%s: explained as\n     %+v\nwant %+v", name, p.answer(), want)
				}
				s.check(t, name, c, p)
				checkSilent(t, name, c, q, text)
				return got, texts
			},
		}}
	})
}

// check makes sure that one step refuses, and that all earlier steps have passed.
func (s *seen) check(t *testing.T, name string, c *catalogue.Case, p printed) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cases[c] = true
	s.calls++
	refused := ""
	for _, step := range p.Steps {
		if passed := explain.Status(step.Status) == explain.StatusPassed; step.Check == "signature" && p.Verified != passed {
			t.Errorf("%s: verified is %t, and the signature %s", name, p.Verified, step.Status)
		}
		switch status := explain.Status(step.Status); {
		case status == explain.StatusRefused && refused == "" && step.About != "" && step.Change != "":
			refused = step.Check
		case status == explain.StatusNotReached && (refused != "" || p.Reason == catalogue.Failed.Reason):
		case status == explain.StatusNotReached && step.Check == "organization" && p.Reason == catalogue.Subject.Reason: // the token is refused before its first message
		case status == explain.StatusNotNeeded && refused == "":
		case status == explain.StatusPassed && refused == "":
		case status == explain.StatusNotMade && refused == "" && step.Check == "signature" && !p.Verified:
		default:
			t.Errorf("%s: the step %+v, after %q refused", name, step, refused)
		}
	}
	if (refused == "") != (p.Reason == "") || len(p.Steps) != 12 {
		t.Errorf("%s: refused at %q with %q, of %d steps", name, refused, p.Reason, len(p.Steps))
	}
	if want := len(c.Seen) + 1; p.Reason == catalogue.Organization.Reason && len(c.Seen) > 0 && p.Message != want {
		t.Errorf("%s: refused at message %d, want %d", name, p.Message, want)
	}
	if refused != "" {
		s.refusals[refused+" "+p.Reason]++
	}
}

func (s *seen) reached() map[string]bool {
	reached := map[string]bool{}
	for step := range s.refusals {
		reached[step] = true
	}
	return reached
}

// TestUnverified explains every call without keys. If the signature and the keys do not matter, the
// answer is the server's. Otherwise it is the answer of a server that trusts the issuer in the token
// to the same token, signed by that issuer.
func TestUnverified(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	cases := catalogue.Cases("http://127.0.0.1:1")
	same, different := 0, map[string]int{}
	for n := range cases {
		c := &cases[n]
		for _, method := range catalogue.Methods {
			if !c.Fits(method) {
				continue
			}
			q := question(table, c, method)
			q.Inspect = explain.Inspector(issuer("any"), token.WithLeeway(leeway))
			p, text := explained(t, q)
			name := c.Row + "/" + c.Name + ", " + method.Name
			checkSilent(t, name, c, q, text)
			if p.Verified {
				t.Errorf("%s: it is verified", name)
			}
			want := c.Want
			want.Challenge, want.Told = "", ""
			if p.answer() == want {
				same++
				continue
			}
			different[c.Want.Reason+" "+p.Reason]++
			if !slices.Contains([]string{catalogue.Invalid.Reason, catalogue.Unavailable.Reason, catalogue.Unanswered.Reason, catalogue.Busy.Reason, catalogue.Failed.Reason}, want.Reason) {
				t.Errorf("%s: explained as %+v, want %+v", name, p.answer(), want)
				continue
			}
			q.Authorization = slices.Clone(q.Authorization)
			q.Verifier, q.Authorization[0] = resigned(q.Authorization[0])
			if resigned, _ := explained(t, q); resigned.answer() != p.answer() {
				t.Errorf("%s: explained as %+v, want %+v", name, p.answer(), resigned.answer())
			}
		}
	}
	if len(different) == 0 || same < 1500 {
		t.Errorf("%d calls have the same answer, and others %v", same, different)
	}
	t.Logf("%d cases; %d calls have the same answer, others (verified, unverified) %v", len(cases), same, different)
}

// resigned is a token that its issuer has signed, and a verifier that trusts that issuer. Moods of
// catalogue's verifiers are not tokens, and do not change.
func resigned(authorization string) (interceptor.Verifier, string) {
	scheme, raw, _ := strings.Cut(authorization, " ")
	var claims map[string]any
	if segments := strings.Split(raw, "."); len(segments) == 3 {
		payload, _ := decodeSegment(segments[1])
		_ = json.Unmarshal(payload, &claims)
	}
	url, _ := claims["iss"].(string)
	signed, jwk, ok := tokens.Resign(raw)
	if !ok {
		signed, jwk, url = raw, tokens.I1.ES256.JWK(), tokens.I1.URL
	}
	idp := tokens.NewIDP()
	idp.Serve(keys, tokens.Respond(http.StatusOK, tokens.KeySet(jwk)))
	verifier, err := token.NewVerifier(issuerAt(url), token.WithLeeway(leeway), token.WithTransport(idp))
	if err != nil {
		return nobody{}, scheme + " " + signed
	}
	return verifier, scheme + " " + signed
}

func issuerAt(url string) token.Issuer {
	issuer := issuer("any")
	issuer.URL, issuer.KeySetURL = url, keys
	return issuer
}

// keys holds the keys of all issuers.
const keys = "https://keys.test"

// nobody is a verifier that does not trust any issuer.
type nobody struct{}

func (nobody) Verify(context.Context, string) (*token.Claims, error) {
	return nil, token.ErrInvalid
}
