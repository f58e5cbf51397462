package token

import (
	"errors"
	"fmt"
)

// The reasons for which a token is refused. Every error of [Bearer], [Verifier.Verify]
// and [Verifier.Authenticate] matches exactly one of them with [errors.Is]; its text adds
// a detail for logs, which never holds a byte of the token, of a claim or of a
// key.
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
	// ErrExpired means that `exp` has passed.
	ErrExpired = errors.New("token has expired")
	// ErrNotYetValid means that `nbf` has not been reached, or that `iat` is ahead of the clock.
	ErrNotYetValid = errors.New("token is not valid yet")
	// ErrKeysUnavailable means that the token could not be judged, since the
	// issuer's keys cannot be had now. Trying again later may succeed.
	ErrKeysUnavailable = errors.New("issuer keys are unavailable")
	// ErrBusy means that the token was not judged: too many others are being verified (see
	// [WithSignatureLimit]), or the context ended while it waited for that. Trying again
	// later may succeed.
	ErrBusy = errors.New("too many tokens to verify")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}
