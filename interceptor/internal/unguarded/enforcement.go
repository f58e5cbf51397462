package unguarded

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// enforcement returns a fault for each service with rules that are not enforced, unless NotEnforced names the service,
// and for each name without such a service. It reports whether the table holds such rules and guards nothing else.
func (s Server) enforcement(table *policy.Table) (faults []string, idle bool) {
	guards := false
	open := map[string][]*policy.Rule{} // the rules that are not enforced, by service
	for _, rule := range table.Rules() {
		guards = guards || rule.Enforced() && !rule.Public
		if service, _, _ := strings.Cut(rule.Procedure[1:], "/"); !rule.Enforced() {
			open[service] = append(open[service], rule)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(open)) {
		if slices.Contains(s.NotEnforced, service) {
			continue
		}
		var procedures, remedies []string
		for _, rule := range open[service] {
			remedy := "remove the service from policy.WithShadow"
			if rule.Public {
				remedy = "annotate the methods without annotation"
			}
			if procedures = append(procedures, rule.Procedure); !slices.Contains(remedies, remedy) {
				remedies = append(remedies, remedy)
			}
		}
		faults = append(faults, fmt.Sprintf("%s has rules that are not enforced, for %s: %s; if the server does this on purpose, give %s.NotEnforced(%q)",
			service, strings.Join(procedures, ", "), strings.Join(remedies, ", and "), s.Package, service))
	}
	for _, service := range s.NotEnforced {
		if len(open[service]) == 0 {
			faults = append(faults, fmt.Sprintf("NotEnforced names %q, but the table enforces all rules of the service, or has none: remove the name", service))
		}
	}
	return faults, len(open) > 0 && !guards
}
