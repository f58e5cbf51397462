package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// epoch is when the bubbles of testing/synctest begin, in seconds: 2000-01-01.
const epoch = 946684800

const (
	issuerURL    = "https://idp.test/oidc"
	discoveryURL = issuerURL + "/.well-known/openid-configuration"
	keySetURL    = issuerURL + "/jwks"
	otherIssuer  = "https://idp2.test/oidc"
	api          = "https://api.test"
)

// A key signs tokens. Nothing of the package under test takes part in that.
type key struct {
	id, alg string
	private crypto.Signer
}

// The keys of the issuer. The RSA ones are one key, so that only `alg` parts them.
var (
	rsaKey = must(rsa.GenerateKey(rand.Reader, 2048))
	es256  = &key{"kid-es256", "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	es384  = &key{"kid-es384", "ES384", must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))}
	es512  = &key{"kid-es512", "ES512", must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))}
	rs256  = &key{"kid-rs256", "RS256", rsaKey}
	ps256  = &key{"kid-ps256", "PS256", rsaKey}
	eddsa  = newEd25519("kid-eddsa")
	all    = []*key{es256, es384, es512, rs256, ps256, eddsa}

	// An attacker's, and at the same time the other issuer's of the same name.
	foreign = &key{es384.id, "ES384", must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))}
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func as[T any](value any) T {
	typed, ok := value.(T)
	if !ok {
		panic("another type")
	}
	return typed
}

func newEd25519(id string) *key {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return &key{id, "EdDSA", must(private, err)}
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

func (k *key) sign(alg, signed string) []byte {
	if private, ok := k.private.(ed25519.PrivateKey); ok {
		return ed25519.Sign(private, []byte(signed))
	}
	hash := hashes[alg[2:]]
	h := hash.New()
	_, _ = io.WriteString(h, signed)
	digest := h.Sum(nil)
	switch private := k.private.(type) {
	case *rsa.PrivateKey:
		if alg[0] == 'P' {
			return must(rsa.SignPSS(rand.Reader, private, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		}
		return must(rsa.SignPKCS1v15(rand.Reader, private, hash, digest))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest)
		return rawSignature(private.Curve, must(r, err), s)
	}
	panic("no such key")
}

// rawSignature is R and S, each as long as the curve's order (RFC 7518 section 3.4).
func rawSignature(curve elliptic.Curve, r, s *big.Int) []byte {
	size := (curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// jwk is the public key, with changes as [with] makes them.
func (k *key) jwk(changes ...any) string {
	members := map[string]any{"kid": k.id, "alg": k.alg, "use": "sig"}
	switch public := k.private.Public().(type) {
	case *rsa.PublicKey:
		members["kty"], members["n"] = "RSA", encode(public.N.Bytes())
		members["e"] = encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(public.Bytes())[1:]
		members["kty"], members["crv"] = "EC", public.Params().Name
		members["x"], members["y"] = encode(point[:len(point)/2]), encode(point[len(point)/2:])
	case ed25519.PublicKey:
		members["kty"], members["crv"], members["x"] = "OKP", "Ed25519", encode(public)
	}
	return with(members, changes...)
}

// keySet is a key set of JWKs.
func keySet(jwks ...string) string { return `{"keys":[` + strings.Join(jwks, ",") + `]}` }

func jwksOf(keys ...*key) (jwks []string) {
	for _, k := range keys {
		jwks = append(jwks, k.jwk())
	}
	return jwks
}

// absent as a value takes the member away.
type absent struct{}

// with is a JSON object with other values, given as name, value, name, value …
func with(members map[string]any, changes ...any) string {
	members = maps.Clone(members)
	for pair := range slices.Chunk(changes, 2) {
		name := as[string](pair[0])
		if members[name] = pair[1]; pair[1] == (any)(absent{}) {
			delete(members, name)
		}
	}
	return string(must(json.Marshal(members)))
}

// header and payload are those of a good token, with changes as with makes them.
func (k *key) header(changes ...any) string {
	return with(map[string]any{"alg": k.alg, "kid": k.id, "typ": "at+jwt"}, changes...)
}

func payload(changes ...any) string {
	return with(map[string]any{
		"iss": issuerURL, "sub": "user_1", "client_id": "app_1", "jti": "token_1", "aud": api,
		"scope": "read:a write:b", "iat": epoch, "exp": epoch + 300,
	}, changes...)
}

// mint signs a header and a payload, well-formed or not.
func (k *key) mint(header, payload string) string {
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	return signed + "." + encode(k.sign(k.alg, signed))
}

// token is a good token with another payload.
func (k *key) token(changes ...any) string { return k.mint(k.header(), payload(changes...)) }

type handler func(*http.Request) (*http.Response, error)

// An idp is an identity provider without a network, which counts the requests.
type idp struct {
	mu       sync.Mutex
	handlers map[string]handler
	requests map[string]int
	running  int
	peak     int // of running
}

// newIDP serves discovery and a key set.
func newIDP(jwks ...string) *idp {
	return &idp{requests: map[string]int{}, handlers: map[string]handler{
		discoveryURL: respond(http.StatusOK, discovery()),
		keySetURL:    respond(http.StatusOK, keySet(jwks...)),
	}}
}

func discovery(changes ...any) string {
	return with(map[string]any{"issuer": issuerURL, "jwks_uri": keySetURL}, changes...)
}

func (i *idp) RoundTrip(request *http.Request) (*http.Response, error) {
	url := request.URL.String()
	i.mu.Lock()
	i.requests[url]++
	i.running++
	i.peak = max(i.peak, i.running)
	serve := i.handlers[url]
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.running--
	}()
	if serve == nil {
		serve = respond(http.StatusNotFound, "")
	}
	return serve(request)
}

func (i *idp) serve(url string, h handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.handlers[url] = h
}

// count is the number of requests for a URL, or for all if it is empty.
func (i *idp) count(url string) (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for requested, times := range i.requests {
		if url == "" || requested == url {
			n += times
		}
	}
	return n
}

// atOnce is the largest number of requests that were under way together.
func (i *idp) atOnce() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.peak
}

// underWay is the number of requests that are not answered yet.
func (i *idp) underWay() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.running
}

func respond(status int, body string, headers ...string) handler {
	return func(request *http.Request) (*http.Response, error) {
		header := http.Header{"Content-Type": {"application/json"}}
		for pair := range slices.Chunk(headers, 2) {
			header.Set(pair[0], pair[1])
		}
		return &http.Response{
			StatusCode: status, Header: header, Request: request, ContentLength: -1,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// allowed are the algorithms of the keys above.
var allowed = []string{"ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"}

// issuer is Logto's kind of issuer, with all algorithms of the keys above.
func issuer(url string) token.Issuer {
	issuer := token.Logto(url)
	issuer.Algorithms = allowed
	return issuer
}

func newVerifier(t testing.TB, transport http.RoundTripper, opts ...token.Option) *token.Verifier {
	t.Helper()
	verifier, err := token.NewVerifier(issuer(issuerURL), append(opts, token.WithTransport(transport))...)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

var sentinels = []error{
	token.ErrMissing, token.ErrScheme, token.ErrMalformed, token.ErrInvalid,
	token.ErrExpired, token.ErrNotYetValid, token.ErrKeysUnavailable,
}

// checkError fails unless an error matches the one sentinel that is wanted, and
// no other.
func checkError(t testing.TB, err, want error) {
	t.Helper()
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel) != errors.Is(want, sentinel) {
			t.Errorf("error is %v, want %v", err, want)
			return
		}
	}
	if (err == nil) != (want == nil) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// checkSilent fails if an error holds a part of the token or one of its claims.
func checkSilent(t testing.TB, err error, raw string) {
	t.Helper()
	if err == nil {
		return
	}
	secrets := []string{"user_1", "app_1", "token_1", "kid-", "evil"}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 8 {
			secrets = append(secrets, part, part[:8])
		}
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}

func compact(t testing.TB, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
