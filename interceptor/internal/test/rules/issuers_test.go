package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestSeveralIssuers makes sure that the document shows what a server prints that is not told whose users requests name:
// by the deployment, and by New.
func TestSeveralIssuers(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	d, err := deployment.Parse("authz.json", []byte(`{"audience": "`+api+`", "issuers": [{"preset": ["logto", "https://one.example.com"]}, {"preset": ["logto", "https://two.example.com"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, deployed := d.Compile(g.files)
	verifier, err := d.NewVerifier()
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(g.files, policy.WithAudience(api))
	if err != nil {
		t.Fatal(err)
	}
	all, err := documents.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for _, block := range documents.At(all, documents.Rules+"#Several issuers") {
		shown.WriteString(block.Text)
	}
	defer func() {
		if want := fmt.Sprintf("%v\n%v\n", deployed, recover()); shown.String() != want {
			t.Errorf("%s must show\n%s", documents.Rules, want)
		}
	}()
	interceptor.New(verifier, table)
}
