package interceptor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Reason says why a call was refused. Clients find the reason in the google.rpc.ErrorInfo
// detail of the error: see [Denial.ErrorInfo].
type Reason string

// All reasons, each with its code in parentheses.
const (
	// ReasonTokenMissing: there is no Authorization (unauthenticated).
	ReasonTokenMissing Reason = "TOKEN_MISSING"
	// ReasonSchemeUnsupported: the Authorization has another scheme than Bearer (unauthenticated).
	ReasonSchemeUnsupported Reason = "SCHEME_UNSUPPORTED"
	// ReasonTokenMalformed: the credentials do not have the form of a token (unauthenticated).
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
	// ReasonScopeInsufficient: a required scope is not granted (permission_denied). The metadata of
	// the ErrorInfo holds all scopes that the rule names in "required_scopes", separated by spaces.
	// If one scope of several is enough, the metadata holds these several in "any_scopes" too.
	ReasonScopeInsufficient Reason = "SCOPE_INSUFFICIENT"
	// ReasonCallerNotAllowed: the method is for users or for clients only (permission_denied).
	ReasonCallerNotAllowed Reason = "CALLER_NOT_ALLOWED"
	// ReasonRuleMissing: no rule was compiled for the procedure (permission_denied).
	ReasonRuleMissing Reason = "RULE_MISSING"
	// ReasonKeysUnavailable: the token cannot be verified, since the issuer's keys cannot be had
	// (unavailable).
	ReasonKeysUnavailable Reason = "KEYS_UNAVAILABLE"
	// ReasonVerifierBusy: the token was not verified, since too many others are being verified
	// (unavailable). The client may try again. See [token.WithSignatureLimit].
	ReasonVerifierBusy Reason = "VERIFIER_BUSY"
	// ReasonGuardFailed: a verifier or observer panicked or broke its contract (internal).
	ReasonGuardFailed Reason = "GUARD_FAILED"
)

// A meaning is all that follows from a reason.
type meaning struct {
	reason    Reason
	code      connect.Code
	challenge challengeKind
	err       error  // of package token, or nil
	text      string // for the client: fixed, so that nothing of a token slips in
}

// meanings is the table of all reasons. The last row answers for a reason that is not in the table.
var meanings = []meaning{
	{ReasonTokenMissing, connect.CodeUnauthenticated, withoutError, token.ErrMissing, "a bearer token is required"},
	{ReasonSchemeUnsupported, connect.CodeUnauthenticated, withoutError, token.ErrScheme, "the authorization scheme must be Bearer"},
	{ReasonTokenMalformed, connect.CodeUnauthenticated, invalidToken, token.ErrMalformed, "the bearer token is malformed"},
	{ReasonTokenInvalid, connect.CodeUnauthenticated, invalidToken, token.ErrInvalid, "the bearer token is not valid"},
	{ReasonTokenExpired, connect.CodeUnauthenticated, invalidToken, token.ErrExpired, "the bearer token has expired"},
	{ReasonTokenNotYetValid, connect.CodeUnauthenticated, invalidToken, token.ErrNotYetValid, "the bearer token is not valid yet"},
	{ReasonAudienceMismatch, connect.CodePermissionDenied, invalidToken, nil, "the token is for another audience"},
	{ReasonModelMismatch, connect.CodePermissionDenied, withoutError, nil, "the token is of another permission model"},
	{ReasonOrganizationMismatch, connect.CodePermissionDenied, withoutError, nil, "the token does not open this organization"},
	{ReasonScopeInsufficient, connect.CodePermissionDenied, insufficientScope, nil, "a required scope is missing"},
	{ReasonCallerNotAllowed, connect.CodePermissionDenied, withoutError, nil, "this kind of caller is not allowed"},
	{ReasonRuleMissing, connect.CodePermissionDenied, noChallenge, nil, "the method has no authorization rule"},
	{ReasonKeysUnavailable, connect.CodeUnavailable, noChallenge, token.ErrKeysUnavailable, "tokens cannot be verified now: try again later"},
	{ReasonVerifierBusy, connect.CodeUnavailable, noChallenge, token.ErrBusy, "too many tokens are being verified: try again later"},
	{ReasonGuardFailed, connect.CodeInternal, noChallenge, nil, "the call could not be authorized"},
}

// A Denial is the refusal of a call by a [Guard]: only a Guard makes a Denial. Find the Denial
// with [errors.As] in the error of a refused call, outside of the guard.
//
// A Denial is immutable and safe for concurrent use. The zero Denial and a nil Denial are
// refusals with [ReasonGuardFailed].
//
// A handler may hold a Denial of another call, or of another service in the same process. An
// error of a handler in which [errors.As] finds a Denial becomes an ordinary error, so that the
// error does not pass for the refusal of the handler's own call: the code is unknown, unless the
// handler has chosen a code with a [connect.Error] or a status of gRPC. The chosen code then stays
// with its text. The Denial is gone from the error, as are the google.rpc.ErrorInfo of the
// domain "protoauthz" and a WWW-Authenticate. An error that a client has received from
// another process holds no Denial and stays as it is.
type Denial struct {
	reason             Reason
	scopes, anyScopes  []string // the rule's own
	cause              error
	realm              *realm // of the rule's challenges, or nil: then there is no challenge
	severalCredentials bool   // the request has more than one credential
	within             *Call  // that an outer guard has admitted for the same request, or nil
}

// Reason returns the reason that the client is told.
func (d *Denial) Reason() Reason { return d.meaning().reason }

// Scopes returns all scopes that the rule requires, with [ReasonScopeInsufficient] and in a slice
// of the caller's own.
func (d *Denial) Scopes() []string { return slices.Clone(d.orZero().scopes) }

// AnyScopes returns the scopes of which the rule requires one, with
// [ReasonScopeInsufficient] and in a slice of the caller's own.
func (d *Denial) AnyScopes() []string { return slices.Clone(d.orZero().anyScopes) }

// Error returns the text that the client reads.
func (d *Denial) Error() string { return d.meaning().text }

// Unwrap returns the cause, for logs: more detail than the client is told, with a
// remedy, and still without any secret. The cause names scopes, fields, headers and the
// audience of the rule. Of a request the cause holds the position of a list's element, and the
// name of a procedure without a rule, cut off after 200 characters and escaped. Of a verified
// token the cause tells how far a date is off. The cause matches the errors of package token
// if the token itself was refused.
func (d *Denial) Unwrap() error { return d.orZero().cause }

// Code returns the code of the reason. The code has the same number in Connect and in gRPC.
func (d *Denial) Code() connect.Code { return d.meaning().code }

// Challenge returns the WWW-Authenticate of RFC 6750 section 3, or "" if the reason has none.
// Every refusal with the code unauthenticated has a challenge, and every refusal with
// permission_denied except [ReasonRuleMissing].
//
// The realm is the audience that the rule requires, for MODEL_ORGANIZATION the audience of
// [policy.WithAudience], and "protoauthz" if there is none. Bytes of an audience that are not
// ASCII stand percent-encoded. The error is
//
//   - "invalid_request" if the request has more than one credential, in several Authorization
//     fields or in one;
//   - "invalid_token" for all other tokens that are not valid, and with [ReasonAudienceMismatch]
//     (RFC 9068 section 4);
//   - "insufficient_scope" with [ReasonScopeInsufficient], beside all scopes that the rule names.
//
// The challenge has no error if no token was sent (section 3.1), and none if the token is valid and
// another token of the same caller would not help.
//
// The header belongs in HTTP responses, so in unary calls of the Connect protocol alone.
// Elsewhere a gateway finds the challenge in the ErrorInfo: see [Denial.ErrorInfo].
func (d *Denial) Challenge() string {
	d = d.orZero()
	if d.realm == nil {
		return ""
	}
	kind := d.meaning().challenge
	if d.severalCredentials {
		kind = invalidRequest
	}
	challenge := d.realm.challenges[kind]
	if kind == insufficientScope { // a scope holds neither quotes nor backslashes
		challenge += `, scope="` + d.allScopes() + `"`
	}
	return challenge
}

// ErrorInfo returns the detail that goes with the error, of the domain "protoauthz". The metadata
// holds the [Denial.Challenge] as "challenge" if there is one, so that a gateway between gRPC
// and HTTP can answer with the challenge. With [ReasonScopeInsufficient] the metadata holds the scopes.
func (d *Denial) ErrorInfo() *errdetails.ErrorInfo {
	metadata := map[string]string{}
	if challenge := d.Challenge(); challenge != "" {
		metadata["challenge"] = challenge
	}
	if d.Reason() == ReasonScopeInsufficient {
		metadata["required_scopes"] = d.allScopes()
		if len(d.anyScopes) > 0 {
			metadata["any_scopes"] = strings.Join(d.anyScopes, " ")
		}
	}
	return &errdetails.ErrorInfo{Reason: string(d.Reason()), Domain: domain, Metadata: metadata}
}

// allScopes names every scope of the rule: a token with all of these scopes is enough.
func (d *Denial) allScopes() string {
	return strings.Join(slices.Concat(d.scopes, d.anyScopes), " ")
}

// meaning returns the row of the reason.
func (d *Denial) meaning() *meaning {
	reason, last := d.orZero().reason, len(meanings)-1
	for n := range last {
		if meanings[n].reason == reason {
			return &meanings[n]
		}
	}
	return &meanings[last]
}

// orZero returns the zero Denial in place of nil.
func (d *Denial) orZero() *Denial {
	if d == nil {
		return new(Denial)
	}
	return d
}

// deny tells the client the reason and the log why.
func deny(reason Reason, why string) *Denial { return &Denial{reason: reason, cause: errors.New(why)} }

// failed refuses a call that the guard could not judge.
func failed(cause error) *Denial { return &Denial{reason: ReasonGuardFailed, cause: cause} }

// denyCredentials refuses the credentials of a request for the error of their verification.
func denyCredentials(values []string, err error) *Denial {
	denial := denyToken(err)
	formless := denial.reason == ReasonTokenMalformed || denial.reason == ReasonSchemeUnsupported
	if denial.severalCredentials = formless && severalCredentials(values); denial.severalCredentials {
		denial.cause = fmt.Errorf("%w: the request has more than one credential: the client must send one token, in one Authorization header; does a proxy or a middleware add another?", err)
	}
	return denial
}

// denyToken refuses a token for the error of its verification.
func denyToken(err error) *Denial {
	for _, known := range meanings {
		if errors.Is(err, known.err) {
			return &Denial{reason: known.reason, cause: err}
		}
	}
	return failed(err)
}

var errExpired = fmt.Errorf("%w since it was verified, while the call was under way: the client must call again with a new token", token.ErrExpired)

// denyExpired refuses a call that was admitted with a token, since the token has expired.
func denyExpired() *Denial { return &Denial{reason: ReasonTokenExpired, cause: errExpired} }
