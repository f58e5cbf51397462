package token

import (
	"errors"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// MaxBytes is maxBytes.
const MaxBytes = maxBytes

// PublicKey is a key of a key set.
type PublicKey = jose.Key

// ParseKeySet is parseKeySet.
func ParseKeySet(body []byte, allowed ...string) (keys []PublicKey, skipped []error, err error) {
	set, err := parseKeySet(body, allowed)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range set.keys {
		keys = append(keys, key.Key)
	}
	return keys, set.skipped, nil
}

// VerifyJWS verifies a JWS with a key of a key set. It accepts any payload and any
// algorithm.
func VerifyJWS(keySet []byte, raw string) (payload []byte, err error) {
	token, err := jose.ParseJWS(raw)
	if err != nil {
		return nil, err
	}
	set, err := parseKeySet(keySet, []string{token.Algorithm})
	if err != nil {
		return nil, err
	}
	keys := set.find(keyName{token.KeyID, token.Algorithm})
	if len(keys) == 0 {
		return nil, errors.New("no key")
	}
	_, _, err = new(Verifier).signer(&token, issuedBy{}, keys)
	return []byte(token.Payload), err
}
