package devissuer

import (
	"crypto/rand"
	"maps"
	"time"
)

// mintClientID is the client of minted tokens without a client_id.
const mintClientID = "devissuer"

// A MintOption changes how [Issuer.Mint] and [Issuer.Grant] make a token.
type MintOption func(*format)

// A format is the header of a token, and whether the token is opaque.
type format struct {
	header map[string]any
	opaque bool
}

// WithHeader sets a member of the token's header. A token with WithHeader("typ", "JWT") passes for an
// ID token. A nil value removes the member. By default the header is Logto's: alg, kid, and the Type of
// [Config] as typ. An opaque token has no header. The issuer's key makes the signature, whatever the header is.
func WithHeader(name string, value any) MintOption {
	return func(f *format) { f.header[name] = value }
}

// WithOpaque makes the token opaque. Nobody but the issuer can read the token: it answers for the token at
// its introspection endpoint (RFC 7662), also after a restart with the same [Config.Keys].
func WithOpaque() MintOption {
	return func(f *format) { f.opaque = true }
}

// Mint signs the given claims, for tests. It checks nothing, and ignores the users, clients,
// scopes, organizations and claims of the configuration, and whether its tokens are opaque.
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
	subject, ok := claims["client_id"].(string)
	if !ok {
		subject = mintClientID
	}
	stamped := i.stamp(mintClientID)
	stamped["sub"] = subject
	return i.make(merge(stamped, claims), format{}, options)
}

// make returns the token of some claims.
func (i *Issuer) make(claims map[string]any, f format, options []MintOption) (string, error) {
	f.header = map[string]any{"typ": i.typ}
	if i.typ == NoType {
		f.header["typ"] = nil
	}
	for _, option := range options {
		option(&f)
	}
	if f.opaque {
		return i.keySet().sealClaims(claims)
	}
	return i.keySet().sign(claims, f.header)
}

// stamp returns the claims of every token, for a client's.
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
	return encode(random[:])[:21]
}

// merge copies overrides into base and removes what they set to nil.
func merge(base, overrides map[string]any) map[string]any {
	maps.Copy(base, overrides)
	maps.DeleteFunc(base, func(_ string, value any) bool { return value == nil })
	return base
}
