package token_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

const evilURL = "https://evil.test/jwks"

// spaces is a body without end.
type spaces struct{ read int }

func (s *spaces) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = ' '
	}
	s.read += len(p)
	return len(p), nil
}

func (*spaces) Close() error { return nil }

// faults are the ways in which an endpoint can fail to give a document.
func faults() map[string]handler {
	set := keySet(newEd25519(eddsa.id).jwk()) // an attacker's
	redirect := func(status int, to string) handler { return respond(status, set, "Location", to) }
	faults := map[string]handler{
		"J05/HTML":           respond(200, "<!doctype html><title>Sign in</title>"),
		"J05/empty":          respond(200, ""),
		"J05/truncated":      respond(200, set[:len(set)-1]),
		"J05/trailing bytes": respond(200, set+"x"),
		"J05/two documents":  respond(200, set+set),
		"J05/not UTF-8":      respond(200, strings.Replace(set, `"keys"`, "\"\xff\":1,\"keys\"", 1)),
		"J05/BOM":            respond(200, "\ufeff"+set),
		"J05/null":           respond(200, "null"),
		"J05/array":          respond(200, "["+set+"]"),
		"J05/{}":             respond(200, "{}"),
		"J05/101 keys":       respond(200, keySet(slices.Repeat([]string{newEd25519("many").jwk(), "{}"}, 51)[:101]...)),
		"J07/over the cap":   respond(200, set+strings.Repeat(" ", 1<<20-len(set)+1)),
		"J07/without end": func(request *http.Request) (*http.Response, error) {
			response, err := respond(200, "")(request)
			response.Body = new(spaces)
			return response, err
		},
		"J22/no Location":     redirect(302, ""),
		"J22/loop":            redirect(302, keySetURL),
		"transport error":     func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
		"transport says nil":  func(*http.Request) (*http.Response, error) { return nil, nil },
		"transport panics":    func(*http.Request) (*http.Response, error) { panic("transport") },
		"body panics":         broken(func([]byte) (int, error) { panic("body") }),
		"body breaks off":     broken(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }),
		"J02/never an answer": hang,
	}
	for _, status := range []int{http.StatusCreated, http.StatusNoContent, http.StatusPartialContent, http.StatusNotModified,
		http.StatusUnauthorized, http.StatusNotFound, http.StatusTooManyRequests, http.StatusInternalServerError} {
		faults["J04/"+http.StatusText(status)] = respond(status, set)
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		faults["J22/"+http.StatusText(status)] = redirect(status, evilURL)
		faults["J22/"+http.StatusText(status)+" to http"] = redirect(status, "http://idp.test/oidc/jwks")
	}
	return faults
}

type readFunc func([]byte) (int, error)

func (read readFunc) Read(p []byte) (int, error) { return read(p) }

func broken(read readFunc) handler {
	return func(request *http.Request) (*http.Response, error) {
		response, err := respond(200, "")(request)
		response.Body = io.NopCloser(read)
		return response, err
	}
}

// testFault tries a fault of a URL on a verifier without keys and on one with.
func testFault(t *testing.T, url string, fault handler, check func(*testing.T, *idp)) {
	t.Run("cold", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			idp := newIDP(eddsa.jwk())
			idp.serve(url, fault)
			verifier := newVerifier(t, idp)
			_, err := verifier.Verify(t.Context(), eddsa.token())
			checkError(t, err, token.ErrKeysUnavailable)
			check(t, idp)
			settle()
			idp.serve(discoveryURL, respond(200, discovery()))
			idp.serve(keySetURL, respond(200, keySet(eddsa.jwk())))
			time.Sleep(2 * time.Second) // the bubble's clock
			if _, err := verifier.Verify(t.Context(), eddsa.token()); err != nil {
				t.Errorf("no recovery: %v", err)
			}
		})
	})
	t.Run("warm", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			idp, verifier := warm(t)
			idp.serve(url, fault)
			for range 20 {
				time.Sleep(5 * time.Minute) // the bubble's clock
				for _, k := range []*key{eddsa, es256} {
					if _, err := verifier.Verify(t.Context(), k.token("exp", never)); err != nil {
						t.Fatalf("the keys were lost at %v: %v", sinceEpoch(), err)
					}
				}
			}
			settle()
			if idp.count(url) < 10 {
				t.Errorf("%d requests only", idp.count(url))
			}
			check(t, idp)
		})
	})
}

func TestKeySetFaults(t *testing.T) {
	t.Parallel()
	tests := faults()
	bad := eddsa.jwk("use", "enc")
	for name, body := range map[string]string{
		"keys empty": keySet(), "keys null": `{"keys":null}`, "keys object": `{"keys":{}}`, "keys string": `{"keys":""}`, "keys number": `{"keys":1}`,
		"keys twice":            `{"keys":[],"keys":[` + newEd25519(eddsa.id).jwk() + `]}`,
		"keys in upper case":    `{"KEYS":[` + newEd25519(eddsa.id).jwk() + `]}`,
		"one key without a set": newEd25519(eddsa.id).jwk(),
		"no usable key":         keySet(bad, bad, `{"kty":1}`, "null", rs256.jwk("n", 1), es256.jwk("x", nil), es256.jwk("crv", 1), eddsa.jwk("use", 1)),
		"kid of no string":      keySet(eddsa.jwk("kid", 1)),
	} {
		tests["J09/"+name] = respond(200, body)
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFault(t, keySetURL, fault, func(t *testing.T, idp *idp) {
				if n := idp.count("") - idp.count(discoveryURL) - idp.count(keySetURL); n > 0 {
					t.Errorf("%d requests to other URLs", n)
				}
			})
		})
	}
}

func TestDiscoveryFaults(t *testing.T) {
	t.Parallel()
	tests := faults()
	delete(tests, "J22/loop")
	for name, document := range map[string]string{
		"issuer with a slash":    discovery("issuer", issuerURL+"/"),
		"issuer in upper case":   discovery("issuer", "https://IDP.test/oidc"),
		"issuer over http":       discovery("issuer", "http://idp.test/oidc"),
		"issuer of another":      discovery("issuer", otherIssuer),
		"issuer missing":         discovery("issuer", absent{}),
		"issuer null":            discovery("issuer", nil),
		"issuer array":           discovery("issuer", []string{issuerURL}),
		"issuer twice":           strings.Replace(discovery(), "{", `{"issuer":"`+issuerURL+`",`, 1),
		"twice inside":           discovery("x", json.RawMessage(`{"a":1,"a":2}`)),
		"jwks_uri over http":     discovery("jwks_uri", "http://idp.test/oidc/jwks"),
		"jwks_uri on loopback":   discovery("jwks_uri", "http://localhost/jwks"),
		"jwks_uri in a file":     discovery("jwks_uri", "file:///etc/jwks"),
		"jwks_uri inline":        discovery("jwks_uri", "data:application/json,{}"),
		"jwks_uri missing":       discovery("jwks_uri", absent{}),
		"jwks_uri empty":         discovery("jwks_uri", ""),
		"jwks_uri number":        discovery("jwks_uri", 1),
		"jwks_uri relative":      discovery("jwks_uri", "/oidc/jwks"),
		"jwks_uri without proto": discovery("jwks_uri", "//evil.test/jwks"),
		"jwks_uri with user":     discovery("jwks_uri", "https://idp.test@evil.test/jwks"),
		"jwks_uri unreadable":    discovery("jwks_uri", "https://idp.test/%zz"),
	} {
		tests["J20/"+name] = respond(200, document)
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFault(t, discoveryURL, fault, func(t *testing.T, idp *idp) {
				// The one request of a warm verifier is the first.
				if n := idp.count("") - idp.count(discoveryURL); n > 1 || n == 1 && idp.count(keySetURL) != 1 {
					t.Errorf("%d requests to other URLs", n)
				}
			})
		})
	}
}

// J07: the cap is exact, and what is cut off is not read.
func TestBodyCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := newIDP()
		set := keySet(eddsa.jwk())
		idp.serve(keySetURL, respond(200, set+strings.Repeat(" ", 1<<20-len(set))))
		if _, err := newVerifier(t, idp).Verify(t.Context(), eddsa.token()); err != nil {
			t.Errorf("exactly at the cap: %v", err)
		}
		endless := new(spaces)
		idp.serve(keySetURL, func(request *http.Request) (*http.Response, error) {
			response, err := respond(200, "")(request)
			response.Body = endless
			return response, err
		})
		_, err := newVerifier(t, idp).Verify(t.Context(), eddsa.token())
		checkError(t, err, token.ErrKeysUnavailable)
		if endless.read != 1<<20+1 {
			t.Errorf("%d bytes were read, want %d", endless.read, 1<<20+1)
		}
	})
}

// TestRequestErrors makes sure that the cause of a failed request holds neither the
// URL, whose query may be a secret, nor the text of a whole response.
func TestRequestErrors(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{errors.New("connection refused"), &url.Error{Op: "Get", URL: "https://secret.test", Err: errors.New("refused")}, errors.New(strings.Repeat("x", 1<<20))} {
		idp := newIDP()
		idp.serve(keySetURL+"?key=secret", func(*http.Request) (*http.Response, error) { return nil, cause })
		issuer := issuer("https://idp.test")
		issuer.KeySetURL = keySetURL + "?key=secret"
		verifier, err := token.NewVerifier(issuer, token.WithTransport(idp))
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifier.Verify(t.Context(), eddsa.token("exp", never))
		checkError(t, err, token.ErrKeysUnavailable)
		if text := err.Error(); strings.Contains(text, "secret") || len(text) > 1<<10 {
			t.Errorf("%d bytes: %.100s", len(text), text)
		}
	}
}

// TestDefaultTransport uses what nobody has set, over a network: an answer of 300 MiB
// costs little, packed or not, a redirect is not followed, and no goroutine stays.
func TestDefaultTransport(t *testing.T) { //nolint:paralleltest // counts goroutines and allocations
	goroutines := runtime.NumGoroutine()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	visited := false
	set := keySet(eddsa.jwk())
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, discovery("issuer", server.URL, "jwks_uri", server.URL+"/jwks"))
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, set) })
	block := make([]byte, 1<<20)
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		for range 300 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	var bomb bytes.Buffer
	packer := must(gzip.NewWriterLevel(&bomb, gzip.BestSpeed))
	for range 300 {
		must(packer.Write(block))
	}
	must(0, packer.Close())
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	mux.Handle("/redirect", http.RedirectHandler("/evil", http.StatusFound))
	mux.HandleFunc("/evil", func(w http.ResponseWriter, _ *http.Request) {
		visited = true
		_, _ = io.WriteString(w, set)
	})
	raw := eddsa.token("iss", server.URL, "exp", never)
	for _, test := range []struct {
		name, url string
		err       error
	}{
		{"discovery", "", nil},
		{"key set", "/jwks", nil},
		{"J04 404", "/none", token.ErrKeysUnavailable},
		{"J07 300 MiB", "/large", token.ErrKeysUnavailable},
		{"J07 300 MiB, packed", "/bomb", token.ErrKeysUnavailable},
		{"J22 redirect", "/redirect", token.ErrKeysUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			issuer := issuer(server.URL)
			if test.url != "" {
				issuer.KeySetURL = server.URL + test.url
			}
			issuer.URL = server.URL
			verifier, err := token.NewVerifier(issuer)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = verifier.Verify(t.Context(), raw)
			runtime.ReadMemStats(&after)
			checkError(t, err, test.err)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 { // the server's share included
				t.Errorf("%d bytes were allocated", grown)
			}
		})
	}
	if visited {
		t.Error("a redirect was followed")
	}
	server.Close()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

// TestBadKeys puts a key that cannot be used beside one that can.
func TestBadKeys(t *testing.T) {
	t.Parallel()
	n := rsaKey.N
	small := must(rsa.GenerateKey(rand.Reader, 1024)).N
	even, huge := new(big.Int).Lsh(n, 1), new(big.Int).Lsh(big.NewInt(1), 8192)
	exponent := func(e ...byte) string { return rs256.jwk("e", encode(e)) }
	x := must(as[*ecdsa.PublicKey](es256.private.Public()).Bytes())[1:33]
	x25519 := encode(must(ecdh.X25519().GenerateKey(rand.Reader)).PublicKey().Bytes())
	bad := map[string]string{
		"oct":                       `{"kty":"oct","kid":"o","alg":"HS256","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"oct without alg":           `{"kty":"oct","kid":"o","k":"AAAA"}`,
		"private EC":                es256.jwk("d", encode(x)),
		"private OKP":               eddsa.jwk("d", encode(x)),
		"private RSA":               rs256.jwk("d", "AQAB", "p", "Aw", "q", "BQ"),
		"a prime alone":             rs256.jwk("p", "Aw"),
		"symmetric in RSA":          rs256.jwk("k", "AAAA"),
		"other primes":              rs256.jwk("oth", []any{}),
		"use enc":                   es256.jwk("use", "enc"),
		"use empty":                 es256.jwk("use", ""),
		"use null":                  es256.jwk("use", nil),
		"use array":                 es256.jwk("use", []string{"sig"}),
		"key_ops encrypt":           es256.jwk("key_ops", []string{"encrypt"}),
		"key_ops sign":              es256.jwk("key_ops", []string{"sign"}),
		"key_ops empty":             es256.jwk("key_ops", []string{}),
		"key_ops null":              es256.jwk("key_ops", nil),
		"key_ops string":            es256.jwk("key_ops", "verify"),
		"key_ops of mixed types":    es256.jwk("key_ops", []any{"verify", 1}),
		"RSA of 1024 bits":          rs256.jwk("n", encode(small.Bytes())),
		"RSA of 2047 bits":          rs256.jwk("n", encode(new(big.Int).SetBit(new(big.Int).Rsh(n, 1), 0, 1).Bytes())),
		"RSA of 8193 bits":          rs256.jwk("n", encode(new(big.Int).SetBit(huge, 0, 1).Bytes())),
		"RSA even modulus":          rs256.jwk("n", encode(even.Bytes())),
		"RSA modulus zero":          rs256.jwk("n", "AA"),
		"RSA modulus missing":       rs256.jwk("n", absent{}),
		"RSA modulus empty":         rs256.jwk("n", ""),
		"RSA modulus number":        rs256.jwk("n", 15),
		"RSA exponent 0":            exponent(0),
		"RSA exponent 1":            exponent(1),
		"RSA exponent 2":            exponent(2),
		"RSA exponent even":         exponent(1, 0, 0),
		"RSA exponent 2^31":         exponent(0x80, 0, 0, 0),
		"RSA exponent 2^31+1":       exponent(0x80, 0, 0, 1),
		"RSA exponent 2^32+1":       exponent(1, 0, 0, 0, 1),
		"RSA exponent 2^64+65537":   exponent(1, 0, 0, 0, 0, 0, 1, 0, 1),
		"RSA exponent 2^63+65537":   exponent(0x80, 0, 0, 0, 0, 1, 0, 1),
		"RSA exponent missing":      rs256.jwk("e", absent{}),
		"RSA without alg":           rs256.jwk("alg", absent{}), // it could be for RS256 and for PS256
		"RSA with alg RS512":        rs256.jwk("alg", "RS512"),  // which the issuer does not use
		"RSA with alg ES256":        rs256.jwk("alg", "ES256"),
		"RSA with alg RSA-OAEP":     rs256.jwk("alg", "RSA-OAEP"),
		"RSA with alg none":         rs256.jwk("alg", "none"),
		"RSA with alg HS256":        rs256.jwk("alg", "HS256"),
		"EC off the curve":          es256.jwk("y", encode(x)),
		"EC at infinity":            es256.jwk("x", encode(make([]byte, 32)), "y", encode(make([]byte, 32))),
		"EC coordinate above p":     es256.jwk("x", encode([]byte(strings.Repeat("\xff", 32)))),
		"EC short coordinate":       es256.jwk("x", encode(x[:31])),
		"EC long coordinate":        es256.jwk("x", encode(append([]byte{0}, x...))),
		"EC coordinate missing":     es256.jwk("y", absent{}),
		"EC of another curve":       es256.jwk("crv", "P-384"),
		"EC of an unknown curve":    es256.jwk("crv", "P-257"),
		"EC secp256k1":              es256.jwk("crv", "secp256k1", "alg", absent{}),
		"EC without a curve":        es256.jwk("crv", absent{}),
		"EC with alg of P-384":      es256.jwk("alg", "ES384"),
		"EC with alg ES521":         es512.jwk("alg", "ES521"),
		"EC with alg ECDH-ES":       es256.jwk("alg", "ECDH-ES"),
		"EC as RSA":                 es256.jwk("kty", "RSA"),
		"EC as OKP":                 es256.jwk("kty", "OKP"),
		"OKP X25519":                eddsa.jwk("crv", "X25519", "x", x25519, "alg", absent{}),
		"OKP X25519 as EdDSA":       eddsa.jwk("crv", "X25519", "x", x25519),
		"OKP Ed448":                 eddsa.jwk("crv", "Ed448", "x", encode(make([]byte, 57))),
		"OKP short":                 eddsa.jwk("x", encode(x[:31])),
		"OKP long":                  eddsa.jwk("x", encode(append(x[:32:32], 0))),
		"OKP with alg ES256":        eddsa.jwk("alg", "ES256"),
		"kty missing":               es256.jwk("kty", absent{}),
		"kty empty":                 es256.jwk("kty", ""),
		"kty in lower case":         es256.jwk("kty", "ec"),
		"kty unknown":               es256.jwk("kty", "AKP"),
		"kty number":                es256.jwk("kty", 1),
		"kid number":                es256.jwk("kid", 1),
		"kid null":                  es256.jwk("kid", nil),
		"kid too long":              es256.jwk("kid", strings.Repeat("k", 257)),
		"alg number":                es256.jwk("alg", 1),
		"alg null":                  es256.jwk("alg", nil),
		"member twice":              strings.Replace(es256.jwk(), "{", `{"kid":"x",`, 1),
		"member twice, alike":       strings.Replace(es256.jwk(), "{", `{"kty":"EC",`, 1),
		"twice inside a member":     es256.jwk("x5t", json.RawMessage(`{"a":1,"a":1}`)),
		"kid of the good one":       newEd25519(eddsa.id).jwk(),
		"padding":                   es256.jwk("x", encode(x)+"="),
		"line break":                es256.jwk("x", encode(x)[:8]+"\n"+encode(x)[8:]),
		"line break at the end":     es256.jwk("x", encode(x)+"\r\n"),
		"standard base64":           es256.jwk("x", strings.Repeat("+/", 21)+"8"),
		"unused bits":               es256.jwk("x", strings.Repeat("A", 42)+"B"),
		"array":                     `["EC"]`,
		"null":                      "null",
		"number":                    "1",
		"string":                    `"EC"`,
		"empty object":              "{}",
		"key set inside a key set ": keySet(es256.jwk()),
	}
	for name, jwk := range bad {
		t.Run("J09/"+name, func(t *testing.T) {
			t.Parallel()
			good := eddsa
			for _, body := range []string{keySet(good.jwk(), jwk), keySet(good.jwk(), jwk, es384.jwk("alg", "x")), keySet(jwk, good.jwk())} {
				keys, skipped, err := token.ParseKeySet([]byte(body), allowed...)
				if err != nil || len(keys) != 1 || len(skipped) != strings.Count(body, `"alg":"x"`)+1 {
					t.Fatalf("%d keys, %q skipped, %v, want the good one", len(keys), skipped, err)
				}
				for _, reason := range skipped {
					checkSilent(t, reason, jwk)
				}
				if keys[0].ID != good.id {
					t.Errorf("%q was kept", keys[0].ID)
				}
				if public, ok := keys[0].Public.(ed25519.PublicKey); name != "kid of the good one" && (!ok || !public.Equal(good.private.Public())) {
					t.Errorf("another key was kept")
				}
			}
		})
	}
}

// TestGoodKeys is about the keys that look odd and are right.
func TestGoodKeys(t *testing.T) {
	t.Parallel()
	modulus := rsaKey.N.Bytes()
	good := map[string]string{
		"RSA without alg":         rs256.jwk("alg", absent{}),
		"RSA with a leading zero": rs256.jwk("n", encode(append([]byte{0}, modulus...))),
		"RSA exponent 3":          rs256.jwk("e", "Aw"),
		"RSA exponent 2^31-1":     rs256.jwk("e", encode([]byte{0x7f, 0xff, 0xff, 0xff})),
		"RSA with a certificate":  rs256.jwk("x5c", []string{"AAAA"}, "x5t", "AAAA", "x5u", "https://evil.test"),
		"EC without alg":          es256.jwk("alg", absent{}),
		"EC without use":          es256.jwk("use", absent{}),
		"EC without kid":          es256.jwk("kid", absent{}),
		"EC to verify":            es256.jwk("key_ops", []string{"verify"}, "use", absent{}),
		"OKP without alg":         eddsa.jwk("alg", absent{}),
		"unknown members":         es256.jwk("exp", 1, "ext", true, "nbf", nil),
		"kid of 256 bytes":        es256.jwk("kid", strings.Repeat("k", 256)),
	}
	for name, jwk := range good {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, skipped, err := token.ParseKeySet([]byte(keySet(jwk)), "RS256", "RS256", "ES256", "EdDSA")
			if err != nil || len(keys) != 1 || len(skipped) != 0 {
				t.Errorf("%d keys, %q skipped, %v, want 1 key", len(keys), skipped, err)
			}
		})
	}
	if keys, skipped, err := token.ParseKeySet([]byte(keySet(jwksOf(all...)...)), allowed...); err != nil || len(keys) != len(all) || len(skipped) != 0 {
		t.Errorf("%d keys, %q skipped, %v, want all %d", len(keys), skipped, err, len(all))
	}
}

// TestKeyChoice is about which key of a set a token finds.
func TestKeyChoice(t *testing.T) {
	t.Parallel()
	second := &key{"kid-second", "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	sameKid := &key{eddsa.id, "ES256", second.private}
	without := func(k *key) string { return k.mint(k.header("kid", absent{}), payload()) }
	tests := []struct {
		name string
		jwks []string
		raw  string
		err  error
	}{
		{"J11/no kid, single key", jwksOf(es256), without(es256), nil},
		{"J11/no kid, single key for the alg", jwksOf(es256, es384, eddsa, rs256), without(es256), nil},
		{"J11/no kid, two keys for the alg", jwksOf(es256, second), without(es256), token.ErrInvalid},
		{"J11/no kid, two RSA keys of one alg", []string{rs256.jwk(), ps256.jwk("alg", "RS256")}, without(rs256), token.ErrInvalid},
		{"J11/kid, two keys for the alg", jwksOf(es256, second), second.token(), nil},
		{"J11/kid, key has none", []string{es256.jwk("kid", absent{})}, es256.token(), token.ErrInvalid},
		{"J11/no kid, key has none", []string{es256.jwk("kid", absent{})}, without(es256), nil},
		{"J11/no kid, two keys have none", []string{es256.jwk("kid", absent{}), second.jwk("kid", absent{})}, without(es256), token.ErrInvalid},
		{"J11/one kid for two algs, first", jwksOf(eddsa, sameKid), eddsa.token(), nil},
		{"J11/one kid for two algs, second", jwksOf(eddsa, sameKid), sameKid.token(), nil},
		{"J11/RSA key without alg, RS256", []string{rs256.jwk("alg", absent{}), eddsa.jwk()}, rs256.token(), token.ErrInvalid},
		{"J11/RSA key without alg, PS256", []string{ps256.jwk("alg", absent{}), eddsa.jwk()}, ps256.token(), token.ErrInvalid},
		{"J11/RSA key of RS256, PS256", []string{ps256.jwk("alg", "RS256")}, ps256.token(), token.ErrInvalid},
		{"J11/RSA key of RS512, RS256", []string{rs256.jwk("alg", "RS512"), eddsa.jwk()}, rs256.token(), token.ErrInvalid},
		{"J11/kid of 256 bytes", []string{es256.jwk("kid", strings.Repeat("k", 256))}, es256.mint(es256.header("kid", strings.Repeat("k", 256)), payload()), nil},
		{"J11/kid that is a number in the set", []string{es256.jwk("kid", 1), eddsa.jwk()}, es256.mint(es256.header("kid", "1"), payload()), token.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, err := newVerifier(t, newIDP(test.jwks...)).Verify(t.Context(), test.raw)
				checkError(t, err, test.err)
			})
		})
	}
}
