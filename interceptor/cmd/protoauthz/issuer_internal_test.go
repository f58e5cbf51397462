package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/identify"
	"github.com/protoauthz/protoauthz/interceptor/internal/guide"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/providers"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// compact returns a token without a good signature.
func compact(header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode([]byte("a signature that nobody made"))
}

// TestIssuerSilent runs the command on every token of the data: it prints no segment of the token, and no eight bytes
// of the signature.
func TestIssuerSilent(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, setup := range providers.Load(t) {
		for _, one := range setup.Tokens {
			raw, _ := setup.Sign(t, one)
			for _, format := range []string{"text", "json"} {
				got := execute(t, []byte(raw), "issuer", "-format", format)
				ran++
				if got.status != exitOK && got.status != exitNo || !strings.Contains(got.stdout+got.stderr, "Provider: ") {
					t.Errorf("%s: %s: status %d: %s", setup.Name, one.Name, got.status, got.stderr)
				}
				checkSilent(t, setup.Name+": "+one.Name, raw, got)
				if got.status != exitOK {
					continue
				}
				if format == "json" {
					checkDocument(t, setup.Name+": "+one.Name, got.stdout)
				}
			}
		}
	}
	if ran < 800 {
		t.Errorf("the command ran only %d times", ran)
	}
}

func checkSilent(t *testing.T, name, raw string, got result) {
	t.Helper()
	out := got.stdout + got.stderr
	segments := strings.Split(raw, ".")
	const run = 8
	for _, segment := range segments {
		if len(segment) >= run && strings.Contains(out, segment) {
			t.Errorf("%s: a segment is printed:\n%s", name, out)
		}
	}
	signature := segments[len(segments)-1]
	for n := range max(0, len(signature)-run+1) {
		if strings.Contains(out, signature[n:n+run]) {
			t.Errorf("%s: a part of the signature is printed:\n%s", name, out)
		}
	}
}

// checkDocument makes sure that a document is an issuer, unless the user must fill it in.
func checkDocument(t *testing.T, name, document string) {
	t.Helper()
	if _, err := token.ParseIssuer([]byte(document)); err != nil && !strings.Contains(document, "TODO: the URL of your key set") {
		t.Errorf("%s: %v:\n%s", name, err, document)
	}
	checkSchema(t, name, []byte(document))
}

// checkSchema holds a document against the schema of issuers.
func checkSchema(t *testing.T, name string, document []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err == nil {
		err = schema(t).Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v:\n%s", name, err, document)
	}
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile("../../token/issuer.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestSchema holds the issuers of the guide against the schema, which must be strict.
func TestSchema(t *testing.T) {
	t.Parallel()
	for _, literal := range guide.Literals() {
		document, err := literal.Issuer.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		checkSchema(t, literal.Name, document)
	}
	for _, algorithm := range jose.Algorithms() {
		checkSchema(t, algorithm, fmt.Appendf(nil, `{"url": "https://a.test", "algorithms": [%q]}`, algorithm))
	}
	for _, document := range []string{
		`{"url": "https://a.test"}`, `{"url": "https://a.test", "algorithms": []}`, `{"url": "https://a.test", "algorithms": ["HS256"]}`, `{"url": "https://a.test", "algorithms": ["RS256"], "x": 1}`,
		`{"url": "https://a.test", "algorithms": ["RS256"], "requiredClaims": {"a": []}}`, `{"url": "https://a.test", "algorithms": ["RS256"], "requiredClaims": {"a": [true]}}`,
		`{"url": "https://a.test", "algorithms": ["RS256"], "types": "JWT"}`, `{"url": "https://a.test", "algorithms": ["RS256"], "maxLifetime": "1 day"}`, `{"url": 1, "algorithms": ["RS256"]}`,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
		if err != nil || schema(t).Validate(value) == nil {
			t.Errorf("the schema takes %s (%v)", document, err)
		}
		if _, err := token.ParseIssuer([]byte(document)); err == nil {
			t.Errorf("ParseIssuer takes %s", document)
		}
	}
}

// TestIssuer compares what is printed with testdata.
func TestIssuer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, header, payload string
		status                int
	}{
		{"cognito", `{"alg":"RS256"}`, `{"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123","client_id":"web","token_use":"access","sub":"u","exp":1}`, exitOK},
		{"github", `{"alg":"RS256","typ":"JWT"}`, `{"iss":"https://token.actions.githubusercontent.com","repository":"acme/shop","repository_owner":"acme","repository_owner_id":"77","aud":"https://api.example.com","sub":"repo:acme/shop","exp":4000000000}`, exitOK},
		{"keycloak-id-token", `{"alg":"RS256","typ":"JWT"}`, `{"iss":"https://sso.example.com/realms/acme","typ":"ID","azp":"web","aud":"web","sub":"u","exp":4000000000,"nonce":"n"}`, exitNo},
		{"unknown", `{"alg":"ES256","typ":"JWT"}`, `{"iss":"https://idp.example.com/","client_id":"worker","sub":"worker","roles":["reader"],"tenant":"acme","exp":4000000000}`, exitNo},
		{"hidden", "{\"alg\":\"ES256\",\"typ\":\"`\\u009b31m\\n\"}", `{"iss":"https://idp.example.com/\u202e\u001b[31m\"","aud":"a","sub":"u","exp":4000000000}`, exitNo},
		{"fusionauth", `{"alg":"RS256","typ":"JWT"}`, `{"iss":"acme.com","applicationId":"a","authenticationType":"PASSWORD","scope":"x","aud":"a","sub":"u","tid":"t","exp":4000000000}`, exitOK},
		{"encrypted", `{"alg":"RSA-OAEP","enc":"A256GCM"}`, `{}`, exitNo},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, format := range []string{"text", "json"} {
				raw := compact(test.header, test.payload)
				got := execute(t, []byte("Bearer "+raw+"\n"), "issuer", "-format", format)
				if got.status != test.status || format == "text" && got.stderr != "" {
					t.Errorf("status %d, want %d: %s", got.status, test.status, got.stderr)
				}
				checkSilent(t, test.name, raw, got)
				golden(t, "issuer."+test.name+"."+format, got.stdout)
			}
		})
	}
}

// TestIssuerInput has inputs that are not a token, and tokens of which a part is left out.
func TestIssuerInput(t *testing.T) {
	t.Parallel()
	raw := compact(`{"alg":"RS256","typ":"JWT"}`, `{"iss":"https://sso.example.com/realms/acme","typ":"Bearer","azp":"web","sub":"u","exp":4000000000}`)
	last := strings.LastIndexByte(raw, '.')
	for name, test := range map[string]struct {
		stdin  string
		args   []string
		status int
		says   string
	}{
		"a file":                {"", []string{"-token", write(t, "token.txt", []byte(raw))}, exitOK, "Keycloak"},
		"no signature":          {raw[:last], nil, exitOK, "Keycloak"},
		"an empty signature":    {raw[:last+1], nil, exitOK, "Keycloak"},
		"as an argument":        {"", []string{raw}, exitFailed, "command line"},
		"as the name of a file": {"", []string{"-token", raw}, exitFailed, "command line"},
		"nothing":               {"\n", nil, exitFailed, "empty"},
		"two tokens":            {raw + " " + raw, nil, exitFailed, "malformed token"},
		"opaque":                {"kbU7ssLrkM6Y0v7y0x9vKIzqXG3w3j", nil, exitNo, "opaque"},
		"opaque, with dots":     {"v1.kbU7ss.LrkM6Y0v", nil, exitNo, "opaque"},
		"encrypted":             {"eyJlbmMiOiJBMjU2R0NNIn0.a.b.c.d", nil, exitNo, "encrypted"},
		"four segments":         {raw + ".a", nil, exitFailed, "4 segments"},
		"a header twice":        {compact(`{"alg":"RS256","alg":"ES256"}`, `{}`), nil, exitFailed, "its header: "},
		"a payload of text":     {compact(`{"alg":"RS256"}`, `x`), nil, exitFailed, "its payload: "},
		"another scheme":        {"DPoP " + raw, nil, exitFailed, "malformed token"},
	} {
		got := execute(t, []byte(test.stdin), append([]string{"issuer"}, test.args...)...)
		if got.status != test.status || !strings.Contains(got.stdout+got.stderr, test.says) {
			t.Errorf("%s: status %d, want %d: %s%s", name, got.status, test.status, got.stdout, got.stderr)
		}
		if test.stdin != "" {
			checkSilent(t, name, strings.TrimSpace(test.stdin), got)
		}
		checkSilent(t, name, raw, got)
	}
}

// TestIssuerNoOutput makes sure that the command fails if its answer cannot be written.
func TestIssuerNoOutput(t *testing.T) {
	t.Parallel()
	raw := compact(`{"alg":"RS256","typ":"JWT"}`, `{"iss":"https://sso.example.com/realms/acme","typ":"Bearer","azp":"web","sub":"u","exp":4000000000}`)
	for _, format := range []string{"text", "json"} {
		reader, writer := io.Pipe()
		_ = reader.Close()
		var stderr bytes.Buffer
		if status := run(t.Context(), []string{"protoauthz", "issuer", "-format", format}, strings.NewReader(raw), writer, &stderr); status != exitFailed || stderr.Len() == 0 {
			t.Errorf("%s: status %d, %q", format, status, stderr.String())
		}
	}
}

// TestIssuerRemarks makes sure that no remark steers the terminal.
func TestIssuerRemarks(t *testing.T) {
	t.Parallel()
	for format, want := range map[string][2]string{"text": {"// a \\u001b[31m\n", ""}, "json": {"", "protoauthz: note: a \\u001b[31m\n"}} {
		command := newCommand(nil)
		var stdout, stderr bytes.Buffer
		command.Writer, command.ErrWriter = &stdout, &stderr
		issuer := command.Command("issuer")
		issuer.Action = func(_ context.Context, c *cli.Command) error {
			return writeFinding(c, identify.Finding{}, []string{"a \x1b[31m"})
		}
		if err := command.Run(t.Context(), []string{"protoauthz", "issuer", "-format", format}); err != nil || stdout.String() != want[0] || stderr.String() != want[1] {
			t.Errorf("%s: %q, %q, %v", format, stdout.String(), stderr.String(), err)
		}
	}
}

// TestIssuerFetch makes sure that -fetch connects to no host of the user's own network, however the token names it,
// and that nothing is fetched without -fetch.
func TestIssuerFetch(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	connections := new(counter)
	connections.Listener, server.Listener = server.Listener, connections
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "[fd00::1]", "[64:ff9b::7f00:1]", "0.0.0.0", "[::]"} {
		raw := compact(`{"alg":"RS256","typ":"at+jwt"}`, fmt.Sprintf(`{"iss":"https://%s:%s","sub":"u","aud":"a","exp":4000000000}`, host, port))
		got := execute(t, []byte(raw), "issuer", "-fetch")
		if text := strings.ReplaceAll(got.stdout, "\n// ", " "); !strings.Contains(text, "Metadata: the host has a private address") {
			t.Errorf("%s: %s%s", host, got.stdout, got.stderr)
		}
		if got := execute(t, []byte(raw), "issuer"); strings.Contains(got.stdout, "Metadata") {
			t.Errorf("%s: without -fetch: %s", host, got.stdout)
		}
	}
	if n := connections.accepted.Load(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}

// A counter counts connections.
type counter struct {
	net.Listener

	accepted atomic.Int64
}

func (c *counter) Accept() (net.Conn, error) {
	connection, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return connection, err
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	d := identify.Discovery{URL: "https://a.test/.well-known/openid-configuration", Issuer: "https://a.test", KeySetURL: "https://a.test/jwks?key=secret", Algorithms: []string{"RS256"}}
	for issuer, want := range map[string][]string{
		"https://a.test": {
			`Metadata: "https://a.test/.well-known/openid-configuration" names the same issuer as the token`,
			`Metadata: the keys are at "https://a.test/jwks?…"; ID tokens are signed with one of ["RS256"]`,
		},
		"https://a.test/": {
			`Metadata: "https://a.test/.well-known/openid-configuration" names another issuer than the token, "https://a.test": set KeySetURL to a key set that you trust for this iss, or correct the issuer`,
			`Metadata: the keys are at "https://a.test/jwks?…"; ID tokens are signed with one of ["RS256"]`,
		},
	} {
		if got := remarksOnMetadata(d, issuer); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %q, want %q", issuer, got, want)
		}
	}
}
