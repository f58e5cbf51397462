package policy

import authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"

// maxAlternatives bounds the alternatives of a rule: a guard keeps the ways that a call has
// left in one word.
const maxAlternatives = 15

// together checks the ways of a rule together. Each way for itself has no fault.
func (c *compiler) together(rule *Rule) {
	name := string(rule.Method.FullName())
	seen := map[string]bool{}
	for _, way := range rule.Ways() {
		if seen[way.String()] { // for one request, ways with the same text are the same
			c.faultAt(way.option, FaultRuleConflict, name, "the alternative is the same as a way before it: remove the alternative, or change one of the two")
		}
		seen[way.String()] = true
	}
	switch varying := rule.organizationVaries(); {
	case varying != nil && !rule.OrganizationOptional:
		c.faultAt(varying.option, FaultOrganizationOptional, name,
			"one way takes the organization from the token, and another way has none: a handler that takes no organization for all organizations would answer with the data of all: "+
				"name the organization by a field or a header of the request, or set organization_optional if the handler copes")
	case varying == nil && rule.OrganizationOptional:
		c.faultAt(rule.FieldPlace("organization_optional"), FaultRuleConflict, name,
			"organization_optional is set without need: no way takes the organization from the token while another way has none: remove organization_optional")
	}
}

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
