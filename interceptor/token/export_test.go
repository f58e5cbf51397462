package token

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
)

// MaxBytes is maxBytes.
const MaxBytes = maxBytes

// PublicKey is what a test may see of a key.
type PublicKey struct {
	ID, Algorithm string
	Public        crypto.PublicKey
}

// ParseObject is parseObject, and parseMembers for the members that there are and one more.
func ParseObject(data []byte) (map[string]json.RawMessage, error) {
	o, err := parseObject(data)
	names := []string{"not there"}
	for _, m := range o.members {
		names = append(names, m.name)
	}
	asked, again := parseMembers(string(data), names)
	if !errors.Is(again, err) || err == nil && again != nil {
		return nil, fmt.Errorf("%w, and then %w", err, again)
	}
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	for _, m := range o.members {
		members[m.name] = json.RawMessage(m.value)
		for _, o := range []object{o, asked} {
			if found, ok := o.get(m.name); !ok || found != m.value {
				return nil, errors.New("a member is not found")
			}
		}
	}
	if _, there := members["not there"]; there != asked.has("not there") {
		return nil, errors.New("a member is found")
	}
	return members, nil
}

// ParseShallow is parseShallow.
func ParseShallow(data []byte) (map[string]json.RawMessage, error) {
	o, err := parseShallow(data)
	members := map[string]json.RawMessage{}
	for _, m := range o.members {
		members[m.name] = json.RawMessage(m.value)
	}
	return members, err
}

// ParseKeySet is parseKeySet.
func ParseKeySet(body []byte, allowed ...string) (keys []PublicKey, skipped []error, err error) {
	set, err := parseKeySet(body, allowed)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range set.keys {
		keys = append(keys, PublicKey{ID: key.id, Algorithm: key.algorithm, Public: key.public})
	}
	return keys, set.skipped, nil
}

// VerifyJWS verifies a JWS with a key out of a key set, whatever its payload and
// whatever its algorithm is.
func VerifyJWS(keySet []byte, raw string) (payload []byte, err error) {
	token, err := parseJWS(raw)
	if err != nil {
		return nil, err
	}
	set, err := parseKeySet(keySet, []string{token.algorithm})
	if err != nil {
		return nil, err
	}
	keys := set.find(keyName{token.keyID, token.algorithm})
	if len(keys) == 0 {
		return nil, errors.New("no key")
	}
	_, _, err = new(Verifier).signer(&token, keys)
	return []byte(token.payload), err
}

// CheckPublic is checkPublic, for coordinates of those lengths.
func CheckPublic(public crypto.PublicKey, x, y int) error {
	return checkPublic(public, map[string]int{"x": x, "y": y})
}

// VerifyWith verifies a JWS with a key that nobody has chosen for it.
func VerifyWith(raw string, public crypto.PublicKey) error {
	token, err := parseJWS(raw)
	if err != nil {
		return err
	}
	return token.verify(&publicKey{algorithm: token.algorithm, public: public})
}
