package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func TestIssuerFile(t *testing.T) {
	t.Parallel()
	want := token.Issuer{
		URL: "https://idp.test", Algorithms: []string{"RS256"}, Types: []string{"", "JWT"},
		RequiredClaims: map[string][]string{"ver": {"1"}, "mfa": {"yes", "true"}, "nonce": {"", "*"}, "act": {"!*"}}, UniteScopes: true,
	}
	for name, document := range map[string]string{
		"JSON": ` {"url": "https://idp.test", "algorithms": ["RS256"], "types": ["", "JWT"], "uniteScopes": true, "requiredClaims": {"ver": ["1"], "mfa": ["yes", "true"], "nonce": ["", "*"], "act": ["!*"]}}`,
		"YAML": `# the issuer
url: https://idp.test
algorithms: [RS256]
types: ["", JWT]
uniteScopes: true
requiredClaims:
  ver: ["1"]
  "mfa":
    - 'yes'
    - "true"
  nonce: ["", "*"]
  act: ['!*']
`,
		"YAML with marks": "\ufeff---\nurl: >-\n  https://idp.test\nalgorithms: [\"RS256\"]\ntypes: ['', JWT]\nuniteScopes: true\nrequiredClaims: {ver: [\"1\"], mfa: [\"yes\", \"true\"], nonce: [\"\", \"*\"], act: [\"!*\"]}\n",
	} {
		if got, err := readIssuer(write(t, "issuer", []byte(document))); err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	const sound = "url: https://idp.test\nalgorithms: [RS256]\n"
	const loose = " may be a number, a date, a boolean or null in YAML: "
	for document, says := range map[string][]string{
		"":                        {"the file is empty"},
		"# nothing\n":             {"the file is empty"},
		"\xff\xfeu":               {"UTF-16"},
		"url: [":                  {"neither a JSON object nor YAML"},
		sound + "types: [*]\n":    {"begins with *"},
		"{url: https://idp.test}": {"not a JSON object"},
		"just a text":             {"not a JSON object"},
		"- " + "url":              {"not a JSON object"},
		sound + "---\n" + sound:   {"more than one YAML document"},
		sound + "url: x\n":        {":3: url is given twice"},
		sound + "requiredClaims: {a: [\"1\"], a: [\"2\"]}\n":              {`:3: requiredClaims["a"] is given twice`},
		sound + "# more\n\nURL: x\n":                                      {`:5: URL is unknown: did you mean "url"?`},
		sound + "audience: &a x\norganizationClaim: *a\n":                 {":3: audience is an anchor", ":4: organizationClaim is an anchor"},
		sound + "requiredClaims:\n  <<: {a: [b]}\n":                       {":4: requiredClaims has a name that is not a text"},
		sound + "audience: !!str x\n":                                     {":3: audience has a tag"},
		sound + "types: [!*]\n":                                           {"begins with *, ! or {"},
		sound + "requiredClaims: {1: [\"1\"], yes: [\"1\"]}\n":            {":3: requiredClaims has a name that is not a text"},
		sound + "audience: ~\n":                                           {":3: audience" + loose},
		sound + "audience:\n":                                             {":3: audience has no value: "},
		sound + "requiredClaims:\n  a:\n  - x\n  -\n":                     {":6: requiredClaims.a[1] has no value: "},
		sound + "types:\n\t- JWT\n":                                       {":4: it is neither a JSON object nor YAML: found character that cannot start any token: indent with spaces, not with tabs"},
		sound + "audience: *s3cret\n":                                     {":1: it is neither a JSON object nor YAML: a text"},
		sound + "audience: a: b\n":                                        {"mapping values are not allowed in this context: a text"},
		sound + "requiredClaims: {a: [true, FALSE]}\n":                    {":3: requiredClaims.a[1]" + loose}, // FALSE is told first
		sound + "requiredClaims: {a: [true]}\n":                           {`:3: requiredClaims["a"][0] is not a string: write the value in quotes`},
		sound + "requiredClaims: {a: x}\n":                                {`:3: requiredClaims["a"] is not an array`},
		sound + "audience: >-\n  a\n  b\ntypes:\n  - JWT\n  -\n    - a\n": {":9: types[1] is not a string"},
		sound + "requiredClaims: {a: \n [b], b:\n  [c, 1]}\n":             {`:5: requiredClaims["b"][1] is not a string`},
		sound + "requiredClaims: {a: [-12]}\n":                            {`:3: requiredClaims["a"][0] is not a string: write the value in quotes`},
		sound + "maxLifetime: 1h\nuniteScopes: yes\n":                     {":4: uniteScopes" + loose},
	} {
		_, err := readIssuer(write(t, "issuer", []byte(document)))
		for _, text := range says {
			if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(err.Error(), "-issuer-file: ") {
				t.Errorf("%q: %v, want %q", document, err, text)
			}
		}
	}
	// What a version of YAML, or its author, may take for something else.
	for _, value := range []string{"-0", "+1", "0x1F", "0o17", "017", "1_000", "1.5", "1e3", ".5", ".inf", ".NaN", "Null", "~", "True", "FALSE", "yes", "No", "on", "OFF", "y", "N", "12:30:45", "-1:30", "2026-11-30", "2026-11-30T10:00:00Z", "2001-12-14 21:59:43.10 -5"} {
		if _, err := readIssuer(write(t, "issuer", []byte(sound+"requiredClaims: {a: ["+value+"]}\n"))); err == nil || !strings.Contains(err.Error(), ":3: requiredClaims.a[0]"+loose) {
			t.Errorf("%s: %v", value, err)
		}
		for _, quote := range []string{`"`, `'`} {
			got, err := readIssuer(write(t, "issuer", []byte(sound+"requiredClaims: {a: ["+quote+value+quote+"]}\n")))
			if err != nil || fmt.Sprintf("%q", got.RequiredClaims) != fmt.Sprintf("%q", map[string][]string{"a": {value}}) {
				t.Errorf("%s in quotes: %+v, %v", value, got, err)
			}
		}
	}
}

// TestExplainIssuerFile verifies tokens with the keys of an issuer in a file.
func TestExplainIssuerFile(t *testing.T) {
	t.Parallel()
	image := write(t, "image.binpb", sampleImage(t))
	url, good, other := issuers(t)
	file := write(t, "issuer.yaml", []byte("url: "+url+"\nalgorithms: [ES384, ES256, RS256]\nmaxLifetime: 2h\n"))
	required := write(t, "issuer.yaml", []byte("url: "+url+"\nalgorithms: [ES384, ES256, RS256]\nrequiredClaims: {kind: [access]}\n"))
	faulty := write(t, "issuer.json", []byte(`{"url": "http://idp.test", "algorithms": ["none"]}`))
	for _, test := range []struct {
		name   string
		issuer *devissuer.Issuer
		args   []string
		status int
		says   string
	}{
		{"good", good, []string{"-issuer-file", file}, exitOK, `"verified": true`},
		{"forged", other, []string{"-issuer-file", file}, exitNo, `"reason": "TOKEN_INVALID"`},
		{"without a required claim", good, []string{"-issuer-file", required}, exitNo, "\"check\": \"claims\",\n      \"status\": \"refused\""},
		{"beside -issuer", good, []string{"-issuer-file", file, "-issuer", url}, exitFailed, "-issuer-file beside -issuer or -provider"},
		{"beside -provider", good, []string{"-issuer-file", file, "-provider", "auth0"}, exitFailed, "-issuer-file beside -issuer or -provider"},
		{"faulty", good, []string{"-issuer-file", faulty}, exitFailed, `algorithms is faulty: "none" is none of`},
		{"missing", good, []string{"-issuer-file", file + "x"}, exitFailed, "-issuer-file: open "},
		{"leeway", good, []string{"-issuer-file", file, "-leeway", "1h"}, exitFailed, "-leeway:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			raw, err := test.issuer.Mint(map[string]any{"aud": tokens.API, "scope": "read:products"})
			if err != nil {
				t.Fatal(err)
			}
			got := executeExplain(t, raw, append([]string{"-method", "sample.v1.CatalogService/ListProducts", "-token", "-", "-format", "json", image}, test.args...)...)
			if got.status != test.status || !strings.Contains(got.stdout+got.stderr, test.says) {
				t.Errorf("status %d, want %d: %s\n%s", got.status, test.status, got.stderr, got.stdout)
			}
		})
	}
}
