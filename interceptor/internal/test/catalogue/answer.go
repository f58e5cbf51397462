package catalogue

import (
	"net/http"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// The codes of refusals, as gRPC numbers them.
const (
	permissionDenied = 7
	internal         = 13
	unavailable      = 14
	unauthenticated  = 16
)

// An Answer is everything that a client learns of a refusal. The zero Answer means that the call was let in.
type Answer struct {
	// Code is gRPC's number, which Connect shares.
	Code int
	// Reason is the reason in the google.rpc.ErrorInfo. Required and Any are its metadata "required_scopes" and
	// "any_scopes".
	Reason, Required, Any string
	// Text is the message.
	Text string
	// Challenge is the WWW-Authenticate, if the protocol shows it.
	Challenge string
	// Told is the metadata "challenge", which is the same text over every protocol.
	Told string
}

// HTTPStatus returns the HTTP status of a unary call of Connect. Other calls have 200.
func (a Answer) HTTPStatus() int {
	switch a.Code {
	case 0:
		return http.StatusOK
	case permissionDenied:
		return http.StatusForbidden
	case unauthenticated:
		return http.StatusUnauthorized
	case unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

const (
	plainChallenge   = `Bearer realm="` + tokens.API + `"` // also for Member, whose audience is an organization
	invalidChallenge = plainChallenge + `, error="invalid_token"`
	requestChallenge = plainChallenge + `, error="invalid_request"`
	scopeChallenge   = plainChallenge + `, error="insufficient_scope"`
)

// All refusals but the refusal for a missing scope: see [Insufficient].
var (
	Missing      = unauthenticatedAs("TOKEN_MISSING", "a bearer token is required", plainChallenge)
	Unsupported  = unauthenticatedAs("SCHEME_UNSUPPORTED", "the authorization scheme must be Bearer", plainChallenge)
	SchemeBeside = unauthenticatedAs("SCHEME_UNSUPPORTED", "the authorization scheme must be Bearer", requestChallenge)
	Malformed    = unauthenticatedAs("TOKEN_MALFORMED", "the bearer token is malformed", invalidChallenge)
	Several      = unauthenticatedAs("TOKEN_MALFORMED", "the bearer token is malformed", requestChallenge)
	Invalid      = unauthenticatedAs("TOKEN_INVALID", "the bearer token is not valid", invalidChallenge)
	Expired      = unauthenticatedAs("TOKEN_EXPIRED", "the bearer token has expired", invalidChallenge)
	NotYetValid  = unauthenticatedAs("TOKEN_NOT_YET_VALID", "the bearer token is not valid yet", invalidChallenge)
	Audience     = denied("AUDIENCE_MISMATCH", "the token is for another audience", invalidChallenge)
	Model        = denied("MODEL_MISMATCH", "the token is of another permission model", plainChallenge)
	Organization = denied("ORGANIZATION_MISMATCH", "the token is not for this organization", plainChallenge)
	Subject      = denied("SUBJECT_MISMATCH", "the request is not for this caller", plainChallenge)
	Caller       = denied("CALLER_NOT_ALLOWED", "this kind of caller is not allowed", plainChallenge)
	Ruleless     = denied("RULE_MISSING", "the method has no authorization rule", "")
	Unavailable  = Answer{
		Code: unavailable, Reason: "KEYS_UNAVAILABLE", Text: "tokens cannot be verified now: try again later",
	}
	Unanswered = Answer{
		Code: unavailable, Reason: "VERIFIER_UNAVAILABLE", Text: "this token cannot be verified now: try again later",
	}
	Busy = Answer{
		Code: unavailable, Reason: "VERIFIER_BUSY", Text: "too many tokens are being verified: try again later",
	}
	Failed = Answer{Code: internal, Reason: "GUARD_FAILED", Text: "the call could not be authorized"}
)

func unauthenticatedAs(reason, text, challenge string) Answer {
	return Answer{Code: unauthenticated, Reason: reason, Text: text, Challenge: challenge, Told: challenge}
}

func denied(reason, text, challenge string) Answer {
	return Answer{Code: permissionDenied, Reason: reason, Text: text, Challenge: challenge, Told: challenge}
}

// Insufficient is the refusal for a missing scope, with all scopes that the rule names and its alternatives.
func Insufficient(required string, alternatives ...string) Answer {
	answer := denied("SCOPE_INSUFFICIENT", "a required scope is missing", scopeChallenge+`, scope="`+required+`"`)
	answer.Required, answer.Any = required, strings.Join(alternatives, " ")
	return answer
}

// elsewhere returns a refusal with the challenge of a way for another API.
func elsewhere(answer Answer) Answer {
	answer.Challenge = strings.Replace(answer.Challenge, tokens.API, staffAPI, 1)
	answer.Told = answer.Challenge
	return answer
}

// causes are the errors that the cause of a refusal must match, by reason.
var causes = map[string]error{
	Missing.Reason:     token.ErrMissing,
	Unsupported.Reason: token.ErrScheme,
	Malformed.Reason:   token.ErrMalformed,
	Invalid.Reason:     token.ErrInvalid,
	Expired.Reason:     token.ErrExpired,
	NotYetValid.Reason: token.ErrNotYetValid,
	Unavailable.Reason: token.ErrKeysUnavailable,
	Unanswered.Reason:  token.ErrVerifierUnavailable,
	Busy.Reason:        token.ErrBusy,
}
