package interceptor_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A logtoFile holds tokens that a real Logto issued.
type logtoFile struct {
	Issuer    string
	Discovery json.RawMessage
	KeySets   map[string]json.RawMessage `json:"jwks"`
	Tokens    []logtoToken
}

type logtoToken struct {
	Name    string
	Kind    string
	KeySets []string `json:"jwks"`
	Payload map[string]any
	Token   string
}

// The tenant's names.
const (
	logtoAPI          = "https://api.example.test"
	logtoOrganization = "xqki9rxdl206"
)

// logtoMethods are one method of each model.
var logtoMethods = []struct {
	procedure string
	request   any
	decide    func(claims map[string]any) interceptor.Reason
}{
	{samplev1connect.CatalogServiceListProductsProcedure, struct{}{}, func(claims map[string]any) interceptor.Reason {
		audience, _ := claims["aud"].(string)
		_, organization := claims["organization_id"]
		switch {
		case strings.HasPrefix(audience, "urn:logto:organization:"):
			return interceptor.ReasonModelMismatch
		case audience != logtoAPI:
			return interceptor.ReasonAudienceMismatch
		case organization:
			return interceptor.ReasonModelMismatch
		case !has(claims, "read:products"):
			return interceptor.ReasonScopeInsufficient
		}
		return ""
	}},
	{samplev1connect.MemberServiceListMembersProcedure, byOrganization{logtoOrganization}, func(claims map[string]any) interceptor.Reason {
		audience, _ := claims["aud"].(string)
		id, ok := strings.CutPrefix(audience, "urn:logto:organization:")
		claimed, organization := claims["organization_id"]
		switch {
		case audience == logtoAPI, ok && organization && claimed != id:
			return interceptor.ReasonModelMismatch
		case !ok:
			return interceptor.ReasonAudienceMismatch
		case !has(claims, "invite:member") && !has(claims, "manage:members"):
			return interceptor.ReasonScopeInsufficient
		case id != logtoOrganization:
			return interceptor.ReasonOrganizationMismatch
		}
		return ""
	}},
	{samplev1connect.DocumentServiceListDocumentsProcedure, byOrganization{logtoOrganization}, func(claims map[string]any) interceptor.Reason {
		audience, _ := claims["aud"].(string)
		claimed, organization := claims["organization_id"]
		switch {
		case strings.HasPrefix(audience, "urn:logto:organization:"):
			return interceptor.ReasonModelMismatch
		case audience != logtoAPI:
			return interceptor.ReasonAudienceMismatch
		case !organization:
			return interceptor.ReasonModelMismatch
		case !has(claims, "read:data"):
			return interceptor.ReasonScopeInsufficient
		case claimed != logtoOrganization:
			return interceptor.ReasonOrganizationMismatch
		}
		return ""
	}},
}

type byOrganization struct {
	OrganizationID string `json:"organizationId"`
}

func has(claims map[string]any, scope string) bool {
	scopes, _ := claims["scope"].(string)
	return slices.Contains(strings.Split(scopes, " "), scope)
}

// verification is the outcome of a token's verification.
func (t logtoToken) verification(issuer string) interceptor.Reason {
	if t.Kind == "opaque_access_token" {
		return interceptor.ReasonTokenMalformed
	}
	issued, _ := t.Payload["iat"].(float64)
	notBefore, _ := t.Payload["nbf"].(float64)
	_, bound := t.Payload["cnf"]
	organization, claimed := t.Payload["organization_id"]
	_, text := organization.(string)
	switch {
	case t.Kind == "id_token" || t.Payload["iss"] != issuer:
		return interceptor.ReasonTokenInvalid
	case notBefore > issued+1+30: // the leeway
		return interceptor.ReasonTokenNotYetValid
	case bound, claimed && !text:
		return interceptor.ReasonTokenInvalid
	}
	return ""
}

// TestLogtoTokens gives tokens of a real Logto to one method of each model,
// through the real verifier and at the time at which they were issued.
func TestLogtoTokens(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("token/testdata/logto-1.37.1.json")
	if err != nil {
		t.Fatal(err)
	}
	var file logtoFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files{
		samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_member_proto, samplev1.File_sample_v1_document_proto,
	}, policy.WithAudience(logtoAPI))
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[interceptor.Reason]int{}
	for _, issued := range file.Tokens {
		synctest.Test(t, func(t *testing.T) {
			handler := logtoServer(t, file, issued, table)
			at, ok := issued.Payload["iat"].(float64)
			if !ok {
				at = 1795301479
			}
			time.Sleep(time.Until(time.Unix(int64(at)+1, 0))) // the bubble's clock
			for _, method := range logtoMethods {
				want := issued.verification(file.Issuer)
				if want == "" {
					want = method.decide(issued.Payload)
				}
				got := askLogto(t, handler, method.procedure, method.request, issued.Token)
				if got != want {
					t.Errorf("%s %s on %s: %q, want %q", issued.Name, issued.Kind, method.procedure, got, want)
				}
				reasons[want]++
			}
		})
	}
	if len(file.Tokens) != 116 {
		t.Errorf("%d tokens, want 116", len(file.Tokens))
	}
	for _, reason := range []interceptor.Reason{
		"", "TOKEN_MALFORMED", "TOKEN_INVALID", "TOKEN_NOT_YET_VALID", "AUDIENCE_MISMATCH", "MODEL_MISMATCH", "SCOPE_INSUFFICIENT", "ORGANIZATION_MISMATCH",
	} {
		if reasons[reason] < 3 {
			t.Errorf("only %d cases of %q", reasons[reason], reason)
		}
	}
}

// logtoServer serves the sample's services, with the keys of the token's time.
func logtoServer(t *testing.T, file logtoFile, issued logtoToken, table *policy.Table) http.Handler {
	keys := file.KeySets["jwks.json"]
	if len(issued.KeySets) > 0 {
		keys = file.KeySets[issued.KeySets[0]]
	}
	if keys == nil {
		t.Fatalf("%s: no key set", issued.Name)
	}
	transport := inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/oidc/.well-known/openid-configuration":
			_, _ = w.Write(file.Discovery)
		case "/oidc/jwks":
			_, _ = w.Write(keys)
		default:
			http.NotFound(w, r)
		}
	}))
	verifier, err := token.NewVerifier(token.Logto(strings.TrimSuffix(file.Issuer, "/oidc")), token.WithTransport(transport))
	if err != nil {
		t.Fatal(err)
	}
	guard := interceptor.New(verifier, table)
	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(samplev1connect.UnimplementedCatalogServiceHandler{}, guard.HandlerOption()))
	mux.Handle(samplev1connect.NewMemberServiceHandler(samplev1connect.UnimplementedMemberServiceHandler{}, guard.HandlerOption()))
	mux.Handle(samplev1connect.NewDocumentServiceHandler(samplev1connect.UnimplementedDocumentServiceHandler{}, guard.HandlerOption()))
	return mux
}

// askLogto returns the reason of the refusal, or "" if the handler was reached.
func askLogto(t *testing.T, handler http.Handler, procedure string, request any, raw string) interceptor.Reason {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	post := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure, bytes.NewReader(body))
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("Authorization", "Bearer "+raw)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, post)
	var answer struct {
		Code    string
		Details []struct{ Value string }
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v", recorder.Body, err)
	}
	if answer.Code == connect.CodeUnimplemented.String() {
		return ""
	}
	if len(answer.Details) != 1 {
		t.Fatalf("%s", recorder.Body)
	}
	// The ErrorInfo's first field is the reason: tag, length, text.
	info, err := base64.RawStdEncoding.DecodeString(answer.Details[0].Value)
	if err != nil || len(info) < 2 || info[0] != 0x0a || len(info) < 2+int(info[1]) {
		t.Fatalf("%s: %v", recorder.Body, err)
	}
	return interceptor.Reason(info[2 : 2+int(info[1])])
}
