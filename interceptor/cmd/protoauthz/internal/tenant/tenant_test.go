package tenant_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/tenant"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

func parse(t testing.TB, text string) *tenant.Tenant {
	t.Helper()
	parsed, err := tenant.Parse("tenant.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// whole is a document with every member.
const whole = `{
  "$schema": "x",
  "url": "http://127.0.0.1:3002/oidc",
  "hosts": ["issuer"],
  "rotateEvery": "1h",
  "resources": {"https://api.test": ["read:a", "write:a"], "https://other.test": ["read:b"]},
  "organizationScopes": ["invite:member"],
  "organizations": ["acme", "globex"],
  "users": [
    {
      "id": "alice",
      "claims": {"email": "alice@api.test", "n": 9007199254740993},
      "scopes": {"https://api.test": ["read:a"]},
      "organizations": {
        "acme": {
          "organizationScopes": ["invite:member"],
          "scopes": {"https://api.test": ["write:a"]},
          "claims": {"email": null}
        }
      }
    }
  ],
  "clients": [{"id": "shop", "secret": "s3cret", "scopes": {"https://other.test": ["read:b"]}}],
  "claims": {"tenant": {"id": [1, true]}},
  "type": "JWT",
  "opaque": true,
  "signingAlgorithm": "ES256",
  "tokenLifetime": "10m"
}`

// TestMembers makes sure that a document sets each field of devissuer.Config, but for the keys and AllowRemote, which
// flags decide.
func TestMembers(t *testing.T) {
	t.Parallel()
	parsed := parse(t, whole)
	for field, value := range reflect.ValueOf(parsed.Config).Fields() {
		if value.IsZero() != (field.Name == "Keys" || field.Name == "AllowRemote") {
			t.Errorf("%s is %v", field.Name, value)
		}
	}
	if parsed.URL != "http://127.0.0.1:3002/oidc" || parsed.RotateEvery != time.Hour {
		t.Errorf("%+v", parsed)
	}
}

// TestFaults makes sure that each mistake has one fault, which names the file, the line and the member, and says what
// to write.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, want string }{
		"a list for an object": {`"resources": {"https://api.test": ["read:a", "write:a"], "https://other.test": ["read:b"]}`, `"resources": ["read:a"]`,
			`6: resources is not an object: write {"…": ["…"]}`},
		"a text for a list":           {`"hosts": ["issuer"]`, `"hosts": "issuer"`, `4: hosts is not an array: write ["…"]`},
		"a number for a text":         {`"id": "alice"`, `"id": 5`, `11: users[0].id is not a string: write the value in quotes`},
		"null":                        {`"opaque": true`, `"opaque": null`, `26: opaque is null: write true or false`},
		"a typo":                      {`"secret": "s3cret"`, `"secert": "s3cret"`, `23: clients[0].secert is unknown: did you mean "secret"?` + "\n" + `tenant.json:23: clients[0].secret: is missing, or has a character outside printable ASCII: write one such as "shop-secret"`},
		"twice":                       {`"hosts": ["issuer"]`, `"url": "http://127.0.0.1:1/oidc"`, `4: url is given twice: remove one`},
		"no comma":                    {`["issuer"],`, `["issuer"]`, `5: not a JSON object: column 3, after object key:value pair: write one JSON object, with names and texts in double quotes, without comments, and without a comma behind a last member`},
		"url":                         {`"http://127.0.0.1:3002/oidc"`, `"http://issuer:3002/oidc"`, `3: url: is http, which is for loopback hosts alone: write https or, for containers, keep a host such as 127.0.0.1 and list the other name among the hosts`},
		"url with a slash":            {`3002/oidc"`, `3002/oidc/"`, `3: url: has a path with a trailing slash, an empty segment, . or ..: write a path such as /oidc`},
		"a flag of dev-issuer":        {`"hosts": ["issuer"]`, `"remote": true`, "4: remote is unknown: the members are url, hosts, rotateEvery, resources, organizationScopes, organizations, users, clients, claims, type, opaque, signingAlgorithm, tokenLifetime"},
		"a deployment":                {`"hosts": ["issuer"]`, `"audience": "https://api.test"`, "4: audience is unknown: the members are url, hosts, rotateEvery, resources, organizationScopes, organizations, users, clients, claims, type, opaque, signingAlgorithm, tokenLifetime"},
		"url with two faults":         {`http://127.0.0.1:3002/oidc`, `http://me@127.0.0.1:3002/oidc?a`, "3: url: has a user or password: remove both\ntenant.json:3: url: has a query or fragment: remove it"},
		"an object for organizations": {`["acme", "globex"]`, `{"acme": {}}`, `8: organizations is not an array: write ["…"]`},
		"a number of organizations":   {`["acme", "globex"]`, `[1, "globex"]`, `8: organizations[0] is not a string: write the value in quotes`},
		"a text for organization scopes": {`"organizationScopes": ["invite:member"],
  "org`, `"organizationScopes": "invite:member",
  "org`, `7: organizationScopes is not an array: write ["…"]`},
		"a user that passes for a client": {`"n": 9007199254740993`, `"client_id": "alice"`, `12: users[0].claims["client_id"]: makes sub equal to client_id, so that the token of a user would be a client's: write another value`},
		"any host":                        {`["issuer"]`, `["*"]`, `4: hosts[0]: is not the name of a host alone: write one such as "issuer", without scheme, port and path`},
		"deep claims":                     {`[1, true]`, strings.Repeat("[", 9000) + strings.Repeat("]", 9000), `24: more than 64 objects and arrays stand in each other: write fewer`},
		"hosts":                           {`["issuer"]`, `["http://issuer:3001"]`, `4: hosts[0]: is not the name of a host alone: write one such as "issuer", without scheme, port and path`},
		"a short rotation":                {`"rotateEvery": "1h"`, `"rotateEvery": "10ms"`, `5: rotateEvery: is shorter than a second: write a duration such as "1h", or leave the member out`},
		"no duration":                     {`"1h"`, `"hourly"`, `5: rotateEvery is not a duration: write a text such as "12h" or "30m"`},
		"a scope of two words": {`"read:b"]},`, `"read b"]},`, `6: resources["https://other.test"]: "read b" is not a scope (RFC 6749 §3.3): write printable ASCII characters without space, " and \` +
			"\n" + `tenant.json:23: clients[0].scopes["https://other.test"]: "read:b" is not a scope of the resource: add it to the resource, or write one of read b`},
		"an unknown scope": {`"scopes": {"https://api.test": ["read:a"]}`, `"scopes": {"https://api.test": ["read:x"]}`,
			`13: users[0].scopes["https://api.test"]: "read:x" is not a scope of the resource: add it to the resource, or write one of read:a, write:a`},
		"an unknown scope of a member": {`["write:a"]}`, `["a"]}`,
			`17: users[0].organizations["acme"].scopes["https://api.test"]: "a" is not a scope of the resource: add it to the resource, or write one of read:a, write:a`},
		"an unknown organization scope": {`"organizationScopes": ["invite:member"],
          "scopes"`, `"organizationScopes": ["invite"],
          "scopes"`, `16: users[0].organizations["acme"].organizationScopes: "invite" is not an organization scope: add it to the organization scopes, or write one of invite:member`},
		"an unknown organization": {`"acme": {`, `"ACME": {`, `15: users[0].organizations["ACME"]: no such organization: add it to the organizations, or write one of acme, globex`},
		"an unknown resource": {`{"https://other.test": ["read:b"]}}`, `{"https://other.test/": ["read:b"]}}`,
			`23: clients[0].scopes["https://other.test/"]: no such resource: add it to the resources, or write one of https://api.test, https://other.test`},
		"a user's id is a client's": {`"id": "alice"`, `"id": "shop"`, `11: users[0].id: "shop" is the id of a client, so that the token would be the client's: write another id`},
		"an organization twice":     {`["acme", "globex"]`, `["acme", "globex", "acme"]`, `8: organizations[2]: "acme" stands twice: remove one`},
		"type":                      {`"JWT"`, `""`, ``},
		"an unreadable type":        {`"JWT"`, `"é"`, `25: type: has a character outside printable ASCII: write one such as "at+jwt", or "none"`},
		"an algorithm":              {`"ES256"`, `"HS256"`, `27: signingAlgorithm: "HS256" is not supported: write ES384, ES256 or RS256`},
		"a lifetime":                {`"10m"`, `"1.5s"`, `28: tokenLifetime: is not a positive whole number of seconds: write a duration such as "1h"`},
		"nothing":                   {`"type"`, `"type"`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(whole, test.from) == 0 {
				t.Fatalf("the document has no %s", test.from)
			}
			_, err := tenant.Parse("tenant.json", []byte(strings.Replace(whole, test.from, test.to, 1)))
			want := "tenant.json:" + test.want
			if test.want == "" {
				want = fmt.Sprint(error(nil))
			}
			if got := fmt.Sprint(err); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if strings.Contains(fmt.Sprint(err), "s3cret") {
				t.Error("a secret is in the error")
			}
		})
	}
}

// TestAllFaultsAtOnce makes sure that faults of form and of content are in one error, in the order of the lines.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := tenant.Parse("t.yaml", []byte(`{
  "opaque": 1,
  "users": [{"id": "a"}, {"id": "a", "nickname": {}}],
  "signingAlgorithm": "none",
  "url": 7
}`))
	const want = `t.yaml:2: opaque is not a boolean: write true or false
t.yaml:3: users[1].nickname is unknown: the members are id, claims, scopes, organizations
t.yaml:3: users[1].id: "a" stands twice: write another id
t.yaml:4: signingAlgorithm: "none" is not supported: write ES384, ES256 or RS256
t.yaml:5: url is not a string: write the value in quotes`
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	example := parse(t, tenant.Example)
	if request, ok := example.Likely(); !ok || request.Subject != "alice" {
		t.Errorf("%+v, %t", request, ok)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		document string
		isRemote bool
		want     string
	}{
		{`{}`, false, "127.0.0.1:3001"},
		{`{}`, true, ":3001"},
		{`{"url": "http://[::1]:4000"}`, false, "[::1]:4000"},
		{`{"url": "http://localhost/oidc"}`, false, "localhost:80"},
		{`{"url": "https://issuer.test/oidc"}`, true, "tenant.json:1: url is https, and the issuer serves plain http: give -listen the address to which a TLS proxy sends the requests, such as 127.0.0.1:3001"},
	} {
		of := parse(t, test.document)
		of.AllowRemote = test.isRemote
		got, err := of.Address()
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.document, got, test.want)
		}
	}
}
