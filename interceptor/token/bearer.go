package token

import "strings"

// maxBytes is the size of the largest token that is looked at. Real access
// tokens have about 1 KiB.
const maxBytes = 8 << 10

const scheme = "Bearer"

// Bearer returns the token in the values of a request's Authorization header
// (RFC 6750 section 2.1). There must be exactly one value; the scheme's case does
// not matter (RFC 9110 section 11.1), and the rest must be a b64token of at most
// 8 KiB.
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

// credentials returns what stands behind the scheme.
func credentials(values []string) (string, error) {
	switch len(values) {
	case 0:
		return "", ErrMissing
	case 1:
	default:
		return "", malformed("%d Authorization values", len(values))
	}
	value := values[0]
	if len(value) > len(scheme)+1+maxBytes {
		return "", malformed("Authorization has %d bytes", len(value))
	}
	rest, ok := strings.CutPrefix(value, scheme+" ") // as most clients write it
	if !ok {
		var name string
		name, rest, _ = strings.Cut(value, " ")
		switch {
		case value == "":
			return "", malformed("Authorization is empty")
		case !strings.EqualFold(name, scheme):
			return "", ErrScheme
		}
	}
	return strings.TrimLeft(rest, " "), nil
}

// checkB64Token makes sure that the credentials are a b64token.
func checkB64Token(raw string) error {
	s := strings.TrimRight(raw, "=")
	for _, c := range []byte(s) {
		if !isB64(c) {
			return malformed("the credentials are no b64token")
		}
	}
	if s == "" {
		return malformed("the credentials are empty")
	}
	return nil
}

// isB64 reports whether a character may stand in a b64token, before the padding (RFC 6750
// section 2.1).
func isB64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/", c) >= 0
}
