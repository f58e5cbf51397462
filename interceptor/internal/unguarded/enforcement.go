package unguarded

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// NotEnforced names services whose rules need not be enforced.
func NotEnforced(services ...string) Option {
	return func(s *Server) { s.NotEnforced = append(s.NotEnforced, services...) }
}

// enforcement returns a fault for each service with rules that are not enforced, unless NotEnforced names the service,
// and for each name without such a service. It reports whether the table holds such rules and guards nothing else.
func (s Server) enforcement(table *policy.Table) (faults []string, idle bool) {
	guards := false
	notEnforced := map[string][]*policy.Rule{} // by service
	for _, rule := range table.Rules() {
		guards = guards || rule.Enforced() && !rule.Public
		if service, _, _ := strings.Cut(rule.Procedure[1:], "/"); !rule.Enforced() {
			notEnforced[service] = append(notEnforced[service], rule)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(notEnforced)) {
		if slices.Contains(s.NotEnforced, service) {
			continue
		}
		var procedures, remedies []string
		for _, rule := range notEnforced[service] {
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
		if len(notEnforced[service]) == 0 {
			faults = append(faults, fmt.Sprintf("NotEnforced names %q, but the table enforces all rules of the service, or has none: remove the name", service))
		}
	}
	return faults, len(notEnforced) > 0 && !guards
}
