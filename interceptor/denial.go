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

// All reasons, each with its code.
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
	// ReasonModelMismatch: the token has another permission model (permission_denied).
	ReasonModelMismatch Reason = "MODEL_MISMATCH"
	// ReasonOrganizationMismatch: the request names another organization than the token, or none
	// (permission_denied).
	ReasonOrganizationMismatch Reason = "ORGANIZATION_MISMATCH"
	// ReasonSubjectMismatch: the request names another user or client than the token, or none, or the
	// token has no user or client that a request can name (permission_denied).
	ReasonSubjectMismatch Reason = "SUBJECT_MISMATCH"
	// ReasonScopeInsufficient: the token lacks a required scope (permission_denied). The metadata of
	// the ErrorInfo holds all scopes of the way in "required_scopes", separated by spaces. If the way
	// requires one scope of several, the metadata holds these several in "any_scopes", too.
	ReasonScopeInsufficient Reason = "SCOPE_INSUFFICIENT"
	// ReasonCallerNotAllowed: the method is for users or for clients only (permission_denied).
	ReasonCallerNotAllowed Reason = "CALLER_NOT_ALLOWED"
	// ReasonRuleMissing: no rule was compiled for the procedure (permission_denied).
	ReasonRuleMissing Reason = "RULE_MISSING"
	// ReasonKeysUnavailable: the token cannot be verified, since the keys of the issuer could not be
	// fetched (unavailable).
	ReasonKeysUnavailable Reason = "KEYS_UNAVAILABLE"
	// ReasonVerifierUnavailable: the token cannot be verified, since the issuer does not say whether the
	// token is active, or since a verifier of your own cannot tell (unavailable). See
	// [token.ErrVerifierUnavailable].
	ReasonVerifierUnavailable Reason = "VERIFIER_UNAVAILABLE"
	// ReasonVerifierBusy: the token was not verified, since too many others are being verified
	// (unavailable). The client may try again. See [token.WithSignatureLimit] and [token.Introspection].
	ReasonVerifierBusy Reason = "VERIFIER_BUSY"
	// ReasonGuardFailed: a verifier or observer panicked or broke its contract (internal).
	ReasonGuardFailed Reason = "GUARD_FAILED"
)

// A meaning is everything that follows from a reason.
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
	{ReasonOrganizationMismatch, connect.CodePermissionDenied, withoutError, nil, "the token is not for this organization"},
	{ReasonSubjectMismatch, connect.CodePermissionDenied, withoutError, nil, "the request is not for this caller"},
	{ReasonScopeInsufficient, connect.CodePermissionDenied, insufficientScope, nil, "a required scope is missing"},
	{ReasonCallerNotAllowed, connect.CodePermissionDenied, withoutError, nil, "this kind of caller is not allowed"},
	{ReasonRuleMissing, connect.CodePermissionDenied, noChallenge, nil, "the method has no authorization rule"},
	{ReasonKeysUnavailable, connect.CodeUnavailable, noChallenge, token.ErrKeysUnavailable, "tokens cannot be verified now: try again later"},
	{ReasonVerifierUnavailable, connect.CodeUnavailable, noChallenge, token.ErrVerifierUnavailable, "this token cannot be verified now: try again later"},
	{ReasonVerifierBusy, connect.CodeUnavailable, noChallenge, token.ErrBusy, "too many tokens are being verified: try again later"},
	{ReasonGuardFailed, connect.CodeInternal, noChallenge, nil, "the call could not be authorized"},
}

// A Denial tells why a [Guard] has refused a call. Only a Guard of this process and [DenialFrom] make a
// Denial. Outside of the guard, [errors.As] finds the Denial in the error of a refused call.
//
// If the rule has several ways (see [policy.Rule.Ways]), the Denial is of the way that came furthest: see
// [Event.Ways]. If the token was refused, the Denial is of no way.
//
// A Denial is immutable and safe for concurrent use. The zero Denial and a nil Denial are refusals with
// [ReasonGuardFailed].
//
// The error of a handler may hold the Denial of another call, which the handler has made in the same
// process. Such an error becomes an ordinary error, so that it does not pass for a refusal of the
// handler's own call. The ordinary error has the code unknown, unless the handler has chosen a code with
// a [connect.Error] or a status of gRPC: then the code and its text stay. The ordinary error holds
// neither the Denial nor the google.rpc.ErrorInfo of the domain "protoauthz" nor a WWW-Authenticate. An
// error that a client has received from another process holds no Denial and stays as it is, unless the
// client gets its tokens from package clientauth: its NewInterceptor tells what becomes of a refusal.
type Denial struct {
	reason             Reason
	scopes, anyScopes  []string // the slices of the way
	cause              error
	realm              *realm    // of the rule or way; a refusal without a realm has no challenge
	way                *guardWay // that came furthest, or nil
	severalCredentials bool      // the request has more than one credential
	named              string    // the organization that the request names, if a message or a header has named one
	within             *Call     // the call that an outer guard has admitted for the same request, or nil
	challenge          string    // that another process has sent: see DenialFrom
}

// Reason returns the reason that the client reads.
func (d *Denial) Reason() Reason { return d.meaning().reason }

// Scopes returns a copy of all scopes that the way requires, with [ReasonScopeInsufficient] alone.
func (d *Denial) Scopes() []string { return slices.Clone(d.orZero().scopes) }

// AnyScopes returns a copy of the scopes of which the way requires one, with [ReasonScopeInsufficient]
// alone.
func (d *Denial) AnyScopes() []string { return slices.Clone(d.orZero().anyScopes) }

// Error returns the text that the client reads.
func (d *Denial) Error() string { return d.meaning().text }

// Unwrap returns the cause, for logs: more detail than the client reads, with a remedy and without any
// secret. The cause names scopes, fields, headers and the audience of the rule, and the names of claims
// that the token.Issuer has. Of a request the cause holds the position of an element in a list, and the
// name of a procedure without a rule, cut off after 200 characters and escaped. Of a verified token the
// cause tells how far a date is off, and that the token has no scope. If the token itself was refused,
// the cause matches an error of package token.
func (d *Denial) Unwrap() error { return d.orZero().cause }

// Code returns the code of the reason. Connect and gRPC have the same number for the code.
func (d *Denial) Code() connect.Code { return d.meaning().code }

// Challenge returns the WWW-Authenticate of RFC 6750 section 3, or "" if the reason has none.
// Every refusal with the code unauthenticated has a challenge, and every refusal with
// permission_denied except [ReasonRuleMissing].
//
// The realm is the audience that the way requires, for MODEL_ORGANIZATION the audience of
// [policy.WithAudience], and "protoauthz" without an audience. Bytes of an audience that are not
// printable ASCII are percent-encoded. The error is
//
//   - "invalid_request" if the request has more than one credential, in several Authorization
//     fields or in one;
//   - "invalid_token" for any other token that is not valid, and with [ReasonAudienceMismatch]
//     (RFC 9068 section 4);
//   - "insufficient_scope" with [ReasonScopeInsufficient], beside all scopes of the way.
//
// The challenge has no error if the client has sent no token (section 3.1), or if the token is valid and
// another token of the same caller would not help.
//
// The challenge is a header of HTTP responses, so only unary calls of the Connect protocol carry it as a
// header. A gateway finds the challenge of any other call in [Denial.ErrorInfo].
func (d *Denial) Challenge() string {
	d = d.orZero()
	if d.realm == nil {
		return d.challenge
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

// ErrorInfo returns the detail of the error, of the domain "protoauthz". The metadata holds the
// [Denial.Challenge] as "challenge", if the reason has one, so that a gateway between gRPC and HTTP can
// answer with the challenge. With [ReasonScopeInsufficient] the metadata holds the scopes.
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

// allScopes returns every scope of the rule, separated by spaces. A token with all of them satisfies the
// rule.
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

// deny refuses a call with a reason for the client and a cause for the log.
func deny(reason Reason, why string) *Denial { return &Denial{reason: reason, cause: errors.New(why)} }

// failed refuses a call that the guard could not decide.
func failed(cause error) *Denial { return &Denial{reason: ReasonGuardFailed, cause: cause} }

// denyCredentials refuses the Authorization of a request for the error of its verification.
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
	return failed(fmt.Errorf("the verifier's error is not an error of package token, so the guard has no answer for it: wrap one by %%w, such as token.ErrInvalid: %w", err))
}

var errExpired = fmt.Errorf("%w since it was verified, while the call was under way: the client must call again with a new token", token.ErrExpired)

// denyExpired refuses a call that was admitted with a token, since the token has expired.
func denyExpired() *Denial { return &Denial{reason: ReasonTokenExpired, cause: errExpired} }
