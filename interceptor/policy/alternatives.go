package policy

import (
	"fmt"
	"slices"
	"strings"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// maxAlternatives bounds the alternatives of a rule: a guard keeps the ways that a call has
// left in one word.
const maxAlternatives = 15

// together checks the ways of a rule together. A way with a fault of its own is incomplete, so that only the ways of a
// sound rule are compared.
func (c *compiler) together(rule *Rule, sound bool) {
	if n := len(rule.Alternatives); n > maxAlternatives {
		c.faultAt(rule.Alternatives[maxAlternatives].option, FaultRuleConflict, string(rule.Method.FullName()),
			"%d alternatives are given, and a rule has at most %d: make two methods of this one", n, maxAlternatives)
	}
	if sound {
		seen := map[string]*Way{}
		for _, way := range rule.Ways() {
			key := way.key()
			if before, ok := seen[key]; ok {
				c.wayFault(way, way.option, FaultRuleConflict, "the way is the same as %s: remove the alternative, or change one of the two", before.name())
			} else {
				seen[key] = way
			}
		}
	}
	switch varying := rule.organizationVaries(); {
	case varying != nil && !rule.OrganizationOptional:
		c.wayFault(varying, varying.option, FaultOrganizationOptional,
			"one way takes the organization from the token, and another way has none: a handler that takes no organization for all organizations would answer with the data of all: "+
				"name the organization by a field or a header of the request, or set organization_optional if the handler copes")
	case varying == nil && rule.OrganizationOptional && sound:
		c.wayFault(&rule.Way, rule.FieldPlace("organization_optional"), FaultRuleConflict,
			"organization_optional is set without need: no way takes the organization from the token while another way has none: remove organization_optional")
	}
}

// key returns a text that two ways share if they let in the same calls by the same parts.
func (w *Way) key() string {
	columns := w.columns()
	columns[needsColumn] = fmt.Sprintf("%q %q", slices.Sorted(slices.Values(w.Scopes)), slices.Sorted(slices.Values(w.AnyScopes)))
	return strings.Join(columns, " ")
}

// name returns the name of a way in a fault.
func (w *Way) name() string { return fmt.Sprintf("way %d", w.number) }

// organizationVaries returns the first way with which a rule has a way that takes the
// organization from the token, and a way that has none. It returns nil if the rule lacks one
// of the two.
func (r *Rule) organizationVaries() *Way {
	var fromToken, without bool
	for _, way := range r.Ways() {
		without = without || way.Model == authzv1.Model_MODEL_GLOBAL_RESOURCE
		fromToken = fromToken || way.Organization != nil && way.Organization.Location == LocationToken
		if fromToken && without {
			return way
		}
	}
	return nil
}
