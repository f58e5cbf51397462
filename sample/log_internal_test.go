package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// believing is a verifier for which every token has these claims.
type believing struct{ claims *token.Claims }

// Verify implements [interceptor.Verifier].
func (b believing) Verify(context.Context, string) (*token.Claims, error) { return b.claims, nil }

// TestOutsideLog makes sure that a line of the log names the missing scope, or the field that does not name the
// organization.
func TestOutsideLog(t *testing.T) {
	t.Parallel()
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_document_proto}, policy.WithAudience(api))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, procedure, claims string
		message                 proto.Message
		want                    string
	}{
		{
			"allowed", "/sample.v1.CatalogService/ListProducts", `"scope":"read:products"`, nil,
			`level=INFO msg=allowed procedure=/sample.v1.CatalogService/ListProducts`,
		},
		{
			"C8", "/sample.v1.CatalogService/CreateOrder", `"scope":"read:products"`, nil,
			`level=WARN msg=refused procedure=/sample.v1.CatalogService/CreateOrder reason=SCOPE_INSUFFICIENT cause="the token lacks the scope write:orders: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer"`,
		},
		{
			"C7 none", "/sample.v1.DocumentService/ListDocuments", `"scope":"read:data","organization_id":"acme"`, new(samplev1.ListDocumentsRequest),
			`level=WARN msg=refused procedure=/sample.v1.DocumentService/ListDocuments reason=ORGANIZATION_MISMATCH cause="the request names no organization: the field \"organization_id\" is empty: the client must set \"organization_id\" to the organization of its token"`,
		},
		{
			"C7 another", "/sample.v1.DocumentService/ListDocuments", `"scope":"read:data","organization_id":"acme"`, &samplev1.ListDocumentsRequest{OrganizationId: "globex"},
			`level=WARN msg=refused procedure=/sample.v1.DocumentService/ListDocuments reason=ORGANIZATION_MISMATCH cause="the request names another organization than the token, in the field \"organization_id\": the client must set \"organization_id\" to the organization of its token, byte for byte, or use another token"`,
		},
		{
			"C14", "/any\nthing", `"scope":"read:products"`, nil,
			`level=WARN msg=refused procedure=unknown reason=RULE_MISSING cause="no rule was compiled for the procedure \"/any\\nthing\": give policy.Compile the .proto file of its service, or make the service public with policy.WithPublic; if the server does not have this procedure, the client must call another"`,
		},
	} {
		var log strings.Builder
		verifier := believing{guardtest.Claims(t, token.Logto("https://tenant.logto.app"), `{"sub":"user","exp":4102444800,"aud":"`+api+`",`+test.claims+`}`)}
		guard := interceptor.New(verifier, table, interceptor.WithObserver(logDecision(slog.New(slog.NewTextHandler(&log, nil)))))
		header := http.Header{"Authorization": {"Bearer any"}}
		if call, denial := guard.Admit(t.Context(), test.procedure, header); denial == nil && test.message != nil {
			_ = call.Judge(test.message)
		}
		if _, line, _ := strings.Cut(log.String(), " "); line != test.want+"\n" {
			t.Errorf("%s: the line is\n     %swant %s", test.name, line, test.want)
		}
	}
}
