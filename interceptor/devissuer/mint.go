package devissuer

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"time"
)

// mintClientID is the client of minted tokens without a client_id.
const mintClientID = "devissuer"

// A MintOption changes how [Issuer.Mint] makes a token.
type MintOption func(header map[string]any)

// WithHeader sets a member of the token's header. A token with WithHeader("typ", "JWT") passes for an
// ID token. A nil value removes the member. By default the header is Logto's: alg, kid, and at+jwt as
// typ. The issuer's key makes the signature, whatever the header is.
func WithHeader(name string, value any) MintOption {
	return func(header map[string]any) { header[name] = value }
}

// Mint signs the given claims, for tests. It checks nothing, and ignores the clients, scopes and
// organizations of the configuration.
//
// Missing claims get a default: iss is the issuer's URL, iat is now, exp is now plus the token
// lifetime, jti is a random id, client_id is "devissuer", and sub is the client id. Such a token is a
// client's token: give a sub for a user's token. There is no default for aud, scope (one string, with
// spaces between the scopes) and organization_id.
//
// A nil value leaves its claim out, and json.RawMessage("null") makes the claim null. Times are
// seconds, as [time.Time.Unix] returns them.
//
//	good, err := issuer.Mint(map[string]any{"aud": "https://api.example.com", "scope": "read:orders"})
//	expired, err := issuer.Mint(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
//	eternal, err := issuer.Mint(map[string]any{"exp": nil})
//
// To test an unknown key, mint a token with another issuer of the same URL. To test a wrong
// signature, give that token this issuer's kid by [WithHeader]. Mint fails if a value has no JSON form.
func (i *Issuer) Mint(claims map[string]any, options ...MintOption) (string, error) {
	header := map[string]any{}
	for _, option := range options {
		option(header)
	}
	subject, ok := claims["client_id"].(string)
	if !ok {
		subject = mintClientID
	}
	stamped := i.stamp(mintClientID)
	stamped["sub"] = subject
	return i.keySet().sign(merge(stamped, claims), header)
}

// stamp returns the claims of every token of a client.
func (i *Issuer) stamp(clientID string) map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"jti":       tokenID(),
		"sub":       clientID,
		"iat":       now,
		"exp":       now + int64(i.lifetime/time.Second),
		"client_id": clientID,
		"iss":       i.url,
	}
}

// tokenID returns 126 random bits in 21 characters, as Logto does.
func tokenID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(random[:])[:21]
}

// merge copies overrides into base and removes what they set to nil.
func merge(base, overrides map[string]any) map[string]any {
	maps.Copy(base, overrides)
	maps.DeleteFunc(base, func(_ string, value any) bool { return value == nil })
	return base
}
