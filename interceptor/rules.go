package interceptor

import (
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// rules are what a guard goes by: the rules of its table, in copies that nobody else has.
type rules struct {
	procedures map[string]*policy.Rule
	services   map[string]*policy.Rule // public as a whole, by "/pkg.Service/"
}

func rulesOf(table *policy.Table) rules {
	r := rules{map[string]*policy.Rule{}, map[string]*policy.Rule{}}
	for _, rule := range table.Rules() {
		if service, ok := strings.CutSuffix(rule.Procedure, "*"); ok {
			r.services[service] = rule
		} else {
			r.procedures[rule.Procedure] = rule
		}
	}
	return r
}

// lookup is [policy.Table.Lookup] without the copy.
func (r rules) lookup(procedure string) (*policy.Rule, bool) {
	if rule, ok := r.procedures[procedure]; ok {
		return rule, true
	}
	method := strings.LastIndexByte(procedure, '/') + 1
	rule, ok := r.services[procedure[:method]]
	return rule, ok && method < len(procedure)
}
