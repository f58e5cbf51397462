package token

import (
	"errors"
	"fmt"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// The reasons for which a token is refused. Every error of [Bearer], and of the methods Verify and Authenticate of
// [Verifier] and [Introspector], matches exactly one of them with [errors.Is]. The text of the
// error adds a detail for logs, and what to do. It never holds a byte of the token, of a key or
// of a claim. It may tell how far a date of a verified token is off.
var (
	// ErrMissing means that the request has no Authorization header.
	ErrMissing = errors.New("no bearer token")
	// ErrScheme means that the scheme of the Authorization header is not Bearer.
	ErrScheme = errors.New("unsupported authorization scheme")
	// ErrMalformed means that the credentials are not a token: they are not a JWS in
	// compact form, they are too large, or there are two Authorization headers. An opaque
	// token is malformed unless an [Introspector] verifies it.
	ErrMalformed = errors.New("malformed token")
	// ErrInvalid means that the issuer, type, algorithm, key, signature or a claim of
	// the token is wrong, or that an opaque token is not active.
	ErrInvalid = errors.New("invalid token")
	// ErrExpired means that `exp` has passed. The text names the leeway and how long ago `exp`
	// passed, which shows a wrong clock. See [Verifier] for when the text leaves the distance out.
	ErrExpired = errors.New("token has expired")
	// ErrNotYetValid means that `nbf` has not been reached, or that `iat` is ahead of the clock.
	// The text names the same two durations.
	ErrNotYetValid = errors.New("token is not valid yet")
	// ErrKeysUnavailable means that the token was not verified, since the verifier
	// cannot get the issuer's keys now. Trying again later may succeed.
	ErrKeysUnavailable = errors.New("issuer keys are unavailable")
	// ErrVerifierUnavailable means that the token was not verified, since the issuer does not say
	// whether the token is active: see [Introspector]. A verifier of your own returns this error if
	// its database cannot be reached. Trying again later may succeed.
	ErrVerifierUnavailable = errors.New("the token cannot be verified now")
	// ErrBusy means that the token was not verified: too many other tokens are being
	// verified (see [WithSignatureLimit] and [Introspection.Limit]), or the context ended while the
	// call waited. Trying again later may succeed.
	ErrBusy = errors.New("too many tokens to verify")
)

// sendAccessToken is the remedy for tokens of another kind.
const sendAccessToken = "the client must send the access token, and must request it for this API (as resource or audience)"

// A typeError refuses a token by its `typ`. The text repeats nothing of the `typ`.
type typeError struct {
	fault string   // empty if typ is not one of the types
	types []string // Issuer.Types
}

func (*typeError) Unwrap() error { return ErrInvalid }

func (e *typeError) Error() string {
	switch e.fault {
	case "":
		return fmt.Sprintf("%v: its typ is not one of %q, the issuer's Types, so it looks like an ID token, or a token of another kind: "+sendAccessToken+"; if the issuer's access tokens are of another typ, add that typ to Issuer.Types, and to Issuer.RequiredClaims a claim that access tokens alone have", ErrInvalid, e.types)
	case jose.TypeAbsent:
		return fmt.Sprintf("%v: %s, and the issuer's Types are %q, so it looks like an ID token: "+sendAccessToken+"; if the issuer's access tokens have no typ, add \"\" to Issuer.Types, and to Issuer.RequiredClaims a claim that access tokens alone have", ErrInvalid, e.fault, e.types)
	default:
		return fmt.Sprintf("%v: %s, and the issuer's Types are %q: "+sendAccessToken, ErrInvalid, e.fault, e.types)
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

// refused returns the refusal for an error of package jose.
func refused(err error) error {
	if _, ok := errors.AsType[jose.ValueError](err); ok {
		return &refusal{ErrInvalid, err}
	}
	return &refusal{ErrMalformed, err}
}
