package interceptor

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// racing is true under the race detector, with which TestCompare takes a part of the pairs.
var racing = false

// TestCompare makes sure that policydiff.Compare and the guard agree about two rules. Compare reports that
// a rule is looser exactly if the guard lets in, by that rule, a request that it refuses by the other.
// Compare reports a difference exactly if the guard decides any request differently. A method that was refused for want
// of an annotation, and needs a token now, is new, and not looser.
//
// The pairs are all pairs of rules with one way, and all pairs of each family of rules with up to two ways.
func TestCompare(t *testing.T) {
	t.Parallel()
	ways := everyRule(t)
	pools := [][]*policy.Rule{ways}
	for _, family := range familiesOf(ways) {
		pools = append(pools, withTwoWays(family))
	}
	part, want := 1, []tally{{pairs: 1_000_000, looser: 900_000, tighter: 15_000, same: 200}, {pairs: 2_000_000, looser: 1_000_000, tighter: 40_000, same: 20_000}}
	if racing || testing.Short() {
		part, want = 16, []tally{{pairs: 3_000}, {pairs: 3_000}}
	}
	var rules []*policy.Rule
	for i, pool := range pools {
		pools[i] = nil
		for n := 0; n < len(pool); n += part {
			pools[i] = append(pools[i], pool[n])
		}
		rules = append(rules, pools[i]...)
	}
	accepts := acceptedBy(t, rules)
	got := make([]tally, 2)
	for i, pool := range pools {
		got[min(i, 1)].add(compareAll(t, pool, accepts))
	}
	for i, name := range []string{"one way", "up to two ways"} {
		t.Logf("%s: %s", name, &got[i])
		if got[i].missed != 0 || len(got[i].without) != 0 || got[i].falls(want[i]) {
			t.Errorf("%s: %s, want at least %s", name, &got[i], &want[i])
		}
	}
}

// A tally counts pairs of rules.
type tally struct {
	pairs   int
	looser  int // by the guard
	tighter int // and not looser
	same    int // rules that differ, and let in the same
	called  int // looser, by Compare
	missed  int // looser, and not called so
	without map[policydiff.ChangeKind]int
}

func (s *tally) add(other tally) {
	s.pairs, s.looser, s.tighter, s.same = s.pairs+other.pairs, s.looser+other.looser, s.tighter+other.tighter, s.same+other.same
	s.called, s.missed = s.called+other.called, s.missed+other.missed
	for kind, n := range other.without {
		if s.without == nil {
			s.without = map[policydiff.ChangeKind]int{}
		}
		s.without[kind] += n
	}
}

func (s *tally) falls(below tally) bool {
	return s.pairs < below.pairs || s.looser < below.looser || s.tighter < below.tighter || s.same < below.same
}

func (s *tally) String() string {
	without := 0
	for kind := range maps.Keys(s.without) {
		without += s.without[kind]
	}
	return fmt.Sprintf("%d pairs: %d looser, %d only tighter, %d the same; %d called looser, %d missed, %d called looser without such a request %v",
		s.pairs, s.looser, s.tighter, s.same, s.called, s.missed, without, s.without)
}

// compareAll compares each rule with each.
func compareAll(t *testing.T, rules []*policy.Rule, accepts map[*policy.Rule][]uint64) tally {
	t.Helper()
	var all tally
	var lock sync.Mutex
	inParallel(len(rules), func(i int) {
		var counted tally
		for j := range rules {
			if i != j && !t.Failed() {
				counted.add(compareTwo(t, rules[i], rules[j], accepts))
			}
		}
		lock.Lock()
		defer lock.Unlock()
		all.add(counted)
	})
	return all
}

func compareTwo(t *testing.T, before, after *policy.Rule, accepts map[*policy.Rule][]uint64) tally {
	t.Helper()
	looser, tighter := letsIn(accepts[after], accepts[before]), letsIn(accepts[before], accepts[after])
	count := tally{pairs: 1}
	if looser && before.Unannotated && before.Enforced() && accepts[after][0]&1 == 0 {
		looser, tighter = false, true // a change that is not looser is right
	}
	switch {
	case looser:
		count.looser = 1
	case tighter:
		count.tighter = 1
	default:
		count.same = 1
	}
	changes := policydiff.Compare([]*policy.Rule{before}, []*policy.Rule{after})
	for _, change := range changes {
		if change.Kind.Looser() {
			count.called = 1
			if !looser {
				count.without = map[policydiff.ChangeKind]int{change.Kind: 1}
			}
		} else if !tighter {
			t.Errorf("from %s\n  to %s: %s %q, and no request is refused for it", before, after, change.Kind, change.Detail)
		}
	}
	if looser != (count.called == 1) {
		t.Errorf("from %s\n  to %s: looser is %t, want %t: %v", before, after, count.called == 1, looser, changes)
	}
	if looser && count.called == 0 {
		count.missed = 1
	}
	if differ := looser || tighter; differ != (len(changes) > 0) {
		t.Errorf("from %s\n  to %s: %d changes, and the decisions differ: %t", before, after, len(changes), differ)
	}
	return count
}

// letsIn reports whether one rule lets in a call that another rule refuses.
func letsIn(one, other []uint64) bool {
	for i := range one {
		if one[i]&^other[i] != 0 {
			return true
		}
	}
	return false
}

// familiesOf returns four families of ways, which are similar in one respect each, so that many let in a
// part of what others let in.
func familiesOf(rules []*policy.Rule) [][]*policy.Rule {
	sizes := []int{24, 24, 45, 45}
	random := rand.New(rand.NewPCG(21, 21))
	var families [][]*policy.Rule
	for i, similar := range []func(*policy.Rule) bool{
		func(r *policy.Rule) bool { return true },
		func(r *policy.Rule) bool { // scopes and callers
			return r.Audience == audienceA && r.Organization == nil && r.Subject == nil && r.Client == nil
		},
		func(r *policy.Rule) bool { // organizations
			return r.Audience == audienceA && r.Organization != nil && len(r.Scopes)+len(r.AnyScopes) < 2 && r.Subject == nil && r.Client == nil
		},
		func(r *policy.Rule) bool { // subjects and clients
			return (r.Subject != nil || r.Client != nil) && (r.Organization == nil || r.Organization.Pattern != "")
		},
	} {
		family := slices.DeleteFunc(slices.Clone(rules), func(rule *policy.Rule) bool { return len(rule.Ways()) == 0 || rule.Shadow || !similar(rule) })
		random.Shuffle(len(family), func(i, j int) { family[i], family[j] = family[j], family[i] })
		families = append(families, family[:min(sizes[i], len(family))])
	}
	return families
}

// withTwoWays returns the rules, and a rule for each two of them. Rules for two kinds of message make no rule together.
func withTwoWays(rules []*policy.Rule) []*policy.Rule {
	all := slices.Clone(rules)
	for i, own := range rules {
		for j, other := range rules[:i] {
			if own.Method.Input() != other.Method.Input() {
				continue
			}
			if (i+j)%2 == 0 {
				own, other = other, own
			}
			both := *own
			both.Alternatives = []policy.Way{other.Way}
			all = append(all, &both)
		}
	}
	return all
}

// acceptedBy returns which calls the guard lets in by each rule. Calls that no two rules tell apart are
// one bit. Bit 0 is a call without a token.
func acceptedBy(t *testing.T, rules []*policy.Rule) map[*policy.Rule][]uint64 {
	t.Helper()
	guarded := make([]*guardRule, len(rules))
	marks := make([]uint64, len(rules))
	random := rand.New(rand.NewPCG(1, 1))
	sets := make([][]uint64, len(rules))
	bits := 1
	for i, rule := range rules {
		guarded[i], marks[i], sets[i] = ruleWith(rule), random.Uint64(), []uint64{0}
		if rule.Public || rule.Shadow {
			sets[i][0] = 1
		}
	}
	calls, messages := everyCall(t), everyMessage(t, rules[0].Method.ParentFile().Messages())
	lets := make([][][]bool, len(rules)) // by rule, call and message
	inParallel(len(rules), func(i int) {
		known := map[judged][]bool{}
		for _, call := range calls {
			lets[i] = append(lets[i], accepted(guarded[i], call, messages, known))
		}
	})
	known := map[uint64]bool{}
	var lock sync.Mutex
	inParallel(len(calls), func(n int) {
		hashes := make([]uint64, len(messages))
		for i := range rules {
			for m, let := range lets[i][n] {
				if let {
					hashes[m] ^= marks[i]
				}
			}
		}
		lock.Lock()
		defer lock.Unlock()
		for m, hash := range hashes {
			if known[hash] {
				continue
			}
			known[hash] = true
			for i := range rules {
				if bits%64 == 0 {
					sets[i] = append(sets[i], 0)
				}
				if lets[i][n] != nil && lets[i][n][m] {
					sets[i][bits/64] |= 1 << (bits % 64)
				}
			}
			bits++
		}
	})
	t.Logf("%d rules, %d calls, of which the rules tell %d apart", len(rules), len(calls)*len(messages), bits)
	byRule := map[*policy.Rule][]uint64{}
	for i, rule := range rules {
		byRule[rule] = sets[i]
	}
	return byRule
}

// inParallel calls do with each number below n.
func inParallel(n int, do func(int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

// accepted reports which messages a rule lets in after a header, or returns nil for none. A rule in shadow
// lets in every call.
func accepted(rule *guardRule, header header, messages []message, known map[judged][]bool) []bool {
	if rule.Public || rule.Shadow {
		return slices.Repeat([]bool{true}, len(messages))
	}
	call := &Call{rule: rule, claims: header.claims}
	organization, left, denial := rule.admit(header.claims, connectHeader(header.fields))
	if denial != nil {
		return nil
	}
	call.organization = organization
	call.state.Store(uint32(left))
	if !call.AwaitsMessage() {
		return slices.Repeat([]bool{true}, len(messages))
	}
	by := judged{left, organization, header.claims.Subject(), header.claims.ClientID()}
	if is, ok := known[by]; ok {
		return is
	}
	is := make([]bool, len(messages))
	for i, message := range messages {
		call.state.Store(uint32(left))
		is[i] = call.judge(message.as(rule.Method.Input())) == nil
	}
	known[by] = is
	return is
}

// judged is what a message is judged by, beside the rule.
type judged struct {
	left                          waySet
	organization, subject, client string
}

// sorted returns the rules in the order of their methods.
func sorted(rules []*policy.Rule) []*policy.Rule {
	return slices.SortedFunc(slices.Values(rules), func(a, b *policy.Rule) int { return cmp.Compare(a.Method.Index(), b.Method.Index()) })
}
