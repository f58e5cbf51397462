package deployment_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const whole = `{
  "$schema": "deployment.schema.json",
  "audience": "https://api.test",
  "public": ["grpc.health.v1.Health"],
  "sharedScopes": ["read:documents"],
  "shadow": ["sample.v1.DocumentService",
    "sample.v1.MemberService"],
  "subjectIssuer": "https://b.test",
  "issuers": [
    {"url": "https://a.test", "algorithms": ["RS256"]},
    {"url": "https://b.test", "algorithms": ["ES256"]}
  ]
}`

func wholeDeployment() *deployment.Deployment {
	return &deployment.Deployment{
		Audience: "https://api.test", Public: []string{"grpc.health.v1.Health"}, SharedScopes: []string{"read:documents"}, Shadow: []string{"sample.v1.DocumentService", "sample.v1.MemberService"},
		SubjectIssuer: "https://b.test",
		Issuers:       []token.Issuer{{URL: "https://a.test", Algorithms: []string{"RS256"}}, {URL: "https://b.test", Algorithms: []string{"ES256"}}},
	}
}

// write writes a document into a file of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "authz.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// plain is a deployment without what it remembers of its document.
func plain(d *deployment.Deployment) deployment.Deployment {
	return deployment.Deployment{Audience: d.Audience, Public: d.Public, SharedScopes: d.SharedScopes, Shadow: d.Shadow, UnannotatedRefused: d.UnannotatedRefused, UnannotatedOpen: d.UnannotatedOpen, SubjectIssuer: d.SubjectIssuer, Issuers: d.Issuers}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, read := range []func() (*deployment.Deployment, error){
		func() (*deployment.Deployment, error) { return deployment.Parse("", []byte("\ufeff"+whole)) },
		func() (*deployment.Deployment, error) { return deployment.Read(write(t, whole)) },
		func() (*deployment.Deployment, error) { return wholeDeployment(), nil },
	} {
		d, err := read()
		if err != nil || !reflect.DeepEqual(plain(d), plain(wholeDeployment())) {
			t.Fatalf("it is %+v, %v", d, err)
		}
		if _, err := d.NewVerifier(); err != nil {
			t.Error(err)
		}
		table, err := d.Compile(policy.Linked("sample"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := policy.Compile(policy.Linked("sample"), policy.WithAudience(d.Audience), policy.WithPublic(d.Public...), policy.WithSharedScopes(d.SharedScopes...), policy.WithShadow(d.Shadow...), policy.WithSubjectIssuer("https://b.test"))
		if err != nil || table.String() != want.String() || table.SubjectIssuer() != want.SubjectIssuer() {
			t.Errorf("the table is\n%s\nwant\n%s, %v", table, want, err)
		}
	}
}

// TestTwoTables compiles one deployment for two servers.
func TestTwoTables(t *testing.T) {
	t.Parallel()
	d := wholeDeployment()
	for _, files := range []policy.Files{{samplev1.File_sample_v1_catalog_proto}, {samplev1.File_sample_v1_document_proto}} {
		table, err := d.Compile(files)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range table.Rules() {
			if want := strings.HasPrefix(rule.Procedure, "/sample.v1.DocumentService/"); rule.Shadow != want {
				t.Errorf("%s: shadow is %t, want %t", rule.Procedure, rule.Shadow, want)
			}
		}
		if rule, ok := table.Lookup("/grpc.health.v1.Health/Check"); !ok || !rule.Public {
			t.Errorf("health is %+v", rule)
		}
	}
	// A server need not serve a service that is public in the other one.
	verifier, err := d.NewVerifier()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := d.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto})
	if err != nil {
		t.Fatal(err)
	}
	guardtest.AssertGuarded(t, newMux(interceptor.New(verifier, rules)), rules)
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	const loops = `"url": "https://a.test", "algorithms": ["RS256"]`
	for text, want := range map[string][]string{
		"[]": {"1: not a JSON object: write one JSON object, with names and texts in double quotes, without comments, and without a comma behind a last member"},
		"{\n\"Audience\": \"a\",\n\"shadow\": [\"a\",\n1], \"issuers\": [{\"url\": \"https://a.test\"}, {\n\"keySetURL\": 1}, {\n\"preset\": [\"logto\"]}]}": {
			`2: Audience is unknown: did you mean "audience"?`, "4: shadow[1] is not a string: write the value in quotes",
			"4: issuers[0].algorithms is faulty: none given: list the algorithms with which the issuer signs access tokens, such as RS256",
			"5: issuers[1].keySetURL is not a string: write the value in quotes", `6: issuers[2].preset does not have the arguments of logto: write ["logto", tenant], with each argument in quotes`,
		},
		"{\n\"issuers\": [{" + loops + "}, {" + loops + "}]}":                                                          {`2: issuers: issuer "https://a.test" is given twice: give each iss to one issuer; if two servers write the same iss, set another at one of them`},
		`{"issuers": [{"preset": ["entra", "11111111-2222-3333-4444-555555555555"]}, {"preset": ["entraAnyTenant"]}]}`: {`1: issuers: issuers "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0" and "https://login.microsoftonline.com/{tid}/v2.0" can have the same iss: leave one of them out, or list different tenants in their requiredClaims`},
	} {
		name := write(t, text)
		for source, read := range map[string]func() (*deployment.Deployment, error){
			"deployment: line ": func() (*deployment.Deployment, error) { return deployment.Parse("", []byte(text)) },
			"authz.yaml:":       func() (*deployment.Deployment, error) { return deployment.Parse("authz.yaml", []byte(text)) },
			name + ":":          func() (*deployment.Deployment, error) { return deployment.Read(name) },
		} {
			all := source + strings.Join(want, "\n"+source)
			if d, err := read(); err == nil || d != nil || err.Error() != all {
				t.Errorf("%s: %v\n%v\nwant\n%s", text, d, err, all)
			}
		}
	}
	if _, err := deployment.Read("nothing.json"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	if _, err := deployment.Read(""); err == nil || !strings.Contains(err.Error(), "the name of the file is empty: ") {
		t.Errorf("without a name: %v", err)
	}
}

// faulty is a deployment with a fault in each member, for the services of document.proto and member.proto.
const faulty = `{
"audience": "",
"public": ["grpc.health.v1.Health", "grpc", "sample"],
"sharedScopes": ["a", ""],
"shadow": ["sample.v1.Document", "grpc.health.v1.Health",
"sample.v1.MemberService", " "],
"unannotatedRefused": ["sample.v1.MemberService"],
"unannotatedOpen": ["sample.v1.MemberService", "sample.v1.CatalogService"]}`

func TestCompileFaults(t *testing.T) {
	t.Parallel()
	read, err := deployment.Parse("", []byte(faulty))
	if err != nil {
		t.Fatal(err)
	}
	literal := plain(read)
	files := policy.Files{samplev1.File_sample_v1_document_proto, samplev1.File_sample_v1_member_proto}
	const (
		empty = "audience is empty: give the API's resource indicator; if a variable or a file should supply it, set the variable or fill the file (OPTION)"
		one   = ": name the service in one of the two options (OPTION)"
	)
	for d, place := range map[*deployment.Deployment]string{read: "deployment: line %d: %s", &literal: "deployment: %[2]s"} {
		at := func(line int, path string) string { return fmt.Sprintf(place+": ", line, path) }
		want := []string{
			at(2, "audience") + empty, at(4, "sharedScopes[1]") + "scope is empty: leave it out, or name a scope (OPTION)",
			at(5, "shadow[0]") + "the given files declare no service sample.v1.Document: give the file of the service, or remove the name (OPTION)",
			at(5, "shadow[1]") + "public names service grpc.health.v1.Health too" + one,
			at(6, "shadow[3]") + `" " is not the full name of a service, such as shop.v1.OrderService (OPTION)`,
			at(7, "unannotatedRefused[0]") + "no method of service sample.v1.MemberService lacks an annotation: remove the name (OPTION)",
			at(8, "unannotatedOpen[0]") + "unannotatedRefused names service sample.v1.MemberService too" + one,
		}
		checkFaults(t, d, files, nil, want...)
		// The faults of other options keep the names of these options.
		checkFaults(t, d, files, []policy.Option{policy.WithAudience(" "), policy.WithShadow("a"), nil}, append([]string{
			want[0], want[1], `WithAudience: audience " " has a space, or a character that cannot be printed: give the API's resource indicator as the issuer has it (OPTION)`, "Compile: option 8 is nil (OPTION)",
		},
			append(want[2:5:5], append([]string{"WithShadow: the given files declare no service a: give the file of the service, or remove the name (OPTION)"}, want[5:]...)...)...)...)
	}
	good := wholeDeployment()
	checkFaults(t, good, policy.Linked("sample"), []policy.Option{policy.WithAudience("urn:a"), policy.WithShadow("grpc.health.v1.Health")},
		`deployment: audience: given twice, as "https://api.test" and "urn:a": give one audience (OPTION)`, "WithShadow: public names service grpc.health.v1.Health too"+one)
	checkFaults(t, good, policy.Linked("shop"), nil, "Linked: the program has no service of package shop or of a package below: import the generated Go package of the services, or correct the name (OPTION)")
	if _, err := read.NewVerifier(); err == nil || err.Error() != `deployment: line 1: issuers: none is given: write one, such as {"preset": ["logto", "https://tenant.logto.app"]}` {
		t.Error(err)
	}
	parsed, err := deployment.Parse("", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.NewVerifier(token.WithLeeway(-1)); err == nil || err.Error() != "deployment: line 9: issuers: token: WithLeeway: -1ns is not between 0 and 5m0s" {
		t.Error(err)
	}
	checkFaults(t, wholeDeployment(), policy.Files{nil}, nil, "Compile: file 0 is nil (OPTION)")
	good.Issuers = append(good.Issuers, token.Issuer{URL: "https://c.test"})
	if _, err := good.NewVerifier(token.WithLeeway(-1)); err == nil || err.Error() != "deployment: issuers: token: WithLeeway: -1ns is not between 0 and 5m0s\n"+
		`deployment: issuers: token: issuer "https://c.test": Algorithms: none given: list the algorithms with which the issuer signs access tokens, such as RS256` {
		t.Error(err)
	}
}

// TestPlaces makes sure that a fault is about one member, also if the names of members are words of its text.
func TestPlaces(t *testing.T) {
	t.Parallel()
	d, err := deployment.Parse("authz.json", []byte(`{
"audience": "https://api.test",
"public": ["services", "sample.v1.CatalogService"],
"sharedScopes": ["scope", "is", "empty", "read\\products", ""],
"shadow": ["service",
"sample.v1.Document"],
"unannotatedOpen": ["methods"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Compile(policy.Linked("sample"))
	found, ok := errors.AsType[*policy.Error](err)
	if !ok {
		t.Fatal(err)
	}
	var got []string
	for _, fault := range found.Faults {
		got = append(got, fault.Subject)
	}
	want := []string{"authz.json:4: sharedScopes[3]", "authz.json:4: sharedScopes[4]", "authz.json:3: public[1]", "authz.json:5: shadow[0]", "authz.json:6: shadow[1]", "authz.json:7: unannotatedOpen[0]"}
	if !slices.Equal(got, want) {
		t.Errorf("faults of %q, want %q:\n%v", got, want, err)
	}
	for member, want := range map[string]string{"audience": "authz.json:2", "shadow[1]": "authz.json:6", "shadow[2]": "authz.json:5", "issuers": "authz.json:1"} {
		if got := d.Place(member); got != want {
			t.Errorf("%s has the place %s, want %s", member, got, want)
		}
	}
}

func checkFaults(t *testing.T, d *deployment.Deployment, files policy.Files, options []policy.Option, want ...string) {
	t.Helper()
	table, err := d.Compile(files, options...)
	if _, ok := errors.AsType[*policy.Error](err); !ok || table != nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("%v\n%v\nwant\n%s", table, err, strings.Join(want, "\n"))
	}
}

// TestSchema makes sure that each field has a member in the schema, and that nothing else has.
func TestSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("deployment.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		AdditionalProperties bool
		Properties           map[string]struct {
			Description, Type, Ref string
			Items                  struct{ Ref string }
		}
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), `"$ref"`, `"ref"`)), &schema); err != nil {
		t.Fatal(err)
	}
	if schema.AdditionalProperties {
		t.Error("the schema takes unknown members")
	}
	for name, want := range map[string]string{
		"$schema": "string", "audience": "string", "public": "#/$defs/services", "sharedScopes": "array", "shadow": "#/$defs/services",
		"unannotatedRefused": "#/$defs/services", "unannotatedOpen": "#/$defs/services", "subjectIssuer": "string", "issuers": "array../token/issuer.schema.json",
	} {
		if got := schema.Properties[name]; got.Type+got.Ref+got.Items.Ref != want || got.Description == "" {
			t.Errorf("%s is %+v, want %s with a description", name, got, want)
		}
		delete(schema.Properties, name)
		_, err := deployment.Parse("", []byte(`{"`+name+`": 1}`))
		if known := name == "$schema" && err == nil || name != "$schema" && strings.Contains(fmt.Sprint(err), name+" is not a"); !known {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name := range schema.Properties {
		t.Errorf("the schema has %s, which nobody expects", name)
	}
	if _, err := os.Stat("../token/issuer.schema.json"); err != nil {
		t.Error(err)
	}
	_, err = deployment.Parse("", []byte(`{"a": 1}`))
	if want := "the members are audience, public, sharedScopes, shadow, unannotatedRefused, unannotatedOpen, subjectIssuer, issuers"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
