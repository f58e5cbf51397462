package main

import (
	"context"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// secret is in all data that acme stores, and in no other data.
const secret = "acmesecret"

// An organizationCall is a call to each method that works on an organization.
type organizationCall struct {
	name  string
	model map[string]any // claims that satisfy the rule for acme
	call  func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error)
}

var organizationCalls = []organizationCall{
	{"ListMembers", acmeClaims, func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error) {
		return message(s.members().ListMembers(ctx, request(authorization,
			&samplev1.ListMembersRequest{OrganizationId: organization})))
	}},
	{"InviteMember", acmeClaims, func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error) {
		return message(s.members().InviteMember(ctx, request(authorization,
			&samplev1.InviteMemberRequest{OrganizationId: organization, Email: "new@example.com"})))
	}},
	{"UpdateBilling", acmeClaims, func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error) {
		return message(s.members().UpdateBilling(ctx, request(authorization,
			&samplev1.UpdateBillingRequest{OrganizationId: organization, Plan: "team"})))
	}},
	{"ListDocuments", acmeDataClaims, func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error) {
		return message(s.documents().ListDocuments(ctx, request(authorization,
			&samplev1.ListDocumentsRequest{OrganizationId: organization})))
	}},
	{"GetDocument", acmeDataClaims, func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error) {
		return message(s.documents().GetDocument(ctx, request(authorization,
			&samplev1.GetDocumentRequest{Name: "organizations/" + organization + "/documents/roadmap"})))
	}},
	{"BatchGetDocuments", acmeDataClaims, func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error) {
		return message(s.documents().BatchGetDocuments(ctx, request(authorization, &samplev1.BatchGetDocumentsRequest{
			Requests: []*samplev1.BatchGetDocumentsRequest_Request{{OrganizationId: organization, Name: "roadmap"}},
		})))
	}},
	{"UpdateSettings", acmeDataClaims, func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error) {
		r := request(authorization, &samplev1.UpdateSettingsRequest{Settings: map[string]string{"theme": "dark"}})
		r.Header().Set("X-Organization-Id", organization)
		return message(s.documents().UpdateSettings(ctx, r))
	}},
	{"SyncDocuments", acmeDataClaims, func(ctx context.Context, s *sample, authorization, organization string) (proto.Message, error) {
		stream := s.documents().SyncDocuments(ctx)
		defer func() { _ = stream.CloseRequest() }()
		authorize(stream.RequestHeader(), authorization)
		document, err := syncDocument(stream, organization, "note", "Text.")
		return document, err
	}},
}

func message[T any](response *connect.Response[T], err error) (proto.Message, error) {
	if err != nil {
		return nil, err
	}
	m, _ := any(response.Msg).(proto.Message)
	return m, nil
}

// TestSeparation stores acme's secrets, and looks for them as globex through every method.
func TestSeparation(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	s.storeSecrets(t)
	globexClaims := with(acmeClaims, map[string]any{"aud": "urn:logto:organization:globex"})
	globexDataClaims := with(acmeDataClaims, map[string]any{"organization_id": "globex"})
	for _, c := range organizationCalls {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			claims := globexDataClaims
			if _, ofAPI := c.model["organization_id"]; !ofAPI {
				claims = globexClaims
			}
			authorization := s.mint(t, claims)
			response, err := c.call(ending(t), s, authorization, "globex")
			if err != nil {
				t.Fatalf("its own: %v", err)
			}
			if text := prototext.Format(response); strings.Contains(text, secret) {
				t.Errorf("shows what is acme's: %s", text)
			}
			for _, organization := range []string{"acme", "", "ACME"} {
				_, err = c.call(ending(t), s, authorization, organization)
				check(t, err, organized)
			}
			// acme reads it.
			if _, err := c.call(ending(t), s, s.mint(t, c.model), "acme"); err != nil {
				t.Errorf("acme: %v", err)
			}
		})
	}

	authorization := s.mint(t, globexDataClaims)
	_, err := s.documents().GetDocument(ending(t), request(authorization,
		&samplev1.GetDocumentRequest{Name: "organizations/globex/documents/" + secret}))
	check(t, err, answer{code: connect.CodeNotFound})
	_, err = s.documents().GetDocument(ending(t), request(authorization,
		&samplev1.GetDocumentRequest{Name: "organizations/globex/documents/../../acme/documents/" + secret}))
	check(t, err, organized)
	_, err = s.documents().BatchGetDocuments(ending(t), request(authorization, &samplev1.BatchGetDocumentsRequest{
		Requests: []*samplev1.BatchGetDocumentsRequest_Request{
			{OrganizationId: "globex", Name: "roadmap"},
			{OrganizationId: "acme", Name: secret},
		},
	}))
	check(t, err, organized)
	usage, err := s.documents().GetUsage(ending(t), request(authorization, &samplev1.GetUsageRequest{}))
	if err != nil || usage.Msg.GetOrganizationId() != "globex" || usage.Msg.GetDocuments() > 2 {
		t.Errorf("usage of globex: %v, %v", usage, err)
	}
}

// storeSecrets writes to acme through every method that writes.
func (s *sample) storeSecrets(t *testing.T) {
	t.Helper()
	authorization := s.mint(t, acmeClaims)
	if _, err := s.members().InviteMember(ending(t), request(authorization,
		&samplev1.InviteMemberRequest{OrganizationId: "acme", Email: secret + "@acme.example"})); err != nil {
		t.Fatal(err)
	}
	authorization = s.mint(t, acmeDataClaims)
	update := request(authorization, &samplev1.UpdateSettingsRequest{Settings: map[string]string{secret: secret}})
	update.Header().Set("X-Organization-Id", "acme")
	if _, err := s.documents().UpdateSettings(ending(t), update); err != nil {
		t.Fatal(err)
	}
	stream := s.documents().SyncDocuments(ending(t))
	authorize(stream.RequestHeader(), authorization)
	for _, name := range []string{secret, "roadmap", "note"} {
		if _, err := syncDocument(stream, "acme", name, secret); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseRequest(); err != nil {
		t.Fatal(err)
	}
}

// A handler uses the organization of the claims, even if a request, unguarded here, names another.
func TestHandlersGoByTheClaims(t *testing.T) {
	t.Parallel()
	claims := guardtest.Claims(t, token.Logto("https://tenant.logto.app"),
		`{"iss": "https://tenant.logto.app/oidc", "sub": "ada", "exp": 1, "aud": "`+api+`", "organization_id": "globex"}`)
	ctx := interceptor.ContextWithClaims(t.Context(), claims)
	service := &documentService{organizations: seedOrganizations()}
	got, err := service.GetDocument(ctx, connect.NewRequest(
		&samplev1.GetDocumentRequest{Name: "organizations/acme/documents/roadmap"}))
	if err != nil || got.Msg.GetDocument().GetText() != "Globex sells weather." {
		t.Errorf("got %v, %v", got, err)
	}
	list, err := service.ListDocuments(ctx, connect.NewRequest(&samplev1.ListDocumentsRequest{OrganizationId: "acme"}))
	if err != nil || len(list.Msg.GetDocuments()) != 1 {
		t.Errorf("got %v, %v", list, err)
	}
}
