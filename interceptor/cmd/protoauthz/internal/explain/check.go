package explain

import (
	"fmt"
	"strings"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Check is a check that the guard makes.
type Check string

// The checks, in the order in which the guard makes them.
const (
	CheckRule          Check = "rule"
	CheckAuthorization Check = "authorization"
	CheckForm          Check = "form"
	CheckHeader        Check = "header"
	CheckTime          Check = "time"
	CheckSignature     Check = "signature"
	CheckClaims        Check = "claims"
	CheckModel         Check = "model"
	CheckCaller        Check = "caller"
	CheckScopes        Check = "scopes"
	CheckOrganization  Check = "organization"
)

var checks = []Check{
	CheckRule, CheckAuthorization, CheckForm, CheckHeader, CheckTime, CheckSignature, CheckClaims,
	CheckModel, CheckCaller, CheckScopes, CheckOrganization,
}

// A Status is the outcome of a check.
type Status string

// The statuses.
const (
	StatusPassed  Status = "passed"
	StatusRefused Status = "refused"
	// StatusNotReached means that an earlier check has refused the call.
	StatusNotReached Status = "not_reached"
	// StatusNotMade means that only a server can make the check.
	StatusNotMade Status = "not_made"
	// StatusNotNeeded means that the rule does not need the check.
	StatusNotNeeded Status = "not_needed"
)

// A Step is a check and its outcome.
type Step struct {
	Check  Check  `json:"check"`
	Status Status `json:"status"`
	// About is what the check is about or, if the check has refused the call, what is wrong.
	About string `json:"about"`
	// Change is what would have to change, if the check has refused the call.
	Change string `json:"change,omitempty"`
}

// refusing returns the check of a denial.
func (q *Question) refusing(denial *interceptor.Denial) Check {
	switch denial.Reason() {
	case interceptor.ReasonRuleMissing:
		return CheckRule
	case interceptor.ReasonTokenMissing, interceptor.ReasonSchemeUnsupported:
		return CheckAuthorization
	case interceptor.ReasonTokenMalformed:
		if _, err := token.Bearer(q.Authorization); err != nil {
			return CheckAuthorization
		}
		return CheckForm
	case interceptor.ReasonTokenInvalid:
		return q.failedCheck(denial)
	case interceptor.ReasonTokenExpired, interceptor.ReasonTokenNotYetValid:
		return CheckTime
	case interceptor.ReasonAudienceMismatch, interceptor.ReasonModelMismatch:
		return CheckModel
	case interceptor.ReasonCallerNotAllowed:
		return CheckCaller
	case interceptor.ReasonScopeInsufficient:
		return CheckScopes
	case interceptor.ReasonOrganizationMismatch:
		return CheckOrganization
	case interceptor.ReasonKeysUnavailable, interceptor.ReasonVerifierUnavailable, interceptor.ReasonVerifierBusy, interceptor.ReasonGuardFailed:
		return CheckSignature
	default:
		return CheckRule
	}
}

// steps returns the outcome of all checks.
func (q *Question) steps(a answer) []Step {
	rule, _ := q.Table.Lookup(q.Procedure)
	refusing, cause, remedy := Check(""), "", ""
	switch {
	case rule != nil && rule.Unannotated && !rule.Public:
		rule, refusing, cause, remedy = nil, CheckRule, "the method has no annotation", "annotate the method with (protoauthz.v1.method)"
	case a.denial != nil:
		refusing, cause = q.refusing(a.denial), why(a.denial)
		remedy = q.change(rule, a, refusing)
	}
	steps, status := make([]Step, 0, len(checks)), StatusPassed
	for _, check := range checks {
		step := Step{Check: check, Status: status}
		switch {
		case check == refusing:
			step.Status, step.About, step.Change = StatusRefused, cause, remedy
			status = StatusNotReached
		case rule == nil: // the first step has refused the call
			step.About = "there is no rule to check by"
		case rule.Public && check != CheckRule:
			step.Status, step.About = StatusNotNeeded, "the method is public"
		default:
			step.About = about(rule, check)
			switch {
			case status != StatusPassed:
			case refusing == CheckSignature && a.denial.Reason() == interceptor.ReasonGuardFailed && check != CheckRule && check != CheckAuthorization:
				step.Status = StatusNotReached // nobody knows where the verifier has failed
			case !needs(rule, check):
				step.Status = StatusNotNeeded
			case check == CheckSignature && q.Verifier == nil:
				step.Status, step.About = StatusNotMade, "not verified: anybody can have written this token"
			case check == CheckOrganization && a.awaits:
				step.Status, step.About = StatusNotMade, "not known: "+naming(rule, a)
			}
		}
		steps = append(steps, step)
	}
	return steps
}

// needs reports whether a rule needs a check.
func needs(rule *policy.Rule, check Check) bool {
	switch check {
	case CheckCaller:
		return rule.Caller != authzv1.Caller_CALLER_ANY
	case CheckScopes:
		return len(rule.Scopes)+len(rule.AnyScopes) > 0
	case CheckOrganization:
		return rule.Organization != nil
	default:
		return true
	}
}

// about returns what a check is about.
func about(rule *policy.Rule, check Check) string {
	switch check {
	case CheckRule:
		switch {
		case rule.Unannotated:
			return "the method has no annotation, and is public all the same: no token is read"
		case rule.Public:
			return "the method is public: no token is read"
		}
		return "the method has a rule"
	case CheckAuthorization:
		return "one Authorization header, with a bearer token"
	case CheckForm:
		return "a JWT of strict form, and not too large"
	case CheckHeader:
		return "JOSE header, issuer, type and algorithm"
	case CheckTime:
		return "exp, nbf and iat, with the leeway"
	case CheckSignature:
		return "a key of the issuer has signed the token"
	case CheckClaims:
		return "the claims are of the right types, without control characters"
	case CheckModel:
		if isOrganization(rule) {
			return "the token is for one organization, and not for an API"
		}
		return fmt.Sprintf("a token of model %s, for the API %s", model(rule), rule.Audience)
	case CheckCaller:
		if rule.Caller == authzv1.Caller_CALLER_ANY {
			return "any kind of caller will do"
		}
		return "the caller is a " + strings.ToLower(strings.TrimPrefix(rule.Caller.String(), "CALLER_"))
	case CheckScopes:
		if !needs(rule, check) {
			return "no scope is needed"
		}
		return rule.Needs()
	case CheckOrganization:
		if rule.Organization == nil {
			return "the method has no organization"
		}
		return "the request names the organization: " + rule.Organization.String()
	default:
		return ""
	}
}

func model(rule *policy.Rule) string {
	return strings.ToLower(strings.TrimPrefix(rule.Model.String(), "MODEL_"))
}

// why returns the cause of a denial, which has no value of the token.
func why(denial *interceptor.Denial) string {
	if cause := denial.Unwrap(); cause != nil {
		return cause.Error()
	}
	return denial.Error()
}
