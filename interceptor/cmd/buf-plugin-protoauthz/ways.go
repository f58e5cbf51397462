package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// ways adds the ways by which no call goes, since the ways before let in all calls of the way. And it adds the ways that
// take the organization from another place than the first way with an organization. The findings stand at the scopes of
// a way, or at the way if it has none.
func (f findings) ways(r ruleset) {
	for _, rule := range r.rules {
		if len(rule.Alternatives) == 0 {
			continue
		}
		name, ways := rule.Method.FullName(), rule.Ways()
		first := slices.IndexFunc(ways, func(way *policy.Way) bool { return way.Organization != nil })
		for number, way := range ways {
			if covered(rule, number) {
				f.add(bufrules.WayCovered, way.FieldPlace("scopes"), fmt.Sprintf("%s: no call goes by way %d, since the ways before let in all its calls: "+
					"remove the way, or have a way before ask for more", name, number))
				continue
			}
			if way.Organization == nil {
				continue
			}
			if is, was := placeOf(way.Organization), placeOf(ways[first].Organization); is != was {
				f.add(bufrules.OrganizationPlaces, way.FieldPlace("scopes"), fmt.Sprintf("%s: way %d takes the organization from %s, and way %d from %s: %s: "+
					"name one place for all ways, or have the handler take the organization from interceptor.WayFromContext and silence %s",
					name, number, is, first, was, unchecked(number, is, first, was), bufrules.OrganizationPlaces))
			}
		}
	}
}

// covered reports whether the ways before a way let in all calls of the way.
func covered(rule *policy.Rule, number int) bool {
	if number == 0 {
		return false
	}
	before, with := *rule, *rule
	before.Alternatives, with.Alternatives = rule.Alternatives[:number-1], rule.Alternatives[:number]
	changes := policydiff.Compare([]*policy.Rule{&before}, []*policy.Rule{&with})
	return !slices.ContainsFunc(changes, func(change *policydiff.Change) bool { return change.Kind.Looser() })
}

const tokenPlace = "the token"

// placeOf tells where a way finds the organization.
func placeOf(organization *policy.Organization) string {
	switch organization.Location {
	case policy.LocationToken:
		return tokenPlace
	case policy.LocationHeader:
		return "header " + organization.Name
	case policy.LocationField:
	}
	for number, segment := range strings.Split(organization.Pattern, "/") {
		if segment == "{organization}" && number > 0 {
			return fmt.Sprintf("segment %d of field %s", number+1, organization.Name)
		}
	}
	return "field " + organization.Name
}

// unchecked tells which place each of two ways leaves to the client.
func unchecked(number int, place string, first int, other string) string {
	var free []string
	for _, way := range []struct {
		number int
		other  string
	}{{number, other}, {first, place}} {
		if way.other != tokenPlace {
			free = append(free, fmt.Sprintf("a caller by way %d may name any organization in %s", way.number, way.other))
		}
	}
	return strings.Join(free, ", and ")
}
