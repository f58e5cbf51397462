package harness

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A mode is what the guards of the servers enforce, and what comes of a call then.
type mode struct {
	guard        func(t *testing.T, trust *catalogue.Trust) *interceptor.Guard
	shadow       interceptor.Shadow // whose decisions count
	casesPerCall int                // at least
	want         func(c *catalogue.Case, method catalogue.Method) expectation
}

type expectation struct {
	answer  catalogue.Answer
	outcome catalogue.Outcome
	shadow  []string // the decisions in shadow
	anyway  bool     // all refusals in shadow are refusals of the enforced rule
	open    bool     // no rule is enforced: the handler is not told a way
}

// enforced is the mode in which the rules of the catalogue are enforced.
var enforced = mode{
	guard: func(t *testing.T, trust *catalogue.Trust) *interceptor.Guard {
		t.Helper()
		return interceptor.New(trust, Rules(t), interceptor.WithObserver(Observe))
	},
	want: func(c *catalogue.Case, method catalogue.Method) expectation {
		return expectation{answer: c.Want, outcome: c.Outcome(method), open: c.Open()}
	},
}

// letIn is what comes of a call that is let in, without decisions.
func letIn(c *catalogue.Case, method catalogue.Method) expectation {
	open := *c
	open.Want, open.Seen = catalogue.Answer{}, nil
	outcome := open.Outcome(method)
	outcome.Decisions = nil
	return expectation{outcome: outcome, open: true}
}

// late reports whether a decision in shadow is that the verifier has not answered in time: on a busy machine, the call
// is made again.
func (r *Record) late() bool {
	return slices.ContainsFunc(r.Events(), func(event interceptor.Event) bool {
		return event.Outcome() == interceptor.OutcomeNotJudged && strings.Contains(event.Denial.Unwrap().Error(), "a call whose rule is not enforced waits")
	})
}

var (
	compiledShadow = sync.OnceValues(catalogue.CompileShadow)
	compiledPublic = sync.OnceValues(catalogue.CompilePublic)
)

// ShadowRules returns the rules of catalogue's services, and none of them is enforced: see [Rules].
func ShadowRules(t testing.TB) *policy.Table {
	t.Helper()
	return must(t, compiledShadow)
}

// PublicRules returns rules that make catalogue's services public: see [Rules].
func PublicRules(t testing.TB) *policy.Table {
	t.Helper()
	return must(t, compiledPublic)
}

func must(t testing.TB, compiled func() (*policy.Table, error)) *policy.Table {
	t.Helper()
	table, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// ShadowCatalogue makes the calls of the catalogue while its rules are judged and not enforced. The decisions in
// shadow are the decisions of a guard that enforces the rules, and no call is refused.
func ShadowCatalogue(t *testing.T, transports Transports) {
	t.Helper()
	for name, m := range map[string]mode{
		"service": {
			shadow: interceptor.ShadowService,
			guard: func(t *testing.T, trust *catalogue.Trust) *interceptor.Guard {
				t.Helper()
				return interceptor.New(trust, ShadowRules(t), interceptor.WithObserver(Observe))
			},
			want: func(c *catalogue.Case, method catalogue.Method) expectation {
				want := enforced.want(c, method)
				if rule := catalogue.Services[c.Service]; rule != nil && !rule.GetPublic() {
					want = letIn(c, method)
					want.shadow = c.Outcome(method).Decisions
				}
				return want
			},
		},
		"table beside public rules": {
			shadow: interceptor.ShadowTable, casesPerCall: 7,
			guard: func(t *testing.T, trust *catalogue.Trust) *interceptor.Guard {
				t.Helper()
				return interceptor.New(trust, PublicRules(t), interceptor.WithObserver(Observe), interceptor.WithShadow(Rules(t)))
			},
			want: func(c *catalogue.Case, method catalogue.Method) expectation {
				if c.Service == catalogue.Unruled {
					return expectation{answer: c.Want, outcome: c.Outcome(method)}
				}
				want := letIn(c, method)
				want.outcome.Decisions, want.shadow = []string{""}, c.Outcome(method).Decisions
				return want
			},
		},
		"table beside the same rules": {
			shadow: interceptor.ShadowTable, casesPerCall: 7,
			guard: func(t *testing.T, trust *catalogue.Trust) *interceptor.Guard {
				t.Helper()
				return interceptor.New(trust, Rules(t), interceptor.WithObserver(Observe), interceptor.WithShadow(Rules(t)))
			},
			want: func(c *catalogue.Case, method catalogue.Method) expectation {
				want := enforced.want(c, method)
				if c.Service != catalogue.Unruled {
					want.shadow, want.anyway = want.outcome.Decisions, true
				}
				return want
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trusts, err := catalogue.NewTrusts()
			if err != nil {
				t.Fatal(err)
			}
			attacker := listen(t)
			cases := catalogue.Cases(attacker.url)
			calls(t, attacker, cases, cases, trusts, transports, m)
		})
	}
}
