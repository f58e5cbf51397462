package token

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// A publicKey verifies signatures of one algorithm (RFC 8725 section 3.2).
type publicKey struct {
	jose.Key
	issuer  template     // Key.Issuer
	fastest atomic.Int64 // time to verify a good signature, in nanoseconds
}

// cost returns how long a verification takes without a wait for a processor, given how long one
// took. It learns from good signatures only, since some bad ones are found out early.
func (k *publicKey) cost(took time.Duration, good bool) time.Duration {
	for {
		fastest := k.fastest.Load()
		if fastest > 0 && time.Duration(fastest) <= took {
			return time.Duration(fastest)
		}
		if !good || k.fastest.CompareAndSwap(fastest, int64(took)) {
			return took
		}
	}
}

// equal reports whether two keys of one algorithm verify the same signatures of the same issuer.
func (k *publicKey) equal(other *publicKey) bool {
	public, ok := k.Public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Issuer == other.Issuer && public.Equal(other.Public)
}

// isOf reports whether the key verifies the tokens of an issuer. A key that names an issuer, as Entra ID's do,
// verifies the tokens of that issuer alone.
func (k *publicKey) isOf(by issuedBy) bool {
	switch {
	case k.Issuer == "":
		return true
	case k.issuer.placeholder == "":
		return k.Issuer == by.iss
	case by.tenant != "":
		return k.issuer.fill(by.tenant) == by.iss
	}
	_, ok := k.issuer.value(by.iss)
	return ok
}

// A keyName is the name by which a token refers to its key: `kid`, which may be empty, and `alg`.
type keyName struct{ id, algorithm string }

// clone returns a copy that keeps no larger text in memory.
func (n keyName) clone() keyName { return keyName{strings.Clone(n.id), strings.Clone(n.algorithm)} }

// maxCandidates is the number of keys of one issuer that may have one name. RFC 7517 section 4.5 only recommends
// distinct kids.
const maxCandidates = 2

// A keySet is one state of an issuer's key set. It is immutable.
type keySet struct {
	keys    []*publicKey
	byName  map[keyName][]*publicKey
	flight  uint64    // the number of the flight that brought the set
	fetched time.Time // when the flight began
	skipped []error   // one for each key that cannot be used
	text    []byte    // of a file, to tell whether it has changed

	errKeyID, errNoKeyID error // for a token with an unknown kid, and for one without a kid
}

// find returns the keys that may have signed a token with the name. A token without a `kid`
// needs the only key for its algorithm. The slice must not be modified.
func (s *keySet) find(name keyName) []*publicKey {
	found := s.byName[name]
	if name.id == "" && len(found) > 1 {
		return nil
	}
	return found
}

// add adds a JWK for one of the allowed algorithms, unless maxCandidates keys have its name.
func (s *keySet) add(jwk json.RawMessage, allowed []string) error {
	parsed, err := jose.ParseKey(jwk)
	if err != nil {
		return err
	}
	if parsed.Algorithm, err = bind(&parsed, allowed); err != nil {
		return err
	}
	issuer, err := parseTemplate(parsed.Issuer)
	if err != nil {
		return errors.New("its issuer has braces that are not one segment of a path: the issuer must correct the key")
	}
	key, name := &publicKey{Key: parsed, issuer: issuer}, keyName{parsed.ID, parsed.Algorithm}
	if key.ID != "" {
		same := slices.DeleteFunc(slices.Clone(s.byName[name]), func(other *publicKey) bool { return other.Issuer != key.Issuer })
		switch {
		case slices.ContainsFunc(same, key.equal):
			return errors.New("it is given twice")
		case len(same) == maxCandidates:
			return fmt.Errorf("%d keys before it have the same kid and alg", maxCandidates)
		}
		s.byName[name] = append(s.byName[name], key)
		name.id = ""
	}
	s.keys = append(s.keys, key)
	// A key without kid may occur twice, once for each name of its algorithm.
	again := func(other *publicKey) bool { return other.ID == key.ID && other.equal(key) }
	if !slices.ContainsFunc(s.byName[name], again) {
		s.byName[name] = append(s.byName[name], key)
	}
	return nil
}

// sameKeys reports whether two lists hold the same keys. Neither list may hold a key twice.
func sameKeys(a, b []*publicKey) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(key *publicKey) bool { return !slices.ContainsFunc(b, key.equal) })
}

// inherit copies the costs of keys that the set before has too.
func (s *keySet) inherit(before *keySet) {
	for _, key := range s.keys {
		for _, old := range before.keys {
			if old.Algorithm == key.Algorithm && old.equal(key) {
				key.fastest.Store(old.fastest.Load())
			}
		}
	}
}

// maxKeys is the largest number of keys in a key set.
const maxKeys = 100

// parseKeySet reads the key set (RFC 7517 section 5) of an issuer with the allowed
// algorithms. It skips keys that cannot be used. If no key can be used, parseKeySet returns
// both the set and an error.
func parseKeySet(body []byte, allowed []string) (*keySet, error) {
	members, err := jose.ParseShallow(body) // a fault of one key must not spoil the others
	if err != nil {
		return nil, err
	}
	var keys [maxKeys + 1]json.RawMessage // Unmarshal drops further elements
	switch array, ok := members.Get("keys"); {
	case !ok && members.Has("jwks_uri"):
		return nil, errors.New("it is the issuer's metadata, and not a key set: leave Issuer.KeySetURL empty; if it is empty, the issuer must correct jwks_uri")
	case !strings.HasPrefix(array, "["), json.Unmarshal([]byte(array), &keys) != nil:
		return nil, errors.New(`it has no array "keys": is it a key set (RFC 7517 section 5)?`)
	case keys[0] == nil:
		return nil, errors.New("it holds no keys")
	case keys[maxKeys] != nil:
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	set := &keySet{byName: map[keyName][]*publicKey{}}
	for n, jwk := range keys {
		if jwk == nil {
			break
		}
		if err := set.add(jwk, allowed); err != nil {
			set.skipped = append(set.skipped, fmt.Errorf("key %d: %w", n, err))
		}
	}
	if len(set.keys) == 0 {
		first := set.skipped[0].Error() // usually all keys have the same fault
		return set, fmt.Errorf("none of its keys (%d) can be used; %s", len(set.skipped), first)
	}
	unusable := ""
	if n := len(set.skipped); n > 0 {
		unusable = fmt.Sprintf("; keys that cannot be used: %d, see the log or WithKeySetObserver", n)
	}
	set.errKeyID = invalid("the key set has no key with the token's kid: if the token is of another environment, the client must get one from this environment's issuer; "+ownKeySet+"; if the issuer has rotated within 30 s, the client must try again%s", unusable)
	set.errNoKeyID = invalid("the token has no kid, and the key set does not have exactly one key for the token's alg: the issuer must write kid into the token's header%s", unusable)
	return set, nil
}

// bind returns the algorithm that a key may be used with: the algorithm that the key names, or
// else the only allowed algorithm for keys of its kind.
func bind(key *jose.Key, allowed []string) (string, error) {
	own := key.Algorithms()
	var fitting []string
	for _, name := range allowed {
		name = jose.CanonicalAlgorithm(name)
		if (key.Algorithm == "" || jose.CanonicalAlgorithm(key.Algorithm) == name) && slices.Contains(own, name) && !slices.Contains(fitting, name) {
			fitting = append(fitting, name)
		}
	}
	switch len(fitting) {
	case 0:
		return "", mismatch(key, own, allowed)
	case 1:
		return fitting[0], nil
	default:
		return "", fmt.Errorf("it names no alg, and %q fit it: leave only one of them in Issuer.Algorithms, or have the issuer write alg into the key", fitting)
	}
}

// maxAlgorithm is the longest `alg`, in bytes, that an error repeats.
const maxAlgorithm = 32

// mismatch returns the error for a key that fits no allowed algorithm. own are the algorithms that it fits.
func mismatch(key *jose.Key, own, allowed []string) error {
	alg := fmt.Sprintf("%q", key.Algorithm)
	if len(key.Algorithm) > maxAlgorithm {
		alg = fmt.Sprintf("%d bytes long", len(key.Algorithm))
	}
	switch {
	case key.Algorithm == "":
		return fmt.Errorf("it names no alg, and is for one of %q, while the issuer's Algorithms are %q: add the algorithm with which the issuer signs access tokens to Issuer.Algorithms", own, allowed)
	case slices.Contains(own, key.Algorithm):
		return fmt.Errorf("its alg is %s, while the issuer's Algorithms are %q: add %s to Issuer.Algorithms if the issuer signs access tokens with this key", alg, allowed, alg)
	case slices.Contains(jose.Algorithms(), key.Algorithm):
		return fmt.Errorf("its alg is %s, while its kty and crv are for %q, and the issuer's Algorithms are %q: the issuer must correct the key", alg, own, allowed)
	default:
		return fmt.Errorf("its alg is %s, which signs no token that is accepted, and the issuer's Algorithms are %q: if the issuer signs access tokens with this key, it must name another alg", alg, allowed)
	}
}
