package token_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// documentFields are the members of the document, by the fields of Issuer.
var documentFields = map[string]string{
	"URL": "url", "KeySetURL": "keySetURL", "KeySetTokenFile": "keySetTokenFile", "CAFile": "caFile", "InsecureHTTPHosts": "insecureHTTPHosts", "IntrospectionURL": "introspectionURL", "Algorithms": "algorithms",
	"Types": "types", "RequiredClaims": "requiredClaims", "RequiredHeader": "requiredHeader", "MaxLifetime": "maxLifetime", "Audience": "audience",
	"SubjectClaims": "subjectClaims", "ScopeClaims": "scopeClaims", "UniteScopes": "uniteScopes", "ClientClaims": "clientClaims",
	"ClientTokens": "clientTokens", "UserTokens": "userTokens", "OrganizationClaim": "organizationClaim", "OrganizationAudience": "organizationAudience",
}

// whole is a document with every member, and wholeIssuer is what it says.
const whole = `
	{"url": "https://idp.test/\u007btid}", "keySetURL": "https://idp.test/jwks", "keySetTokenFile": "/token", "caFile": "/ca.crt",
	"introspectionURL": "http://idp/introspect", "insecureHTTPHosts": ["idp"], "algorithms": ["ES256", "RS256"],
	"types": ["", "JWT"], "requiredClaims": {"tid": ["*"], "nonce": ["", "*"], "act": ["!*"]}, "requiredHeader": {"cat": ["1"]}, "maxLifetime": "12h", "audience": "",
	"subjectClaims": ["sub", "/a/b"], "scopeClaims": ["scp", "roles"], "uniteScopes": true, "clientClaims": ["azp"],
	"clientTokens": {"sub": ["{client}"]}, "userTokens": {"scp": ["*"]}, "organizationClaim": "tid", "organizationAudience": "", "algorithms2": 0} `

func wholeIssuer() token.Issuer {
	return token.Issuer{
		URL: "https://idp.test/{tid}", KeySetURL: "https://idp.test/jwks", KeySetTokenFile: "/token", CAFile: "/ca.crt", IntrospectionURL: "http://idp/introspect", InsecureHTTPHosts: []string{"idp"}, Algorithms: []string{"ES256", "RS256"},
		Types: []string{"", "JWT"}, RequiredClaims: lists{"tid": {"*"}, "nonce": {"", "*"}, "act": {"!*"}}, RequiredHeader: lists{"cat": {"1"}}, MaxLifetime: 12 * time.Hour,
		SubjectClaims: []string{"sub", "/a/b"}, ScopeClaims: []string{"scp", "roles"}, UniteScopes: true, ClientClaims: []string{"azp"},
		ClientTokens: lists{"sub": {"{client}"}}, UserTokens: lists{"scp": {"*"}}, OrganizationClaim: "tid",
	}
}

func TestParseIssuer(t *testing.T) {
	t.Parallel()
	document := strings.Replace(whole, `, "algorithms2": 0`, "", 1)
	got, err := token.ParseIssuer([]byte(document))
	if err != nil || !reflect.DeepEqual(got, wholeIssuer()) {
		t.Errorf("it is %+v, %v", got, err)
	}
	if got, err := token.ParseIssuer([]byte("\ufeff" + strings.Replace(document, "{", `{"$schema": "issuer.schema.json", `, 1))); err != nil || !reflect.DeepEqual(got, wholeIssuer()) {
		t.Errorf("with its schema it is %+v, %v", got, err)
	}
	if got, err := token.ParseIssuer([]byte(strings.Replace(document, "true", "false", 1))); err != nil || got.UniteScopes {
		t.Errorf("with false it is %+v, %v", got, err)
	}
	var in struct{ Issuers []token.Issuer }
	if err := json.Unmarshal([]byte(`{"issuers": [`+document+`]}`), &in); err != nil || !reflect.DeepEqual(in.Issuers, []token.Issuer{wholeIssuer()}) {
		t.Errorf("inside a document it is %+v, %v", in, err)
	}
	if err := json.Unmarshal([]byte(`{"issuers": [`+whole+`]}`), &in); err == nil {
		t.Error("inside a document, an unknown member is no fault")
	}
}

// TestIssuerMembers makes sure that each field has a member, with a value of its own in the schema, and that nothing
// else has.
func TestIssuerMembers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("issuer.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		AdditionalProperties bool
		Properties           map[string]struct{ Description, Type, Ref string }
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), `"$ref"`, `"ref"`)), &schema); err != nil {
		t.Fatal(err)
	}
	if schema.AdditionalProperties {
		t.Error("the schema takes unknown members")
	}
	types := map[string]string{"string": "string", "bool": "boolean", "int64": "string", "[]string": "#/$defs/texts", "map[string][]string": "#/$defs/lists"}
	full := reflect.ValueOf(wholeIssuer())
	for field, value := range full.Fields() {
		if !field.IsExported() {
			continue
		}
		name, property := documentFields[field.Name], schema.Properties[documentFields[field.Name]]
		delete(schema.Properties, name)
		kind := field.Type.String()
		if field.Type.Kind() == reflect.Int64 {
			kind = "int64"
		}
		if got := property.Type + property.Ref; got != types[kind] && field.Name != "Algorithms" || property.Description == "" {
			t.Errorf("%s is %q in the schema, want %q, or it has no description", field.Name, got, types[kind])
		}
		if value.IsZero() && !slices.Contains([]string{"Audience", "OrganizationAudience"}, field.Name) {
			t.Errorf("the whole document leaves out %s", field.Name)
		}
		one := reflect.New(full.Type()).Elem()
		fill(t, one.FieldByName(field.Name))
		document, err := json.Marshal(one.Interface())
		if want := `{"` + name + `":`; err != nil || !strings.HasPrefix(string(document), want) {
			t.Errorf("%s is %s, %v, want a member %s", field.Name, document, err, want)
		}
		if _, err := token.ParseIssuer(document); err == nil || strings.Contains(err.Error(), "issuer document") { // it lacks the rest
			t.Errorf("%s: %v", document, err)
		}
	}
	delete(schema.Properties, "$schema") // for editors
	for name := range schema.Properties {
		t.Errorf("the schema has %s, which ParseIssuer does not know", name)
	}
}

// fill sets a field to another value than zero.
func fill(t *testing.T, field reflect.Value) {
	t.Helper()
	switch field := field.Addr().Interface().(type) {
	case *string:
		*field = "a"
	case *bool:
		*field = true
	case *time.Duration:
		*field = time.Hour
	case *[]string:
		*field = []string{"a"}
	case *map[string][]string:
		*field = lists{"a": {"b"}}
	default:
		t.Errorf("a field is a %T, which has no form in a document", field)
	}
}

func TestParseIssuerFaults(t *testing.T) {
	t.Parallel()
	const sound = `"url": "https://idp.test", "algorithms": ["ES256"]`
	member := func(text string) string { return "{" + sound + ", " + text + "}" }
	const write = `: write {"url": "https://…", "algorithms": ["RS256"], …}`
	for document, want := range map[string][]string{
		"":                               {"line 1: not a JSON object in UTF-8: unexpected end of JSON input" + write},
		"null":                           {"line 1: not a JSON object in UTF-8" + write},
		"[{" + sound + "}]":              {"line 1: not a JSON object in UTF-8" + write},
		"{" + sound + "} {}":             {"line 1: not a JSON object in UTF-8: invalid character '{' after top-level value" + write},
		"{\n" + sound + ",\n}\n":         {"line 3: not a JSON object in UTF-8: invalid character '}' looking for beginning of object key string" + write},
		"\ufeff\ufeff{" + sound + "}":    {"line 1: not a JSON object in UTF-8: invalid character 'ï' looking for beginning of value" + write},
		member("\"audience\": \"\xff\""): {"line 1: not a JSON object in UTF-8" + write},
		member(`"audience": "\ud800"`):   {"a string has half of a surrogate pair"},
		member(`"audience": "s", "\u0061udience": "t"`):        {"audience is given twice: remove one"},
		member(`"URL": "s"`):                                   {`the member "URL" is unknown: did you mean "url"?`},
		member(`"CAFile": "s", "keysetURL": "https://s.test"`): {`the member "CAFile" is unknown: did you mean "caFile"?`, `the member "keysetURL" is unknown: did you mean "keySetURL"?`},
		member(`"audience": null, "types": "JWT", "uniteScopes": "true", "requiredClaims": ["a"], "maxLifetime": 3600`): {
			`audience is not a string: write "…"`, `types is not an array of strings: write ["…"]`, "uniteScopes is not a boolean: write true or false",
			`requiredClaims is not an object of arrays of strings: write {"claim": ["value"]}`, `maxLifetime is not a duration: write a text such as "12h" or "30m"`,
		},
		member(`"maxLifetime": "a day"`): {`maxLifetime is not a duration: write a text such as "12h" or "30m"`},
		member(`"types": ["JWT", 1]`):    {`types is not an array of strings: write ["…"]`},
		member(`"userTokens": {"a": "s", "b": [true], "c": ["1"], "c": ["2"]}`): {
			`userTokens: "a" is not an array of strings: write ["…"], with each value in quotes, also numbers, true and false`,
			`userTokens: "b" is not an array of strings: write ["…"], with each value in quotes, also numbers, true and false`, `userTokens: "c" is given twice: write one list`,
		},
	} {
		for n, fault := range want {
			want[n] = "token: issuer document: " + fault
		}
		if issuer, err := token.ParseIssuer([]byte(document)); err == nil || err.Error() != strings.Join(want, "\n") || !reflect.DeepEqual(issuer, token.Issuer{}) {
			t.Errorf("%s: %+v\n%v\nwant\n%s", document, issuer, err, strings.Join(want, "\n"))
		}
	}
	// The faults of NewVerifier.
	_, want := token.NewVerifier(token.Issuer{Types: []string{" "}})
	if _, err := token.ParseIssuer([]byte(`{"types": [" "]}`)); err == nil || err.Error() != want.Error() {
		t.Errorf("the fault is %v, want %v", err, want)
	}
	unknown := member(`"kid": "s"`)
	if _, err := token.ParseIssuer([]byte(unknown)); err == nil || !strings.HasPrefix(err.Error(), `token: issuer document: the member "kid" is unknown: issuer.schema.json lists the members`) {
		t.Errorf("%s: %v", unknown, err)
	}
}

// TestMarshalIssuer makes sure that an issuer with a faulty argument has no document.
func TestMarshalIssuer(t *testing.T) {
	t.Parallel()
	if text, err := json.Marshal(token.Keycloak("https://sso.example.com")); err == nil {
		t.Errorf("the document is %s", text)
	}
	for _, issuer := range []token.Issuer{{}, {Types: []string{}, UserTokens: lists{}}} {
		if text, err := json.Marshal(issuer); err != nil || string(text) != "{}" {
			t.Errorf("the document is %s, %v", text, err)
		}
	}
}

// FuzzParseIssuer makes sure that a document that is accepted says what encoding/json reads, and that the issuer can
// be written and read again.
func FuzzParseIssuer(f *testing.F) {
	f.Add([]byte(whole))
	for _, issuer := range []token.Issuer{
		wholeIssuer(), token.Auth0("a.test"), token.AuthAction("a.test"), token.Clerk("a.test", "api", "https://a.test"), token.Cognito("eu-west-1_A", "api", "c"), token.Dex("https://a.test"),
		token.Entra("11111111-2222-3333-4444-555555555555"), token.EntraAnyTenant(), token.EntraTenants("11111111-2222-3333-4444-555555555555"), token.Firebase("p", "password"), token.GoogleServiceAccounts("w@p.iam.gserviceaccount.com"), token.Keycloak("https://a.test/realms/a"),
		token.Kubernetes("https://a.test"), token.Logto("https://a.test"), token.Okta("https://a.test/oauth2/a"), token.Supabase("https://a.test"), token.WorkOS("c", "api"), token.Zitadel("https://a.test", "1"),
	} {
		document, err := json.Marshal(issuer)
		if err != nil {
			f.Fatal(err)
		}
		if got, err := token.ParseIssuer(document); err != nil || !reflect.DeepEqual(got, issuer) {
			f.Errorf("%s: %+v, %v", document, got, err)
		}
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		issuer, err := token.ParseIssuer(document)
		if err != nil {
			return
		}
		var loose map[string]any
		if err := json.Unmarshal(bytes.TrimPrefix(document, []byte("\ufeff")), &loose); err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		delete(loose, "$schema")
		written, err := json.Marshal(issuer)
		if err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		again, err := token.ParseIssuer(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		for field, value := range reflect.ValueOf(issuer).Fields() {
			if !field.IsExported() {
				continue
			}
			member := loose[documentFields[field.Name]]
			delete(loose, documentFields[field.Name])
			got, want := value.Interface(), member
			if lifetime, ok := got.(time.Duration); ok && member != nil {
				text, _ := member.(string)
				read, err := time.ParseDuration(text)
				if err != nil {
					t.Errorf("%s: %v", document, err)
				}
				got, want = lifetime, read
			}
			gotText, _ := json.Marshal(got)
			wantText, _ := json.Marshal(want)
			if string(gotText) != string(wantText) && !(isEmpty(got) && isEmpty(want)) {
				t.Errorf("%s: %s is %s, want %s", document, field.Name, gotText, wantText)
			}
			if got := reflect.ValueOf(again).FieldByName(field.Name); !isEmpty(value.Interface()) && !reflect.DeepEqual(got.Interface(), value.Interface()) {
				t.Errorf("%s is %v in %s, and %v in %s", field.Name, value, document, got, written)
			}
		}
		if len(loose) > 0 {
			t.Errorf("%s: the members %v are ignored", document, loose)
		}
	})
}

// isEmpty reports whether a value is zero, or has no elements.
func isEmpty(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
}
