package unguarded

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// NotEnforced names services whose rules are in shadow, and procedures without annotation that are open.
func NotEnforced(names ...string) Option {
	return func(s *Server) { s.NotEnforced = append(s.NotEnforced, names...) }
}

// A relaxed service has rules that are not enforced.
type relaxed struct{ shadow, open []string } // their procedures

// enforcement returns a fault for each service with rules that are not enforced, unless NotEnforced names them, and for
// each name that covers no rule. It reports whether the table holds such rules and guards nothing else.
func (s Server) enforcement(table *policy.Table) (faults []string, idle bool) {
	guards := false
	services := map[string]*relaxed{}
	for _, rule := range table.Rules() {
		if rule.Enforced() {
			guards = guards || !rule.Public
			continue
		}
		service := serviceOf(rule.Procedure)
		if services[service] == nil {
			services[service] = new(relaxed)
		}
		if r := services[service]; rule.Shadow {
			r.shadow = append(r.shadow, rule.Procedure)
		} else {
			r.open = append(r.open, rule.Procedure)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(services)) {
		faults = append(faults, s.untold(service, *services[service])...)
	}
	for _, name := range s.NotEnforced {
		r := services[serviceOf(name)]
		if r == nil {
			r = new(relaxed)
		}
		if fault := stale(name, *r); fault != "" {
			faults = append(faults, fault)
		}
	}
	return faults, len(services) > 0 && !guards
}

// untold returns a fault if NotEnforced does not name all rules of a service that are not enforced.
func (s Server) untold(service string, r relaxed) []string {
	var procedures, remedies, names []string
	for _, procedure := range r.open {
		if !slices.Contains(s.NotEnforced, procedure) {
			procedures, names = append(procedures, procedure), append(names, procedure)
			remedies = []string{"annotate the methods without annotation"}
		}
	}
	if len(r.shadow) > 0 && !slices.Contains(s.NotEnforced, service) {
		procedures, names = append(procedures, r.shadow...), append(names, service)
		remedies = append(remedies, "remove the service from policy.WithShadow")
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s has rules that are not enforced, for %s: %s; if the server does this on purpose, give %s.NotEnforced(%s)",
		service, strings.Join(procedures, ", "), strings.Join(remedies, ", and "), s.Package, quoted(names))}
}

// stale returns the fault of a name that covers no rule, or "".
func stale(name string, r relaxed) string {
	switch procedure := strings.HasPrefix(name, "/"); {
	case procedure && slices.Contains(r.open, name), !procedure && len(r.shadow) > 0:
		return ""
	case procedure && slices.Contains(r.shadow, name):
		return fmt.Sprintf("NotEnforced names %q, whose service is in shadow: name %q instead", name, serviceOf(name))
	case procedure:
		return fmt.Sprintf("NotEnforced names %q, but the table does not open this procedure: remove the name", name)
	case len(r.open) > 0:
		return fmt.Sprintf("NotEnforced names %q, which covers no open method: name %s instead", name, quoted(r.open))
	default:
		return fmt.Sprintf("NotEnforced names %q, but the table enforces all rules of the service, or has none: remove the name", name)
	}
}

// serviceOf returns the service of a procedure, or the name of a service as it is.
func serviceOf(name string) string {
	service, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return service
}

func quoted(names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(texts, ", ")
}
