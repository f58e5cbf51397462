package token_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/document"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// presets are the issuers of all presets, by their lists in documents.
func presets() map[string]token.Issuer {
	const tenant = "11111111-2222-3333-4444-555555555555"
	return map[string]token.Issuer{
		`["auth0", "a.test"]`:                                      token.Auth0("a.test"),
		`["authAction", "a.test"]`:                                 token.AuthAction("a.test"),
		`["clerk", "a.test", "api", "https://a.test"]`:             token.Clerk("a.test", "api", "https://a.test"),
		`["cognito", "eu-west-1_A", "api", "c", "d"]`:              token.Cognito("eu-west-1_A", "api", "c", "d"),
		`["dex", "https://a.test"]`:                                token.Dex("https://a.test"),
		`["entra", "` + tenant + `"]`:                              token.Entra(tenant),
		`["entraAnyTenant"]`:                                       token.EntraAnyTenant(),
		`["entraTenants", "` + tenant + `"]`:                       token.EntraTenants(tenant),
		`["firebase", "p", "password"]`:                            token.Firebase("p", "password"),
		`["googleServiceAccounts", "w@p.iam.gserviceaccount.com"]`: token.GoogleServiceAccounts("w@p.iam.gserviceaccount.com"),
		`["keycloak", "https://a.test/realms/a"]`:                  token.Keycloak("https://a.test/realms/a"),
		`["kubernetes", "https://a.test"]`:                         token.Kubernetes("https://a.test"),
		`["logto", "https://a.test"]`:                              token.Logto("https://a.test"),
		`["okta", "https://a.test/oauth2/a"]`:                      token.Okta("https://a.test/oauth2/a"),
		`["supabase", "https://a.test"]`:                           token.Supabase("https://a.test"),
		`["workOS", "c", "api"]`:                                   token.WorkOS("c", "api"),
		`["zitadel", "https://a.test", "1"]`:                       token.Zitadel("https://a.test", "1"),
	}
}

// presetFunctions returns the arguments of the exported functions of the package that return an Issuer alone, by the
// names of the functions in documents.
func presetFunctions(t *testing.T) map[string][]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string][]string{}
	for _, name := range names {
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok || function.Recv != nil || !function.Name.IsExported() || file.Name.Name != "token" || function.Type.Results == nil {
				continue
			}
			if result, ok := function.Type.Results.List[0].Type.(*ast.Ident); !ok || result.Name != "Issuer" || function.Type.Results.NumFields() != 1 {
				continue
			}
			arguments := []string{}
			for _, field := range function.Type.Params.List {
				for _, argument := range field.Names {
					arguments = append(arguments, argument.Name)
				}
				if _, ok := field.Type.(*ast.Ellipsis); ok {
					arguments = append(arguments, "…")
				}
			}
			functions[document.MemberName(function.Name.Name)] = arguments
		}
	}
	return functions
}

// TestPresetNames makes sure that each preset has a name in documents and in the schema, and that a list calls the preset.
func TestPresetNames(t *testing.T) {
	t.Parallel()
	functions := presetFunctions(t)
	text, err := os.ReadFile("issuer.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Preset struct{ PrefixItems []struct{ Enum []string } }
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(maps.Keys(functions)); len(want) == 0 || !slices.Equal(schema.Properties.Preset.PrefixItems[0].Enum, want) {
		t.Errorf("the schema has %q, want %q", schema.Properties.Preset.PrefixItems, want)
	}
	tried := map[string]bool{}
	for list, want := range presets() {
		var words []string
		if err := json.Unmarshal([]byte(list), &words); err != nil {
			t.Fatal(err)
		}
		tried[words[0]] = true
		if got, err := token.ParseIssuer([]byte(`{"preset": ` + list + `}`)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", list, got, err, want)
		}
	}
	for name, arguments := range functions {
		if !tried[name] {
			t.Errorf("no test calls the preset %s", name)
		}
		words := []string{name}
		if !slices.Contains(arguments, "…") || len(arguments) == 2 {
			words = append(words, arguments...)
			words = append(words, "more")
		}
		list, _ := json.Marshal(words)
		form := strings.Join(append([]string{fmt.Sprintf("%q", name)}, arguments...), ", ")
		if slices.Contains(arguments, "…") && len(arguments) == 2 { // any number of arguments fits
			continue
		}
		if _, err := token.ParseIssuer([]byte(`{"preset": ` + string(list) + `}`)); err == nil || !strings.Contains(err.Error(), "write ["+form+"]") {
			t.Errorf("%s: %v, want [%s]", list, err, form)
		}
	}
}

// TestChangePreset makes sure that members replace what a preset sets, and keep what they do not name.
func TestChangePreset(t *testing.T) {
	t.Parallel()
	want := token.Keycloak("https://a.test/realms/a")
	want.KeySetURL, want.ScopeClaims, want.OrganizationClaim = "https://b.test/jwks", []string{"a"}, "b"
	want.RequiredClaims = lists{"typ": {"Bearer"}, "nonce": {"1"}, "act": {"!*"}}
	want.RequiredHeader = lists{"cat": {"1"}}
	for _, document := range []string{
		`{"preset": ["keycloak", "https://a.test/realms/a"], %s}`, `{%s, "preset": ["keycloak", "https://a.test/realms/a"]}`,
	} {
		document = fmt.Sprintf(document, `"keySetURL": "https://b.test/jwks", "scopeClaims": ["a"], "organizationClaim": "b", "requiredHeader": {"cat": ["1"]}, "requiredClaims": {"act": ["!*"], "nonce": ["1"]}`)
		if got, err := token.ParseIssuer([]byte(document)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v\nwant %+v", document, got, err, want)
		}
	}
}

// TestNotMembers makes sure that an empty member does not take a check out of force, and that no entry beside a preset
// turns clients into users.
func TestNotMembers(t *testing.T) {
	t.Parallel()
	const (
		empty  = " is empty: write a value, or leave the member out; if a variable should supply the value, set the variable"
		beside = " stands beside a preset, which tells users from clients: leave the member out, or write an issuer without a preset (protoauthz issuer -format json prints one)"
	)
	for _, preset := range []string{`"preset": ["logto", "https://a.test"]`, `"url": "https://a.test", "algorithms": ["RS256"]`} {
		for member, want := range map[string]string{
			`"organizationClaim": ""`: empty, `"organizationAudience": ""`: empty, `"keySetURL": ""`: empty, `"scopeClaims": []`: empty,
			`"types": []`: empty, `"requiredClaims": {}`: empty, `"maxLifetime": "0s"`: empty, `"uniteScopes": false`: "",
			`"clientTokens": {"gty": ["cc"]}`: beside, `"userTokens": {"gty": ["cc"]}`: beside, `"clientTokens": {}`: empty,
		} {
			name, _, _ := strings.Cut(member[1:], `"`)
			if want == beside && !strings.Contains(preset, "preset") {
				continue
			}
			_, err := token.ParseIssuer([]byte("{" + preset + ",\n" + member + "}"))
			if want == "" && err == nil {
				continue
			}
			if want = "token: issuer document: line 2: " + name + want; err == nil || err.Error() != want {
				t.Errorf("%s beside %s: %v\nwant %s", member, preset, err, want)
			}
		}
	}
}
