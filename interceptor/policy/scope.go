package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// scopesShared finds scopes that leak from organizations into the global model.
func (c *compiler) scopesShared() {
	type use struct{ audience, scope string }
	global := map[use]string{}
	for _, rule := range c.rules {
		if rule.Model == authzv1.Model_MODEL_GLOBAL_RESOURCE {
			for _, scope := range slices.Concat(rule.Scopes, rule.AnyScopes) {
				global[use{rule.Audience, scope}] = rule.Procedure
			}
		}
	}
	reported := map[use]bool{}
	for _, rule := range c.rules {
		if rule.Model != authzv1.Model_MODEL_ORGANIZATION_RESOURCE {
			continue
		}
		for _, scope := range slices.Concat(rule.Scopes, rule.AnyScopes) {
			key := use{rule.Audience, scope}
			other, shared := global[key]
			if !shared || reported[key] || slices.Contains(c.sharedScopes, scope) {
				continue
			}
			reported[key] = true
			c.faultAt(rule.ScopePlace(scope), FaultScopeShared, strings.ReplaceAll(rule.Procedure[1:], "/", "."),
				"scope %q also opens the global method %s of the same audience: a user's global token may carry it from any organization; "+
					"choose another scope, or accept it with WithSharedScopes", scope, other)
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
