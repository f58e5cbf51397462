package token_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// noNetwork fails a test that uses it.
func noNetwork(t *testing.T) http.RoundTripper {
	return handler(func(request *http.Request) (*http.Response, error) {
		t.Errorf("%s is asked for", request.URL)
		return nil, http.ErrNotSupported
	})
}

// withKeySetFile returns an issuer whose keys are in a file.
func withKeySetFile(name string) token.Issuer {
	mine := issuer(issuerURL)
	mine.KeySetURL = (&url.URL{Scheme: "file", Path: name}).String()
	return mine
}

// fromFile returns a verifier with keys from a file, and the observer's events.
func fromFile(t *testing.T, name string, opts ...token.Option) (*token.Verifier, *eventLog) {
	t.Helper()
	log := new(eventLog)
	verifier, err := token.NewVerifier(withKeySetFile(name), append(opts, token.WithTransport(noNetwork(t)), token.WithKeySetObserver(log.observe))...)
	if err != nil {
		t.Fatal(err)
	}
	return verifier, log
}

// keySetFile returns a file with a key set.
func keySetFile(t *testing.T, keys ...*key) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "jwks.json")
	writeFile(t, name, keySet(jwksOf(keys...)...))
	return name
}

// TestKeySetFile makes sure that a file is read again once its keys are three seconds old, by the call that needs
// them, and that the network is never asked.
func TestKeySetFile(t *testing.T) {
	t.Parallel()
	newer := newEd25519("kid-newer")
	again := newEd25519(eddsa.ID) // another key under the same kid
	old, fresh := scene.Token(eddsa, "exp", never), scene.Token(newer, "exp", never)
	for name, opts := range map[string][]token.Option{"cached": nil, "not cached": {token.WithoutCache()}} {
		bubble(t, "a new key at once, "+name, func(t *testing.T) {
			file := keySetFile(t, eddsa)
			verifier, _ := fromFile(t, file, opts...)
			check(t, verifier, old, nil, 0)
			check(t, verifier, fresh, token.ErrInvalid, 0)
			time.Sleep(time.Second) // the bubble's clock
			writeFile(t, file, keySet(jwksOf(eddsa, newer)...))
			check(t, verifier, scene.Token(newer, "exp", never, "jti", "b"), token.ErrInvalid, 0) // its name has just been answered
			time.Sleep(2 * time.Second)                                                           // the bubble's clock
			check(t, verifier, fresh, nil, 0)
			check(t, verifier, old, nil, 0)
		})
		bubble(t, "a new key that nobody has asked for, "+name, func(t *testing.T) {
			file := keySetFile(t, eddsa)
			verifier, _ := fromFile(t, file, opts...)
			check(t, verifier, old, nil, 0)
			writeFile(t, file, keySet(newer.JWK()))
			check(t, verifier, fresh, nil, 0)
			check(t, verifier, old, token.ErrInvalid, 0)
		})
		for change, key := range map[string]*key{"removed": newer, "replaced": again} {
			bubble(t, "a key that is "+change+", "+name, func(t *testing.T) {
				file := keySetFile(t, eddsa)
				verifier, log := fromFile(t, file, opts...)
				check(t, verifier, old, nil, 0)
				writeFile(t, file, keySet(key.JWK()))
				time.Sleep(3*time.Second - 1) // the bubble's clock
				check(t, verifier, old, nil, 0)
				time.Sleep(time.Nanosecond) // the bubble's clock
				check(t, verifier, old, token.ErrInvalid, 0)
				check(t, verifier, scene.Token(key, "exp", never), nil, 0)
				synctest.Wait()
				if len(log.events) < 2 || log.events[1].Err != nil || log.events[1].Keys != 1 {
					t.Errorf("the events are %+v", log.events)
				}
			})
		}
		bubble(t, "soon after a failure, "+name, func(t *testing.T) {
			file := keySetFile(t)
			verifier, _ := fromFile(t, file, opts...)
			checkError(t, verifier.Ready(t.Context()), token.ErrKeysUnavailable)
			writeFile(t, file, keySet(eddsa.JWK()))
			time.Sleep(time.Second) // the bubble's clock
			check(t, verifier, old, nil, 0)
			writeFile(t, file, keySet(newer.JWK()))
			time.Sleep(3 * time.Second) // the bubble's clock
			check(t, verifier, old, token.ErrInvalid, 0)
		})
		bubble(t, "after an hour without calls, "+name, func(t *testing.T) {
			file := keySetFile(t, eddsa)
			verifier, _ := fromFile(t, file, opts...)
			check(t, verifier, old, nil, 0)
			writeFile(t, file, keySet(newer.JWK()))
			time.Sleep(time.Hour) // the bubble's clock
			check(t, verifier, old, token.ErrInvalid, 0)
		})
	}
}

// TestKeySetFileBreaks makes sure that a file that is missing or broken leaves the good keys in use, and is read as
// soon as it is good.
func TestKeySetFileBreaks(t *testing.T) {
	t.Parallel()
	good := keySet(eddsa.JWK())
	raw, newer := scene.Token(eddsa, "exp", never), newEd25519("kid-newer")
	for name, spoil := range map[string]func(t *testing.T, file string){
		"half":      func(t *testing.T, file string) { writeFile(t, file, good[:len(good)/2]) },
		"empty":     func(t *testing.T, file string) { writeFile(t, file, "") },
		"no keys":   func(t *testing.T, file string) { writeFile(t, file, `{"keys":[]}`) },
		"too large": func(t *testing.T, file string) { writeFile(t, file, good+strings.Repeat(" ", 1<<20)) },
		"missing": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
		"a directory": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		bubble(t, name, func(t *testing.T) {
			file := keySetFile(t, eddsa)
			verifier, log := fromFile(t, file)
			check(t, verifier, raw, nil, 0)
			log.next(t)
			spoil(t, file)
			time.Sleep(3 * time.Second) // the bubble's clock
			check(t, verifier, raw, nil, 0)
			if event := log.next(t); event.Keys != 1 || event.Fetched.Unix() != epoch || !strings.Contains(event.Err.Error(), file) {
				t.Errorf("the event is %+v", event)
			}
			time.Sleep(24*time.Hour - 4*time.Second) // the bubble's clock
			check(t, verifier, raw, nil, 0)
			log.next(t)
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			writeFile(t, file, keySet(newer.JWK()))
			time.Sleep(3 * time.Second) // the bubble's clock
			check(t, verifier, scene.Token(newer, "exp", never), nil, 0)
			check(t, verifier, raw, token.ErrInvalid, 0)
		})
	}
	bubble(t, "missing at start", func(t *testing.T) {
		file := keySetFile(t, eddsa)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		verifier, _ := fromFile(t, file)
		_, err := verifier.Verify(t.Context(), raw)
		checkError(t, err, token.ErrKeysUnavailable)
		checkError(t, verifier.Ready(t.Context()), token.ErrKeysUnavailable)
		want := `issuer keys are unavailable: issuer "` + issuerURL + `": key set: "file://` + file + `": KeySetURL: open ` + file + `: no such file or directory`
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		for range 100 {
			time.Sleep(time.Second) // the bubble's clock
			checkError(t, verifier.Ready(t.Context()), token.ErrKeysUnavailable)
		}
		writeFile(t, file, good)
		time.Sleep(3 * time.Second) // the bubble's clock
		if err := verifier.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		check(t, verifier, raw, nil, 0)
	})
}

// TestKeySetFileEvents makes sure that the observer learns of every change and of every failure, and of nothing else.
func TestKeySetFileEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := keySetFile(t, eddsa)
		verifier, log := fromFile(t, file)
		raw := scene.Token(eddsa, "exp", never)
		pass := func() {
			t.Helper()
			for range 10 {
				time.Sleep(3 * time.Second) // the bubble's clock
				check(t, verifier, raw, nil, 0)
				synctest.Wait()
			}
		}
		pass()
		log.next(t)
		pass()
		writeFile(t, file, keySet(rs256.JWK("use", "enc"), eddsa.JWK()))
		pass()
		if event := log.next(t); event.Err != nil || len(event.Skipped) != 1 || event.Keys != 1 {
			t.Errorf("after a change: %+v", event)
		}
		writeFile(t, file, "{")
		time.Sleep(3 * time.Second) // the bubble's clock
		check(t, verifier, raw, nil, 0)
		checkError(t, log.next(t).Err, token.ErrKeysUnavailable)
		writeFile(t, file, keySet(rs256.JWK("use", "enc"), eddsa.JWK()))
		pass()
		checkError(t, log.next(t).Err, nil) // the text that was there before, after a failure
	})
}

// TestKeySetFileForms has files that are read in another way than by their name and text.
func TestKeySetFileForms(t *testing.T) {
	t.Parallel()
	raw, newer := scene.Token(eddsa, "exp", never), newEd25519("kid-newer")
	bubble(t, "a ConfigMap", func(t *testing.T) {
		folder := t.TempDir()
		for version, key := range map[string]*key{"..1": eddsa, "..2": newer} {
			if err := os.Mkdir(filepath.Join(folder, version), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(folder, version, "jwks.json"), keySet(key.JWK()))
		}
		link := func(target, name string) {
			if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
		}
		link("..1", "..data")
		link(filepath.Join("..data", "jwks.json"), "jwks.json")
		verifier, _ := fromFile(t, filepath.Join(folder, "jwks.json"))
		check(t, verifier, raw, nil, 0)
		link("..2", "..data_tmp")
		if err := os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // the bubble's clock
		check(t, verifier, raw, token.ErrInvalid, 0)
		check(t, verifier, scene.Token(newer, "exp", never), nil, 0)
	})
	bubble(t, "a byte order mark", func(t *testing.T) {
		file := keySetFile(t)
		writeFile(t, file, "\ufeff"+keySet(eddsa.JWK()))
		verifier, _ := fromFile(t, file)
		check(t, verifier, raw, nil, 0)
	})
	bubble(t, "a name with a space, ? and #", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "the keys?#%.json")
		writeFile(t, file, keySet(eddsa.JWK()))
		verifier, _ := fromFile(t, file)
		check(t, verifier, raw, nil, 0)
	})
	bubble(t, "localhost", func(t *testing.T) {
		mine := withKeySetFile(keySetFile(t, eddsa))
		mine.KeySetURL = strings.Replace(mine.KeySetURL, "file://", "file://localhost", 1)
		verifier, err := token.NewVerifier(mine, token.WithTransport(noNetwork(t)))
		if err != nil {
			t.Fatal(err)
		}
		check(t, verifier, raw, nil, 0)
	})
	bubble(t, "an issuer that is not a URL", func(t *testing.T) {
		mine := withKeySetFile(keySetFile(t, eddsa))
		mine.URL = "acme"
		verifier, err := token.NewVerifier(mine, token.WithTransport(noNetwork(t)))
		if err != nil {
			t.Fatal(err)
		}
		check(t, verifier, tenantToken(eddsa, "acme"), nil, 0)
	})
	bubble(t, "a device without end", func(t *testing.T) {
		verifier, _ := fromFile(t, "/dev/zero")
		_, err := verifier.Verify(t.Context(), raw)
		if checkError(t, err, token.ErrKeysUnavailable); err == nil || !strings.HasSuffix(err.Error(), `KeySetURL: "/dev/zero" is not a file of at most 1048576 bytes`) {
			t.Error(err)
		}
	})
}

// TestKeySetFileFaults has URLs that name no file of this machine, and fields that a file does not need.
func TestKeySetFileFaults(t *testing.T) {
	t.Parallel()
	const (
		of      = `token: issuer "https://idp.test/oidc": KeySetURL: `
		write   = ": write the absolute path of a file of this machine, such as file:///etc/keys/jwks.json"
		not     = of + "it is not the absolute path of a file, or is on another host" + write
		query   = of + "it has a query or a fragment: write ? as %3F and # as %23 if the file's name has it"
		space   = of + "it holds white space: write a space as %20, and remove a line break at its end"
		more    = of + "it is a file, which needs no token and no certificate authority: leave KeySetTokenFile and CAFile empty"
		nothing = of + "it names no file" + write
	)
	for keySetURL, want := range map[string]string{
		"file:///etc/keys/jwks.json":       "",
		"file://localhost/jwks.json":       "",
		"file:":                            not,
		"file:jwks.json":                   not,
		"file:/etc/jwks.json":              not,
		"file://jwks.json":                 not,
		"file://host/jwks.json":            not,
		"file://127.0.0.1/jwks.json":       not,
		"file://localhost:80/jwks":         not,
		"file://localhost.evil.test/jwks":  not,
		"file://user:secret@localhost/jwk": not,
		"file://./jwks.json":               not,
		"file://":                          not,
		"file:///":                         nothing,
		"file:///etc/":                     nothing,
		"file://localhost/":                nothing,
		"file:///etc/jwks?a":               query,
		"file:///etc/jwks#a":               query,
		"file:///etc/a b":                  space,
		"file:///etc/jwks\n":               space,
		"file:///%zz":                      of + "it cannot be parsed" + write,
		"FILE:///etc/jwks":                 of + "it names no host: a part of the URL seems to be missing; if a variable or a file should supply it, set the variable or fill the file",
	} {
		mine := issuer(issuerURL)
		mine.KeySetURL = keySetURL
		_, err := token.NewVerifier(mine)
		if (err != nil || want != "") && (err == nil || err.Error() != want) {
			t.Errorf("%q: %v, want %s", keySetURL, err, want)
		}
	}
	for _, change := range []func(*token.Issuer){
		func(i *token.Issuer) { i.CAFile = "/nowhere" }, func(i *token.Issuer) { i.KeySetTokenFile = "/nowhere" },
	} {
		mine := withKeySetFile("/etc/jwks")
		change(&mine)
		if _, err := token.NewVerifier(mine); err == nil || err.Error() != more {
			t.Errorf("%v, want %s", err, more)
		}
	}
}

// TestMetadataNamesNoFile makes sure that the metadata of an issuer cannot make a server read a file.
func TestMetadataNamesNoFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := keySetFile(t, eddsa)
		for _, named := range []string{"file://" + file, "file://localhost" + file, "FILE://" + file, "file:" + file} {
			idp := newIDP(eddsa.JWK())
			idp.Serve(discoveryURL, respond(200, discovery("jwks_uri", named)))
			_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(eddsa))
			if checkError(t, err, token.ErrKeysUnavailable); err == nil || !strings.Contains(err.Error(), `: discovery: "https://idp.test/oidc/.well-known/openid-configuration": jwks_uri: it `) {
				t.Errorf("%s: %v", named, err)
			}
		}
	})
	mine := withKeySetFile("/etc/jwks")
	mine.CAFile = "/nowhere" // for introspection
	if _, err := token.NewIntrospector(mine, token.Introspection{Client: basic(), SignedResponseAudience: "api"}); err != nil {
		t.Error(err)
	}
}
