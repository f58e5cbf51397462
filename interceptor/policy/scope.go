package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// WithSharedScopes accepts scopes that both a global and an organization-level method of
// the same audience need. Without the option, such a scope is a fault: an issuer such as
// Logto puts the API scopes of all organization roles of a user into the user's global
// token, so that a shared scope in one organization lets the user call the global method.
func WithSharedScopes(scopes ...string) Option {
	return func(c *compiler) {
		for _, scope := range scopes {
			if err := checkScope(scope); err != nil {
				c.argumentFault(Place{}, "WithSharedScopes", scope, "%v", err)
			}
			c.sharedScopes = append(c.sharedScopes, scope)
		}
	}
}

// opposite holds the models between which scopes leak, and levels the words for their methods.
var (
	opposite = map[authzv1.Model]authzv1.Model{
		authzv1.Model_MODEL_GLOBAL_RESOURCE:       authzv1.Model_MODEL_ORGANIZATION_RESOURCE,
		authzv1.Model_MODEL_ORGANIZATION_RESOURCE: authzv1.Model_MODEL_GLOBAL_RESOURCE,
	}
	levels = map[authzv1.Model]string{
		authzv1.Model_MODEL_GLOBAL_RESOURCE:       "global",
		authzv1.Model_MODEL_ORGANIZATION_RESOURCE: "organization-level",
	}
)

// scopesShared adds the faults of scopes that leak from organizations into the global model. Each method
// with such a scope has the fault, so that tools find it at the method.
func (c *compiler) scopesShared() {
	type use struct {
		model           authzv1.Model
		audience, scope string
	}
	first := map[use]string{} // what needs it, for the fault
	for _, rule := range c.rules {
		for _, way := range rule.Ways() {
			for _, scope := range slices.Concat(way.Scopes, way.AnyScopes) {
				key := use{way.Model, way.Audience, scope}
				first[key] = cmp.Or(first[key], way.withLevel())
			}
		}
	}
	for _, rule := range c.rules {
		for _, way := range rule.Ways() {
			other, leaks := opposite[way.Model]
			if !leaks {
				continue
			}
			for _, scope := range slices.Concat(way.Scopes, way.AnyScopes) {
				leak, shared := first[use{other, way.Audience, scope}]
				if !shared || slices.Contains(c.sharedScopes, scope) {
					continue
				}
				c.wayFault(way, way.ScopePlace(scope), FaultScopeShared,
					"the %s of the same audience needs scope %q too, and a user's global token may carry the scope from any organization: "+
						"choose another scope, or accept the scope with WithSharedScopes", leak, scope)
			}
		}
	}
}

// withLevel names a way with its level, as in "global method /pkg.Service/Method".
func (w *Way) withLevel() string {
	if w.number > 0 {
		return levels[w.Model] + " " + w.name() + " of " + procedure(w.method)
	}
	return levels[w.Model] + " method " + procedure(w.method)
}

// checkScope returns an error unless the scope is a scope-token of RFC 6749 section 3.3.
func checkScope(scope string) error {
	if scope == "" {
		return errors.New("scope is empty: leave it out, or name a scope")
	}
	for _, c := range []byte(scope) {
		if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return fmt.Errorf("scope %+q is not a scope-token (RFC 6749 section 3.3): use printable ASCII without space, quote and backslash", scope)
		}
	}
	return nil
}
