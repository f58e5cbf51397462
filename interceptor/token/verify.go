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
// [Issuer.MaxLifetime], the signature with a key of that issuer, and the types of all
// claims that are used. Identities (`sub`, `jti`, the client and the organization) must have
// no control characters. Verify does not judge `aud` and scopes. It caches verified tokens:
// see [WithCache].
//
// A call waits at most 2 seconds for keys (2.05 seconds after the fetch of another unknown `kid`), and
// at most 2 seconds to verify a signature (see [WithSignatureLimit]). It stops waiting when ctx ends. Every
// error matches one of the errors of this package. For [ErrKeysUnavailable] and [ErrBusy], try again later.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	if claims, ok, err := v.fromCache(ctx, raw); ok {
		return claims, err
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
	token, err := v.read(raw)
	if err != nil {
		return nil, err
	}
	asked, keys := time.Now(), token.issuer.keys
	if err := token.validity.check(asked, v.leeway, false); err != nil {
		return nil, v.explain(&token, asked, err)
	}
	if err := keys.await(ctx, token.key, asked); err != nil {
		return nil, err
	}
	claims, err := v.verifySignature(ctx, &token)
	if errors.Is(err, errSignature) && keys.changed(ctx, token.key, token.tried, asked) {
		return v.verifySignature(ctx, &token)
	}
	return claims, err
}

// An unverifiedToken passed every check before the signature except the dates. No key has verified it yet.
type unverifiedToken struct {
	jose.JWS
	raw      string
	payload  jose.Object
	issuer   *issuerKeys
	validity validity
	key      keyName
	tried    []*publicKey // the keys of that name, set by verifySignature
}

// claims reads the claims. The claims keep raw, the text of the token, in memory.
func (t *unverifiedToken) claims(raw string, leeway time.Duration) (*Claims, error) {
	_, segment, _ := strings.Cut(raw[:len(t.Signed)], ".")
	return t.issuer.claims(segment, &t.payload, t.validity.until, leeway)
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
	payload, err := jose.ParseMembers(token.Payload, v.claims)
	if err != nil {
		return unverifiedToken{}, malformed("payload: %w", err)
	}
	name, _, err := payload.Text("iss")
	if err != nil {
		return unverifiedToken{}, refused(err)
	}
	issuer, ok := v.issuers[name]
	switch {
	case !ok:
		return unverifiedToken{}, cmp.Or(v.errIssuer, ErrInvalid)
	case token.TypeFault != "" || !slices.Contains(issuer.Types, jose.CanonicalType(token.Type)):
		return unverifiedToken{}, &typeError{token.TypeFault, issuer.Types}
	case !slices.Contains(issuer.algorithms, token.Algorithm):
		return unverifiedToken{}, issuer.errAlgorithm
	}
	validity, err := issuer.readValidity(&payload, v.leeway)
	if err != nil {
		return unverifiedToken{}, err
	}
	return unverifiedToken{JWS: token, raw: raw, payload: payload, issuer: issuer, validity: validity, key: keyName{token.KeyID, token.Algorithm}}, nil
}

// verifySignature waits for a slot, verifies the signature, and reads the claims.
func (v *Verifier) verifySignature(ctx context.Context, token *unverifiedToken) (claims *Claims, err error) {
	if err := v.limit.acquire(ctx); err != nil {
		return nil, err
	}
	var cost time.Duration
	defer func() { v.limit.release(cost, err) }()

	// The call may have waited for keys and for its slot.
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
		return known.claims, nil // another call has verified it
	}
	signer, cost, err := v.signer(&token.JWS, token.tried)
	if err != nil {
		return nil, err
	}
	return v.accept(token, signer)
}

// signer returns the candidate that has signed a token, and the cost of all verifications.
func (v *Verifier) signer(token *jose.JWS, candidates []*publicKey) (signer *publicKey, cost time.Duration, err error) {
	for _, key := range candidates {
		v.misses.Add(1)
		start := time.Now()
		good := token.SignedBy(key.Public)
		cost += key.cost(time.Since(start), good)
		if good {
			return key, cost, nil
		}
	}
	return nil, cost, errSignature
}

var errSignature = invalid("the signature does not match")

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
