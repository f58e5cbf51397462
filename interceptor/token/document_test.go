package token_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
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
	"types": ["", "JWT"], "requiredClaims": {"tid": ["*"], "nonce": ["", "*"], "act": ["!*"]}, "requiredHeader": {"cat": ["1"]}, "maxLifetime": "12h",
	"subjectClaims": ["sub", "/a/b"], "scopeClaims": ["scp", "roles"], "uniteScopes": true, "clientClaims": ["azp"],
	"clientTokens": {"sub": ["{client}"]}, "userTokens": {"scp": ["*"]}, "organizationClaim": "tid", "algorithms2": 0} `

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
		if _, err := token.ParseIssuer(document); err == nil || !strings.Contains(err.Error(), " is faulty: ") { // the form is good, and the rest is missing
			t.Errorf("%s: %v", document, err)
		}
	}
	delete(schema.Properties, "$schema") // for editors
	delete(schema.Properties, "preset")  // see TestPresetNames
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
	for document, want := range map[string][]string{
		"null":                             {"line 1: not a JSON object: write one JSON object, with names and texts in double quotes, without comments, and without a comma behind a last member"},
		"{" + sound + ",\n\"URL\": \"s\"}": {`line 2: URL is unknown: did you mean "url"?`},
		"{" + sound + ", \"types\": [\n1],\n\"maxLifetime\": 3600}": {"line 2: types[0] is not a string: write the value in quotes", `line 3: maxLifetime is not a duration: write a text such as "12h" or "30m"`},
		"{" + sound + ",\n\"userTokens\": {\"a\": \"s\", \"b\": [true],\n\"c\": [\"1\"], \"c\": [\"2\"]}}": {
			`line 2: userTokens["a"] is not an array: write ["…"]`, `line 2: userTokens["b"][0] is not a string: write the value in quotes`, `line 3: userTokens["c"] is given twice: remove one`,
		},
		// The faults of NewVerifier:
		"{\n\"types\": [\" \"],\n\"algorithms\": [\"none\"]}": {
			"line 1: an issuer's URL is empty: give the tenant's endpoint or domain, or url; if a variable or a file should supply it, set the variable or fill the file",
			fmt.Sprintf(`line 3: algorithms is faulty: "none" is none of %q`, jose.Algorithms()), `line 2: types is faulty: " " is blank: "" stands for a token without typ`,
		},
		"{\"url\": \"https://idp.test\"}": {"line 1: algorithms is faulty: none given: list the algorithms with which the issuer signs access tokens, such as RS256"},
		// Faults name members, and what a document writes for values of Go:
		"{\"algorithms\": [\"ES256\"],\n\"url\": \"http://idp.test\", \"requiredClaims\": {\"URL\": []}}": {
			`line 2: url is faulty: it is plain http and not on a loopback address: use https, or list "idp.test" in insecureHTTPHosts if nobody else can answer for that host`,
			`line 2: requiredClaims is faulty: "URL" has an empty list: list the values to accept, or "*" alone for any value`,
		},
		"{" + sound + ", \"types\": [\"\"]}": {`line 1: types is faulty: "" accepts tokens without typ, which ID tokens are too, and requiredClaims requires nothing that access tokens alone have: name such a claim there, such as "client_id", with "*"`},
		// The faults of a preset:
		`{"preset": "auth0"}`:                {`line 1: preset is not an array: write ["…"]`},
		"{\n\"preset\": []}":                 {`line 2: preset is empty: write the name of a preset and its arguments, such as ["keycloak", "https://sso.example.com/realms/acme"]`},
		"{\n\"preset\": [\"Auth0\"]}":        {`line 2: preset begins with "Auth0", and the presets are auth0, authAction, clerk, cognito, dex, entra, entraAnyTenant, entraTenants, firebase, googleServiceAccounts, keycloak, kubernetes, logto, okta, supabase, workOS, zitadel: write one of these names, or an issuer without a preset`},
		`{"preset": ["auth0"]}`:              {`line 1: preset does not have the arguments of auth0: write ["auth0", domain], with each argument in quotes`},
		`{"preset": ["auth0", "a", "b"]}`:    {`line 1: preset does not have the arguments of auth0: write ["auth0", domain], with each argument in quotes`},
		`{"preset": ["entraAnyTenant", ""]}`: {`line 1: preset does not have the arguments of entraAnyTenant: write ["entraAnyTenant"], with each argument in quotes`},
		`{"preset": ["cognito", "a_b"]}`:     {`line 1: preset does not have the arguments of cognito: write ["cognito", poolID, audience, clientIDs, …], with each argument in quotes`},
		"{\n\"preset\": [\"cognito\", \"a_b\", \"api\"]}": {
			`line 2: preset is faulty: no clientIDs are given: give some, such as "1example23456789"`,
		},
		"{\n\"types\": [\"a\"],\n\"preset\": [\"keycloak\", \"https://sso.test\"]}": {`line 3: preset is faulty: url: "https://sso.test" does not look like "https://sso.example.com/realms/acme"`},
		"{\n\"preset\": [\"logto\", \"ftp://a\"],\n\"types\": [\" \"]}": {
			`line 2: preset is faulty: url: it is not an https URL`, `line 3: types is faulty: " " is blank: "" stands for a token without typ`,
		},
	} {
		for n, fault := range want {
			want[n] = "token: issuer document: " + fault
		}
		if issuer, err := token.ParseIssuer([]byte(document)); err == nil || err.Error() != strings.Join(want, "\n") || !reflect.DeepEqual(issuer, token.Issuer{}) {
			t.Errorf("%s: %+v\n%v\nwant\n%s", document, issuer, err, strings.Join(want, "\n"))
		}
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
	f.Add([]byte(`{"preset": ["auth0", "a.test"], "types": []}`))
	issuers := []token.Issuer{wholeIssuer()}
	for _, issuer := range presets() {
		issuers = append(issuers, issuer)
	}
	for _, issuer := range issuers {
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
		if _, ok := loose["preset"]; ok { // see TestChangePreset
			return
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
