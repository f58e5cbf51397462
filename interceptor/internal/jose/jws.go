// Package jose reads JWS in compact form (RFC 7515), JWK (RFC 7517) and their algorithms
// (RFC 7518), with a strict reader of JSON (RFC 8259).
//
// The package checks form alone. Its users decide which issuer, key, algorithm and claim is
// good, and what an error means. The text of an error holds no byte of a value.
package jose

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// maxKeyID is the longest `kid`, in bytes, that is looked up.
const maxKeyID = 256

// maxType is the longest `typ`, in bytes, that is compared. The two names of a media type have
// at most 127 bytes each (RFC 6838 section 4.2).
const maxType = 255

// A ValueError names the member of a JSON object that has a wrong value. All other errors of
// this package are about the form of a text.
type ValueError string

func (e ValueError) Error() string { return string(e) }

// A JWS is a token in JWS compact serialization (RFC 7515 section 7.1), decoded
// but not verified.
type JWS struct {
	Algorithm string // its canonical name
	Type      string
	TypeFault string // the reason why Type cannot be compared, or empty
	KeyID     string // empty if the header has none
	Header    string // the decoded JOSE header
	Payload   string
	Signed    string // header and payload as the client sent them
	Signature []byte
}

// TypeAbsent is the TypeFault of a token without `typ`.
const TypeAbsent = "it has no typ"

var (
	errOpaque       = errors.New("it is an opaque token, without the form of a JWT: the client must request a JWT, with this API as resource or audience; to accept opaque tokens, give the verifier token.WithIntrospector")
	errEncrypted    = errors.New("an encrypted token (JWE): have the issuer sign access tokens without encrypting them")
	errBase64       = errors.New("a segment is not in base64url without padding: the client must send the token unchanged")
	errEmptySegment = errors.New("an empty segment")
	strictBase64    = base64.RawURLEncoding.Strict()
)

// ParseJWS reads a token. The strings of the result are parts of raw, or of a decoded copy.
func ParseJWS(raw string) (JWS, error) {
	switch dots := strings.Count(raw, "."); dots {
	case 2:
	case 0:
		return JWS{}, errOpaque
	case 4:
		return JWS{}, errEncrypted
	default:
		return JWS{}, fmt.Errorf("it has %d segments, and a JWT has 3: the client must send the whole token, unchanged", dots+1)
	}
	lastDot := strings.LastIndexByte(raw, '.')
	header64, payload64, _ := strings.Cut(raw[:lastDot], ".")
	header, payload, err := decodeTexts(header64, payload64)
	if err != nil {
		return JWS{}, err
	}
	token := JWS{Signed: raw[:lastDot], Header: header, Payload: payload}
	if signature := raw[lastDot+1:]; signature != "" { // for an empty one, a fault of alg is the better error
		if token.Signature, err = DecodeSegment(signature); err != nil {
			return JWS{}, err
		}
	}
	if err := token.parseHeader(header); err != nil {
		return JWS{}, err
	}
	if token.Payload == "" || len(token.Signature) == 0 {
		return JWS{}, errEmptySegment
	}
	return token, nil
}

// DecodeSegment decodes base64url without padding. The decoder of the standard
// library skips line breaks even when strict.
func DecodeSegment(segment string) ([]byte, error) {
	if segment == "" {
		return nil, errEmptySegment
	}
	data, err := strictBase64.DecodeString(segment)
	if err != nil || len(data) != strictBase64.DecodedLen(len(segment)) {
		return nil, errBase64
	}
	return data, nil
}

// decodeTexts decodes two segments into strings that share memory.
func decodeTexts(header64, payload64 string) (header, payload string, err error) {
	size := strictBase64.DecodedLen(len(header64))
	var text strings.Builder
	var data [768]byte
	const chunk = len(data) / 3 * 4
	for _, segment := range []string{header64, payload64} {
		for len(segment) > 0 {
			part := segment[:min(chunk, len(segment))]
			n, err := strictBase64.Decode(data[:], []byte(part))
			if err != nil || n != strictBase64.DecodedLen(len(part)) {
				return "", "", errBase64
			}
			if text.Len() == 0 { // not before, so that garbage takes no memory
				text.Grow(size + strictBase64.DecodedLen(len(payload64)))
			}
			text.Write(data[:n])
			segment = segment[len(part):]
		}
	}
	return text.String()[:size], text.String()[size:], nil
}

// meddling are header members that change the meaning of the signed bytes.
var meddling = []string{"crit", "b64", "zip", "cty"}

var headerMembers = append([]string{"alg", "typ", "kid"}, meddling...)

// parseHeader reads a JOSE header. It ignores keys in the header and URLs of keys (jwk, jku, x5c,
// x5u).
func (t *JWS) parseHeader(data string) error {
	header, err := ParseMembers(data, headerMembers)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for _, name := range meddling {
		if header.Has(name) {
			return ValueError("header has " + name)
		}
	}
	var ok bool
	if t.Algorithm, ok, err = header.Text("alg"); err != nil {
		return err
	} else if !ok {
		return ValueError("header has no alg")
	} else if _, ok := algorithms[t.Algorithm]; !ok {
		return ValueError("alg is not supported")
	}
	t.Algorithm = CanonicalAlgorithm(t.Algorithm)
	switch t.Type, ok, err = header.Text("typ"); { // the verifier refuses TypeFault with the issuer's Types
	case err != nil:
		t.TypeFault = "its typ is not a string"
	case !ok:
		t.TypeFault = TypeAbsent
	case t.Type == "":
		t.TypeFault = "its typ is empty"
	case len(t.Type) > maxType:
		t.Type, t.TypeFault = "", "its typ is longer than any media type"
	}
	if t.KeyID, ok, err = header.Text("kid"); err != nil {
		return err
	} else if ok && (t.KeyID == "" || len(t.KeyID) > maxKeyID) {
		return ValueError("kid is empty or too long")
	}
	return nil
}

// CanonicalType returns a `typ` in the form in which types are compared (RFC 7515 section 4.1.9). It folds ASCII
// letters alone: strings.ToLower would also turn U+0130 into i and U+212A into k.
func CanonicalType(typ string) string {
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, typ)
	return strings.TrimPrefix(lower, "application/")
}

// SignedBy reports whether a key has signed the token. It checks again that the key fits the
// algorithm, so that a mistake of a caller does not become a forgery.
func (t *JWS) SignedBy(public crypto.PublicKey) bool {
	algorithm := algorithms[t.Algorithm]
	return algorithm.fits(public) && algorithm.method.Verify(t.Signed, t.Signature, public) == nil
}
