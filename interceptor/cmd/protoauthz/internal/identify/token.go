// Package identify tells which provider has issued a token, and with which token.Issuer a server accepts it. It
// verifies nothing: an attacker can write any token.
package identify

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Token is the content of a token, without its signature.
type Token struct {
	header, payload   string // JSON objects
	head, body        jose.Object
	algorithm, issuer string // alg and iss, or empty
}

// The errors of [Read]. None holds a byte of the token.
var (
	ErrOpaque    = errors.New("the token is opaque: it is not a JWT, and tells a server nothing. Have the server ask the issuer about it (token.NewIntrospector), or have the client request a JWT for this API: many issuers need a resource or an audience in the request, or a setting of the application or of the API")
	ErrEncrypted = errors.New("the token is encrypted (JWE), for another server: have the issuer sign access tokens without encrypting them")
	errMalformed = errors.New("the token is malformed")
)

// Read reads a token. The signature may be left out.
func Read(raw string) (*Token, error) {
	segments := strings.Split(raw, ".")
	t := &Token{header: decode(segments[0])}
	var err error
	if t.head, err = jose.ParseObject([]byte(t.header)); err != nil {
		if strings.HasPrefix(t.header, "{") {
			return nil, fmt.Errorf("%w: its header: %w", errMalformed, err)
		}
		return nil, ErrOpaque
	}
	const jws, jwe = 3, 5
	switch {
	case len(segments) == jwe || t.head.Has("enc"):
		return nil, ErrEncrypted
	case len(segments) != jws && len(segments) != jws-1:
		return nil, fmt.Errorf("%w: it has %d segments, and a JWT has %d: give the whole token, unchanged", errMalformed, len(segments), jws)
	}
	t.payload = decode(segments[1])
	if t.body, err = jose.ParseObject([]byte(t.payload)); err != nil {
		return nil, fmt.Errorf("%w: its payload: %w", errMalformed, err)
	}
	t.algorithm, t.issuer = t.text("header.alg"), t.text("iss")
	return t, nil
}

// Issuer returns `iss`, or "" if the token names no issuer.
func (t *Token) Issuer() string { return t.issuer }

// decode returns the text of a segment, or "" if the segment is not base64url.
func decode(segment string) string {
	text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return ""
	}
	return string(text)
}

// value returns the JSON text of a claim, or "". The name is a JSON Pointer, if it begins with a slash, or a member
// of the header, if it begins with "header.".
func (t *Token) value(name string) (value string) {
	if member, ok := strings.CutPrefix(name, "header."); ok {
		value, _ = t.head.Get(member)
		return value
	}
	if !strings.HasPrefix(name, "/") {
		value, _ = t.body.Get(name)
		return value
	}
	var steps []jose.Step
	for step := range strings.SplitSeq(name[1:], "/") {
		steps = append(steps, jose.Step{Name: strings.NewReplacer("~1", "/", "~0", "~").Replace(step)})
	}
	// A value of another type on the way is an absent value.
	_ = jose.Walk(t.payload, steps, func(_ []string, found string) error { value = found; return nil })
	return value
}

// text returns the text of a claim that is a string, a number or a boolean, or "".
func (t *Token) text(name string) string {
	value := t.value(name)
	if text, ok := jose.Text(value); ok {
		return text
	}
	if value == "null" || strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
		return ""
	}
	return value
}

// is reports whether a token has all marks, which are separated by spaces: "a" is a claim that is there, "!a" an
// absent one, "a=b" a claim with the text b, "a^=b|c" a claim whose text begins with b or c, and "a[]" a claim that
// is an array.
func (t *Token) is(marks string) bool {
	for mark := range strings.FieldsSeq(marks) {
		ok := false
		if name, absent := strings.CutPrefix(mark, "!"); absent {
			ok = t.value(name) == ""
		} else if name, prefixes, begins := strings.Cut(mark, "^="); begins {
			for prefix := range strings.SplitSeq(prefixes, "|") {
				ok = ok || strings.HasPrefix(t.text(name), prefix)
			}
		} else if name, text, equal := strings.Cut(mark, "="); equal {
			ok = t.text(name) == text || name == "header.typ" && jose.CanonicalType(t.text(name)) == text
		} else if name, array := strings.CutSuffix(mark, "[]"); array {
			ok = strings.HasPrefix(t.value(name), "[")
		} else {
			ok = t.value(mark) != ""
		}
		if !ok {
			return false
		}
	}
	return true
}

// check makes every check of a verifier but the signature. Late means that the token would be accepted at another
// time.
func (t *Token) check(issuer token.Issuer) (late bool, err error) {
	_, err = unverified.Token(issuer, compact(t.header, t.payload))
	if errors.Is(err, token.ErrExpired) || errors.Is(err, token.ErrNotYetValid) {
		late = true
		members := []string{fmt.Sprintf(`"exp":%d`, time.Now().Add(time.Hour).Unix())}
		for _, member := range t.body.Members {
			if member.Name != "exp" && member.Name != "iat" && member.Name != "nbf" {
				name, _ := json.Marshal(member.Name) // a string has no error
				members = append(members, string(name)+":"+member.Value)
			}
		}
		_, err = unverified.Token(issuer, compact(t.header, "{"+strings.Join(members, ",")+"}"))
	}
	return late, err
}

// compact returns a token without a good signature.
func compact(header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode([]byte("signature"))
}
