package token_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
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
	set := keySet(newEd25519(eddsa.ID).JWK()) // an attacker's
	redirect := func(status int, to string) handler { return respond(status, set, "Location", to) }
	faults := map[string]handler{
		"J05/HTML":           respond(200, "<!doctype html><title>Sign in</title>"),
		"J05/empty":          respond(200, ""),
		"J05/truncated":      respond(200, set[:len(set)-1]),
		"J05/trailing bytes": respond(200, set+"x"),
		"J05/two documents":  respond(200, set+set),
		"J05/not UTF-8":      respond(200, strings.Replace(set, `"keys"`, "\"\xff\":1,\"keys\"", 1)),
		"J05/two BOMs":       respond(200, "\ufeff\ufeff"+set),
		"J05/null":           respond(200, "null"),
		"J05/array":          respond(200, "["+set+"]"),
		"J05/{}":             respond(200, "{}"),
		"J05/101 keys":       respond(200, keySet(slices.Repeat([]string{newEd25519("many").JWK(), "{}"}, 51)[:101]...)),
		"J07/over the cap":   respond(200, set+strings.Repeat(" ", 1<<20-len(set)+1)),
		"J07/without end": func(request *http.Request) (*http.Response, error) {
			response, err := respond(200, "")(request)
			response.Body = new(spaces)
			return response, err
		},
		"J22/no Location": redirect(302, ""),
		"J22/loop":        redirect(302, keySetURL),
		"transport error": func(*http.Request) (*http.Response, error) {
			return nil, errors.New("connection refused: does the server run, and are host and port of the URL right?")
		},
		"transport returns nil": func(*http.Request) (*http.Response, error) { return nil, nil },
		"transport panics":      func(*http.Request) (*http.Response, error) { panic("transport") },
		"body panics":           broken(func([]byte) (int, error) { panic("body") }),
		"body breaks off":       broken(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }),
		"J02/never an answer":   hang,
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

// testFault tries a fault of a URL on a verifier without keys and on a verifier with keys.
func testFault(t *testing.T, url string, fault handler, check func(*testing.T, *idp)) {
	t.Run("cold", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			idp := newIDP(eddsa.JWK())
			idp.Serve(url, fault)
			verifier := newVerifier(t, idp)
			_, err := verifier.Verify(t.Context(), scene.Token(eddsa))
			checkError(t, err, token.ErrKeysUnavailable)
			check(t, idp)
			settle()
			idp.Serve(discoveryURL, respond(200, discovery()))
			idp.Serve(keySetURL, respond(200, keySet(eddsa.JWK())))
			time.Sleep(2 * time.Second) // the bubble's clock
			if _, err := verifier.Verify(t.Context(), scene.Token(eddsa)); err != nil {
				t.Errorf("no recovery: %v", err)
			}
		})
	})
	t.Run("warm", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			idp, verifier := warm(t)
			idp.Serve(url, fault)
			for range 20 {
				time.Sleep(5 * time.Minute) // the bubble's clock
				for _, k := range []*key{eddsa, es256} {
					if _, err := verifier.Verify(t.Context(), scene.Token(k, "exp", never)); err != nil {
						t.Fatalf("the keys were lost at %v: %v", sinceEpoch(), err)
					}
				}
			}
			settle()
			if idp.Count(url) < 10 {
				t.Errorf("%d requests only", idp.Count(url))
			}
			check(t, idp)
		})
	})
}

func TestKeySetFaults(t *testing.T) {
	t.Parallel()
	tests := faults()
	bad := eddsa.JWK("use", "enc")
	for name, body := range map[string]string{
		"keys empty": keySet(), "keys null": `{"keys":null}`, "keys object": `{"keys":{}}`, "keys string": `{"keys":""}`, "keys number": `{"keys":1}`,
		"keys twice":            `{"keys":[],"keys":[` + newEd25519(eddsa.ID).JWK() + `]}`,
		"keys in upper case":    `{"KEYS":[` + newEd25519(eddsa.ID).JWK() + `]}`,
		"one key without a set": newEd25519(eddsa.ID).JWK(),
		"no usable key":         keySet(bad, bad, `{"kty":1}`, "null", rs256.JWK("n", 1), es256.JWK("x", nil), es256.JWK("crv", 1), eddsa.JWK("use", 1)),
		"kid of no string":      keySet(eddsa.JWK("kid", 1)),
	} {
		tests["J09/"+name] = respond(200, body)
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFault(t, keySetURL, fault, func(t *testing.T, idp *idp) {
				if n := idp.Count("") - idp.Count(discoveryURL) - idp.Count(keySetURL); n > 0 {
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
				if n := idp.Count("") - idp.Count(discoveryURL); n > 1 || n == 1 && idp.Count(keySetURL) != 1 {
					t.Errorf("%d requests to other URLs", n)
				}
			})
		})
	}
}

// J07: the cap is exact, and the verifier reads nothing behind it.
func TestBodyCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := newIDP()
		set := keySet(eddsa.JWK())
		idp.Serve(keySetURL, respond(200, set+strings.Repeat(" ", 1<<20-len(set))))
		if _, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(eddsa)); err != nil {
			t.Errorf("exactly at the cap: %v", err)
		}
		endless := new(spaces)
		idp.Serve(keySetURL, func(request *http.Request) (*http.Response, error) {
			response, err := respond(200, "")(request)
			response.Body = endless
			return response, err
		})
		_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(eddsa))
		checkError(t, err, token.ErrKeysUnavailable)
		if endless.read != 1<<20+1 {
			t.Errorf("%d bytes were read, want %d", endless.read, 1<<20+1)
		}
	})
}

// TestAccept makes sure that requests ask for JSON.
func TestAccept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := newIDP(eddsa.JWK())
		accepted := map[string]string{}
		for url, document := range map[string]string{discoveryURL: discovery(), keySetURL: keySet(eddsa.JWK())} {
			idp.Serve(url, func(request *http.Request) (*http.Response, error) {
				accepted[url] = request.Header.Get("Accept")
				return respond(200, document)(request)
			})
		}
		if _, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(eddsa)); err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{discoveryURL, keySetURL} {
			if !strings.Contains(accepted[url], "application/json") {
				t.Errorf("%s: the request accepts %q", url, accepted[url])
			}
		}
	})
}

// TestRequestErrors makes sure that the error of a failed request repeats neither the URL,
// whose query may be a secret, nor the response.
func TestRequestErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // the response, and why it failed
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret":                            "not a JSON object in UTF-8: is Issuer.KeySetURL right?",
		"HTTP/1.1 500 secret\r\n\r\n":                                                   "the endpoint answered with status 500: it is tried again later",
		"secret-key-material and no status line\r\n\r\n":                                "a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?",
		"HTTP/1.1 200 OK\r\nsecret-key-material\r\n\r\n":                                "a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?",
		"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n":                             "a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n":               "a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nsecret line\r\n\r\n": "a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsecret":                            "the connection was cut: does a proxy or a firewall cut connections?",
		"": "the connection was cut: does a proxy or a firewall cut connections?",
	}
	for response, want := range tests {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			listener := must(new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"))
			var serving sync.WaitGroup
			serving.Go(func() {
				for connection, err := listener.Accept(); err == nil; connection, err = listener.Accept() {
					_, _ = connection.Read(make([]byte, 4096))
					_, _ = io.WriteString(connection, response)
					_ = connection.Close()
				}
			})
			t.Cleanup(func() {
				_ = listener.Close()
				serving.Wait()
			})
			checkRequestError(t, "http://"+listener.Addr().String(), want)
		})
	}
	checkRequestError(t, "http://127.0.0.1:1", "connection refused: does the server run, and are host and port of the URL right? In a container, localhost is the container itself: set Issuer.KeySetURL to the address that the container reaches, and list its host in Issuer.InsecureHTTPHosts")
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(secure.Close)
	checkRequestError(t, secure.URL, "the server's certificate is of an unknown authority: trust a private authority by Issuer.CAFile, a file with its certificate, by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates")
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	checkRequestError(t, "https"+strings.TrimPrefix(plain.URL, "http"), "the server does not speak TLS: is the URL's port right?")
	for cause, want := range map[error]string{
		&net.DNSError{Name: "secret"}:                    "the server's name cannot be resolved: is the URL right, and does this machine's DNS know the host?",
		x509.HostnameError{Host: "secret"}:               "the server's certificate is for another host: is the URL's host right?",
		&tls.CertificateVerificationError{Err: io.EOF}:   "the server's certificate is not valid: have the certificate replaced",
		fmt.Errorf("secret: %w", os.ErrDeadlineExceeded): "the server does not answer in time: does a firewall drop the connection, or must the request go through a proxy (HTTPS_PROXY)?",
		errors.New("secret"):                             "a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?",
	} {
		checkRequestError(t, issuerURL, want, token.WithTransport(handler(func(*http.Request) (*http.Response, error) { return nil, cause })))
	}
}

// checkRequestError checks the errors and the event for a key set that cannot be fetched.
func checkRequestError(t *testing.T, url, want string, options ...token.Option) {
	t.Helper()
	issuer := issuer(url)
	issuer.URL, issuer.KeySetURL = url, url+"/jwks?key=secret"
	verifier, fetched := fetching(t, issuer, options...)
	verify := func() error {
		_, err := verifier.Verify(t.Context(), scene.Token(eddsa, "iss", url, "exp", never))
		return err
	}
	_ = verify() // which may not wait for the end of a fetch that takes long
	event := <-fetched
	for _, err := range []error{event.Err, verify(), verifier.Ready(t.Context())} {
		checkError(t, err, token.ErrKeysUnavailable)
		if text := err.Error(); strings.Contains(text, "secret") || !strings.HasSuffix(text, want) {
			t.Errorf("the error is %q, want %q", text, want)
		}
	}
}

// fetching is a verifier that tells how its first fetch ended.
func fetching(t *testing.T, issuer token.Issuer, options ...token.Option) (*token.Verifier, <-chan token.KeySetEvent) {
	t.Helper()
	fetched := make(chan token.KeySetEvent, 1)
	verifier, err := token.NewVerifier(issuer, append(options, token.WithKeySetObserver(func(event token.KeySetEvent) {
		select {
		case fetched <- event:
		default:
		}
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	return verifier, fetched
}

// TestDefaultTransport uses the default transport over a network. A response of 300 MiB
// costs little, compressed or not, and a redirect is not followed.
func TestDefaultTransport(t *testing.T) { //nolint:paralleltest // memory is counted for the whole process
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	visited := false
	set := keySet(eddsa.JWK())
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
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	must(packer.Write(block))
	must(0, packer.Close())
	bomb := bytes.Repeat(packed.Bytes(), 300) // gzip files can be put in a row
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb)
	})
	mux.Handle("/redirect", http.RedirectHandler("/evil", http.StatusFound))
	mux.HandleFunc("/evil", func(w http.ResponseWriter, _ *http.Request) {
		visited = true
		_, _ = io.WriteString(w, set)
	})
	raw := scene.Token(eddsa, "iss", server.URL, "exp", never)
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
			verifier, fetched := fetching(t, issuer)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _ = verifier.Verify(t.Context(), raw) // which may not wait for the end of a fetch that takes long
			checkError(t, (<-fetched).Err, test.err)
			runtime.ReadMemStats(&after)
			_, err := verifier.Verify(t.Context(), raw)
			checkError(t, err, test.err)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 { // the server's share included
				t.Errorf("%d bytes were allocated", grown)
			}
		})
	}
	if visited {
		t.Error("a redirect was followed")
	}
}
