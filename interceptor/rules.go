package interceptor

import (
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// rules are the guard's own copies of the rules of its table, by procedure. The key of a service that is
// public as a whole is "/pkg.Service/".
type rules map[string]*guardRule

// A guardRule is a rule with its guard, its table and the realm of its challenges. No refusal of a public method
// has a challenge.
type guardRule struct {
	*policy.Rule
	guard *Guard
	table *policy.Table
	realm *realm

	ways []guardWay // none if the rule is public, or has no annotation
	free waySet     // the ways that need no message

	// The rule itself, if it is judged and not enforced. Then the Rule above is public.
	judged *guardRule
}

// missing reports whether a method has no annotation, and nobody may call it.
func (r *guardRule) missing() bool { return r.Unannotated && !r.Public }

func (g *Guard) rulesOf(table *policy.Table, enforced bool) rules {
	r, realms := rules{}, map[string]*realm{}
	realmOf := func(way *policy.Way) *realm {
		name := realmName(way, table)
		if realms[name] == nil {
			realms[name] = newRealm(name)
		}
		return realms[name]
	}
	for _, compiled := range table.Rules() {
		rule := &guardRule{Rule: compiled, guard: g, table: table, realm: realmOf(&compiled.Way)}
		rule.setWays(realmOf)
		if compiled.Shadow && enforced {
			rule = &guardRule{Rule: letAll(compiled), guard: g, table: table, judged: rule}
		}
		r[strings.TrimSuffix(compiled.Procedure, "*")] = rule
	}
	return r
}

func (r *guardRule) setWays(realmOf func(*policy.Way) *realm) {
	for number, way := range r.Ways() {
		r.ways = append(r.ways, guardWay{way, realmOf(way), number})
		if !r.ways[number].awaitsMessage() {
			r.free |= 1 << number
		}
	}
}

// judges reports whether a message can take a way away.
func (r *guardRule) judges() bool { return r.free != 1<<len(r.ways)-1 }

// letAll returns a rule that lets everybody in.
func letAll(rule *policy.Rule) *policy.Rule {
	return &policy.Rule{Procedure: rule.Procedure, Method: rule.Method, Public: true}
}

// lookup is [policy.Table.Lookup] without the copy.
func (r rules) lookup(procedure string) (*guardRule, bool) {
	rule, ok := r[procedure]
	if !ok {
		rule, ok = r[procedure[:strings.LastIndexByte(procedure, '/')+1]]
	}
	return rule, ok && !strings.HasSuffix(procedure, "/")
}
