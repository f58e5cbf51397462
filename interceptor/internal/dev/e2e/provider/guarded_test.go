package provider_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// guarded serves the sample's API in this process, behind a guard with this verifier.
func guarded(t *testing.T, verifier interceptor.Verifier, audience string) *sample {
	t.Helper()
	table, err := policy.Compile(policy.Files{
		samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_document_proto, samplev1.File_sample_v1_member_proto,
	}, policy.WithAudience(audience))
	if err != nil {
		t.Fatal(err)
	}
	option := interceptor.New(verifier, table).HandlerOption()
	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog{}, option))
	mux.Handle(samplev1connect.NewDocumentServiceHandler(documents{}, option))
	mux.Handle(samplev1connect.NewMemberServiceHandler(samplev1connect.UnimplementedMemberServiceHandler{}, option))
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return newSample(t, server.URL)
}

// A who is a caller, as a handler gets to know the caller. The zero who is nobody.
type who struct{ subject, client, caller, organization, scopes string }

// tell answers a caller who it is.
func tell(ctx context.Context, header http.Header) {
	claims := interceptor.ClaimsFromContext(ctx)
	header.Set("Subject", claims.Subject())
	header.Set("Client", claims.ClientID())
	header.Set("Caller", claims.Caller().String())
	header.Set("Organization", claims.OrganizationID())
	header.Set("Scopes", strings.Join(slices.Sorted(slices.Values(claims.Scopes())), " "))
}

// whoIs calls a method that the token opens, for an organization if given, and returns what the handler tells.
func (s *sample) whoIs(ctx context.Context, token, organization string) (who, error) {
	var header http.Header
	if organization == "" {
		response, err := s.catalog(protocols[0]).ListProducts(ctx, request(token, &samplev1.ListProductsRequest{}))
		if err != nil {
			return who{}, err
		}
		header = response.Header()
	} else {
		response, err := s.documents(protocols[0]).ListDocuments(ctx, request(token, &samplev1.ListDocumentsRequest{OrganizationId: organization}))
		if err != nil {
			return who{}, err
		}
		header = response.Header()
	}
	return who{
		header.Get("Subject"), header.Get("Client"), header.Get("Caller"), header.Get("Organization"), header.Get("Scopes"),
	}, nil
}

// A catalog has no products.
type catalog struct {
	samplev1connect.UnimplementedCatalogServiceHandler
}

func (catalog) ListProducts(
	ctx context.Context, _ *connect.Request[samplev1.ListProductsRequest],
) (*connect.Response[samplev1.ListProductsResponse], error) {
	response := connect.NewResponse(&samplev1.ListProductsResponse{})
	tell(ctx, response.Header())
	return response, nil
}

// WatchProducts sends a product, and waits for the end.
func (catalog) WatchProducts(
	ctx context.Context, _ *connect.Request[samplev1.WatchProductsRequest], stream *connect.ServerStream[samplev1.WatchProductsResponse],
) error {
	if err := stream.Send(&samplev1.WatchProductsResponse{}); err != nil {
		return err
	}
	<-ctx.Done()
	return connect.NewError(connect.CodeUnavailable, context.Cause(ctx))
}

// A documents has no documents.
type documents struct {
	samplev1connect.UnimplementedDocumentServiceHandler
}

func (documents) ListDocuments(
	ctx context.Context, _ *connect.Request[samplev1.ListDocumentsRequest],
) (*connect.Response[samplev1.ListDocumentsResponse], error) {
	response := connect.NewResponse(&samplev1.ListDocumentsResponse{})
	tell(ctx, response.Header())
	return response, nil
}

// SyncDocuments sends each document back.
func (documents) SyncDocuments(
	_ context.Context, stream *connect.BidiStream[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse],
) error {
	for {
		request, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&samplev1.SyncDocumentsResponse{Document: request.GetDocument()}); err != nil {
			return err
		}
	}
}
