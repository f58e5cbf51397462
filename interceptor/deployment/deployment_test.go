package deployment_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	_ "connectrpc.com/grpchealth" // links grpc.health.v1

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
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
  "issuers": [
    {"url": "https://a.test", "algorithms": ["RS256"]},
    {"url": "https://b.test", "algorithms": ["ES256"]}
  ]
}`

func wholeDeployment() *deployment.Deployment {
	return &deployment.Deployment{
		Audience: "https://api.test", Public: []string{"grpc.health.v1.Health"}, SharedScopes: []string{"read:documents"}, Shadow: []string{"sample.v1.DocumentService", "sample.v1.MemberService"},
		Issuers: []token.Issuer{{URL: "https://a.test", Algorithms: []string{"RS256"}}, {URL: "https://b.test", Algorithms: []string{"ES256"}}},
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
	return deployment.Deployment{Audience: d.Audience, Public: d.Public, SharedScopes: d.SharedScopes, Shadow: d.Shadow, UnannotatedRefused: d.UnannotatedRefused, UnannotatedOpen: d.UnannotatedOpen, Issuers: d.Issuers}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, read := range []func() (*deployment.Deployment, error){
		func() (*deployment.Deployment, error) { return deployment.Parse([]byte("\ufeff" + whole)) },
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
		want, err := policy.Compile(policy.Linked("sample"), policy.WithAudience(d.Audience), policy.WithPublic(d.Public...), policy.WithSharedScopes(d.SharedScopes...), policy.WithShadow(d.Shadow...))
		if err != nil || table.String() != want.String() {
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
}

func TestFaults(t *testing.T) {
	t.Parallel()
	_, err := deployment.Read(write(t, "{\n\"Audience\": \"a\",\n\"shadow\": [\"a\", 1],\n\"issuers\": [{\"url\": \"https://a.test\"}, {\"keySetURL\":\n1}]}"))
	if err != nil {
		t.Log(err)
	}
	d, err := deployment.Read(write(t, `{
"audience": "",
"public": ["grpc.health.v1.Health", "grpc"],
"shadow": ["sample.v1.Document", "grpc.health.v1.Health",
"sample.v1.MemberService", " "],
"unannotatedOpen": ["sample.v1.MemberService"], "sharedScopes": [""], "unannotatedRefused": ["sample.v1.MemberService"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Compile(policy.Files{samplev1.File_sample_v1_document_proto, samplev1.File_sample_v1_member_proto})
	t.Log(err)
	if _, ok := errors.AsType[*policy.Error](err); !ok {
		t.Error(err)
	}
	_, err = d.NewVerifier()
	t.Log(err)
}
