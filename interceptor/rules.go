package interceptor

import (
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// rules are the guard's own copies of the rules of its table, by procedure. The key of a service that is
// public as a whole is "/pkg.Service/".
type rules map[string]*guardRule

// A guardRule is a rule with its guard and the realm of its challenges. No refusal of a public method
// has a challenge.
type guardRule struct {
	*policy.Rule
	guard *Guard
	realm *realm
}

func (g *Guard) rulesOf(table *policy.Table) rules {
	r, realms := rules{}, map[string]*realm{}
	for _, compiled := range table.Rules() {
		name := realmName(compiled, table)
		if realms[name] == nil {
			realms[name] = newRealm(name)
		}
		r[strings.TrimSuffix(compiled.Procedure, "*")] = &guardRule{Rule: compiled, guard: g, realm: realms[name]}
	}
	return r
}

// lookup is [policy.Table.Lookup] without the copy.
func (r rules) lookup(procedure string) (*guardRule, bool) {
	rule, ok := r[procedure]
	if !ok {
		rule, ok = r[procedure[:strings.LastIndexByte(procedure, '/')+1]]
	}
	return rule, ok && !strings.HasSuffix(procedure, "/")
}
