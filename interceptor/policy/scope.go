package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// WithSharedScopes accepts that the given scopes serve both global and
// organization-level methods of the same audience. An issuer such as Logto puts
// the API scopes of all of a user's organization roles into the user's global
// token, so a shared scope held in one organization opens the global method too.
func WithSharedScopes(scopes ...string) Option {
	return func(c *compiler) {
		for _, scope := range scopes {
			if err := checkScope(scope); err != nil {
				c.fault("WithSharedScopes", "%v", err)
			}
			c.sharedScopes = append(c.sharedScopes, scope)
		}
	}
}

// opposite are the models between which scopes leak, and levels what their methods are called.
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

// scopesShared finds scopes that leak from organizations into the global model. Each method that names
// one has the fault: a tool that asks for the faults of a method must find it.
func (c *compiler) scopesShared() {
	type use struct {
		model           authzv1.Model
		audience, scope string
	}
	first := map[use]string{}
	for _, rule := range c.rules {
		for _, scope := range slices.Concat(rule.Scopes, rule.AnyScopes) {
			key := use{rule.Model, rule.Audience, scope}
			first[key] = cmp.Or(first[key], rule.Procedure)
		}
	}
	for _, rule := range c.rules {
		other, leaks := opposite[rule.Model]
		if !leaks {
			continue
		}
		scopes := slices.Concat(rule.Scopes, rule.AnyScopes)
		for i, scope := range scopes {
			procedure, shared := first[use{other, rule.Audience, scope}]
			if !shared || slices.Contains(c.sharedScopes, scope) || slices.Contains(scopes[:i], scope) {
				continue
			}
			c.faultAt(rule.ScopePlace(scope), FaultScopeShared, string(rule.Method.FullName()),
				"scope %q also opens the %s method %s of the same audience: a user's global token may carry it from any organization; "+
					"choose another scope, or accept it with WithSharedScopes", scope, levels[other], procedure)
		}
	}
}

// checkScope enforces scope-token of RFC 6749 section 3.3.
func checkScope(scope string) error {
	if scope == "" {
		return errors.New("scope is empty: leave it out, or name a scope")
	}
	for _, c := range []byte(scope) {
		if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return fmt.Errorf("scope %+q has a character outside scope-token of RFC 6749 section 3.3", scope)
		}
	}
	return nil
}
