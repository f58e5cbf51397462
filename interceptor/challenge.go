package interceptor

import (
	"cmp"
	"fmt"
	"strings"
	"sync"

	"connectrpc.com/connect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A challengeKind is the error of a challenge (RFC 6750 section 3.1).
type challengeKind int

const (
	noChallenge challengeKind = iota
	withoutError
	invalidRequest
	invalidToken
	insufficientScope // each refusal adds its scopes
)

// A realm holds what all refusals for one audience share.
type realm struct {
	challenges map[challengeKind]string
	details    map[detailKey]*connect.ErrorDetail
}

// realmName returns the realm of the challenges of a way. With MODEL_ORGANIZATION the audience of a token
// is an organization, which a client without a token does not know.
func realmName(way *policy.Way, table *policy.Table) string {
	audience := way.Audience
	if way.Model == authzv1.Model_MODEL_ORGANIZATION {
		audience = table.Audience()
	}
	return cmp.Or(audience, domain)
}

func newRealm(name string) *realm {
	plain := "Bearer realm=" + quotedString(name)
	r := &realm{challenges: map[challengeKind]string{
		withoutError:      plain,
		invalidRequest:    plain + `, error="invalid_request"`,
		invalidToken:      plain + `, error="invalid_token"`,
		insufficientScope: plain + `, error="insufficient_scope"`,
	}}
	r.details = detailsIn(r)
	return r
}

// ruleless is the realm of refusals without a rule, which have no challenge.
var ruleless = sync.OnceValue(func() *realm { return &realm{details: detailsIn(nil)} })

// quotedString returns a text as a quoted-string (RFC 9110 section 5.6.4). Bytes other than printable
// ASCII are percent-encoded, as in the URI of an IRI (RFC 3987 section 3.1): clients do not agree on
// how to read such bytes in a header.
func quotedString(text string) string {
	var quoted strings.Builder
	quoted.WriteByte('"')
	for _, c := range []byte(text) {
		switch {
		case c < ' ' || c > '~':
			_, _ = fmt.Fprintf(&quoted, "%%%02X", c)
		case c == '"' || c == '\\':
			quoted.WriteByte('\\')
			fallthrough
		default:
			quoted.WriteByte(c)
		}
	}
	quoted.WriteByte('"')
	return quoted.String()
}

// maxJoined is the size up to which severalCredentials reads a field: two tokens are not longer.
const maxJoined = 33 << 10

// severalCredentials reports whether a refused request has more than one credential: several
// Authorization fields, several fields that a proxy has joined (RFC 9110 section 5.3), or several
// tokens in one field.
func severalCredentials(values []string) bool {
	if len(values) != 1 || len(values[0]) > maxJoined {
		return len(values) > 1
	}
	scheme, _, rest := nextWord(strings.TrimRight(values[0], separators))
	first, _, rest := nextWord(rest)
	isToken := strings.EqualFold(scheme, "Bearer") && strings.Trim(first, b64Token) == ""
	dots := 0
	for rest != "" {
		var word string
		var joined bool
		word, joined, rest = nextWord(rest)
		isScheme := rest != "" && strings.IndexByte(" \t", rest[0]) >= 0 && strings.Trim(word, schemeName) == ""
		if isScheme && (joined || strings.EqualFold(word, "Bearer")) || isToken && joined {
			return true
		}
		dots += strings.Count(word, ".")
	}
	// A token that a space has broken is one token: two tokens have two dots each.
	return isToken && strings.Count(first, ".") >= 2 && dots >= 2
}

const (
	separators = " \t,;"
	schemeName = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
	b64Token   = schemeName + "._~+/="
)

// nextWord returns the next word of a header, whether a comma stands before the word, and the rest.
// Separators between quotes belong to the word.
func nextWord(text string) (word string, joined bool, rest string) {
	word = strings.TrimLeft(text, separators)
	joined = strings.IndexByte(text[:len(text)-len(word)], ',') >= 0
	quoted := false
	for i := range len(word) {
		switch c := word[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(separators, c) >= 0:
			return word[:i], joined, word[i:]
		}
	}
	return word, joined, ""
}
