package token

import (
	"fmt"
	"strings"
)

// maxBytes is the size of the largest token that is read. Real access tokens have about 1 KiB. A token with
// the 200 groups that Entra ID writes has 11 KiB.
const maxBytes = 16 << 10

const scheme = "Bearer"

// Bearer returns the token in the values of a request's Authorization header
// (RFC 6750 section 2.1). There must be exactly one value. The case of the scheme
// does not matter (RFC 9110 section 11.1). The token must be a b64token of at most
// 16 KiB.
//
// The errors are [ErrMissing], [ErrScheme] and [ErrMalformed].
func Bearer(values []string) (string, error) {
	raw, err := credentials(values)
	if err != nil {
		return "", err
	}
	if err := checkB64Token(raw); err != nil {
		return "", err
	}
	return raw, nil
}

// credentials returns the text behind the scheme, which may be empty.
func credentials(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", errNoHeader
	case len(values) > 1:
		return "", malformed("%d Authorization values", len(values))
	case values[0] == "":
		return "", malformed("Authorization is empty: the client must send the word Bearer, a space, and an access token")
	case len(values[0]) > len(scheme)+1+maxBytes:
		return "", malformed("Authorization has %d bytes, more than a token of 16 KiB takes: have the issuer put less into the token, such as fewer groups", len(values[0]))
	}
	name, rest, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(name, scheme) {
		return "", errOtherScheme
	}
	return strings.TrimLeft(rest, " "), nil
}

// checkB64Token refuses credentials that are not a b64token.
func checkB64Token(raw string) error {
	s := strings.TrimRight(raw, "=")
	for n := range len(s) {
		if !b64[s[n]] {
			return errGrammar
		}
	}
	if s == "" {
		return errNoCredentials
	}
	return nil
}

var (
	errNoHeader      = fmt.Errorf("%w: the request has no Authorization header: the client must send one, with the word Bearer and an access token; does a proxy remove the header?", ErrMissing)
	errOtherScheme   = fmt.Errorf("%w: the Authorization header must have the word Bearer, a space, and an access token", ErrScheme)
	errGrammar       = malformed("the credentials hold a character that no token has, such as a space, comma or quote: send the token alone behind Bearer")
	errNoCredentials = malformed("the credentials are empty: the client must send an access token behind Bearer; is a variable of the client empty?")
)

// b64 are the characters of a b64token before its padding (RFC 6750 section 2.1).
var b64 = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		set[c] = true
	}
	return set
}()
