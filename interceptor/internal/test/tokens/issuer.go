package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
)

// The audiences and organizations of the tokens.
const (
	API      = "https://api.test"
	OtherAPI = "https://other.test"

	OrganizationA = "a1b2c3d4e5f6"
	OrganizationB = "b6a5c4d3e2f1"

	// OrganizationAudience is the part of an organization token's `aud` before the organization's id.
	OrganizationAudience = "urn:logto:organization:"
)

// The issuers. Their keys are different and have the same kids.
var (
	I1 = newIssuer("https://idp.test/oidc")
	I2 = newIssuer("https://idp2.test/oidc")
)

// An Issuer has a key for each algorithm. RS256 and PS256 are the same RSA key: only `alg` tells them apart.
type Issuer struct {
	URL                                      string
	ES256, ES384, ES512, RS256, PS256, EdDSA *Key
	// Retired was rotated out: it is not in the key set.
	Retired *Key
}

func newIssuer(url string) *Issuer {
	rsaKey := Must(rsa.GenerateKey(rand.Reader, 2048))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	elliptic256 := func() crypto.Signer { return Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }
	named := func(id, alg string, private crypto.Signer) *Key {
		return &Key{ID: id, Alg: alg, Issuer: url, Private: private}
	}
	return &Issuer{
		URL:     url,
		ES256:   named("kid-es256", "ES256", elliptic256()),
		ES384:   named("kid-es384", "ES384", Must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))),
		ES512:   named("kid-es512", "ES512", Must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))),
		RS256:   named("kid-rs256", "RS256", rsaKey),
		PS256:   named("kid-ps256", "PS256", rsaKey),
		EdDSA:   named("kid-eddsa", "EdDSA", Must(edKey, err)),
		Retired: named("kid-retired", "ES256", elliptic256()),
	}
}

// Algorithms returns the algorithms of [Issuer.Keys].
func Algorithms() []string { return []string{"ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"} }

// Keys returns the keys in use.
func (i *Issuer) Keys() []*Key {
	return []*Key{i.ES256, i.ES384, i.ES512, i.RS256, i.PS256, i.EdDSA}
}

// DiscoveryURL returns the URL of the issuer's metadata.
func (i *Issuer) DiscoveryURL() string { return i.URL + "/.well-known/openid-configuration" }

// KeySetURL returns the URL of the issuer's key set.
func (i *Issuer) KeySetURL() string { return i.URL + "/jwks" }

// Discovery returns the issuer's metadata, with changes: see [With].
func (i *Issuer) Discovery(changes ...any) string {
	return With(map[string]any{"issuer": i.URL, "jwks_uri": i.KeySetURL()}, changes...)
}
