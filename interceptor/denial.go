package interceptor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Reason says why a call was refused. Clients find it in the google.rpc.ErrorInfo
// detail of the error, whose metadata holds the challenge that goes with the reason, if there
// is one, as "challenge": see [Denial.Challenge].
type Reason string

// All reasons. The code that goes with each stands behind it.
const (
	// ReasonTokenMissing: there is no Authorization (unauthenticated).
	ReasonTokenMissing Reason = "TOKEN_MISSING"
	// ReasonSchemeUnsupported: the Authorization is no bearer token (unauthenticated).
	ReasonSchemeUnsupported Reason = "SCHEME_UNSUPPORTED"
	// ReasonTokenMalformed: what was sent is no token (unauthenticated).
	ReasonTokenMalformed Reason = "TOKEN_MALFORMED"
	// ReasonTokenInvalid: signature, key, algorithm, type, issuer or a claim is wrong (unauthenticated).
	ReasonTokenInvalid Reason = "TOKEN_INVALID"
	// ReasonTokenExpired: the token has expired, perhaps during the call (unauthenticated).
	ReasonTokenExpired Reason = "TOKEN_EXPIRED"
	// ReasonTokenNotYetValid: the token's time has not begun (unauthenticated).
	ReasonTokenNotYetValid Reason = "TOKEN_NOT_YET_VALID"
	// ReasonAudienceMismatch: the token is for another API (permission_denied).
	ReasonAudienceMismatch Reason = "AUDIENCE_MISMATCH"
	// ReasonModelMismatch: the token is of another permission model (permission_denied).
	ReasonModelMismatch Reason = "MODEL_MISMATCH"
	// ReasonOrganizationMismatch: the request names another organization than the token, or none
	// (permission_denied).
	ReasonOrganizationMismatch Reason = "ORGANIZATION_MISMATCH"
	// ReasonScopeInsufficient: a required scope is not granted (permission_denied). The metadata of the
	// ErrorInfo holds, separated by spaces, all scopes that the rule names in "required_scopes", and
	// in "any_scopes" those among them of which one is enough.
	ReasonScopeInsufficient Reason = "SCOPE_INSUFFICIENT"
	// ReasonCallerNotAllowed: the method is for users or for clients only (permission_denied).
	ReasonCallerNotAllowed Reason = "CALLER_NOT_ALLOWED"
	// ReasonRuleMissing: no rule was compiled for the procedure (permission_denied).
	ReasonRuleMissing Reason = "RULE_MISSING"
	// ReasonKeysUnavailable: the issuer's keys cannot be had, so the token cannot be judged (unavailable).
	ReasonKeysUnavailable Reason = "KEYS_UNAVAILABLE"
	// ReasonVerifierBusy: the token was not judged, as too many others are being verified: the client
	// may try again (unavailable). See [token.WithSignatureLimit].
	ReasonVerifierBusy Reason = "VERIFIER_BUSY"
	// ReasonGuardFailed: a verifier or observer panicked or broke its contract (internal).
	ReasonGuardFailed Reason = "GUARD_FAILED"
)

// texts are what clients read: fixed, so that nothing of a token can slip in.
var texts = map[Reason]string{
	ReasonTokenMissing:         "a bearer token is required",
	ReasonSchemeUnsupported:    "the authorization scheme must be Bearer",
	ReasonTokenMalformed:       "the bearer token is malformed",
	ReasonTokenInvalid:         "the bearer token is not valid",
	ReasonTokenExpired:         "the bearer token has expired",
	ReasonTokenNotYetValid:     "the bearer token is not valid yet",
	ReasonAudienceMismatch:     "the token is for another audience",
	ReasonModelMismatch:        "the token is of another permission model",
	ReasonOrganizationMismatch: "the token does not open this organization",
	ReasonScopeInsufficient:    "a required scope is missing",
	ReasonCallerNotAllowed:     "this kind of caller is not allowed",
	ReasonRuleMissing:          "the method has no authorization rule",
	ReasonKeysUnavailable:      "tokens cannot be verified now: try again later",
	ReasonVerifierBusy:         "too many tokens are being verified: try again later",
	ReasonGuardFailed:          "the call could not be authorized",
}

// A Denial is the refusal of a call by a [Guard], which alone makes one. Find it with
// [errors.As] in the error of a call that was refused, outside of the guard.
//
// A Denial is immutable and safe for concurrent use. The zero Denial and a nil one are
// refusals with [ReasonGuardFailed].
//
// A handler may hold a Denial of another call, or of another service in the same process. An
// error of a handler in which [errors.As] finds one becomes an ordinary error, so that it
// does not pass for the refusal of the handler's own call: the code is unknown, unless the
// handler has chosen one with a [connect.Error] or a status of gRPC, which then stands with
// its text. The Denial is gone from the error, as are the google.rpc.ErrorInfo of the
// domain "protoauthz" and a WWW-Authenticate. An error that a client has received from
// another process holds no Denial and stays as it is.
type Denial struct {
	reason            Reason
	scopes, anyScopes []string // the rule's own
	cause             error
	realm             *realm // of the rule's challenges, or nil: then there is none
	several           bool   // the request has more than one credential
	within            *Call  // by a guard around the one that refused, of the same call
}

// Reason returns the reason that the client is given.
func (d *Denial) Reason() Reason {
	if d == nil || d.reason == "" {
		return ReasonGuardFailed
	}
	return d.reason
}

// Scopes returns the scopes that the rule requires, all of them, with
// [ReasonScopeInsufficient] and in a slice of the caller's own.
func (d *Denial) Scopes() []string { return slices.Clone(d.get().scopes) }

// AnyScopes returns the scopes of which the rule requires one, with
// [ReasonScopeInsufficient] and in a slice of the caller's own.
func (d *Denial) AnyScopes() []string { return slices.Clone(d.get().anyScopes) }

// Error returns the text that the client reads.
func (d *Denial) Error() string { return texts[d.Reason()] }

// Unwrap returns the cause, for logs: more detail than the client is told, with a
// remedy, and still without any secret. The cause names scopes, fields, headers and the
// audience of the rule. Of a request the cause holds the position of a list's element, and the
// name of a procedure without a rule, cut off after 200 characters and escaped. Of a verified
// token the cause tells how far a date is off. The cause matches the errors of package token
// if the token itself was refused.
func (d *Denial) Unwrap() error { return d.get().cause }

func (d *Denial) get() *Denial {
	if d == nil {
		return new(Denial)
	}
	return d
}

// own returns a copy for somebody who may overwrite it.
func (d *Denial) own() *Denial {
	if d == nil {
		return nil
	}
	own := *d
	return &own
}

// deny tells the client the reason and the log why.
func deny(reason Reason, why string) *Denial { return &Denial{reason: reason, cause: errors.New(why)} }

// denyCredentials translates what is wrong with the credentials in a request.
func denyCredentials(values []string, err error) *Denial {
	denial := denyToken(err)
	if denial.reason != ReasonTokenMalformed && denial.reason != ReasonSchemeUnsupported {
		return denial
	}
	if denial.several = several(values); denial.several {
		denial.cause = fmt.Errorf("%w: the request has more than one credential: the client must send one token, in one Authorization header; does a proxy or a middleware add another?", err)
	}
	return denial
}

// denyToken translates what is wrong with a token.
func denyToken(err error) *Denial {
	for _, known := range []struct {
		err    error
		reason Reason
	}{
		{token.ErrMissing, ReasonTokenMissing},
		{token.ErrScheme, ReasonSchemeUnsupported},
		{token.ErrMalformed, ReasonTokenMalformed},
		{token.ErrInvalid, ReasonTokenInvalid},
		{token.ErrExpired, ReasonTokenExpired},
		{token.ErrNotYetValid, ReasonTokenNotYetValid},
		{token.ErrKeysUnavailable, ReasonKeysUnavailable},
		{token.ErrBusy, ReasonVerifierBusy},
	} {
		if errors.Is(err, known.err) {
			return &Denial{reason: known.reason, cause: err}
		}
	}
	return &Denial{reason: ReasonGuardFailed, cause: err}
}

var errVerifiedExpired = fmt.Errorf("%w: the server's Verifier has returned expired claims: it must check exp on every call", token.ErrExpired)

var errExpired = fmt.Errorf("%w since it was verified, while the call was under way: the client must call again with a new token", token.ErrExpired)

// denyExpired refuses a call that its token has let in.
func denyExpired() *Denial { return &Denial{reason: ReasonTokenExpired, cause: errExpired} }
