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
	CheckSubject       Check = "subject" // and the client
)

var checks = []Check{
	CheckRule, CheckAuthorization, CheckForm, CheckHeader, CheckTime, CheckSignature, CheckClaims,
	CheckModel, CheckCaller, CheckScopes, CheckOrganization, CheckSubject,
}

// A Status is the outcome of a check.
type Status string

// The statuses.
const (
	StatusPassed  Status = "passed"
	StatusRefused Status = "refused"
	// StatusNotReached means that another check has refused the call first.
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
	case interceptor.ReasonSubjectMismatch:
		return CheckSubject
	case interceptor.ReasonKeysUnavailable, interceptor.ReasonVerifierUnavailable, interceptor.ReasonVerifierBusy, interceptor.ReasonGuardFailed:
		return CheckSignature
	default:
		return CheckRule
	}
}

// steps returns the outcome of all checks.
func (q *Question) steps(a answer, d *outcomes) []Step {
	rule, way := d.rule, d.way()
	refusing, cause, remedy := Check(""), "", ""
	switch {
	case rule != nil && rule.Unannotated && !rule.Public:
		rule, refusing, cause, remedy = nil, CheckRule, "the method has no annotation", "annotate the method with (protoauthz.v1.method)"
	case a.denial != nil:
		refusing, cause = q.refusing(a.denial), why(a.denial)
		if way == nil {
			way = &outcome{answer: a}
		}
		remedy = q.change(d, way, refusing)
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
			step.About = about(rule, way, check)
			switch {
			case status != StatusPassed:
			case refusing == CheckSignature && a.denial.Reason() == interceptor.ReasonGuardFailed && check != CheckRule && check != CheckAuthorization:
				step.Status = StatusNotReached // nobody knows where the verifier has failed
			case !needs(way, check):
				step.Status = StatusNotNeeded
			case check == CheckOrganization && refusing == CheckSubject && way.byField() && way.another() != "":
				step.Status = StatusNotReached // the token is refused before its first message
			case check == CheckSignature && q.Verifier == nil:
				step.Status, step.About = StatusNotMade, "not verified: anybody can have written this token"
			case a.awaits && check == CheckSubject && way.byField():
				step.Status, step.About = StatusNotMade, "not known: see "+string(CheckOrganization)
			case a.awaits && (check == CheckOrganization && way.byField() || check == CheckSubject):
				step.Status, step.About = StatusNotMade, "not known: "+way.naming()
			}
		}
		steps = append(steps, step)
	}
	return steps
}

// needs reports whether a way needs a check. A public method has none.
func needs(way *outcome, check Check) bool {
	switch {
	case way == nil:
		return true
	case check == CheckCaller:
		return way.Caller != authzv1.Caller_CALLER_ANY
	case check == CheckScopes:
		return len(way.Scopes)+len(way.AnyScopes) > 0
	case check == CheckOrganization:
		return way.Organization != nil
	case check == CheckSubject:
		return way.Subject != nil || way.Client != nil
	default:
		return true
	}
}

// about returns what a check is about.
func about(rule *policy.Rule, way *outcome, check Check) string {
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
		if isOrganization(way.Way) {
			return "the token is for one organization, and not for an API"
		}
		return fmt.Sprintf("a token of model %s, for the API %s", model(way.Way), way.Audience)
	case CheckCaller:
		if way.Caller == authzv1.Caller_CALLER_ANY {
			return "any kind of caller will do"
		}
		return "the caller is a " + strings.ToLower(strings.TrimPrefix(way.Caller.String(), "CALLER_"))
	case CheckScopes:
		if !needs(way, check) {
			return "no scope is needed"
		}
		return way.Needs()
	case CheckOrganization:
		if way.Organization == nil {
			return "the " + way.noun() + " has no organization"
		}
		return "the request names the organization: " + way.Organization.String()
	case CheckSubject:
		var names []string
		if way.Subject != nil {
			names = append(names, "the user: "+way.Subject.String())
		}
		if way.Client != nil {
			names = append(names, "the client: "+way.Client.String())
		}
		if len(names) == 0 {
			return "the request need not name the caller"
		}
		return "the request names " + strings.Join(names, ", and ")
	default:
		return ""
	}
}

func model(way *policy.Way) string {
	return strings.ToLower(strings.TrimPrefix(way.Model.String(), "MODEL_"))
}

// why returns the cause of a denial, which has no value of the token.
func why(denial *interceptor.Denial) string {
	if cause := denial.Unwrap(); cause != nil {
		return cause.Error()
	}
	return denial.Error()
}
