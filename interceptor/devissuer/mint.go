package devissuer

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"time"
)

// mintClientID is the client of minted tokens that name none.
const mintClientID = "devissuer"

// A MintOption changes how [Issuer.Mint] makes a token.
type MintOption func(header map[string]any)

// WithHeader sets a member of the token's header: WithHeader("typ", "JWT") makes what passes for an
// ID token. A nil value removes the member. Without it the header is that of Logto: alg, kid, and
// at+jwt as typ. The signature is made by the issuer's key whatever the header says.
func WithHeader(name string, value any) MintOption {
	return func(header map[string]any) { header[name] = value }
}

// Mint signs the given claims, for tests. It asks for no client and checks nothing: the scopes and
// organizations of the configuration do not matter.
//
// Claims that are not given are filled in: iss with the issuer's URL, iat with now, exp with now and
// the token lifetime, jti with a random id, client_id with "devissuer", and sub with the client id,
// which makes it a client's token; give a sub for a user's. There is no default for aud, scope (one
// string, with spaces between the scopes) and organization_id.
//
// A nil value leaves its claim out, and json.RawMessage("null") makes it null. Times are numbers of
// seconds, as [time.Time.Unix] returns them.
//
//	good, err := issuer.Mint(map[string]any{"aud": "https://api.example.com", "scope": "read:orders"})
//	expired, err := issuer.Mint(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
//	eternal, err := issuer.Mint(map[string]any{"exp": nil})
//
// A token of another issuer of the same URL is signed by a key that is not in the set; with this
// issuer's kid, given by [WithHeader], its signature is wrong. Mint fails when a value has no JSON
// form.
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

// stamp returns the claims that every token of a client carries.
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
