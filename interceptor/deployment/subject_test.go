package deployment_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// named compiles a service whose second method asks for the subject or the client that a way names.
func named(t *testing.T, way string) policy.Files {
	t.Helper()
	source := protos.OrderService(`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};`, `option (protoauthz.v1.method) = {public: true};`, `option (protoauthz.v1.method) = {scopes: ["a"] `+way+`};`)
	files, err := protos.Compile(t.Context(), "../../proto", map[string]string{"order.proto": source}, "order.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

const (
	one     = `{"url": "https://a.test", "algorithms": ["RS256"]}`
	other   = `{"url": "https://b.test/", "algorithms": ["RS256"]}`
	tenants = `{"url": "https://c.test/{tid}/v2", "keySetURL": "https://c.test/keys", "algorithms": ["RS256"], "organizationClaim": "tid", "requiredClaims": {"tid": `
	either  = tenants + `["t1", "t2"]}}`
	every   = tenants + `["*"]}}`
)

// TestSubjectIssuer tries which issuer a document may name, and when the document must name one.
func TestSubjectIssuer(t *testing.T) {
	t.Parallel()
	const (
		parse, compile, fine = "parse", "compile", ""
		alternative          = `alternatives: [{authenticated: true, subject: {field: "a"}}]`
	)
	for _, test := range []struct{ name, issuer, issuers, way, want string }{
		{"one issuer", "", one, `subject: {field: "a"}`, fine},
		{"one issuer, named", `"https://a.test"`, one, `subject: {field: "a"}`, fine},
		{"no issuer", "", "", `subject: {field: "a"}`, fine},
		{"no issuer, named", `"https://a.test"`, "", `subject: {field: "a"}`, fine},
		{"two issuers, and no subject", "", one + "," + other, "", fine},
		{"two issuers", "", one + "," + other, `subject: {field: "a"}`, compile},
		{"two issuers, and a client", "", one + "," + other, `client: {field: "a"}`, compile},
		{"two issuers, and an alternative", "", one + "," + other, alternative, compile},
		{"two issuers, named", `"https://b.test/"`, one + "," + other, alternative, fine},
		{"two tenants", "", either, `subject: {field: "a"}`, compile},
		{"two tenants, named", `"https://c.test/t2/v2"`, either, `subject: {field: "a"}`, fine},
		{"any tenant", "", every, `client: {field: "a"}`, compile},
		{"any tenant, named", `"https://c.test/t3/v2"`, every, `client: {field: "a"}`, fine},
		{"another tenant", `"https://c.test/t3/v2"`, either, "", parse},
		{"the template", `"https://c.test/{tid}/v2"`, every, "", parse},
		{"no tenant", `"https://c.test//v2"`, every, "", parse},
		{"two segments", `"https://c.test/t1/t2/v2"`, every, "", parse},
		{"the end of a template", `"https://d.test/t1/v2"`, every, "", parse},
		{"the beginning of a template", `"https://c.test/t1/v3"`, every, "", parse},
		{"another slash", `"https://b.test"`, other, "", parse},
		{"empty", `""`, one, "", parse},
		{"of another type", `["https://a.test"]`, one, "", parse},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := "{\n\"audience\": \"https://api.test\",\n\"issuers\": [" + test.issuers + "]"
			if test.issuer != "" {
				text += ",\n\"subjectIssuer\": " + test.issuer
			}
			d, err := deployment.Parse("authz.json", []byte(text+"}"))
			if test.want == parse {
				if err == nil || !strings.HasPrefix(err.Error(), "authz.json:4: subjectIssuer") {
					t.Errorf("the fault is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			table, err := d.Compile(named(t, test.way))
			if test.want == fine {
				if err != nil || table.SubjectIssuer() != strings.Trim(test.issuer, `"`) {
					t.Errorf("the issuer is %q, %v", table.SubjectIssuer(), err)
				}
				return
			}
			found, ok := errors.AsType[*policy.Error](err)
			if !ok || table != nil || len(found.Faults) != 1 || len(found.Rules) != 2 ||
				!strings.HasPrefix(err.Error(), "authz.json:3: subjectIssuer: it is missing, and requests of /order.v1.OrderService/Call1 name users or clients") {
				t.Errorf("the fault is %v, and the table %v", err, table)
			}
			// The program may name the issuer.
			if table, err := d.Compile(named(t, test.way), policy.WithSubjectIssuer("https://a.test")); err != nil || table.SubjectIssuer() != "https://a.test" {
				t.Error(err)
			}
		})
	}
}

// TestSubjectIssuerFaults tries deployments that were written in Go, and several faults at once.
func TestSubjectIssuerFaults(t *testing.T) {
	t.Parallel()
	d := wholeDeployment()
	d.SubjectIssuer = "https://c.test"
	checkFaults(t, d, policy.Linked("sample"), []policy.Option{policy.WithSubjectIssuer("https://c.test"), policy.WithSubjectIssuer("")},
		"deployment: subjectIssuer: none of the issuers has the iss https://c.test, byte for byte: write one of https://a.test, https://b.test, with a tenant in place of a name in braces (OPTION)",
		"WithSubjectIssuer: issuer is empty: give the issuer's iss, or leave the option out (OPTION)")
	d.SubjectIssuer = "https://a.test"
	checkFaults(t, d, policy.Linked("sample"), []policy.Option{policy.WithSubjectIssuer("https://b.test")},
		`WithSubjectIssuer: given twice, as "https://a.test" and "https://b.test": give one issuer (OPTION)`)
	d.SubjectIssuer, d.Audience = "", ""
	checkFaults(t, d, named(t, `subject: {field: "a"}`), []policy.Option{policy.WithSubjectIssuer("")},
		"deployment: audience: audience is empty: give the API's resource indicator; if a variable or a file should supply it, set the variable or fill the file (OPTION)",
		"WithSubjectIssuer: issuer is empty: give the issuer's iss, or leave the option out (OPTION)",
		"deployment: subjectIssuer: it is missing, and requests of /order.v1.OrderService/Call1 name users or clients, which are unique within one issuer alone: write the iss whose users and clients the requests name (OPTION)")
}
