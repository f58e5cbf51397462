package interceptor

import (
	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// decide applies a way to verified claims. It returns the organization of the token,
// which is empty for MODEL_GLOBAL_RESOURCE. Then [namesOrganization],
// [checkIdentifiers] and [judge] decide whether the request names that organization,
// and the caller.
func decide(way *policy.Way, claims *token.Claims) (organization string, denial *Denial) {
	organization, denial = checkModel(way, claims)
	if denial != nil {
		return "", denial
	}
	if !callerAllowed(way.Caller, claims.Caller()) {
		return "", deny(ReasonCallerNotAllowed, callerCause(way.Caller, claims.Caller()))
	}
	if !scopesGranted(way, claims) {
		return "", &Denial{reason: ReasonScopeInsufficient, scopes: way.Scopes, anyScopes: way.AnyScopes, cause: &missingScopes{way, claims}}
	}
	return organization, nil
}

// checkModel makes sure that the token was issued for the way's permission
// model and audience: scopes alone never prove which model granted them.
func checkModel(way *policy.Way, claims *token.Claims) (organization string, denial *Denial) {
	switch way.Model {
	case authzv1.Model_MODEL_ORGANIZATION:
		return checkOrganizationModel(way, claims)
	case authzv1.Model_MODEL_GLOBAL_RESOURCE, authzv1.Model_MODEL_ORGANIZATION_RESOURCE:
	default:
		return "", deny(ReasonRuleMissing, unknownModel)
	}
	switch {
	case claims.HasOrganizationAudience():
		return "", deny(ReasonModelMismatch, organizationTokenCause(way))
	case way.Audience == "" || !claims.HasAudience(way.Audience):
		return "", deny(ReasonAudienceMismatch, audienceCause(way))
	}
	organization, present := claims.OrganizationClaim()
	if way.Model == authzv1.Model_MODEL_GLOBAL_RESOURCE {
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

func checkOrganizationModel(way *policy.Way, claims *token.Claims) (organization string, denial *Denial) {
	organization, ok := claims.OrganizationAudience()
	claimed, present := claims.OrganizationClaim()
	switch {
	case ok && (!present || claimed == organization):
		return organization, nil
	case ok:
		return "", deny(ReasonModelMismatch, organizationsDiffer)
	case claims.HasOrganizationAudience():
		return "", deny(ReasonModelMismatch, organizationsMany)
	case way.Audience != "" && claims.HasAudience(way.Audience):
		return "", deny(ReasonModelMismatch, apiTokenCause(way))
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

func scopesGranted(way *policy.Way, claims *token.Claims) bool {
	for _, scope := range way.Scopes {
		if !claims.HasScope(scope) {
			return false
		}
	}
	if len(way.AnyScopes) == 0 {
		return true
	}
	for _, scope := range way.AnyScopes {
		if claims.HasScope(scope) {
			return true
		}
	}
	return false
}

// checkIdentifiers makes sure that the token has a subject and a client of the kind that the way asks
// for. Then [judge] decides whether a message names them.
func checkIdentifiers(way *policy.Way, claims *token.Claims) *Denial {
	switch subject := way.Subject; {
	case subject == nil:
	case claims.Caller() != token.CallerUser:
		return deny(ReasonSubjectMismatch, subjectCause(claims.Caller()))
	case subject.Issuer != "" && claims.Issuer() != subject.Issuer:
		return deny(ReasonSubjectMismatch, issuerCause(subject))
	}
	switch client := way.Client; {
	case client == nil:
	case claims.ClientID() == "": // empty never equals empty
		return deny(ReasonSubjectMismatch, clientNone)
	case client.Issuer != "" && claims.Issuer() != client.Issuer:
		return deny(ReasonSubjectMismatch, issuerCause(client))
	}
	return nil
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
