package interceptor

import (
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// rules are what a guard goes by: the rules of its table, in copies that nobody else has.
type rules struct {
	procedures map[string]*guardRule
	services   map[string]*guardRule // public as a whole, by "/pkg.Service/"
}

// A guardRule is a rule of a guard's, with the realm of its challenges, which is nil if the rule is
// public.
type guardRule struct {
	*policy.Rule
	guard *Guard
	realm *realm
}

func (g *Guard) rulesOf(table *policy.Table) rules {
	r := rules{map[string]*guardRule{}, map[string]*guardRule{}}
	realms := map[string]*realm{}
	for _, compiled := range table.Rules() {
		rule := &guardRule{Rule: compiled, guard: g}
		if !rule.Public {
			name := realmName(compiled, table)
			if realms[name] == nil {
				realms[name] = newRealm(name)
			}
			rule.realm = realms[name]
		}
		if service, ok := strings.CutSuffix(rule.Procedure, "*"); ok {
			r.services[service] = rule
		} else {
			r.procedures[rule.Procedure] = rule
		}
	}
	return r
}

// lookup is [policy.Table.Lookup] without the copy.
func (r rules) lookup(procedure string) (*guardRule, bool) {
	if rule, ok := r.procedures[procedure]; ok {
		return rule, true
	}
	method := strings.LastIndexByte(procedure, '/') + 1
	rule, ok := r.services[procedure[:method]]
	return rule, ok && method < len(procedure)
}
