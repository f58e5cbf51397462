package interceptor

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const testAPI = "https://api.example.test"

var (
	logto = token.Logto("https://tenant.example.test")
	auth0 = token.Auth0("tenant.example.test")
)

// claimed reads the claims of a token; "-" leaves a claim out.
func claimed(issuer token.Issuer, members ...string) (*token.Claims, *Denial) {
	payload := `{"exp":4102444800`
	for i := 0; i < len(members); i += 2 {
		if members[i+1] != "-" {
			payload += fmt.Sprintf(",%q:%s", members[i], members[i+1])
		}
	}
	claims, err := unverified.Claims(issuer, payload+"}")
	if err != nil {
		return nil, denyToken(err)
	}
	return claims, nil
}

// outcome is "=" and the organization, or the reason.
func outcome(organization string, denial *Denial) string {
	if denial != nil {
		return string(denial.Reason())
	}
	return "=" + organization
}

const (
	aud = string(ReasonAudienceMismatch)
	mod = string(ReasonModelMismatch)
	org = string(ReasonOrganizationMismatch)
	inv = string(ReasonTokenInvalid)
	who = string(ReasonCallerNotAllowed)
	sco = string(ReasonScopeInsufficient)
	non = string(ReasonRuleMissing)
)

// models are the outcomes of `aud` and `organization_id` by each of the three models.
var models = []struct {
	audience, organization string // JSON
	global, member, api    string // outcomes by model
}{
	// The audience of the API.
	{`"https://api.example.test"`, `-`, "=", mod, mod},
	{`"https://api.example.test"`, `"acme"`, mod, mod, "=acme"},
	{`"https://api.example.test"`, `"globex"`, mod, mod, "=globex"},
	{`"https://api.example.test"`, `""`, mod, mod, mod},
	{`"https://api.example.test"`, `" "`, mod, mod, "= "},
	{`"https://api.example.test"`, `"urn:logto:organization:acme"`, mod, mod, "=urn:logto:organization:acme"},
	{`"https://api.example.test"`, `null`, inv, inv, inv},
	{`"https://api.example.test"`, `0`, inv, inv, inv},
	{`"https://api.example.test"`, `false`, inv, inv, inv},
	{`"https://api.example.test"`, `[]`, inv, inv, inv},
	{`"https://api.example.test"`, `["acme"]`, inv, inv, inv},
	{`"https://api.example.test"`, `{}`, inv, inv, inv},
	{`["https://api.example.test"]`, `-`, "=", mod, mod},
	{`["https://api.example.test"]`, `"acme"`, mod, mod, "=acme"},
	{`["https://api.example.test","https://other.example.test"]`, `-`, "=", mod, mod},
	{`["https://other.example.test","https://api.example.test"]`, `"acme"`, mod, mod, "=acme"},
	{`["https://api.example.test","https://api.example.test"]`, `-`, "=", mod, mod},
	{`["","https://api.example.test"]`, `-`, "=", mod, mod},

	// Another audience, or one that nearly equals it.
	{`-`, `-`, aud, aud, aud},
	{`-`, `"acme"`, aud, aud, aud},
	{`-`, `""`, aud, aud, aud},
	{`""`, `-`, aud, aud, aud},
	{`[]`, `-`, aud, aud, aud},
	{`[]`, `"acme"`, aud, aud, aud},
	{`[""]`, `-`, aud, aud, aud},
	{`null`, `-`, inv, inv, inv},
	{`7`, `-`, inv, inv, inv},
	{`{"https://api.example.test":true}`, `-`, inv, inv, inv},
	{`["https://api.example.test",7]`, `-`, inv, inv, inv},
	{`["https://api.example.test",null]`, `-`, inv, inv, inv},
	{`[["https://api.example.test"]]`, `-`, inv, inv, inv},
	{`"https://other.example.test"`, `-`, aud, aud, aud},
	{`"https://other.example.test"`, `"acme"`, aud, aud, aud},
	{`"https://api.example.test/"`, `-`, aud, aud, aud},
	{`"https://api.example.tes"`, `-`, aud, aud, aud},
	{`"https://api.example.test.evil"`, `-`, aud, aud, aud},
	{`"xhttps://api.example.test"`, `-`, aud, aud, aud},
	{`"api.example.test"`, `-`, aud, aud, aud},
	{`"http://api.example.test"`, `-`, aud, aud, aud},
	{`"HTTPS://API.EXAMPLE.TEST"`, `-`, aud, aud, aud},
	{`" https://api.example.test"`, `-`, aud, aud, aud},
	{`"https://api.example.test "`, `-`, aud, aud, aud},
	{`"https://api.example.test\u0000"`, `-`, aud, aud, aud},
	{`"https://api.example.test https://other.example.test"`, `-`, aud, aud, aud},
	{`"https://other.example.test,https://api.example.test"`, `"acme"`, aud, aud, aud},
	{`"*"`, `-`, aud, aud, aud},

	// One organization.
	{`"urn:logto:organization:acme"`, `-`, mod, "=acme", mod},
	{`"urn:logto:organization:acme"`, `"acme"`, mod, "=acme", mod},
	{`"urn:logto:organization:acme"`, `"globex"`, mod, mod, mod},
	{`"urn:logto:organization:acme"`, `"ACME"`, mod, mod, mod},
	{`"urn:logto:organization:acme"`, `""`, mod, mod, mod},
	{`"urn:logto:organization:acme"`, `null`, inv, inv, inv},
	{`"urn:logto:organization:acme"`, `42`, inv, inv, inv},
	{`["urn:logto:organization:acme"]`, `-`, mod, "=acme", mod},
	{`["urn:logto:organization:acme"]`, `"acme"`, mod, "=acme", mod},
	{`["urn:logto:organization:acme"]`, `"globex"`, mod, mod, mod},
	{`"urn:logto:organization:a:b"`, `-`, mod, "=a:b", mod},
	{`"urn:logto:organization: "`, `-`, mod, "= ", mod},

	// No organization, several, or one beside something else.
	{`"urn:logto:organization:"`, `-`, mod, mod, mod},
	{`"urn:logto:organization:"`, `""`, mod, mod, mod},
	{`"urn:logto:organization:"`, `"acme"`, mod, mod, mod},
	{`["urn:logto:organization:","urn:logto:organization:acme"]`, `-`, mod, mod, mod},
	{`["urn:logto:organization:acme","urn:logto:organization:globex"]`, `-`, mod, mod, mod},
	{`["urn:logto:organization:acme","urn:logto:organization:globex"]`, `"acme"`, mod, mod, mod},
	{`["urn:logto:organization:acme","urn:logto:organization:acme"]`, `-`, mod, mod, mod},
	{`["urn:logto:organization:acme","https://api.example.test"]`, `-`, mod, mod, mod},
	{`["https://api.example.test","urn:logto:organization:acme"]`, `"acme"`, mod, mod, mod},
	{`["https://api.example.test","urn:logto:organization:"]`, `"acme"`, mod, mod, mod},
	{`["urn:logto:organization:acme","https://other.example.test"]`, `-`, mod, mod, mod},
	{`["urn:logto:organization:acme",""]`, `-`, mod, mod, mod},

	// Nearly an organization.
	{`"urn:logto:organization"`, `-`, aud, aud, aud},
	{`"urn:logto:organizations:acme"`, `-`, aud, aud, aud},
	{`"URN:LOGTO:ORGANIZATION:acme"`, `-`, aud, aud, aud},
	{`" urn:logto:organization:acme"`, `-`, aud, aud, aud},
	{`"xurn:logto:organization:acme"`, `"acme"`, aud, aud, aud},
	{`"acme"`, `"acme"`, aud, aud, aud},
	{`"urn:logto:resource:organizations"`, `-`, aud, aud, aud},
	{`"urn:logto:resource:organizations"`, `"acme"`, aud, aud, aud},
	{`["urn:logto:resource:organizations","https://api.example.test"]`, `-`, "=", mod, mod},
	{`["urn:logto:resource:organizations","https://api.example.test"]`, `"acme"`, mod, mod, "=acme"},
}

// grants are rules with scopes, and whether a token with a scope claim satisfies them.
var grants = []struct {
	all, any []string
	scope    string // JSON
	want     bool
	invalid  bool
}{
	{all: nil, scope: `-`, want: true},
	{all: nil, scope: `""`, want: true},
	{all: nil, scope: `"anything"`, want: true},
	{all: []string{"read:a"}, scope: `-`},
	{all: []string{"read:a"}, scope: `""`},
	{all: []string{"read:a"}, scope: `" "`},
	{all: []string{"read:a"}, scope: `"read:a"`, want: true},
	{all: []string{"read:a"}, scope: `" read:a "`, want: true},
	{all: []string{"read:a"}, scope: `"read:b  read:a read:a"`, want: true},
	{all: []string{"read:a"}, scope: `"read:ab"`},
	{all: []string{"read:a"}, scope: `"read:"`},
	{all: []string{"read:a"}, scope: `"read"`},
	{all: []string{"read:a"}, scope: `"xread:a"`},
	{all: []string{"read:a"}, scope: `"read:a:b"`},
	{all: []string{"read:a"}, scope: `"READ:A"`},
	{all: []string{"read:a"}, scope: `"Read:a"`},
	{all: []string{"read:a"}, scope: `"read:*"`},
	{all: []string{"read:a"}, scope: `"*"`},
	{all: []string{"read:a"}, scope: `"read:a,read:b"`},
	{all: []string{"read:a"}, scope: `"read:b\tread:a"`},
	{all: []string{"read:a"}, scope: `"read:b\nread:a"`},
	{all: []string{"read:a"}, scope: `"read:b\u00a0read:a"`},
	{all: []string{"read:a"}, scope: `"re\u0061d:a"`, want: true}, // escapes are JSON's
	{all: []string{"read:a"}, scope: `["read:a"]`, invalid: true},
	{all: []string{"read:a"}, scope: `{"read:a":true}`, invalid: true},
	{all: []string{"read:a"}, scope: `true`, invalid: true},
	{all: []string{"read:a"}, scope: `7`, invalid: true},
	{all: []string{"read:a"}, scope: `null`, invalid: true},
	{all: []string{"read:a", "read:b"}, scope: `"read:a"`},
	{all: []string{"read:a", "read:b"}, scope: `"read:b"`},
	{all: []string{"read:a", "read:b"}, scope: `"read:c read:b read:a"`, want: true},
	{any: []string{"x", "y"}, scope: `-`},
	{any: []string{"x", "y"}, scope: `""`},
	{any: []string{"x", "y"}, scope: `"z"`},
	{any: []string{"x", "y"}, scope: `"x"`, want: true},
	{any: []string{"x", "y"}, scope: `"y"`, want: true},
	{any: []string{"x", "y"}, scope: `"x y"`, want: true},
	{any: []string{"x", "y"}, scope: `"xy"`},
	{all: []string{"read:a"}, any: []string{"x", "y"}, scope: `"read:a"`},
	{all: []string{"read:a"}, any: []string{"x", "y"}, scope: `"x"`},
	{all: []string{"read:a"}, any: []string{"x", "y"}, scope: `"x y"`},
	{all: []string{"read:a"}, any: []string{"x", "y"}, scope: `"y read:a"`, want: true},
	{all: []string{"read:a", "read:b"}, any: []string{"x"}, scope: `"read:a x"`},
	{all: []string{"read:a", "read:b"}, any: []string{"x"}, scope: `"x read:b read:a"`, want: true},
}

// callers are the kinds of callers, and which of them may call.
var callers = []struct {
	want             authzv1.Caller
	subject, client  string // JSON
	allowed, invalid bool
}{
	{want: authzv1.Caller_CALLER_ANY, subject: `"alice"`, client: `"app"`, allowed: true},
	{want: authzv1.Caller_CALLER_ANY, subject: `"app"`, client: `"app"`, allowed: true},
	{want: authzv1.Caller_CALLER_ANY, subject: `"alice"`, client: `-`, allowed: true},
	{want: authzv1.Caller_CALLER_USER, subject: `"alice"`, client: `"app"`, allowed: true},
	{want: authzv1.Caller_CALLER_USER, subject: `"App"`, client: `"app"`, allowed: true},
	{want: authzv1.Caller_CALLER_USER, subject: `"app"`, client: `"app"`},
	{want: authzv1.Caller_CALLER_USER, subject: `"alice"`, client: `-`},
	{want: authzv1.Caller_CALLER_CLIENT, subject: `"app"`, client: `"app"`, allowed: true},
	{want: authzv1.Caller_CALLER_CLIENT, subject: `"alice"`, client: `"app"`},
	{want: authzv1.Caller_CALLER_CLIENT, subject: `"appp"`, client: `"app"`},
	{want: authzv1.Caller_CALLER_CLIENT, subject: `"app@clients"`, client: `"app"`},
	{want: authzv1.Caller_CALLER_CLIENT, subject: `"app"`, client: `-`},
	{want: 3, subject: `"app"`, client: `"app"`},
	{want: -1, subject: `"alice"`, client: `"app"`},
	{want: 3, subject: `"alice"`, client: `-`},
	{want: authzv1.Caller_CALLER_ANY, subject: `-`, client: `"app"`, invalid: true},
	{want: authzv1.Caller_CALLER_ANY, subject: `""`, client: `""`, invalid: true},
	{want: authzv1.Caller_CALLER_ANY, subject: `"alice"`, client: `""`, invalid: true},
	{want: authzv1.Caller_CALLER_ANY, subject: `"alice"`, client: `["app"]`, invalid: true},
}

// TestDecide crosses models, callers and scopes. The model is judged first, then the caller, then the
// scopes: the first refusal gives the reason.
func TestDecide(t *testing.T) {
	t.Parallel()
	decisions := 0
	for _, m := range models {
		wants := map[authzv1.Model]string{
			authzv1.Model_MODEL_GLOBAL_RESOURCE:       m.global,
			authzv1.Model_MODEL_ORGANIZATION:          m.member,
			authzv1.Model_MODEL_ORGANIZATION_RESOURCE: m.api,
			authzv1.Model_MODEL_UNSPECIFIED:           non,
			4:                                         non,
			-1:                                        non,
		}
		for _, c := range callers {
			for _, g := range grants {
				claims, unreadable := claimed(logto, "aud", m.audience, "organization_id", m.organization,
					"scope", g.scope, "sub", c.subject, "client_id", c.client)
				for model, want := range wants {
					switch {
					case m.global == inv || c.invalid || g.invalid:
						want = inv
					case !strings.HasPrefix(want, "="):
					case !c.allowed:
						want = who
					case !g.want:
						want = sco
					}
					rule := &policy.Way{Model: model, Audience: testAPI, Caller: c.want, Scopes: g.all, AnyScopes: g.any}
					organization, denial := "", unreadable
					if denial == nil {
						organization, denial = decide(rule, claims)
					}
					decisions++
					if got := outcome(organization, denial); got != want {
						t.Errorf("%v with %v, %v, %v: %s, want %s", rule, m, c, g, got, want)
					}
					if denial == nil {
						continue
					}
					if missing := denial.Reason() == ReasonScopeInsufficient; organization != "" || missing != (denial.allScopes() != "") {
						t.Errorf("%v with %v, %v, %v: %s with %q and %q", rule, m, c, g, denial.Reason(), organization, denial.allScopes())
					}
				}
			}
		}
	}
	if want := len(models) * 6 * len(callers) * len(grants); decisions != want || want < 300_000 {
		t.Errorf("%d decisions, want %d", decisions, want)
	}
}

// TestDecideNoAudience makes sure that a rule for an API without an audience, which cannot be compiled,
// lets nobody in.
func TestDecideNoAudience(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model          authzv1.Model
		audience, want string
	}{
		{authzv1.Model_MODEL_GLOBAL_RESOURCE, `""`, aud},
		{authzv1.Model_MODEL_GLOBAL_RESOURCE, `-`, aud},
		{authzv1.Model_MODEL_ORGANIZATION_RESOURCE, `""`, aud},
		{authzv1.Model_MODEL_ORGANIZATION, `""`, aud},
		{authzv1.Model_MODEL_ORGANIZATION, `"urn:logto:organization:acme"`, "=acme"},
		{authzv1.Model_MODEL_ORGANIZATION, `["urn:logto:organization:acme",""]`, mod},
	} {
		claims, denial := claimed(logto, "sub", `"s"`, "aud", test.audience)
		if denial != nil {
			t.Fatal(denial)
		}
		if got := outcome(decide(&policy.Way{Model: test.model}, claims)); got != test.want {
			t.Errorf("%v, %s: %s, want %s", test.model, test.audience, got, test.want)
		}
	}
}

// TestDecideAuth0 makes sure of decisions by tokens of Auth0, which has `org_id`, permissions, and no
// organization tokens.
func TestDecideAuth0(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		model       authzv1.Model
		caller      authzv1.Caller
		audience    string
		orgID       string
		permissions string
		subject     string
		want        string
	}{
		{"global", 1, 0, `"https://api.example.test"`, `-`, `["read"]`, `"auth0|1"`, "="},
		{"global with an organization", 1, 0, `"https://api.example.test"`, `"org_1"`, `["read"]`, `"auth0|1"`, mod},
		{"global with an empty organization", 1, 0, `"https://api.example.test"`, `""`, `["read"]`, `"auth0|1"`, mod},
		{"organization", 3, 0, `["https://api.example.test","https://tenant.example.test/userinfo"]`, `"org_1"`, `["read"]`, `"auth0|1"`, "=org_1"},
		{"no organization", 3, 0, `"https://api.example.test"`, `-`, `["read"]`, `"auth0|1"`, mod},
		{"no organization tokens", 2, 0, `"urn:logto:organization:acme"`, `-`, `["read"]`, `"auth0|1"`, aud},
		{"a URN means nothing", 1, 0, `["urn:logto:organization:acme","https://api.example.test"]`, `-`, `["read"]`, `"auth0|1"`, "="},
		{"no permission", 1, 0, `"https://api.example.test"`, `-`, `[]`, `"auth0|1"`, sco},
		{"scope beside permissions", 1, 0, `"https://api.example.test"`, `-`, `["write"]`, `"auth0|1"`, sco},
		{"scope alone", 1, 0, `"https://api.example.test"`, `-`, `-`, `"auth0|1"`, "="},
		{"client", 1, 2, `"https://api.example.test"`, `-`, `["read"]`, `"app@clients"`, "="},
		{"client as user", 1, 1, `"https://api.example.test"`, `-`, `["read"]`, `"app@clients"`, who},
		{"another client", 1, 2, `"https://api.example.test"`, `-`, `["read"]`, `"other@clients"`, who},
		{"sub is the client", 1, 2, `"https://api.example.test"`, `-`, `["read"]`, `"app"`, who},
	} {
		claims, denial := claimed(auth0, "aud", test.audience, "org_id", test.orgID, "permissions", test.permissions,
			"scope", `"read openid"`, "sub", test.subject, "azp", `"app"`, "organization_id", `"acme"`)
		if denial != nil {
			t.Fatal(denial)
		}
		rule := &policy.Way{Model: test.model, Caller: test.caller, Audience: testAPI, Scopes: []string{"read"}}
		if got := outcome(decide(rule, claims)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestDecideNothing makes sure that nil claims satisfy no rule.
func TestDecideNothing(t *testing.T) {
	t.Parallel()
	for model := range authzv1.Model_name {
		rule := &policy.Way{Model: authzv1.Model(model), Audience: testAPI}
		if got := outcome(decide(rule, nil)); got != aud && (model != 0 || got != non) {
			t.Errorf("%v: %s", rule.Model, got)
		}
	}
}

// TestNamesOrganization makes sure that a header must name the organization of the token, once.
func TestNamesOrganization(t *testing.T) {
	t.Parallel()
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_document_proto}, policy.WithAudience(testAPI))
	if err != nil {
		t.Fatal(err)
	}
	of := func(method string) *policy.Rule {
		rule, ok := table.Lookup("/sample.v1.DocumentService/" + method)
		if !ok {
			t.Fatalf("no method %s", method)
		}
		return rule
	}
	field, pattern, list := of("ListDocuments"), of("GetDocument"), of("BatchGetDocuments")
	header, alone := of("UpdateSettings"), of("GetUsage")
	none := &policy.Rule{Way: policy.Way{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE}}
	broken := &policy.Rule{Way: policy.Way{Organization: new(policy.Organization)}}
	named := func(values ...string) http.Header { return http.Header{"X-Organization-Id": values} }
	batch := func(organizations ...string) proto.Message {
		message := new(samplev1.BatchGetDocumentsRequest)
		for _, organization := range organizations {
			message.Requests = append(message.Requests, &samplev1.BatchGetDocumentsRequest_Request{OrganizationId: organization})
		}
		return message
	}
	ask := func(organization string) proto.Message {
		return &samplev1.ListDocumentsRequest{OrganizationId: organization}
	}
	get := func(name string) proto.Message { return &samplev1.GetDocumentRequest{Name: name} }
	for i, test := range []struct {
		rule         *policy.Rule
		organization string
		header       http.Header
		message      any
		want         bool
	}{
		{none, "", nil, nil, true},
		{none, "acme", nil, nil, false},
		{broken, "acme", nil, nil, false},
		{broken, "", nil, nil, false},
		{alone, "acme", named("globex"), nil, true},
		{alone, "", nil, nil, false},

		{header, "acme", named("acme"), nil, true},
		{header, "acme", http.Header{"X-Organization-Id": {"acme"}, "X-Organization": {"globex"}}, nil, true},
		{header, "acme", nil, nil, false},
		{header, "acme", named(), nil, false},
		{header, "acme", named(""), nil, false},
		{header, "", named(""), nil, false},
		{header, "", nil, nil, false},
		{header, "acme", named("globex"), nil, false},
		{header, "acme", named("ACME"), nil, false},
		{header, "acme", named(" acme"), nil, false},
		{header, "acme", named("acme,globex"), nil, false},
		{header, "acme", named("acme, acme"), nil, false},
		{header, "acme", named("acme", "acme"), nil, false},
		{header, "acme", named("acme", "globex"), nil, false},
		{header, "acme", named("globex", "acme"), nil, false},
		{header, "acme", http.Header{"Organization-Id": {"acme"}}, nil, false},

		{field, "acme", nil, ask("acme"), true},
		{field, "acme", named("globex"), ask("acme"), true},
		{field, "acme", named("acme"), ask("globex"), false},
		{field, "acme", nil, ask(""), false},
		{field, "", nil, ask(""), false},
		{field, "", nil, ask("acme"), false},
		{field, "acme", nil, ask("Acme"), false},
		{field, "acme", nil, ask("acme "), false},
		{field, "acme", nil, ask("acmeX"), false},
		{field, "acme", nil, ask("acm"), false},
		{field, "acme", nil, nil, false},
		{field, "acme", nil, (*samplev1.ListDocumentsRequest)(nil), false},
		{field, "acme", nil, "acme", false},
		{field, "acme", nil, get("acme"), false},
		{field, "acme", nil, &samplev1.ListMembersRequest{OrganizationId: "acme"}, false},

		{pattern, "acme", nil, get("organizations/acme/documents/1"), true},
		{pattern, "acme", nil, get("organizations/globex/documents/1"), false},
		{pattern, "acme", nil, get("organizations/globex/documents/acme"), false},
		{pattern, "acme", nil, get("organizations/acme/documents/"), false},
		{pattern, "acme", nil, get("organizations/acme/documents/1/2"), false},
		{pattern, "acme", nil, get("organizations//documents/1"), false},
		{pattern, "", nil, get("organizations//documents/1"), false},
		{pattern, "acme", nil, get("acme"), false},

		{list, "acme", nil, batch("acme"), true},
		{list, "acme", nil, batch("acme", "acme"), true},
		{list, "acme", nil, batch("acme", "globex"), false},
		{list, "acme", nil, batch("globex", "acme"), false},
		{list, "acme", nil, batch("acme", ""), false},
		{list, "acme", nil, batch(), false},
		{list, "", nil, batch(""), false},
	} {
		c := &Call{rule: ruleWith(test.rule), organization: test.organization}
		c.state.Store(1)
		got := namesOrganization(test.rule.Organization, test.organization, test.header)
		if got && c.AwaitsMessage() {
			denial := c.judge(test.message)
			if got = denial == nil; !got && string(denial.Reason()) != org {
				t.Errorf("%d: %s", i, denial.Reason())
			}
		}
		if got != test.want {
			t.Errorf("%d: %v, %q, %v, %v: %t", i, test.rule.Organization, test.organization, test.header, test.message, got)
		}
	}
}

// TestNotedOrganization makes sure that the refusal of a call whose token was not verified has the organization of the
// first way whose header names one.
func TestNotedOrganization(t *testing.T) {
	t.Parallel()
	of := func(location policy.Location, name string) guardWay {
		return guardWay{Way: &policy.Way{Organization: &policy.Organization{Location: location, Name: name}}}
	}
	ways := map[string]guardWay{
		"none": {Way: new(policy.Way)}, "field": of(policy.LocationField, "x-field"), "token": of(policy.LocationToken, ""), "one": of(policy.LocationHeader, "x-one"), "two": of(policy.LocationHeader, "x-two"),
	}
	for _, test := range []struct {
		ways   []string
		header http.Header
		want   string
	}{
		{nil, http.Header{"X-One": {"1"}}, ""},
		{[]string{"none", "field", "token"}, http.Header{"X-Field": {"0"}, "": {"0"}}, ""},
		{[]string{"one"}, http.Header{"X-One": {"1", "2"}}, "1, 2"},
		{[]string{"one", "two"}, http.Header{"X-One": {"1"}, "X-Two": {"2"}}, "1"},
		{[]string{"none", "field", "one", "two"}, http.Header{"X-Field": {"0"}, "X-Two": {"2"}}, "2"},
	} {
		var rule guardRule
		for _, name := range test.ways {
			rule.ways = append(rule.ways, ways[name])
		}
		if got := rule.noteOrganization(new(Denial), test.header).named; got != test.want {
			t.Errorf("%q, %v: got %q, want %q", test.ways, test.header, got, test.want)
		}
	}
}

// ruleWith returns a rule as a guard has it, without realms.
func ruleWith(rule *policy.Rule) *guardRule {
	r := &guardRule{Rule: rule}
	r.setWays(func(*policy.Way) *realm { return nil })
	return r
}
