package cmd_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/imports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestImports holds what each tool imports: the go.mod that they share cannot.
func TestImports(t *testing.T) {
	t.Parallel()
	faults, err := imports.Check(t.Context(), ".", []imports.Rule{
		{From: "./interceptor/cmd/buf-plugin-protoauthz", Ban: "./interceptor/...", But: []string{"./interceptor/policy", "./interceptor/policydiff", "./interceptor/cmd/internal/bufrules", "./interceptor/cmd/internal/fileset", "./interceptor/cmd/buf-plugin-protoauthz"}, Why: "it compares rules with rules: there is no token and no call"},
		{From: "./interceptor/cmd/buf-plugin-protoauthz", Ban: "net/http", Why: "buf lint works offline, and so does what it runs"},
		{From: "./interceptor/cmd/protoauthz/...", Ban: "buf.build/go/...", Why: "it reads images without buf, and asks protovalidate nothing"},
		{From: "./interceptor/cmd/protoauthz/...", Ban: "./interceptor/devissuer", Except: []string{"./interceptor/cmd/protoauthz", "./interceptor/cmd/protoauthz/internal/tenant"}, Why: "what explains tokens must hold no code that makes them"},
		{From: "./interceptor/cmd/...", Ban: "./interceptor/internal/test/...", Why: "what serves our tests is in nobody's program: it forges tokens"},
		{From: "./interceptor/cmd/...", Ban: "./gen/sample/...", Why: "the tools know an API by its descriptors alone"},
		{From: "./interceptor/cmd/...", Ban: "testing", Why: "what people run must not know when it is tested"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}
