package explain

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// change returns what would have to change so that a check passes.
func (q *Question) change(rule *policy.Rule, a answer, check Check) string {
	switch a.denial.Reason() {
	case interceptor.ReasonRuleMissing:
		return "annotate the method with (protoauthz.v1.method), or name its service with -public"
	case interceptor.ReasonTokenMissing:
		return "send a token: " + request(rule)
	case interceptor.ReasonSchemeUnsupported:
		return `send the token as "Authorization: Bearer TOKEN"`
	case interceptor.ReasonTokenMalformed:
		if check == CheckAuthorization {
			return `send one header "Authorization: Bearer TOKEN", with nothing but the access token in it`
		}
		return "send an access token that is a JWT: " + request(rule)
	case interceptor.ReasonTokenInvalid:
		return invalid(rule, check)
	case interceptor.ReasonTokenExpired:
		return "ask the issuer for a new token; if this one is new, set the clocks right"
	case interceptor.ReasonTokenNotYetValid:
		return "wait until the time that the claim names; if it has passed, set the clocks right"
	case interceptor.ReasonAudienceMismatch, interceptor.ReasonModelMismatch:
		return request(rule)
	case interceptor.ReasonCallerNotAllowed:
		if rule.Caller == authzv1.Caller_CALLER_CLIENT {
			return "use the client's own token (client_credentials): the method is for clients alone"
		}
		return "use the token of a user who has signed in: the method is for users alone"
	case interceptor.ReasonScopeInsufficient:
		return missing(a)
	case interceptor.ReasonOrganizationMismatch:
		return naming(rule, a)
	case interceptor.ReasonKeysUnavailable:
		return "make the issuer's key set reachable, and try again"
	case interceptor.ReasonVerifierUnavailable:
		return "make the issuer's introspection endpoint reachable, and try again"
	case interceptor.ReasonVerifierBusy:
		return "try again"
	case interceptor.ReasonGuardFailed:
		return "correct the verifier"
	default:
		return ""
	}
}

func invalid(rule *policy.Rule, check Check) string {
	switch check {
	case CheckSignature:
		return "ask the issuer for a new token: this one was changed, was signed by somebody else, or its key is no longer in use"
	case CheckTime:
		return "have the issuer write that claim as it should be"
	case CheckClaims:
		return "use an access token; if the token is one, have the issuer write that claim as it should be, or correct the Issuer"
	default:
		return "use an access token of the issuer that the server trusts: " + request(rule)
	}
}

// request returns what token to ask for.
func request(rule *policy.Rule) string {
	switch {
	case isOrganization(rule):
		return "ask the issuer for an organization token: for the organization, and without any resource (audience)"
	case rule.Model == authzv1.Model_MODEL_ORGANIZATION_RESOURCE:
		return fmt.Sprintf("ask the issuer for a token with the resource (audience) %s, for the organization", rule.Audience)
	default:
		return fmt.Sprintf("ask the issuer for a token with the resource (audience) %s, without an organization", rule.Audience)
	}
}

func isOrganization(rule *policy.Rule) bool { return rule.Model == authzv1.Model_MODEL_ORGANIZATION }

// missing returns what to do about missing scopes.
func missing(a answer) string {
	var ask []string
	switch all := slices.DeleteFunc(slices.Clone(a.denial.Scopes()), a.claims.HasScope); len(all) {
	case 0:
	case 1:
		ask = append(ask, "the scope "+all[0])
	default:
		ask = append(ask, "the scopes "+strings.Join(all, " "))
	}
	if alternatives := a.denial.AnyScopes(); len(alternatives) > 0 && !slices.ContainsFunc(alternatives, a.claims.HasScope) {
		ask = append(ask, "one of the scopes "+strings.Join(alternatives, " "))
	}
	return "ask the issuer for " + strings.Join(ask, " and ") + ": it grants only what the roles of the caller hold"
}

// naming returns which organization the request must name, and where.
func naming(rule *policy.Rule, a answer) string {
	organization := a.claims.OrganizationID()
	where := ""
	switch rule.Organization.Location {
	case policy.LocationHeader:
		where = "once in the header " + rule.Organization.Name
	case policy.LocationField:
		message := "the message"
		if rule.Method.IsStreamingClient() {
			message = "every message"
		}
		where = "in the field " + rule.Organization.Name + " of " + message
		if slices.ContainsFunc(rule.Organization.Path(), protoreflect.FieldDescriptor.IsList) {
			where = "in each " + rule.Organization.Name + " of " + message
		}
		if pattern := rule.Organization.Pattern; pattern != "" {
			where += ", as " + strings.ReplaceAll(pattern, "{organization}", organization)
		}
	case policy.LocationToken:
	}
	return strings.TrimSpace("name the organization "+organization+" "+where) + ", or use a token for the organization that is meant"
}
