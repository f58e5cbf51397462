package interceptor

import (
	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// decide applies a rule that is not public to verified claims. It returns the
// organization of the token, which is empty for MODEL_GLOBAL_RESOURCE. Then
// [namesOrganization] and [policy.Organization.Check] decide whether the request
// names that organization.
func decide(rule *policy.Rule, claims *token.Claims) (organization string, denial *Denial) {
	organization, denial = checkModel(rule, claims)
	if denial != nil {
		return "", denial
	}
	if !callerAllowed(rule.Caller, claims.Caller()) {
		return "", deny(ReasonCallerNotAllowed, callerCause(rule.Caller, claims.Caller()))
	}
	if !scopesGranted(rule, claims) {
		return "", &Denial{reason: ReasonScopeInsufficient, scopes: rule.Scopes, anyScopes: rule.AnyScopes, cause: scopesMissing(rule, claims)}
	}
	return organization, nil
}

// checkModel makes sure that the token was issued for the rule's permission
// model and audience: scopes alone never prove which model granted them.
func checkModel(rule *policy.Rule, claims *token.Claims) (organization string, denial *Denial) {
	switch rule.Model {
	case authzv1.Model_MODEL_ORGANIZATION:
		return checkOrganizationModel(rule, claims)
	case authzv1.Model_MODEL_GLOBAL_RESOURCE, authzv1.Model_MODEL_ORGANIZATION_RESOURCE:
	default:
		return "", deny(ReasonRuleMissing, unknownModel)
	}
	switch {
	case claims.HasOrganizationAudience():
		return "", deny(ReasonModelMismatch, organizationTokenCause(rule))
	case rule.Audience == "" || !claims.HasAudience(rule.Audience):
		return "", deny(ReasonAudienceMismatch, audienceCause(rule))
	}
	organization, present := claims.OrganizationClaim()
	if rule.Model == authzv1.Model_MODEL_GLOBAL_RESOURCE {
		if present { // even if empty
			return "", deny(ReasonModelMismatch, organizationUnwanted)
		}
		return "", nil
	}
	switch {
	case !present:
		return "", deny(ReasonModelMismatch, organizationAbsentCause(claims))
	case organization == "":
		return "", deny(ReasonModelMismatch, organizationEmpty)
	}
	return organization, nil
}

func checkOrganizationModel(rule *policy.Rule, claims *token.Claims) (organization string, denial *Denial) {
	organization, ok := claims.OrganizationAudience()
	claimed, present := claims.OrganizationClaim()
	switch {
	case ok && (!present || claimed == organization):
		return organization, nil
	case ok:
		return "", deny(ReasonModelMismatch, organizationsDiffer)
	case claims.HasOrganizationAudience():
		return "", deny(ReasonModelMismatch, organizationsMany)
	case rule.Audience != "" && claims.HasAudience(rule.Audience):
		return "", deny(ReasonModelMismatch, apiTokenCause(rule))
	default:
		return "", deny(ReasonAudienceMismatch, organizationNone)
	}
}

func callerAllowed(want authzv1.Caller, is token.Caller) bool {
	switch want {
	case authzv1.Caller_CALLER_ANY:
		return true
	case authzv1.Caller_CALLER_USER:
		return is == token.CallerUser
	case authzv1.Caller_CALLER_CLIENT:
		return is == token.CallerClient
	default:
		return false
	}
}

func scopesGranted(rule *policy.Rule, claims *token.Claims) bool {
	for _, scope := range rule.Scopes {
		if !claims.HasScope(scope) {
			return false
		}
	}
	if len(rule.AnyScopes) == 0 {
		return true
	}
	for _, scope := range rule.AnyScopes {
		if claims.HasScope(scope) {
			return true
		}
	}
	return false
}

// namesOrganization reports whether a request names the organization of the
// token, as far as that can be told before its message is read. Where a field
// names the organization, the message decides later.
func namesOrganization(named *policy.Organization, organization string, header Header) bool {
	switch {
	case named == nil:
		return organization == ""
	case organization == "": // empty never equals empty
		return false
	}
	switch named.Location {
	case policy.LocationField, policy.LocationToken:
		return true
	case policy.LocationHeader:
		values := header.Values(named.Name)
		return len(values) == 1 && values[0] == organization
	default:
		return false
	}
}
