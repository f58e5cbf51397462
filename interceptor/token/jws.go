package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// maxKeyID is the longest `kid`, in bytes, that is looked up.
const maxKeyID = 256

// maxType is the longest `typ`, in bytes, that is looked at: a media type's two names have at
// most 127 each (RFC 6838 section 4.2), and "application/" may be left out.
const maxType = 255

// An algorithm is a signature algorithm of RFC 7518 section 3, RFC 8037 or RFC 9864, with
// the one kind of key that it may be used with.
type algorithm struct {
	method jwt.SigningMethod
	kty    string
	curve  elliptic.Curve // of an EC key
}

// algorithms are all that can be allowed. There is neither none nor HMAC: no
// configuration can bring them in.
var algorithms = map[string]algorithm{
	"RS256": {method: jwt.SigningMethodRS256, kty: "RSA"},
	"RS384": {method: jwt.SigningMethodRS384, kty: "RSA"},
	"RS512": {method: jwt.SigningMethodRS512, kty: "RSA"},
	"PS256": {method: strictPSS(jwt.SigningMethodPS256), kty: "RSA"},
	"PS384": {method: strictPSS(jwt.SigningMethodPS384), kty: "RSA"},
	"PS512": {method: strictPSS(jwt.SigningMethodPS512), kty: "RSA"},
	"ES256": {method: jwt.SigningMethodES256, kty: "EC", curve: elliptic.P256()},
	"ES384": {method: jwt.SigningMethodES384, kty: "EC", curve: elliptic.P384()},
	"ES512": {method: jwt.SigningMethodES512, kty: "EC", curve: elliptic.P521()},
	"EdDSA": {method: jwt.SigningMethodEdDSA, kty: "OKP"},

	"Ed25519": {method: jwt.SigningMethodEdDSA, kty: "OKP"},
}

// canonicalAlgorithm returns the name of golang-jwt for an algorithm: EdDSA for Ed25519 (RFC 9864).
func canonicalAlgorithm(algorithm string) string {
	if algorithm == "Ed25519" {
		return "EdDSA"
	}
	return algorithm
}

// strictPSS makes the salt as long as the hash (RFC 7518 section 3.5), where
// golang-jwt accepts any length.
func strictPSS(method *jwt.SigningMethodRSAPSS) *jwt.SigningMethodRSAPSS {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: method.SigningMethodRSA,
		Options:          method.Options,
		VerifyOptions:    &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	}
}

// fits reports whether a public key is of the algorithm's kind.
func (a algorithm) fits(public crypto.PublicKey) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return a.kty == "RSA"
	case *ecdsa.PublicKey:
		return a.kty == "EC" && public.Curve == a.curve
	case ed25519.PublicKey:
		return a.kty == "OKP"
	default:
		return false
	}
}

// jws is a token in JWS compact serialization (RFC 7515 section 7.1), decoded
// but not verified.
type jws struct {
	algorithm string
	typ       string
	typFault  string // why typ cannot be compared, or empty
	keyID     string // empty if the header has none
	payload   string
	signed    string
	signature []byte
}

func parseJWS(raw string) (jws, error) {
	if len(raw) > maxBytes {
		return jws{}, malformed("token has %d bytes", len(raw))
	}
	switch dots := strings.Count(raw, "."); dots {
	case 2:
	case 0:
		return jws{}, malformed("it is an opaque token, not a JWT: the client must request a token for this API (as resource or audience)")
	case 4:
		return jws{}, malformed("an encrypted token (JWE): have the issuer sign access tokens without encrypting them")
	default:
		return jws{}, malformed("it has %d segments, and a JWT has 3: the client must send the whole token, unchanged", dots+1)
	}
	lastDot := strings.LastIndexByte(raw, '.')
	header64, payload64, _ := strings.Cut(raw[:lastDot], ".")
	header, err := decodeText(header64)
	if err != nil {
		return jws{}, err
	}
	token := jws{signed: raw[:lastDot]}
	if token.payload, err = decodeText(payload64); err != nil {
		return jws{}, err
	}
	if signature := raw[lastDot+1:]; signature != "" { // without one, alg is looked at first
		if token.signature, err = decodeSegment(signature); err != nil {
			return jws{}, err
		}
	}
	if err := token.parseHeader(header); err != nil {
		return jws{}, err
	}
	if token.payload == "" || len(token.signature) == 0 {
		return jws{}, errEmptySegment
	}
	return token, nil
}

var (
	errBase64       = malformed("a segment is not in base64url without padding: the client must send the token unchanged")
	errEmptySegment = malformed("an empty segment")
	strictBase64    = base64.RawURLEncoding.Strict()
)

// decodeSegment decodes base64url without padding. The decoder of the standard
// library skips line breaks even when strict.
func decodeSegment(segment string) ([]byte, error) {
	if segment == "" {
		return nil, errEmptySegment
	}
	data, err := strictBase64.DecodeString(segment)
	if err != nil || len(data) != strictBase64.DecodedLen(len(segment)) {
		return nil, errBase64
	}
	return data, nil
}

// decodeText is decodeSegment for what is wanted as a string, which is made only once.
func decodeText(segment string) (string, error) {
	var text strings.Builder
	text.Grow(strictBase64.DecodedLen(len(segment)))
	var data [768]byte
	const chunk = len(data) / 3 * 4
	for len(segment) > 0 {
		part := segment[:min(chunk, len(segment))]
		n, err := strictBase64.Decode(data[:], []byte(part))
		if err != nil || n != strictBase64.DecodedLen(len(part)) {
			return "", errBase64
		}
		text.Write(data[:n])
		segment = segment[len(part):]
	}
	return text.String(), nil
}

// meddling are header members that change the meaning of what was signed.
var meddling = []string{"crit", "b64", "zip", "cty"}

var headerMembers = append([]string{"alg", "typ", "kid"}, meddling...)

// parseHeader reads a JOSE header. Keys that stand in it or that it points to
// (jwk, jku, x5c, x5u) are never looked at.
func (t *jws) parseHeader(data string) error {
	header, err := parseMembers(data, headerMembers)
	if err != nil {
		return malformed("header: %w", err)
	}
	for _, name := range meddling {
		if header.has(name) {
			return invalid("header has %s", name)
		}
	}
	var ok bool
	if t.algorithm, ok, err = header.text("alg"); err != nil {
		return err
	} else if !ok {
		return invalid("header has no alg")
	}
	if _, ok := algorithms[t.algorithm]; !ok {
		return invalid("alg is not supported")
	}
	t.algorithm = canonicalAlgorithm(t.algorithm)
	switch t.typ, ok, err = header.text("typ"); { // the issuer says what typ should be
	case err != nil:
		t.typFault = typNoText
	case !ok:
		t.typFault = typAbsent
	case t.typ == "":
		t.typFault = typEmpty
	case len(t.typ) > maxType:
		t.typ, t.typFault = "", typTooLong
	}
	if t.keyID, ok, err = header.text("kid"); err != nil {
		return err
	} else if ok && (t.keyID == "" || len(t.keyID) > maxKeyID) {
		return invalid("kid is empty or too long")
	}
	return nil
}

// verify checks the signature. Whether the key fits is asked again: a slip
// elsewhere must not become a forgery.
func (t *jws) verify(key *publicKey) error {
	algorithm, ok := algorithms[t.algorithm]
	if !ok || !algorithm.fits(key.public) {
		return invalid("the key is not of the kind that alg needs")
	}
	if algorithm.method.Verify(t.signed, t.signature, key.public) != nil {
		return errSignature
	}
	return nil
}

var errSignature = invalid("the signature does not match")
