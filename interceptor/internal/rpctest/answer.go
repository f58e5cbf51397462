package rpctest

import (
	"net/http"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// The codes of refusals, as gRPC numbers them.
const (
	permissionDenied = 7
	internal         = 13
	unavailable      = 14
	unauthenticated  = 16
)

// An Answer is all that a client learns of a refusal. The zero Answer is none: the
// call was let in.
type Answer struct {
	// Code is gRPC's number, which Connect shares.
	Code int
	// Reason is that of the google.rpc.ErrorInfo, and Required and Any are its
	// metadata "required_scopes" and "any_scopes".
	Reason, Required, Any string
	// Text is the message.
	Text string
	// Challenge is the WWW-Authenticate, where the protocol shows one.
	Challenge string
}

// HTTPStatus is the status of a unary call of Connect. All others have 200.
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
	plainChallenge   = `Bearer realm="protoauthz"`
	invalidChallenge = plainChallenge + `, error="invalid_token"`
	scopeChallenge   = plainChallenge + `, error="insufficient_scope"`
)

// All refusals but that for a missing scope.
var (
	Missing = Answer{
		Code: unauthenticated, Reason: "TOKEN_MISSING", Text: "a bearer token is required", Challenge: plainChallenge,
	}
	Unsupported = Answer{
		Code: unauthenticated, Reason: "SCHEME_UNSUPPORTED", Text: "the authorization scheme must be Bearer", Challenge: plainChallenge,
	}
	Malformed    = refusedToken("TOKEN_MALFORMED", "the bearer token is malformed")
	Invalid      = refusedToken("TOKEN_INVALID", "the bearer token is not valid")
	Expired      = refusedToken("TOKEN_EXPIRED", "the bearer token has expired")
	NotYetValid  = refusedToken("TOKEN_NOT_YET_VALID", "the bearer token is not valid yet")
	Audience     = denied("AUDIENCE_MISMATCH", "the token is for another audience")
	Model        = denied("MODEL_MISMATCH", "the token is of another permission model")
	Organization = denied("ORGANIZATION_MISMATCH", "the token does not open this organization")
	Caller       = denied("CALLER_NOT_ALLOWED", "this kind of caller is not allowed")
	Ruleless     = denied("RULE_MISSING", "the method has no authorization rule")
	Unavailable  = Answer{
		Code: unavailable, Reason: "KEYS_UNAVAILABLE", Text: "tokens cannot be verified now: try again later",
	}
	Busy = Answer{
		Code: unavailable, Reason: "VERIFIER_BUSY", Text: "too many tokens are being verified: try again later",
	}
	Failed = Answer{Code: internal, Reason: "GUARD_FAILED", Text: "the call could not be authorized"}
)

func refusedToken(reason, text string) Answer {
	return Answer{Code: unauthenticated, Reason: reason, Text: text, Challenge: invalidChallenge}
}

func denied(reason, text string) Answer {
	return Answer{Code: permissionDenied, Reason: reason, Text: text}
}

// Insufficient is the refusal for a missing scope: all that the rule names, and
// those of which one is enough.
func Insufficient(required string, alternatives ...string) Answer {
	answer := denied("SCOPE_INSUFFICIENT", "a required scope is missing")
	answer.Required, answer.Any = required, strings.Join(alternatives, " ")
	answer.Challenge = scopeChallenge + `, scope="` + required + `"`
	return answer
}

// causes are what is wrong with a token, by reason.
var causes = map[string]error{
	Missing.Reason:     token.ErrMissing,
	Unsupported.Reason: token.ErrScheme,
	Malformed.Reason:   token.ErrMalformed,
	Invalid.Reason:     token.ErrInvalid,
	Expired.Reason:     token.ErrExpired,
	NotYetValid.Reason: token.ErrNotYetValid,
	Unavailable.Reason: token.ErrKeysUnavailable,
	Busy.Reason:        token.ErrBusy,
}
