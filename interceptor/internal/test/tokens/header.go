package tokens

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"hash"
	"slices"
	"strings"
)

// algorithms are tokens without a signature, or of an algorithm that is not allowed.
func (s Scene) algorithms() []Trial {
	k := I1.ES256
	payload := s.Payload(k.Issuer)
	var trials []Trial
	for _, alg := range []string{
		"none", "None", "nOnE", "", "NONE", " none", "none\x00", "es256", "ES256 ", "ES256K", "Ed448", "dir", "RSA-OAEP", "HS256", "HS512",
	} {
		name := "alg " + alg
		signed := unsigned(k.Header("alg", alg), payload)
		if alg == "" {
			name = "alg empty"
		}
		trials = append(trials,
			// Such tokens end with an empty segment.
			Trial{"D12", name + ", no signature", signed + ".", Invalid},
			Trial{"D12", name + ", any signature", signed + "." + Encode(make([]byte, 64)), Invalid},
			Trial{"D12", name + ", right signature", k.Mint(k.Header("alg", alg), payload), Invalid})
	}
	for _, alg := range []struct {
		name  string
		value any
	}{{"missing", Absent{}}, {"null", nil}, {"array", []string{"ES256"}}, {"number", 256}} {
		trials = append(trials, Trial{"D12", "alg " + alg.name, k.Mint(k.Header("alg", alg.value), payload), Invalid})
	}
	return trials
}

// macs are tokens with a MAC whose secret is public.
func (s Scene) macs() []Trial {
	var trials []Trial
	for _, k := range []*Key{I1.RS256, I1.ES256, I1.ES384, I1.EdDSA} {
		der := Must(x509.MarshalPKIXPublicKey(k.Private.Public()))
		type secret struct {
			name string
			key  []byte
		}
		pemText := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		secrets := []secret{
			{"PEM", pemText},
			{"PEM without the last line break", pemText[:len(pemText)-1]},
			{"DER", der},
			{"JWK", []byte(k.JWK())},
			{"key set", []byte(KeySet(k.JWK()))},
			{"kid", []byte(k.ID)},
			{"nothing", nil},
		}
		switch public := k.Private.Public().(type) {
		case *ecdsa.PublicKey:
			point := Must(public.Bytes())
			secrets = append(secrets, secret{"x and y", point[1:]}, secret{"point", point}, secret{"x", point[1 : 1+len(point)/2]})
		case *rsa.PublicKey:
			pkcs1 := x509.MarshalPKCS1PublicKey(public)
			secrets = append(secrets, secret{"n", public.N.Bytes()}, secret{"PKCS #1", pkcs1},
				secret{"PEM of PKCS #1", pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1})})
		}
		for _, mac := range []struct {
			alg string
			new func() hash.Hash
		}{{"HS256", sha256.New}, {"HS384", sha512.New384}, {"HS512", sha512.New}} {
			for n, secret := range secrets {
				if mac.alg != "HS256" && n > 0 {
					break
				}
				signed := unsigned(k.Header("alg", mac.alg), s.Payload(k.Issuer))
				h := hmac.New(mac.new, secret.key)
				h.Write([]byte(signed))
				trials = append(trials, Trial{"D13", mac.alg + " by " + k.Alg + " as " + secret.name, signed + "." + Encode(h.Sum(nil)), Invalid})
			}
		}
	}
	return trials
}

// headers are tokens that bring their own key, or whose header asks for another processing.
func (s Scene) headers() []Trial {
	k, evil := I1.ES256, I2.ES256
	payload := s.Payload(k.Issuer)
	jwk := json.RawMessage(evil.JWK("kid", "evil"))
	certificate := base64.StdEncoding.EncodeToString(Must(x509.MarshalPKIXPublicKey(evil.Private.Public())))
	forged := func(changes ...any) string { return evil.Mint(evil.Header(changes...), payload) }
	signed := func(changes ...any) string { return k.Mint(k.Header(changes...), payload) }
	jku, x5u := s.Attacker+"/jwks", s.Attacker+"/x5u"
	trials := []Trial{
		{"D14", "jwk, no kid", forged("jwk", jwk, "kid", Absent{}), Invalid},
		{"D14", "jwk, trusted kid", forged("jwk", jwk), Invalid},
		{"D14", "jwk, its own kid", forged("jwk", jwk, "kid", "evil"), Invalid},
		{"D14", "jwk of another algorithm", I2.EdDSA.Mint(I2.EdDSA.Header("jwk", json.RawMessage(I2.EdDSA.JWK())), payload), Invalid},
		{"D14", "jwk of the trusted key, for our own", signed("jwk", jwk), Accepted},
		{"D15", "jku", forged("jku", jku), Invalid},
		{"D15", "jku, its own kid", forged("jku", jku, "kid", "evil"), Invalid},
		{"D15", "jku, no kid", forged("jku", jku, "kid", Absent{}), Invalid},
		{"D15", "x5u", forged("x5u", x5u), Invalid},
		{"D15", "x5u, its own kid", forged("x5u", x5u, "kid", "evil"), Invalid},
		{"D15", "x5c", forged("x5c", []string{certificate}), Invalid},
		{"D15", "x5t", forged("x5t", "AAAA", "x5t#S256", "AAAA"), Invalid},
		{"D15", "kid is a URL", forged("kid", jku), Invalid},
		{"D15", "iss is a URL", evil.Mint(evil.Header(), s.Payload(s.Attacker)), Invalid},
		{"D15", "jku and x5u beside the right key", signed("jku", jku, "x5u", x5u), Accepted},
		{"D16", "crit of b64", signed("crit", []string{"b64"}, "b64", false), Invalid},
		{"D16", "crit unknown", signed("crit", []string{"x"}, "x", 1), Invalid},
		{"D16", "crit of what is not there", signed("crit", []string{"x"}), Invalid},
		{"D16", "crit empty", signed("crit", []string{}), Invalid},
		{"D16", "crit string", signed("crit", "exp"), Invalid},
		{"D16", "crit of alg", signed("crit", []string{"alg"}), Invalid},
		{"D16", "crit of exp", signed("crit", []string{"exp"}, "exp", s.Now+300), Invalid},
		{"D16", "crit null", signed("crit", nil), Invalid},
		{"D16", "crit number", signed("crit", 1), Invalid},
		{"D16", "b64 alone", signed("b64", false), Invalid},
		{"D16", "b64 true", signed("b64", true), Invalid},
		{"D16", "cty", signed("cty", "JWT"), Invalid},
		{"D10", "zip", signed("zip", "DEF"), Invalid},
		{"D10", "zip of a bomb", k.Mint(k.Header("zip", "DEF"), string(bomb())), Invalid},
	}
	for _, kid := range []struct {
		name  string
		value any
	}{
		{"number", 1},
		{"null", nil},
		{"array", []string{k.ID}},
		{"empty", ""},
		{"too long", strings.Repeat("k", 257)},
		{"unknown", "kid-unknown"},
		{"in another case", strings.ToUpper(k.ID)},
		{"of another key", I1.ES384.ID},
		{"a path", "../../dev/null"},
		{"a statement", "' UNION SELECT 'kid-es256"},
	} {
		trials = append(trials, Trial{"D14", "kid " + kid.name, signed("kid", kid.value), Invalid})
	}
	old := I1.Retired
	return append(trials,
		Trial{"D14", "a key that was rotated out", s.Token(old), Invalid},
		Trial{"D14", "a key that was rotated out, trusted kid", old.Mint(old.Header("kid", k.ID), payload), Invalid},
		Trial{"D14", "a key that was rotated out, no kid", old.Mint(old.Header("kid", Absent{}), payload), Invalid})
}

// kinds are tokens of another kind, such as ID tokens, from the same issuer and key.
func (s Scene) kinds() []Trial {
	k := I1.ES256
	payload := s.Payload(k.Issuer)
	typed := func(typ any) string { return k.Mint(k.Header("typ", typ), payload) }
	return []Trial{
		{"D27", "ID token", k.Mint(k.Header("typ", "JWT"), s.Payload(k.Issuer, "aud", "app_1", "nonce", "n")), Invalid},
		{"D27", "typ missing", typed(Absent{}), Invalid},
		{"D27", "typ empty", typed(""), Invalid},
		{"D27", "typ null", typed(nil), Invalid},
		{"D27", "typ array", typed([]string{"at+jwt"}), Invalid},
		{"D27", "typ twice prefixed", typed("application/application/at+jwt"), Invalid},
		{"D27", "typ with a parameter", typed("at+jwt; x=1"), Invalid},
		{"D27", "typ with a space", typed("at+jwt "), Invalid},
		{"D27", "typ with a letter that becomes ASCII", typed("appl\u0130cation/at+jwt"), Invalid},
		{"D27", "typ dpop+jwt", typed("dpop+jwt"), Invalid},
		{"D27", "typ logout+jwt", typed("logout+jwt"), Invalid},
		{"D27", "typ secevent+jwt", typed("secevent+jwt"), Invalid},
		{"D28", "ID token for the API", typed("JWT"), Invalid},
		{"D28", "ID token for the API, with nonce", k.Mint(k.Header("typ", "JWT"), s.Payload(k.Issuer, "nonce", "n", "aud", []string{API, "app_1"})), Invalid},
		{"D28", "ID token by at_hash", s.Token(k, "at_hash", "h"), Invalid},
		{"D28", "ID token by c_hash", s.Token(k, "c_hash", nil), Invalid},
	}
}

// mixedKeys are tokens whose alg and kid belong to different keys.
func (s Scene) mixedKeys() []Trial {
	var trials []Trial
	keys := I1.Keys()
	for _, k := range keys {
		for _, other := range slices.DeleteFunc(slices.Clone(keys), func(o *Key) bool { return o == k }) {
			trials = append(trials, Trial{"D12", k.Alg + " with the kid of " + other.Alg, k.Mint(k.Header("kid", other.ID), s.Payload(k.Issuer)), Invalid})
		}
	}
	for _, k := range []*Key{I1.RS256, I1.PS256} {
		for _, alg := range []string{"RS384", "RS512", "PS384", "PS512"} {
			signed := unsigned(k.Header("alg", alg), s.Payload(k.Issuer))
			trials = append(trials, Trial{"D12", alg + " with the kid of " + k.Alg, signed + "." + Encode(k.Sign(alg, signed)), Invalid})
		}
	}
	return trials
}
