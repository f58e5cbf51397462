package gateway_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	ledgerv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e/gateway/gen/ledger/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// refusal is the JSON of a refusal.
func refusal(t *testing.T, code int, text string, reason interceptor.Reason, metadata map[string]string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"code": code, "message": text, "details": []any{map[string]any{
		"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "protoauthz", "metadata": metadata,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestReasons makes sure that the gateway leaves each refusal unchanged: status, challenge and details.
func TestReasons(t *testing.T) {
	t.Parallel()
	const list, year = "GET /v1/organizations/acme/accounts", "POST /v1/years/2026:close"
	bearer := func(token string) []string { return []string{"Authorization: Bearer " + token} }
	mux := inProcess(t, guarded(compile(t)), runtime.WithErrorHandler(challenge))
	for reason, test := range map[interceptor.Reason]struct {
		request   string
		header    []string
		status    int
		challenge string
		code      int
		text      string
		scopes    string
	}{
		interceptor.ReasonTokenMissing:         {list, nil, 401, realm, 16, "a bearer token is required", ""},
		interceptor.ReasonSchemeUnsupported:    {list, []string{"Authorization: Basic YTpi"}, 401, realm, 16, "the authorization scheme must be Bearer", ""},
		interceptor.ReasonTokenMalformed:       {list, bearer("malformed"), 401, invalid, 16, "the bearer token is malformed", ""},
		interceptor.ReasonTokenInvalid:         {list, bearer("garbage"), 401, invalid, 16, "the bearer token is not valid", ""},
		interceptor.ReasonTokenExpired:         {list, bearer("expired"), 401, invalid, 16, "the bearer token has expired", ""},
		interceptor.ReasonTokenNotYetValid:     {list, bearer("early"), 401, invalid, 16, "the bearer token is not valid yet", ""},
		interceptor.ReasonAudienceMismatch:     {list, bearer("other"), 403, invalid, 7, "the token is for another audience", ""},
		interceptor.ReasonModelMismatch:        {list, bearer("user"), 403, realm, 7, "the token is of another permission model", ""},
		interceptor.ReasonOrganizationMismatch: {"GET /v1/organizations/globex/accounts", bearer("acme"), 403, realm, 7, "the token is not for this organization", ""},
		interceptor.ReasonScopeInsufficient:    {"POST /v1/accounts", bearer("reader"), 403, scope, 7, "a required scope is missing", "write:account"},
		interceptor.ReasonCallerNotAllowed:     {year, bearer("client"), 403, realm, 7, "this kind of caller is not allowed", ""},
		interceptor.ReasonKeysUnavailable:      {list, bearer("keyless"), 503, "", 14, "tokens cannot be verified now: try again later", ""},
		interceptor.ReasonVerifierUnavailable:  {list, bearer("unanswered"), 503, "", 14, "this token cannot be verified now: try again later", ""},
		interceptor.ReasonVerifierBusy:         {list, bearer("busy"), 503, "", 14, "too many tokens are being verified: try again later", ""},
		interceptor.ReasonGuardFailed:          {list, bearer("failing"), 500, "", 13, "the call could not be authorized", ""},
	} {
		metadata := map[string]string{}
		if test.challenge != "" {
			metadata["challenge"] = test.challenge
		}
		if test.scopes != "" {
			metadata["required_scopes"] = test.scopes
		}
		c := call{
			string(reason), test.request, test.header, "", test.status, test.challenge,
			refusal(t, test.code, test.text, reason, metadata),
		}
		c.check(t, mux)
	}

	unruled := inProcess(t, guarded(new(policy.Table)), runtime.WithErrorHandler(challenge))
	c := call{"no rule", list, bearer("acme"), "", 403, "", refusal(t, 7, "the method has no authorization rule", interceptor.ReasonRuleMissing, map[string]string{})}
	c.check(t, unruled)

	identified := inProcess(t, guarded(ofSubject(t)), runtime.WithErrorHandler(challenge))
	c = call{"another user", list, bearer("user"), "", 403, realm, refusal(t, 7, "the request is not for this caller", interceptor.ReasonSubjectMismatch, map[string]string{"challenge": realm})}
	c.check(t, identified)
}

// ofSubject returns rules by which the path of ListAccounts names a user.
func ofSubject(t *testing.T) *policy.Table {
	t.Helper()
	file := protodesc.ToFileDescriptorProto(ledgerv1.File_ledger_v1_ledger_proto)
	for _, method := range file.GetService()[0].GetMethod() {
		if method.GetName() == "ListAccounts" {
			proto.SetExtension(method.GetOptions(), authzv1.E_Method, &authzv1.MethodRule{
				Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Authenticated: true, Subject: &authzv1.Identifier{Field: "organization_id"},
			})
		}
	}
	changed, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files{changed}, policy.WithAudience(api), policy.WithSubjectIssuer("https://issuer.example.test/oidc"))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestDocumentation makes sure that the code in the documentation of package grpcguard compiles here.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	example := read("example_test.go")
	_, code, ok := strings.Cut(read("../../../../grpcguard/doc.go"), "//\tfunc challenge(")
	code, _, closed := strings.Cut("//\tfunc challenge("+code, "//\n// The gateway sends")
	code = strings.ReplaceAll(strings.ReplaceAll(code, "//\t", ""), "//\n", "\n")
	if !ok || !closed || !strings.Contains(example, code) {
		t.Errorf("not in the example:\n%s", code)
	}
}
