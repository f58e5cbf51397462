package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A fuzzIssuer is an issuer and its keys. All signatures are of algorithms that
// the issuer allows.
type fuzzIssuer struct {
	token.Issuer
	keys []*key
}

var (
	// A token without a kid finds nameless.
	nameless = &key{ID: "", Alg: "ES512", Issuer: issuerURL, Private: must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))}
	// second makes two keys for ES256, so a token must have a kid.
	second = &key{ID: "kid-es256-2", Alg: "ES256", Issuer: issuerURL, Private: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}

	fuzzIssuers = []fuzzIssuer{
		{issuer(issuerURL), []*key{es256, second, es384, rs256, ps256, eddsa, nameless}},
		{issuer(otherIssuer), []*key{foreign}},
	}
	// signers are all keys, and one that is nobody's under the name of one.
	signers = []*key{eddsa, es256, second, es384, nameless, rs256, ps256, foreign, newEd25519(eddsa.ID)}

	// forgers make bytes that may pass for a signature.
	forgers = []func(signed string) []byte{
		func(string) []byte { return nil },
		func(signed string) []byte { return hmacOf(rsaKey.N.Bytes(), signed) }, // with public keys as if they were secrets
		func(signed string) []byte { return hmacOf(as[ed25519.PublicKey](eddsa.Private.Public()), signed) },
		func(signed string) []byte { return rs256.Sign("RS512", signed) }, // of another hash
		func(signed string) []byte { // of another form
			return must(second.Private.Sign(rand.Reader, sha256Of(signed), crypto.SHA256))
		},
		func(signed string) []byte { // of another salt
			return must(rsaKey.Sign(rand.Reader, sha256Of(signed), &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}))
		},
	}
)

func hmacOf(secret []byte, signed string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

func sha256Of(signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	return digest[:]
}

// mintBy lets the n-th of all signers and forgers sign.
func mintBy(n uint8, header, payload string) string {
	i := int(n) % (len(signers) + len(forgers))
	if i < len(signers) {
		return signers[i].Mint(header, payload)
	}
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	return signed + "." + encode(forgers[i-len(signers)](signed))
}

var (
	compactForm = regexp.MustCompile(`\A([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\z`)
	tokenType   = regexp.MustCompile(`\A(?:[Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/)?[Aa][Tt]\+[Jj][Ww][Tt]\z`)
)

const leeway = 30 // of a verifier, in seconds, unless it is told otherwise

// verifyByHand is an oracle: it verifies a token at the epoch by the standard
// library alone, and returns the fault.
func verifyByHand(raw string) (issuer fuzzIssuer, c expectation, fault string) {
	segments := compactForm.FindStringSubmatch(raw)
	if segments == nil || len(raw) > token.MaxBytes {
		return issuer, c, "its form is wrong"
	}
	var decoded [4][]byte
	for n, segment := range segments[1:] {
		var err error
		if decoded[n], err = base64.RawURLEncoding.DecodeString(segment); err != nil || encode(decoded[n]) != segment {
			return issuer, c, "a segment is not in base64url without padding: the client must send the token unchanged"
		}
	}
	header, ok := tokens.ReadObject(decoded[0])
	body, ok2 := tokens.ReadObject(decoded[1])
	if !ok || !ok2 {
		return issuer, c, "it holds something else than objects"
	}
	text := func(raw json.RawMessage) (value string) {
		if len(raw) > 0 && raw[0] == '"' {
			_ = json.Unmarshal(raw, &value)
		}
		return value
	}
	for _, name := range []string{"crit", "b64", "zip", "cty"} {
		if header[name] != nil {
			return issuer, c, "the header has " + name
		}
	}
	if !tokenType.MatchString(text(header["typ"])) {
		return issuer, c, "typ is wrong"
	}
	n := slices.IndexFunc(fuzzIssuers, func(i fuzzIssuer) bool { return i.URL == text(body["iss"]) })
	if n < 0 {
		return issuer, c, "iss is wrong"
	}
	issuer = fuzzIssuers[n]
	id, named := header["kid"]
	var fitting []*key
	for _, key := range issuer.keys {
		if (key.Alg == text(header["alg"]) || key.Alg == "EdDSA" && text(header["alg"]) == "Ed25519") && (!named || key.ID != "" && key.ID == text(id)) {
			fitting = append(fitting, key)
		}
	}
	if len(fitting) != 1 {
		return issuer, c, "it names no key"
	}
	if !isSignature(fitting[0], segments[1]+"."+segments[2], decoded[2]) {
		return issuer, c, "the signature is wrong"
	}
	c, fault = readClaims(issuer.Issuer, decoded[1])
	switch {
	case fault != "":
	case c.expires+leeway <= epoch:
		fault = "it has expired"
	case c.notBefore-leeway > epoch:
		fault = "it is not valid yet"
	case c.issued-leeway > epoch:
		fault = "it is issued later"
	}
	return issuer, c, fault
}

// isSignature verifies a signature by RFC 7518 section 3 and RFC 8037 section 3.1.
func isSignature(k *key, signed string, signature []byte) bool {
	if public, ok := k.Private.Public().(ed25519.PublicKey); ok {
		return ed25519.Verify(public, []byte(signed), signature)
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[k.Alg[2:]]
	h := hash.New()
	h.Write([]byte(signed))
	digest := h.Sum(nil)
	switch public := k.Private.Public().(type) {
	case *rsa.PublicKey:
		if k.Alg[0] == 'P' {
			return rsa.VerifyPSS(public, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		half := (public.Params().BitSize + 7) / 8
		return len(signature) == 2*half &&
			ecdsa.Verify(public, digest, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	}
	return false
}

func edit(raw string, cut uint8, rest string) string {
	return raw[:len(raw)-min(len(raw), int(cut))] + rest
}

// FuzzVerify verifies tokens, most of them with a good signature, and compares the result with an
// oracle.
func FuzzVerify(f *testing.F) {
	type seed struct {
		signer          *key // or nil for all
		header, payload string
		cut             uint8  // from the token's end
		rest            string // in its place
	}
	jwks := []string{nameless.JWK("kid", absent{}, "alg", absent{})}
	for _, key := range fuzzIssuers[0].keys[:len(fuzzIssuers[0].keys)-1] {
		jwks = append(jwks, key.JWK())
	}
	idp := newIDP(jwks...)
	idp.ServeIssuer(tokens.I2, foreign.JWK())

	good := payload()
	also := func(more string) string { return good[:len(good)-1] + "," + more + "}" }
	header := func(changes ...any) string { return eddsa.Header(changes...) }
	var seeds []seed
	for _, signer := range signers {
		seeds = append(seeds,
			seed{signer, signer.Header(), good, 0, ""}, seed{signer, signer.Header("kid", absent{}), good, 0, ""},
			seed{signer, signer.Header(), payload("iss", otherIssuer), 0, ""}, seed{signer, signer.Header("kid", absent{}), payload("iss", otherIssuer), 0, ""},
		)
	}
	for _, header := range []string{
		header("typ", "application/AT+JWT"), header("typ", "JWT"), header("typ", ""), header("typ", absent{}), header("typ", 1), header("typ", []string{"at+jwt"}), header("typ", "application/application/at+jwt"), header("typ", "appl\u0130cation/at+jwt"),
		header("alg", "none"), header("alg", "None"), header("alg", ""), header("alg", absent{}), header("alg", "eddsa"), header("alg", "Ed25519"), header("alg", "Ed448"), header("alg", "HS256"), header("alg", "ES256"), header("alg", []string{"EdDSA"}),
		header("kid", ""), header("kid", nil), header("kid", 1), header("kid", "x"), header("kid", es256.ID), header("kid", strings.Repeat("x", 257)), header("kid", eddsa.ID+"\x00"),
		header("crit", []string{"exp"}), header("crit", nil), header("b64", true), header("zip", "DEF"), header("cty", "JWT"),
		header("jku", "https://evil.test"), header("jwk", map[string]any{"kty": "OKP"}), header("x5c", []string{"AAAA"}),
		`{"alg":"none",` + header()[1:], header()[:len(header())-1] + `,"alg":"none"}`, header()[:len(header())-1] + `,"ALG":"none"}`, " " + header() + "\n", header() + "x", "{}", "", "[]",
	} {
		seeds = append(seeds, seed{eddsa, header, good, 0, ""})
	}
	for _, payload := range []string{
		payload("exp", epoch-30), payload("exp", epoch-29), payload("exp", epoch-29.5), payload("exp", epoch-29.0001), payload("exp", epoch-30.0001), payload("exp", never), payload("exp", never+1), payload("exp", 0),
		payload("exp", "never"), payload("exp", absent{}), payload("exp", nil), payload("nbf", epoch+30), payload("nbf", epoch+31), payload("nbf", epoch+30.0001), payload("nbf", epoch+29.9), payload("nbf", "0"),
		payload("nbf", epoch+31, "exp", epoch-31), payload("iat", epoch+1000), payload("iat", epoch+30), payload("iat", json.RawMessage("946684830.0000000001")), payload("sub", "\x00"), payload("iat", "now"), payload("iss", absent{}), payload("iss", issuerURL+"/"), payload("iss", strings.ToUpper(issuerURL)), payload("iss", []string{issuerURL}),
		payload("sub", 1), payload("sub", ""), payload("cnf", map[string]any{}), payload("at_hash", "x"), payload("scope", []string{"a"}), payload("scope", " a  b "), payload("client_id", ""),
		payload("organization_id", "acme"), payload("organization_id", ""), payload("organization_id", nil), payload("aud", "urn:logto:organization:acme"), payload("aud", []string{"a", "b"}), payload("aud", []any{"a", nil}),
		also(`"sub":"root"`), also(`"SUB":"root"`), also(`"scope":"admin"`), also(`"organization_id":"acme","organization_id":"globex"`), also(`"exp":9999999999`), also(`"x":{"a":1,"a":2}`), also(`"x":"\ud800"`),
		strings.Replace(good, `"sub"`, `"s\u0075b"`, 1), good + "{}", "{}", "", "null",
	} {
		seeds = append(seeds, seed{eddsa, eddsa.Header(), payload, 0, ""})
	}
	for _, rest := range []string{"=", "A", ".", "\n", " ", ".e30"} {
		seeds = append(seeds, seed{eddsa, eddsa.Header(), good, 0, rest})
	}
	// One of these has the signature's last bits, and others behind them.
	for _, rest := range []string{"B", "R", "h", "x", "", "="} {
		seeds = append(seeds, seed{eddsa, eddsa.Header(), good, 1, rest})
	}
	for _, alg := range []string{"HS256", "none", "EdDSA", "RS256", "RS512", "PS256", "ES256"} {
		for _, kid := range []any{absent{}, rs256.ID, ps256.ID, second.ID, eddsa.ID} {
			seeds = append(seeds, seed{nil, eddsa.Header("alg", alg, "kid", kid), good, 0, ""})
		}
	}
	var raws []string
	for _, s := range seeds {
		for n := range len(signers) + len(forgers) {
			if s.signer == nil || n < len(signers) && signers[n] == s.signer {
				f.Add(uint8(n), []byte(s.header), []byte(s.payload), s.cut, s.rest)
				raws = append(raws, edit(mintBy(uint8(n), s.header, s.payload), s.cut, s.rest))
			}
		}
	}
	accepted := 0
	for _, raw := range raws {
		if _, _, fault := verifyByHand(raw); fault == "" {
			accepted++
		}
	}
	if refused := len(raws) - accepted; accepted < 30 || refused < 100 {
		f.Fatalf("%d accepted and %d refused seeds: too few", accepted, refused)
	}
	f.Fuzz(func(t *testing.T, n uint8, header, payload []byte, cut uint8, rest string) {
		if tokens.Replaced.Match(header) || tokens.Replaced.Match(payload) || far.Match(payload) {
			return
		}
		raw := edit(mintBy(n, string(header), string(payload)), cut, rest)
		issuer, want, fault := verifyByHand(raw)
		synctest.Test(t, func(t *testing.T) { // where it is the epoch
			verifier := newVerifier(t, idp, token.WithIssuer(fuzzIssuers[1].Issuer))
			claims, err := verifier.Verify(t.Context(), raw)
			switch {
			case fault == "" && err != nil:
				t.Errorf("%q is good: %v", raw, err)
			case fault == "":
				want.check(t, issuer.Issuer, claims, leeway*time.Second)
			case err == nil || claims != nil:
				t.Errorf("%q was accepted, and %s", raw, fault)
			}
			if err != nil {
				matches := slices.DeleteFunc(slices.Clone(sentinels), func(sentinel error) bool { return !errors.Is(err, sentinel) })
				possible := []error{token.ErrMalformed, token.ErrInvalid, token.ErrExpired, token.ErrNotYetValid}
				if len(matches) != 1 || !slices.Contains(possible, matches[0]) {
					t.Errorf("%q: %v matches %v", raw, err, matches)
				}
			}
		})
	})
}
