package main

import (
	"fmt"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// ways adds the ways of sound rules that let in no call which the other ways refuse, and the ways that take the
// organization from another place than a way before.
func (f findings) ways(r ruleset) {
	for _, rule := range r.rules {
		if len(rule.Alternatives) == 0 || r.faultOf(rule.Method) != nil {
			continue
		}
		name, ways := rule.Method.FullName(), rule.Ways()
		for _, number := range covered(rule) {
			f.add(bufrules.WayCovered, ways[number].FieldPlace("scopes"), fmt.Sprintf("%s: way %d lets in no call that the other ways refuse: "+
				"remove the way, or have another way ask for more", name, number))
		}
		first := slices.IndexFunc(ways, namesOrganization)
		for number, way := range ways {
			if namesOrganization(way) && organizationPlace(way) != organizationPlace(ways[first]) {
				f.add(bufrules.OrganizationPlaces, way.FieldPlace("scopes"), fmt.Sprintf("%s: way %d takes the organization from %s, and way %d from %s: "+
					"a caller by one way may name any organization in the place of the other: name one place, or have the handler take the organization from "+
					"interceptor.WayFromContext and say so beside a comment buf:lint:ignore", name, number, organizationPlace(way), first, organizationPlace(ways[first])))
			}
		}
	}
}

func namesOrganization(way *policy.Way) bool { return way.Organization != nil }

// organizationPlace tells where a way finds the organization.
func organizationPlace(way *policy.Way) string {
	switch o := way.Organization; o.Location {
	case policy.LocationToken:
		return "the token"
	case policy.LocationHeader:
		return "header " + o.Name
	default:
		return "field " + o.Name
	}
}

// covered returns the numbers of the ways without which a rule lets in the same calls, the last first. Of ways that cover
// each other it returns all but the first.
func covered(rule *policy.Rule) (numbers []int) {
	ways := rule.Ways()
	left := slices.Clone(ways)
	for number := len(ways) - 1; number >= 0 && len(left) > 1; number-- {
		without := *rule
		without.Alternatives = nil
		others := slices.DeleteFunc(slices.Clone(left), func(way *policy.Way) bool { return way == ways[number] })
		for i, way := range others {
			if i == 0 {
				without.Way = *way
			} else {
				without.Alternatives = append(without.Alternatives, *way)
			}
		}
		if !slices.ContainsFunc(policydiff.Compare([]*policy.Rule{&without}, []*policy.Rule{rule}), func(change *policydiff.Change) bool { return change.Kind.Looser() }) {
			numbers, left = append(numbers, number), others
		}
	}
	return numbers
}
