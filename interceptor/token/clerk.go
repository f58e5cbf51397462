package token

import (
	"strconv"
	"strings"
)

// ClerkPermissions in [Issuer.ScopeClaims] stands for the permissions in the active organization that a
// session token (version 2) of Clerk has, such as "org:orders:read". The token has the features of the
// organization in `fea`, the names of permissions in `o.per`, and in `o.fpm` a number for each feature, whose
// bits are the permissions that the user has on that feature. A name in `o.per` alone grants nothing.
const ClerkPermissions = "/o/{permissions}"

// maxClerkPermissions is the largest number of permissions in a token. Without a bound, a few bits could stand for
// many permissions.
const maxClerkPermissions = 1000

// clerkField are the claims of ClerkPermissions.
type clerkField struct{ features, names, bits int } // slots

func (c *compiler) clerkField() *clerkField {
	return &clerkField{c.slotOf([]string{"fea"}), c.slotOf([]string{"o", "per"}), c.slotOf([]string{"o", "fpm"})}
}

// scopes returns the permissions.
func (c *clerkField) scopes(p payload) (scopes []string, err error) {
	var lists [3][]string
	for n, claim := range []struct {
		name string
		slot int
	}{{"fea", c.features}, {"/o/per", c.names}, {"/o/fpm", c.bits}} {
		list, _, err := p.text(claim.name, claim.slot)
		if err != nil {
			return nil, err
		}
		if list != "" {
			lists[n] = strings.Split(strings.Clone(list), ",")
		}
	}
	var features []string // of the organization
	for _, feature := range lists[0] {
		if owner, name, _ := strings.Cut(feature, ":"); strings.Contains(owner, "o") {
			features = append(features, name)
		}
	}
	names, bits := lists[1], lists[2]
	if len(bits) > len(features) {
		return nil, invalid("/o/fpm has more numbers than fea has features")
	}
	for n, number := range bits {
		granted, err := strconv.ParseUint(number, 10, 64)
		if err != nil || granted>>len(names) != 0 {
			return nil, invalid("/o/fpm has a number that does not fit /o/per")
		}
		for bit, name := range names {
			if granted>>bit&1 == 1 {
				if len(scopes) == maxClerkPermissions {
					return nil, invalid("/o/fpm has more than %d permissions", maxClerkPermissions)
				}
				scopes = append(scopes, "org:"+features[n]+":"+name)
			}
		}
	}
	return scopes, nil
}
