package interceptor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// Challenge returns the WWW-Authenticate of RFC 6750 section 3, or "" if there is none for the
// reason. Every refusal with the code unauthenticated has a challenge, and every one with
// permission_denied but that with [ReasonRuleMissing].
//
// The realm is the audience that the rule requires, for MODEL_ORGANIZATION that of
// [policy.WithAudience], and "protoauthz" if there is none. Bytes of an audience that are not
// ASCII stand percent-encoded. The error is
//
//   - "invalid_request" if the request has more than one credential, be it in several
//     Authorization fields or in one;
//   - "invalid_token" for all other tokens that are not valid, and with [ReasonAudienceMismatch]
//     (RFC 9068 section 4);
//   - "insufficient_scope" with [ReasonScopeInsufficient], beside all scopes that the rule names.
//
// There is no error where no token was sent (section 3.1), and none where the token is valid and
// another token of the same caller would not help.
//
// The header belongs in HTTP responses, so in unary calls of the Connect protocol alone.
// Elsewhere a gateway finds it in the ErrorInfo: see [Denial.ErrorInfo].
func (d *Denial) Challenge() string {
	realm := d.get().realm
	if realm == nil {
		return ""
	}
	switch reason := d.Reason(); {
	case d.several:
		return realm.plain + `, error="invalid_request"`
	case reason == ReasonTokenMissing, reason == ReasonSchemeUnsupported,
		reason == ReasonModelMismatch, reason == ReasonOrganizationMismatch, reason == ReasonCallerNotAllowed:
		return realm.plain
	case reason == ReasonAudienceMismatch, reason.code() == connect.CodeUnauthenticated:
		return realm.plain + `, error="invalid_token"`
	case reason == ReasonScopeInsufficient:
		// Scope-tokens hold neither quotes nor backslashes: nothing to escape.
		return realm.plain + `, error="insufficient_scope", scope="` + d.allScopes() + `"`
	default:
		return ""
	}
}

// allScopes names every scope of the rule: with all of them a token will do.
func (d *Denial) allScopes() string {
	return strings.Join(slices.Concat(d.scopes, d.anyScopes), " ")
}

// A realm holds what all refusals for one audience share.
type realm struct {
	plain   string // the challenge without an error
	details map[detailKey]*connect.ErrorDetail
}

// realmName returns the realm of a rule's challenges. The audience of MODEL_ORGANIZATION is an
// organization, which a client that has no token yet does not know.
func realmName(rule *policy.Rule, table *policy.Table) string {
	audience := rule.Audience
	if rule.Model == authzv1.Model_MODEL_ORGANIZATION {
		audience = table.Audience()
	}
	return cmp.Or(audience, domain)
}

func newRealm(name string) *realm {
	r := &realm{plain: "Bearer realm=" + quotedString(name)}
	r.details = makeDetails(r)
	return r
}

// quotedString returns a text as a quoted-string (RFC 9110 section 5.6.4). What is not printable
// ASCII stands percent-encoded, as in the URI of an IRI (RFC 3987 section 3.1): clients do not
// agree on how to read other bytes in a header.
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

// maxJoined is the size up to which several looks at a field: two tokens take no more.
const maxJoined = 33 << 10

// several reports whether the credentials of a refused request are more than one: several
// Authorization fields, several fields that a proxy has joined (RFC 9110 section 5.3), or several
// tokens in one field.
func several(values []string) bool {
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
	// A space inside one token does not make two tokens: two tokens have two dots each.
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
