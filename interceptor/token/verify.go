package token

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// Verify verifies a token, as [Bearer] returns it, and returns its claims.
//
// Verify checks in this order: size and form (RFC 7515 section 7.1), JOSE header,
// `iss`, `typ` and `alg`, `exp`, `nbf` and `iat` (RFC 7519 section 4.1) with
// [Issuer.MaxLifetime], the signature with a key of that issuer, the header and the claims that the [Issuer]
// requires, and the types of all claims that are used. Identities (the subject, `jti`, the client and the
// organization) must have no control characters. Verify does not judge `aud` and scopes. It caches verified
// tokens: see [WithCache]. An opaque token is verified by [Introspector.Verify]: see [WithIntrospector].
//
// A call waits at most 2 seconds for keys (2.05 seconds after the fetch of another unknown `kid`), and
// at most 2 seconds to verify a signature (see [WithSignatureLimit]). It stops waiting when ctx ends. Every
// error matches one of the errors of this package. For [ErrKeysUnavailable],
// [ErrVerifierUnavailable] and [ErrBusy], try again later.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	if claims, ok, err := v.fromCache(ctx, raw); ok {
		return claims, err
	}
	if v.introspector != nil && v.introspector.isOpaque(raw) {
		return v.introspector.verifyOpaque(ctx, raw)
	}
	return v.verify(ctx, raw)
}

// Authenticate calls [Bearer] and [Verifier.Verify] for the values of a request's
// Authorization header, and returns the errors of both. It is faster than the two calls, since
// it checks characters once, or not at all for a cached token.
func (v *Verifier) Authenticate(ctx context.Context, authorization []string) (*Claims, error) {
	raw, err := credentials(authorization)
	if err != nil {
		return nil, err
	}
	return v.Verify(ctx, raw)
}

// verify verifies a token that is not cached.
func (v *Verifier) verify(ctx context.Context, raw string) (*Claims, error) {
	token, err := v.check(ctx, raw)
	if err != nil {
		return nil, err
	}
	claims, err := v.verifySignature(ctx, &token)
	if errors.Is(err, errSignature) && token.issuer.keys.changed(ctx, token.key, token.tried, token.asked) {
		return v.verifySignature(ctx, &token)
	}
	return claims, err
}

// check makes every check before the signature, and waits for keys.
func (v *Verifier) check(ctx context.Context, raw string) (unverifiedToken, error) {
	token, err := v.read(raw)
	if err != nil {
		return token, err
	}
	token.asked = time.Now()
	if err := token.validity.check(token.asked, v.leeway, false); err != nil {
		return token, v.explain(&token, token.asked, err)
	}
	return token, token.issuer.keys.await(ctx, token.key, token.asked)
}

// An unverifiedToken passed every check before the signature except the dates. No key has verified it yet.
type unverifiedToken struct {
	jose.JWS
	raw      string
	issuedBy // `iss`
	payload  payload
	issuer   *issuerKeys
	validity validity
	asked    time.Time // when the call asked for keys
	key      keyName
	tried    []*publicKey // the keys of that name, set by verifySignature
}

// claims reads the claims. The claims keep raw, the text of the token, in memory.
func (t *unverifiedToken) claims(raw string, leeway time.Duration) (*Claims, error) {
	if err := t.issuer.checkHeader(t.Header); err != nil {
		return nil, err
	}
	_, segment, _ := strings.Cut(raw[:len(t.Signed)], ".")
	return t.issuer.claims(segment, t.iss, t.payload, t.validity.until, leeway)
}

// read makes every check before the signature except the dates.
func (v *Verifier) read(raw string) (unverifiedToken, error) {
	if len(raw) > maxBytes {
		return unverifiedToken{}, malformed("token has %d bytes", len(raw))
	}
	token, err := jose.ParseJWS(raw)
	if err != nil {
		if fault := checkB64Token(raw); fault != nil { // two tokens in one header look like a token with more segments
			return unverifiedToken{}, fault
		}
		return unverifiedToken{}, refused(err)
	}
	index, err := jose.NewIndex(token.Payload)
	if err != nil {
		return unverifiedToken{}, malformed("payload: %w", err)
	}
	defer index.Release()
	iss, ok := jose.Text(index.Find([]string{"iss"}))
	issuer := v.issuer(iss)
	switch {
	case !ok && index.Find([]string{"iss"}) != "":
		return unverifiedToken{}, invalid("iss is not a string")
	case issuer == nil:
		return unverifiedToken{}, cmp.Or(v.errIssuer, ErrInvalid)
	case !issuer.acceptsType(&token):
		return unverifiedToken{}, &typeError{token.TypeFault, issuer.Types}
	case !slices.Contains(issuer.algorithms, token.Algorithm):
		return unverifiedToken{}, issuer.errAlgorithm
	}
	t := unverifiedToken{JWS: token, raw: raw, issuedBy: issuer.url.issuedBy(iss), issuer: issuer, key: keyName{token.KeyID, token.Algorithm}}
	t.payload = issuer.payload(index)
	t.validity, err = issuer.readValidity(t.payload, v.leeway)
	return t, err
}

// acceptsType reports whether a token's `typ` is one of the issuer's.
func (r *reader) acceptsType(token *jose.JWS) bool {
	switch token.TypeFault {
	case "":
		typ := jose.CanonicalType(token.Type)
		return typ != "" && slices.Contains(r.Types, typ) // "application/" is not absent
	case jose.TypeAbsent:
		return slices.Contains(r.Types, "")
	default:
		return false
	}
}

// verifySignature waits for a slot, verifies the signature, and reads the claims.
func (v *Verifier) verifySignature(ctx context.Context, token *unverifiedToken) (claims *Claims, err error) {
	if err := v.limit.acquire(ctx); err != nil {
		return nil, err
	}
	var cost time.Duration
	defer func() { v.limit.release(cost, err) }()

	if claims, err := v.prepare(token); claims != nil || err != nil {
		return claims, err
	}
	signer, cost, err := v.signer(&token.JWS, token.issuedBy, token.tried)
	if err != nil {
		return nil, err
	}
	return v.accept(token, signer)
}

// prepare finds the keys that may have signed a token. It returns claims if another call has verified the token. The
// call may have waited for keys and for its slot, so prepare looks at the clock again.
func (v *Verifier) prepare(token *unverifiedToken) (*Claims, error) {
	now, source := time.Now(), token.issuer.keys
	if err := token.validity.check(now, v.leeway, false); err != nil {
		return nil, err
	}
	keys, err := source.stillGood(source.current.Load(), now)
	if err != nil {
		return nil, err
	}
	if token.tried = keys.find(token.key); len(token.tried) == 0 {
		return nil, noKey(keys, token.key)
	}
	if known := v.cached(token.raw); known != nil && known.signedBy(keys) {
		v.hits.add()
		return known.claims, nil
	}
	return nil, nil
}

// signer returns the candidate that has signed a token, and the cost of all verifications.
func (v *Verifier) signer(token *jose.JWS, by issuedBy, candidates []*publicKey) (signer *publicKey, cost time.Duration, err error) {
	err = errKeyIssuer // unless a key of the issuer is tried
	for _, key := range candidates {
		if !key.isOf(by) {
			continue
		}
		v.misses.Add(1)
		start := time.Now()
		good := token.SignedBy(key.Public)
		cost += key.cost(time.Since(start), good)
		if good {
			return key, cost, nil
		}
		err = errSignature
	}
	return nil, cost, err
}

var (
	errSignature = invalid("the signature does not match the issuer's key: the client must send a token of this environment's issuer, unchanged; " + ownKeySet)
	errKeyIssuer = invalid("the key of the token's kid is for another issuer, which the key names: is Issuer.KeySetURL the key set of this issuer?")
)

// ownKeySet is the remedy for keys of another environment.
const ownKeySet = "if two environments write the same iss, set Issuer.KeySetURL to the key set of this one"

// accept reads the claims of a token that a key has signed, and caches the token.
func (v *Verifier) accept(token *unverifiedToken, signer *publicKey) (*Claims, error) {
	raw := strings.Clone(token.raw) // token.raw may be a small part of a large text
	claims, err := token.claims(raw, v.leeway)
	if err != nil {
		return nil, err
	}
	if v.cache != nil {
		v.cache.Put(raw, &verifiedToken{claims: claims, validity: token.validity, issuer: token.issuer, anonymous: token.KeyID == "", key: signer})
	}
	return claims, nil
}
