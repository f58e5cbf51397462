package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestOutsideOptions makes sure that a fault of an option is reported once, however many methods
// need the option.
func TestOutsideOptions(t *testing.T) {
	t.Parallel()
	hundred := func(audience string) []policy.Option { return []policy.Option{policy.WithAudience(audience)} }
	source := func(service string) policy.Files {
		var methods strings.Builder
		for n := range 100 {
			fmt.Fprintf(&methods, "  rpc M%d(M) returns (M) { option (protoauthz.v1.method) = {scopes: [\"read:x\"]}; }\n", n)
		}
		return compileSources(t, map[string]string{"a.proto": `
			syntax = "proto3";
			package a;
			import "protoauthz/v1/authz.proto";
			service S {
				option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE` + service + `};
				` + methods.String() + `}
			message M {}`}, "a.proto")
	}
	const (
		good    = "https://api.example.com"
		strange = "has a space, or a character that cannot be printed: give the API's resource indicator as the issuer has it (OPTION)"
		empty   = "WithAudience: audience is empty: give the API's resource indicator; if a variable or a file should supply it, set the variable or fill the file (OPTION)"
	)
	for _, test := range []struct {
		name    string
		service string // more of its option
		options []policy.Option
		want    []string // the whole error
	}{
		{"good", "", hundred(good), nil},
		{"good, twice", "", append(hundred(good), hundred(good)...), nil},
		{"audience empty", "", hundred(""), []string{empty}},
		{"audience empty, twice", "", append(hundred(""), hundred("")...), []string{empty}},
		{"audience empty, then good", "", append(hundred(""), hundred(good)...), []string{empty}},
		{"audience good, then empty", "", append(hundred(good), hundred("")...), []string{empty}},
		{"audience empty beside an audience of the service", ` audience: "` + good + `"`, hundred(""), []string{empty}},
		{"audience blank", "", hundred(" "), []string{`WithAudience: audience " " has a space, or a character that cannot be printed: give the API's resource indicator as the issuer has it (OPTION)`}},
		{"audience blank, twice", "", append(hundred("\n"), hundred("\n")...), []string{`WithAudience: audience "\n" has a space, or a character that cannot be printed: give the API's resource indicator as the issuer has it (OPTION)`}},
		{"audience of the service blank", ` audience: " "`, hundred(good), []string{`a.S: audience " " has a space, or a character that cannot be printed: give the API's resource indicator as the issuer has it (AUDIENCE_INVALID)`}},
		{"audience with a no-break space", "", hundred("\u00a0"), []string{`WithAudience: audience "\u00a0" ` + strange}},
		{"audience with what nobody sees", "", hundred("https://api.example.com\u200b"), []string{`WithAudience: audience "https://api.example.com\u200b" ` + strange}},
		{"audience in another direction", "", hundred("a\u202eb"), []string{`WithAudience: audience "a\u202eb" ` + strange}},
		{"audience with a byte order mark", "", hundred("\ufeffhttps://api.example.com"), []string{`WithAudience: audience "\ufeffhttps://api.example.com" ` + strange}},
		{"audience that is no UTF-8", "", hundred("\xff"), []string{`WithAudience: audience "\xff" ` + strange}},
		{"audience in other letters", "", hundred("https://käse.example/チーズ"), nil},
		{"two audiences", "", append(hundred(good), append(hundred("urn:a"), hundred(good)...)...), []string{
			`WithAudience: given twice, as "https://api.example.com" and "urn:a": give one audience (OPTION)`,
		}},
		{"public", "", append(hundred(good), policy.WithPublic("", ""), policy.WithPublic("", " ")), []string{
			`WithPublic: "" is not the full name of a service, such as grpc.health.v1.Health (OPTION)`,
			`WithPublic: " " is not the full name of a service, such as grpc.health.v1.Health (OPTION)`,
		}},
		{"public, annotated", "", append(hundred(good), policy.WithPublic("a.S", "a.S"), policy.WithPublic("a.S")), []string{
			`WithPublic: service a.S carries annotations of its own, which would be ignored: do not name the service here, or remove the annotations (OPTION)`,
		}},
		{"public, nothing", "", append(hundred(good), policy.WithPublic(), policy.WithSharedScopes()), nil},
		{"shared scope", "", append(hundred(good), policy.WithSharedScopes("", ""), policy.WithSharedScopes("")), []string{
			`WithSharedScopes: scope is empty: leave it out, or name a scope (OPTION)`,
		}},
		{"nil", "", append(hundred(good), nil), []string{`Compile: option 1 is nil (OPTION)`}},
		{"all", "", []policy.Option{policy.WithAudience(""), policy.WithPublic(""), policy.WithSharedScopes(""), nil}, []string{
			empty, `WithSharedScopes: scope is empty: leave it out, or name a scope (OPTION)`, `Compile: option 3 is nil (OPTION)`,
			`WithPublic: "" is not the full name of a service, such as grpc.health.v1.Health (OPTION)`,
		}},
	} {
		t.Run("C18/"+test.name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.Compile(source(test.service), test.options...)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if want := strings.Join(test.want, "\n"); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
	t.Run("C18/no option", func(t *testing.T) {
		t.Parallel()
		_, err := policy.Compile(source(""))
		faults := faultsOf(t, err)
		if len(faults) != 100 || faults[99].Error() != "a.S.M99: no audience: set it in the annotation or with WithAudience (AUDIENCE_MISSING)" {
			t.Errorf("%d faults, and the last is %v", len(faults), faults[len(faults)-1])
		}
	})
}
