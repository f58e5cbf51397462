package interceptor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// theWays are ways in the text format, as an alternative has them.
var theWays = []string{
	`model: MODEL_GLOBAL_RESOURCE authenticated: true`,
	`model: MODEL_GLOBAL_RESOURCE authenticated: true subject {field: "a"}`,
	`model: MODEL_GLOBAL_RESOURCE scopes: "staff" caller: CALLER_USER`,
	`model: MODEL_GLOBAL_RESOURCE scopes: "staff" audience: "https://other.example.test"`,
	`model: MODEL_GLOBAL_RESOURCE authenticated: true caller: CALLER_CLIENT client {field: "b"}`,
	`model: MODEL_GLOBAL_RESOURCE authenticated: true subject {field: "a" pattern: "users/{subject}"} client {field: "b"}`,
	`model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization {field: "b"}`,
	`model: MODEL_ORGANIZATION_RESOURCE any_scopes: "staff" any_scopes: "read" organization {header: "x-org"}`,
	`model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization {header: "x-org"} subject {field: "a"}`,
	`model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {field: "b"} subject {field: "a"}`,
	`model: MODEL_ORGANIZATION authenticated: true organization {field: "b"}`,
	`model: MODEL_ORGANIZATION scopes: "read" organization {header: "x-org"} client {field: "a"}`,
}

// ruleOf returns a rule whose ways are the given ways in their order.
func ruleOf(t *testing.T, options []policy.Option, ways ...string) *guardRule {
	t.Helper()
	rule, err := parseRule(ways[0])
	for _, text := range ways[1:] {
		way := new(authzv1.Alternative)
		if err == nil {
			err = prototext.Unmarshal([]byte(text), way)
		}
		rule.Alternatives = append(rule.Alternatives, way)
	}
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files{fileOf(t, []*authzv1.MethodRule{rule})}, append(options, policy.WithAudience(testAPI), policy.WithSharedScopes("staff", "read"))...)
	if err != nil {
		t.Fatal(err)
	}
	return ruleWith(table.Rules()[0])
}

func parseRule(text string) (*authzv1.MethodRule, error) {
	rule := new(authzv1.MethodRule)
	return rule, prototext.Unmarshal([]byte(text), rule)
}

// theTokens are tokens that differ in what the ways look at.
func theTokens(t *testing.T) []*token.Claims {
	t.Helper()
	var all []*token.Claims
	for _, organization := range []string{"", "acme", "urn"} {
		for _, scopes := range [][]string{nil, {"staff"}, {"read"}, {"read", "staff"}} {
			for _, kind := range []token.Caller{token.CallerUnknown, token.CallerUser, token.CallerClient} {
				values := token.ClaimValues{
					Issuer: "https://issuer.example.test", Subject: "alice", ClientID: "app", Caller: kind,
					Audience: []string{testAPI}, Scopes: scopes, Expiry: time.Unix(4102444800, 0),
				}
				switch organization {
				case "acme":
					values.OrganizationID = organization
				case "urn":
					values.Audience = []string{"urn:logto:organization:acme"}
				}
				claims, err := token.NewClaims(values)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, claims)
			}
		}
	}
	return all
}

// theMessages are messages whose fields name the caller, the organization and others.
func theMessages(input protoreflect.MessageDescriptor) (all []proto.Message) {
	for _, a := range []string{"", "alice", "bob", "users/alice", "app"} {
		for _, b := range []string{"", "app", "acme", "globex"} {
			message := dynamicpb.NewMessage(input)
			message.Set(input.Fields().ByName("a"), protoreflect.ValueOfString(a))
			message.Set(input.Fields().ByName("b"), protoreflect.ValueOfString(b))
			all = append(all, message)
		}
	}
	return all
}

// admitted returns a call by a rule.
func admitted(rule *guardRule, claims *token.Claims, header http.Header) (*Call, *Denial) {
	c := &Call{rule: rule, claims: claims}
	organization, left, denial := rule.admit(claims, connectHeader(header))
	c.organization = organization
	c.state.Store(uint32(left))
	return c, denial
}

// TestWays compares rules of several ways with rules of one way each: a call is let in exactly if one of the ways lets
// the call in, the ways left are these, and the denial is of the way that came furthest, the first of equals.
func TestWays(t *testing.T) {
	t.Parallel()
	order := []Reason{
		ReasonModelMismatch, ReasonAudienceMismatch, ReasonCallerNotAllowed, ReasonScopeInsufficient, ReasonOrganizationMismatch, ReasonSubjectMismatch,
	}
	single := make([]*guardRule, len(theWays))
	for n, way := range theWays {
		single[n] = ruleOf(t, nil, way)
	}
	claims, messages := theTokens(t), theMessages(single[0].Method.Input())
	headers := []http.Header{{}, {"X-Org": {"acme"}}, {"X-Org": {"globex"}}}
	seen := map[string]int{}
	for first := range theWays {
		for second := range theWays {
			third := (first + second + 1) % len(theWays)
			if first == second || third == first || third == second {
				continue
			}
			numbers := []int{first, second, third}
			rule := ruleOf(t, []policy.Option{}, theWays[first], theWays[second], theWays[third])
			for n, of := range claims {
				for m, header := range headers {
					c, denial := admitted(rule, of, header)
					var alone []*Call // nil for a way that is taken away
					var reasons []Reason
					for _, number := range numbers {
						call, denial := admitted(single[number], of, header)
						if reasons = append(reasons, ""); denial != nil {
							call, reasons[len(reasons)-1] = nil, denial.Reason()
						}
						alone = append(alone, call)
					}
					at := fmt.Sprintf("ways %v, token %d, header %d", numbers, n, m)
					checkWays(t, at, c, denial, alone, reasons, order)
					if denial != nil {
						seen["header "+string(denial.Reason())]++
						continue
					}
					for k := range 3 { // a stream
						message := messages[(n*7+m*5+k*11+first+second)%len(messages)]
						reasons = make([]Reason, len(numbers))
						for w, call := range alone {
							if call != nil && call.rule.judges() {
								if denial := call.judge(message); denial != nil {
									alone[w], reasons[w] = nil, denial.Reason()
								}
							}
						}
						denial := c.judge(message)
						checkWays(t, fmt.Sprintf("%s, message %d: %v", at, k, message), c, denial, alone, reasons, order)
						if denial != nil {
							seen["message "+string(denial.Reason())]++
							break
						}
						seen[fmt.Sprintf("left %d", strings.Count(strconv.FormatUint(uint64(c.left()), 2), "1"))]++
					}
				}
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("too few outcomes: %v", seen)
	}
}

// checkWays compares a call by several ways with a call by each way alone. Of the ways that a step has taken away, it is
// given the reasons.
func checkWays(t *testing.T, at string, c *Call, denial *Denial, alone []*Call, reasons, order []Reason) {
	t.Helper()
	var left waySet
	furthest := -1
	for n, call := range alone {
		switch {
		case call != nil:
			left |= 1 << n
		case reasons[n] != "" && (furthest < 0 || slices.Index(order, reasons[n]) > slices.Index(order, reasons[furthest])):
			furthest = n
		}
	}
	switch {
	case (denial == nil) != (left != 0):
		t.Fatalf("%s: %v, and the ways alone leave %b", at, denial, left)
	case denial == nil && c.left() != left:
		t.Fatalf("%s: left are %b, want %b", at, c.left(), left)
	case denial != nil && (denial.way.number != furthest || denial.Reason() != reasons[furthest]):
		t.Fatalf("%s: %s of the way %d, want %s of the way %d", at, denial.Reason(), denial.way.number, reasons[furthest], furthest)
	}
}

// TestSubject makes sure that only a user's token meets a subject, and only a token of the issuer that is told.
func TestSubject(t *testing.T) {
	t.Parallel()
	const self = `model: MODEL_GLOBAL_RESOURCE authenticated: true subject {field: "a"}`
	const own = `model: MODEL_GLOBAL_RESOURCE authenticated: true client {field: "a"}`
	base := token.ClaimValues{
		Issuer: "https://one.example.test", Subject: "alice", ClientID: "alice", Caller: token.CallerUser,
		Audience: []string{testAPI}, Expiry: time.Unix(4102444800, 0),
	}
	for name, test := range map[string]struct {
		way, issuer string
		change      func(*token.ClaimValues)
		want        string // of the cause, or "" if the header is not refused
	}{
		"a user":                 {way: self},
		"a client":               {way: self, change: func(v *token.ClaimValues) { v.Caller = token.CallerClient }, want: "the token is a client's own"},
		"an unknown kind":        {way: self, change: func(v *token.ClaimValues) { v.Caller = token.CallerUnknown }, want: "does not tell a user from a client"},
		"the issuer":             {way: self, issuer: "https://one.example.test"},
		"another issuer":         {way: self, issuer: "https://two.example.test", want: "the token is of another issuer"},
		"a prefix of the issuer": {way: self, issuer: "https://one.example.tes", want: "the token is of another issuer"},

		"a user's client":                  {way: own},
		"a client of its own":              {way: own, change: func(v *token.ClaimValues) { v.Caller = token.CallerClient }},
		"no client":                        {way: own, change: func(v *token.ClaimValues) { v.ClientID = "" }, want: "the token names no client"},
		"a client of another issuer":       {way: own, issuer: "https://two.example.test", want: "the token is of another issuer"},
		"a client, of an unknown kind":     {way: own, change: func(v *token.ClaimValues) { v.Caller = token.CallerUnknown }},
		"a client of the issuer":           {way: own, issuer: "https://one.example.test"},
		"the client of a user's own token": {way: own, change: func(v *token.ClaimValues) { v.Subject = "bob" }},
	} {
		values := base
		if test.change != nil {
			test.change(&values)
		}
		claims, err := token.NewClaims(values)
		if err != nil {
			t.Fatal(err)
		}
		var options []policy.Option
		if test.issuer != "" {
			options = append(options, policy.WithSubjectIssuer(test.issuer))
		}
		rule := ruleOf(t, options, test.way)
		c, denial := admitted(rule, claims, nil)
		if got := cause(denial); (got == "") != (test.want == "") || !strings.Contains(got, test.want) || denial != nil && denial.Reason() != ReasonSubjectMismatch {
			t.Errorf("%s: the header is refused with %q", name, got)
		}
		if denial != nil {
			continue
		}
		for _, message := range theMessages(rule.Method.Input()) {
			named := message.ProtoReflect().Get(rule.Method.Input().Fields().ByName("a")).String()
			if denial := c.judge(message); (denial == nil) != (named == "alice") || denial != nil && denial.Reason() != ReasonSubjectMismatch {
				t.Errorf("%s: %q: %v", name, named, denial)
			}
		}
	}
}

func cause(denial *Denial) string {
	if denial == nil {
		return ""
	}
	return denial.Unwrap().Error()
}

// TestWaysTaken makes sure that two steps that take the last ways at once leave no way.
func TestWaysTaken(t *testing.T) {
	t.Parallel()
	c := new(Call)
	c.state.Store(0b11 | judgedBit | gatedBit)
	switch {
	case !c.keep(0b11) || c.left() != 0b11:
		t.Errorf("%b after nothing was taken", c.left())
	case !c.keep(0b10) || c.left() != 0b10:
		t.Errorf("%b after the first was taken", c.left())
	case c.keep(0b01) || c.left() != 0:
		t.Errorf("%b after both were taken", c.left())
	case c.state.Load() != judgedBit|gatedBit:
		t.Errorf("the state is %b", c.state.Load())
	}
}

// TestNoWayLeft makes sure that nothing passes, and that nobody hears of a call that is let in, between the moment in
// which two goroutines have taken the last ways and the refusal.
func TestNoWayLeft(t *testing.T) {
	t.Parallel()
	rule := ruleOf(t, nil, `model: MODEL_GLOBAL_RESOURCE authenticated: true subject {field: "a"}`)
	rule.guard = New(nobody{}, new(policy.Table), WithObserver(func(_ context.Context, event Event) {
		if event.Denial == nil {
			t.Error("an observer hears that the call is let in")
		}
	}))
	claims := theTokens(t)[1]
	for name, step := range map[string]func(*Call, *Stream) error{
		"send":    func(_ *Call, s *Stream) error { return s.Send(nil) },
		"receive": func(_ *Call, s *Stream) error { return s.Receive(nil) },
		"return":  func(_ *Call, s *Stream) error { return s.finish(nil) },
		"renew": func(c *Call, _ *Stream) error {
			c.ctx = newRenewal(t.Context(), claims, []string{"Bearer key"})
			if denial := c.renewal().verify(t.Context(), c); denial != nil {
				return denial
			}
			return nil
		},
	} {
		c, denial := admitted(rule, claims, nil)
		if denial != nil {
			t.Fatal(denial.Unwrap())
		}
		s := c.newStream(t.Context(), Transport{
			Receive: func(any) error { return io.EOF },
			Send:    func(any) error { t.Error("a message is sent"); return nil },
			Refuse:  func(denial *Denial) error { return denial },
		}, connect.Peer{})
		c.keep(0)
		rule.guard.authenticator = checkedVerifier{verified{claims}}
		if _, ok := errors.AsType[*Denial](step(c, s)); !ok {
			t.Errorf("%s: the call is not refused", name)
		}
	}
}

// TestWaysAtTheirLimits tries what no guard does with the ways of a rule, or only if an adapter is at fault.
func TestWaysAtTheirLimits(t *testing.T) {
	t.Parallel()
	claims := theTokens(t)[13] // of alice, in acme
	rule := ruleOf(t, nil, `model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization {token: true}`,
		`model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization {header: "x-org"}`)

	if _, left, denial := new(guardRule).admit(claims, http.Header{}); left != 0 || denial == nil || denial.reason != ReasonRuleMissing {
		t.Errorf("a rule without a way: %b, %v", left, denial)
	}
	turning := turningHeader{"other", "other", "other", "acme"}
	only := ruleOf(t, nil, `model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization {header: "x-org"}`)
	if _, left, denial := only.admit(claims, &turning); left != 0 || denial == nil || denial.reason != ReasonRuleMissing || len(turning) > 1 {
		t.Errorf("a header that changes: %b, %v, %q", left, denial, turning)
	}
	if left, denial := rule.judge(0b11, "acme", claims, "no message"); left != 0b11 || denial != nil {
		t.Errorf("a message that no way awaits: %b, %v", left, denial)
	}
	for way, want := range map[string]Reason{
		`model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization {field: "b"} subject {field: "a"}`:     ReasonOrganizationMismatch,
		`model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization {token: true} subject {field: "a"}`:    ReasonSubjectMismatch,
		`model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization {header: "x-org"} client {field: "a"}`: ReasonSubjectMismatch,
		`model: MODEL_GLOBAL_RESOURCE authenticated: true subject {field: "a"}`:                                     ReasonSubjectMismatch,
	} {
		if left, denial := ruleOf(t, nil, way).judge(1, "acme", claims, "no message"); left != 0 || denial == nil || denial.reason != want || denial.cause.Error() != notProto {
			t.Errorf("%s: no message: %b, %v", way, left, denial)
		}
	}
	if organization, left, denial := rule.renew(0b10, claims); organization != "acme" || left != 0b10 || denial != nil {
		t.Errorf("a way that was taken is back: %q, %b, %v", organization, left, denial)
	}
	ofUser := ruleOf(t, nil, `model: MODEL_GLOBAL_RESOURCE authenticated: true subject {field: "a"}`)
	if _, left, denial := ofUser.renew(1, theTokens(t)[2]); left != 0 || denial == nil || denial.reason != ReasonSubjectMismatch {
		t.Errorf("new claims that are of a client: %b, %v", left, denial)
	}
}

// A turningHeader has the next value each time, and keeps the last.
type turningHeader []string

func (h *turningHeader) Values(string) []string {
	value := (*h)[0]
	*h = (*h)[min(1, len(*h)-1):]
	return []string{value}
}

type nobody struct{}

func (nobody) Verify(context.Context, string) (*token.Claims, error) { return nil, token.ErrInvalid }

type verified struct{ claims *token.Claims }

func (v verified) Verify(context.Context, string) (*token.Claims, error) { return v.claims, nil }
