package token_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// asking returns a handler that notes the Authorization headers of requests.
func asking(headers *[]string, h handler) handler {
	return func(request *http.Request) (*http.Response, error) {
		values, ok := request.Header["Authorization"]
		if !ok {
			values = []string{"none"}
		}
		*headers = append(*headers, strings.Join(values, ", "))
		return h(request)
	}
}

const clusterURL = "https://k8s.test/oidc"

// withTokenFile returns an issuer whose key set is read with the token in a file.
func withTokenFile(name string) token.Issuer {
	mine := issuer(clusterURL)
	mine.KeySetURL, mine.KeySetTokenFile = keysURL, name
	return mine
}

func tokenFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	writeFile(t, name, content)
	return name
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKeySetTokenFile makes sure that the token in the file goes to the key set alone, and that it is read for every
// fetch.
func TestKeySetTokenFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		name := tokenFile(t, "\n first.token~+/== \r\n")
		// The other issuers have metadata, or a key set without a token.
		elsewhere := issuer("https://idp3.test/oidc")
		elsewhere.KeySetURL = "https://keys.test/others"
		verifier, idp := serving(t, nil, withTokenFile(name), issuer(issuerURL), elsewhere)
		var mine, others []string
		idp.Serve(keysURL, asking(&mine, respond(200, keySet(eddsa.JWK()))))
		for url, document := range map[string]string{discoveryURL: discovery(), keySetURL: keySet(eddsa.JWK()), elsewhere.KeySetURL: keySet(eddsa.JWK())} {
			idp.Serve(url, asking(&others, respond(200, document)))
		}
		refresh := func(after time.Duration) {
			t.Helper()
			time.Sleep(after) // the bubble's clock
			for _, iss := range []string{clusterURL, issuerURL, elsewhere.URL} {
				check(t, verifier, tenantToken(eddsa, iss), nil, 0)
			}
			synctest.Wait()
		}
		refresh(0)
		refresh(11 * time.Minute)
		writeFile(t, name, "second")
		refresh(time.Minute) // no fetch
		refresh(11 * time.Minute)
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		refresh(11 * time.Minute) // the keys that are there serve on
		writeFile(t, name, "third")
		refresh(11 * time.Minute)
		if want := []string{"Bearer first.token~+/==", "Bearer first.token~+/==", "Bearer second", "Bearer third"}; !slices.Equal(mine, want) {
			t.Errorf("the key set is asked with %q, want %q", mine, want)
		}
		if len(others) < 12 || slices.ContainsFunc(others, func(header string) bool { return header != "none" }) {
			t.Errorf("other URLs are asked with %q", others)
		}
	})
}

// TestKeySetTokenFileAndRedirects makes sure that no redirect carries the token away, not even to the same host.
func TestKeySetTokenFileAndRedirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{evilURL, keysURL + "/v2", keysURL + "/secret"} {
			synctest.Test(t, func(t *testing.T) {
				verifier, idp := serving(t, nil, withTokenFile(tokenFile(t, "secret")))
				var asked, redirected []string
				idp.Serve(keysURL, asking(&asked, respond(status, "", "Location", target)))
				idp.Serve(target, asking(&redirected, respond(200, keySet(eddsa.JWK()))))
				_, err := verifier.Verify(t.Context(), tenantToken(eddsa, clusterURL))
				if checkError(t, err, token.ErrKeysUnavailable); err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("the error tells the token: %v", err)
				}
				if !slices.Equal(asked, []string{"Bearer secret"}) || len(redirected) > 0 {
					t.Errorf("asked with %q, and %q with %q", asked, target, redirected)
				}
			})
		}
	}
}

// TestKeySetTokenFileFaults makes sure that a file without a token is an error that names the file and no byte of
// it, and that nothing is fetched.
func TestKeySetTokenFileFaults(t *testing.T) {
	t.Parallel()
	const noToken = ` does not hold one token`
	tooLarge := ` is not a file of at most 16384 bytes`
	for name, test := range map[string]struct {
		content, fault string
	}{
		"empty":                 {"", noToken},
		"white space":           {" \n\t", noToken},
		"two lines":             {"secret\nsecret\n", noToken},
		"two words":             {"Bearer secret", noToken},
		"a quoted token":        {`"secret"`, noToken},
		"a comma":               {"secret,secret", noToken},
		"a NUL":                 {"secret\x00", noToken},
		"a header":              {"secret\r\nX-Evil: secret", noToken},
		"beyond ASCII":          {"sécret", noToken},
		"a byte order mark":     {"\ufeffsecret", noToken},
		"padding inside":        {"sec=ret", noToken},
		"too large":             {strings.Repeat("secret", 3000), tooLarge},
		"a byte too large":      {strings.Repeat("s", token.MaxBytes) + "\n", tooLarge},
		"as large as it may be": {strings.Repeat("s", token.MaxBytes), ""},
	} {
		bubble(t, name, func(t *testing.T) { checkTokenFile(t, tokenFile(t, test.content), test.fault) })
	}
	bubble(t, "a directory", func(t *testing.T) { checkTokenFile(t, t.TempDir(), tooLarge) })
	bubble(t, "a device without end", func(t *testing.T) { checkTokenFile(t, "/dev/zero", tooLarge) })
	bubble(t, "missing", func(t *testing.T) {
		checkTokenFile(t, filepath.Join(t.TempDir(), "secre-t"), ": no such file or directory")
	})
}

// checkTokenFile fails unless a file has the fault, or none.
func checkTokenFile(t *testing.T, name, fault string) {
	t.Helper()
	verifier, idp := serving(t, []string{eddsa.JWK()}, withTokenFile(name))
	_, err := verifier.Verify(t.Context(), tenantToken(eddsa, clusterURL))
	if fault == "" {
		checkError(t, err, nil)
		return
	}
	if checkError(t, err, token.ErrKeysUnavailable); err == nil {
		return
	}
	if text := err.Error(); !strings.Contains(text, "KeySetTokenFile: ") || !strings.Contains(text, name) || !strings.HasSuffix(text, fault) || strings.Contains(text, "secret") || strings.Contains(text, "sécret") {
		t.Errorf("the error is %v", err)
	}
	if n := idp.Count(""); n > 0 {
		t.Errorf("%d requests", n)
	}
}
