package token

import (
	"errors"
	"fmt"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// The reasons for which a token is refused. Every error of [Bearer], [Verifier.Verify]
// and [Verifier.Authenticate] matches exactly one of them with [errors.Is]; its text adds
// a detail for logs and says what to do. The text never holds a byte of the token or of a key, and
// of claims only how far a date of a verified token is off.
var (
	// ErrMissing means that the request carries no Authorization at all.
	ErrMissing = errors.New("no bearer token")
	// ErrScheme means that the Authorization is of another scheme.
	ErrScheme = errors.New("unsupported authorization scheme")
	// ErrMalformed means that what was sent is no token: not a JWS in compact
	// form, too large, or sent twice.
	ErrMalformed = errors.New("malformed token")
	// ErrInvalid means that the token is not acceptable: its issuer, type,
	// algorithm, key, signature or a claim is wrong.
	ErrInvalid = errors.New("invalid token")
	// ErrExpired means that `exp` has passed. The text names the distance and the leeway, which
	// shows a wrong clock; see [Verifier] for when the text does not name the distance.
	ErrExpired = errors.New("token has expired")
	// ErrNotYetValid means that `nbf` has not been reached, or that `iat` is ahead of the clock.
	// The text of ErrNotYetValid names the distance and the leeway too.
	ErrNotYetValid = errors.New("token is not valid yet")
	// ErrKeysUnavailable means that the token could not be judged, since the
	// issuer's keys cannot be had now. Trying again later may succeed.
	ErrKeysUnavailable = errors.New("issuer keys are unavailable")
	// ErrBusy means that the token was not judged: too many others are being verified (see
	// [WithSignatureLimit]), or the context ended while it waited for that. Trying again
	// later may succeed.
	ErrBusy = errors.New("too many tokens to verify")
)

// A typeError refuses a token by its `typ`, of which it repeats nothing.
type typeError struct {
	fault string   // empty if typ is not among Types
	types []string // of the issuer
}

func (*typeError) Unwrap() error { return ErrInvalid }

func (e *typeError) Error() string {
	switch e.fault {
	case "":
		return fmt.Sprintf("%v: its typ is not one of %q, the issuer's Types: is it an ID token, or of another kind? Send the access token; if the issuer's access tokens are of another typ, add that to Issuer.Types", ErrInvalid, e.types)
	case jose.TypeAbsent:
		return fmt.Sprintf("%v: %s, and the issuer's Types are %q: the client must send an access token, not an ID token; if it does, the issuer must write typ into access tokens; no setting accepts a token without typ", ErrInvalid, e.fault, e.types)
	default:
		return fmt.Sprintf("%v: %s, and the issuer's Types are %q: the client must send an access token that has one of these", ErrInvalid, e.fault, e.types)
	}
}

// A refusal is one of the reasons above, with a detail.
type refusal struct{ reason, detail error }

func (r *refusal) Error() string        { return r.reason.Error() + ": " + r.detail.Error() }
func (r *refusal) Is(target error) bool { return target == r.reason }
func (r *refusal) Unwrap() error        { return r.detail }

func malformed(format string, args ...any) error {
	return &refusal{ErrMalformed, fmt.Errorf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &refusal{ErrInvalid, fmt.Errorf(format, args...)}
}

// refused refuses a token for which package jose has an error.
func refused(err error) error {
	if _, ok := errors.AsType[jose.ValueError](err); ok {
		return &refusal{ErrInvalid, err}
	}
	return &refusal{ErrMalformed, err}
}
