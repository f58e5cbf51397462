package main

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

var update = flag.Bool("update", false, "rewrite testdata/policy.golden")

var deployed = deployment.Deployment{Audience: api, Public: wellKnown, Issuers: []token.Issuer{token.Logto("https://tenant.logto.app")}}

// The rules on one page: a change of the page is a change to review.
func TestPolicy(t *testing.T) {
	t.Parallel()
	table, err := deployed.Compile(policy.Linked("sample"))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "policy.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(table.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if table.String() != string(want) {
		t.Errorf("the policy is not that of %s. If it is right, run go test ./sample -update. Got:\n%s", golden, table)
	}
}

// POLICY.md, which make policy writes without running the sample, lists the same procedures.
func TestPolicyForReview(t *testing.T) {
	t.Parallel()
	table, err := deployed.Compile(policy.Linked("sample"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("POLICY.md")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	service := ""
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, "## `"); ok {
			service, _, _ = strings.Cut(name, "`")
		} else if name, ok := strings.CutPrefix(line, "| `"); ok {
			method, _, _ := strings.Cut(name, "`")
			got = append(got, "/"+service+"/"+method)
		}
	}
	for _, rule := range table.Rules() {
		want = append(want, rule.Procedure)
	}
	if !slices.Equal(got, want) {
		t.Errorf("POLICY.md has %q, want %q: does the Makefile give the public services of wellKnown?", got, want)
	}
}

func TestEveryHandlerIsGuarded(t *testing.T) {
	t.Parallel()
	table, err := deployed.Compile(policy.Linked("sample"))
	if err != nil {
		t.Fatal(err)
	}
	handler, err := newHandler(deployed, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	guardtest.AssertGuarded(t, handler, table)
}

func TestReflectionAndHealthArePublic(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	want := []string{"sample.v1.AccountService", "sample.v1.CatalogService", "sample.v1.DocumentService", "sample.v1.MemberService"}

	reflection := grpcreflect.NewClient(s.client, s.url(), connect.WithGRPC()).NewStream(ending(t))
	names, err := reflection.ListServices()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range names {
		got = append(got, string(name))
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got services %v, want %v", got, want)
	}
	if _, err := reflection.Close(); err != nil {
		t.Error(err)
	}

	health := grpchealth.NewClient(s.client, s.url(), connect.WithGRPC())
	for _, service := range append(want, "") {
		response, err := health.Check(ending(t), &grpchealth.CheckRequest{Service: service})
		if err != nil || response.Status != grpchealth.StatusServing {
			t.Errorf("health of %q: got %v, %v", service, response, err)
		}
	}
}
