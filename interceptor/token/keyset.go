package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/MicahParks/keyfunc/v3"
)

// A publicKey verifies signatures of one algorithm (RFC 8725 section 3.2).
type publicKey struct {
	id        string // empty if the JWK has none
	algorithm string
	public    crypto.PublicKey
	fastest   atomic.Int64 // verification of a good signature, in nanoseconds
}

// cost returns how long a verification takes, given how long one took, of which a part may
// have been spent waiting for a processor. Only good signatures tell: there are bad ones that
// are found out early.
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

// equal reports whether two keys verify the same signatures of an algorithm.
func (k *publicKey) equal(other *publicKey) bool {
	public, ok := k.public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(other.public)
}

// A keyName is what a token says of its key: `kid`, which may be empty, and `alg`.
type keyName struct{ id, algorithm string }

// clone returns the name without the text that it was a part of.
func (n keyName) clone() keyName { return keyName{strings.Clone(n.id), strings.Clone(n.algorithm)} }

// maxCandidates is how many keys may have one name: RFC 7517 section 4.5 only recommends that kids
// are distinct.
const maxCandidates = 2

// A keySet is one state of an issuer's key set. It is immutable.
type keySet struct {
	keys    []*publicKey
	byName  map[keyName][]*publicKey
	flight  uint64    // the number of the one that has brought it
	fetched time.Time // when the flight began
	skipped []error   // why the other keys cannot be used
}

// find returns the keys that a token of a name may be signed with. A token without a `kid`
// finds a key only if there is no other for its algorithm. The slice must not be modified.
func (s *keySet) find(name keyName) []*publicKey {
	found := s.byName[name]
	if name.id == "" && len(found) > 1 {
		return nil
	}
	return found
}

// add takes a key in, unless there are enough of its name.
func (s *keySet) add(key *publicKey) error {
	name := keyName{key.id, key.algorithm}
	if key.id != "" {
		switch same := s.byName[name]; {
		case slices.ContainsFunc(same, key.equal):
			return errors.New("it is given twice")
		case len(same) == maxCandidates:
			return fmt.Errorf("%d keys before it have the same kid and alg", maxCandidates)
		}
		s.byName[name] = append(s.byName[name], key)
		name.id = ""
	}
	s.keys = append(s.keys, key)
	s.byName[name] = append(s.byName[name], key)
	return nil
}

// sameKeys reports whether two lists, each without a key twice, hold the same keys.
func sameKeys(a, b []*publicKey) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(key *publicKey) bool { return !slices.ContainsFunc(b, key.equal) })
}

// inherit takes over what was learned about keys that were there before.
func (s *keySet) inherit(before *keySet) {
	for _, key := range s.keys {
		for _, old := range before.keys {
			if old.algorithm == key.algorithm && old.equal(key) {
				key.fastest.Store(old.fastest.Load())
			}
		}
	}
}

// maxKeys is the number of keys in the largest key set that is taken.
const maxKeys = 100

// parseKeySet reads a key set (RFC 7517 section 5) of an issuer that signs with the
// algorithms given. Keys that cannot be used are skipped; a set without a single usable
// key is an error.
func parseKeySet(body []byte, allowed []string) (*keySet, error) {
	members, err := parseShallow(body) // what is wrong with one key spoils that key alone
	if err != nil {
		return nil, err
	}
	array, _ := members.get("keys")
	keys, err := splitKeys(array)
	if err != nil {
		return nil, err
	}
	set := &keySet{byName: map[keyName][]*publicKey{}}
	for n, raw := range keys {
		key, err := parseKey(raw, allowed)
		if err == nil {
			err = set.add(key)
		}
		if err != nil {
			set.skipped = append(set.skipped, fmt.Errorf("key %d: %w", n, err))
		}
	}
	if len(set.keys) == 0 {
		return nil, &unusableError{set.skipped}
	}
	return set, nil
}

// An unusableError is a key set without a key that can be used.
type unusableError struct{ skipped []error }

// Error tells of the first key: what is wrong is mostly wrong with all.
func (e *unusableError) Error() string {
	if len(e.skipped) == 0 {
		return "it holds no keys"
	}
	return fmt.Sprintf("none of its keys (%d) can be used; %v", len(e.skipped), e.skipped[0])
}

// splitKeys splits an array of keys, without a look at what comes after the last
// one that would be taken.
func splitKeys(array string) (keys []json.RawMessage, err error) {
	decoder := json.NewDecoder(strings.NewReader(array))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return nil, errors.New("no array of keys")
	}
	for decoder.More() {
		var key json.RawMessage
		if err := decoder.Decode(&key); err != nil {
			return nil, errors.New("no array of keys")
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return nil, fmt.Errorf("more than %d keys", maxKeys)
		}
	}
	return keys, nil
}

// parseKey reads one JWK. Its errors name what is wrong, never a value.
func parseKey(raw json.RawMessage, allowed []string) (*publicKey, error) {
	members, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	key := new(publicKey)
	var kty string
	for name, into := range map[string]*string{"kty": &kty, "kid": &key.id, "alg": &key.algorithm} {
		if *into, _, err = members.text(name); err != nil {
			return nil, fmt.Errorf("its %s is not a string", name) // err means a token's claim
		}
	}
	for _, name := range []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"} {
		if members.has(name) {
			return nil, errors.New("it holds private or symmetric key material")
		}
	}
	if use, ok, err := members.text("use"); err != nil || ok && use != "sig" {
		return nil, errors.New("its use is not sig")
	}
	if ops, array, ok, err := members.texts("key_ops"); err != nil || ok && (!array || !slices.Contains(ops, "verify")) {
		return nil, errors.New("its key_ops do not contain verify")
	}
	if len(key.id) > maxKeyID {
		return nil, errors.New("its kid is too long")
	}
	key.id, key.algorithm = strings.Clone(key.id), strings.Clone(key.algorithm) // of the whole JWK
	if key.public, err = parsePublic(kty, &members); err != nil {
		return nil, err
	}
	key.algorithm, err = bind(key, allowed)
	return key, err
}

// bind returns the one algorithm that a key is for: that which it names, or the only
// one of those allowed that is for such keys.
func bind(key *publicKey, allowed []string) (string, error) {
	var fitting []string
	for _, name := range allowed {
		if (key.algorithm == "" || key.algorithm == name) && algorithms[name].fits(key.public) && !slices.Contains(fitting, name) {
			fitting = append(fitting, name)
		}
	}
	switch len(fitting) {
	case 0:
		return "", errors.New("none of the issuer's algorithms fits it")
	case 1:
		return fitting[0], nil
	default:
		return "", fmt.Errorf("it names no alg, and %q fit it: allow only one of them", fitting)
	}
}

// coordinates are the members that make up a public key, by key type.
var coordinates = map[string][]string{
	"RSA": {"n", "e"},
	"EC":  {"x", "y"},
	"OKP": {"x"},
}

// parsePublic builds the public key. It hands on nothing but the members that
// make it up, so that nothing else (private parts, certificates, URLs) is read.
func parsePublic(kty string, members *object) (crypto.PublicKey, error) {
	names, ok := coordinates[kty]
	if !ok {
		return nil, errors.New("its kty is not supported")
	}
	jwk := map[string]string{"kty": kty}
	lengths := map[string]int{}
	for _, name := range names {
		value, _, err := members.text(name)
		var decoded []byte
		if err == nil {
			decoded, err = decodeSegment(value)
		}
		if err != nil {
			return nil, fmt.Errorf("its %s is missing or not in base64url", name)
		}
		jwk[name], lengths[name] = value, len(decoded)
	}
	if kty != "RSA" {
		crv, _, err := members.text("crv")
		if err != nil {
			return nil, errors.New("its crv is not a string")
		}
		jwk["crv"] = crv
	}
	encoded, err := json.Marshal(jwk)
	if err != nil {
		return nil, errors.New("it cannot be encoded")
	}
	public, err := publicOf(encoded)
	if err != nil {
		return nil, errors.New("it is not a valid key")
	}
	return public, checkPublic(public, lengths)
}

// publicOf lets keyfunc build the key of a single JWK.
func publicOf(jwk json.RawMessage) (crypto.PublicKey, error) {
	set, err := keyfunc.NewJWKJSON(jwk)
	if err != nil {
		return nil, err
	}
	keys, err := set.VerificationKeySet(context.Background())
	if err != nil || len(keys.Keys) != 1 {
		return nil, errors.New("not one key")
	}
	return keys.Keys[0], nil
}

const (
	minRSABits  = 2048
	maxRSABits  = 8192
	maxExponent = 1<<31 - 1
)

// checkPublic refuses keys that are well-formed and yet not to be trusted.
func checkPublic(public crypto.PublicKey, lengths map[string]int) error {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits || public.N.Bit(0) == 0 {
			return fmt.Errorf("an RSA modulus must be odd and have %d to %d bits", minRSABits, maxRSABits)
		}
		if public.E < 3 || public.E > maxExponent || public.E%2 == 0 {
			return errors.New("an RSA exponent must be odd, and from 3 to 2^31-1")
		}
	case *ecdsa.PublicKey:
		size := (public.Params().BitSize + 7) / 8
		if lengths["x"] != size || lengths["y"] != size {
			return errors.New("an EC coordinate is not of the curve's length")
		}
		if _, err := public.ECDH(); err != nil {
			return errors.New("the EC point is not on the curve")
		}
	case ed25519.PublicKey:
		if len(public) != ed25519.PublicKeySize {
			return errors.New("an Ed25519 key is not 32 bytes long")
		}
	default:
		return errors.New("its kty or crv is not supported")
	}
	return nil
}
