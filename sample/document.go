package main

import (
	"context"
	"errors"
	"io"
	"path"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// A documentService serves the documents of the caller's organization. If a request names an organization,
// the guard has made sure that it is the caller's.
type documentService struct {
	organizations *organizations
}

func (s *documentService) ListDocuments(
	ctx context.Context, _ *connect.Request[samplev1.ListDocumentsRequest],
) (*connect.Response[samplev1.ListDocumentsResponse], error) {
	return connect.NewResponse(&samplev1.ListDocumentsResponse{
		Documents: s.organizations.ofCaller(ctx).listDocuments(),
	}), nil
}

func (s *documentService) GetDocument(
	ctx context.Context, request *connect.Request[samplev1.GetDocumentRequest],
) (*connect.Response[samplev1.GetDocumentResponse], error) {
	// The name is organizations/{organization}/documents/{document}.
	document := s.organizations.ofCaller(ctx).document(path.Base(request.Msg.GetName()))
	if document == nil {
		return nil, errNoDocument()
	}
	return connect.NewResponse(&samplev1.GetDocumentResponse{Document: document}), nil
}

func (s *documentService) BatchGetDocuments(
	ctx context.Context, request *connect.Request[samplev1.BatchGetDocumentsRequest],
) (*connect.Response[samplev1.BatchGetDocumentsResponse], error) {
	organization := s.organizations.ofCaller(ctx)
	response := new(samplev1.BatchGetDocumentsResponse)
	for _, item := range request.Msg.GetRequests() {
		document := organization.document(item.GetName())
		if document == nil {
			return nil, errNoDocument()
		}
		response.Documents = append(response.Documents, document)
	}
	return connect.NewResponse(response), nil
}

func (s *documentService) UpdateSettings(
	ctx context.Context, request *connect.Request[samplev1.UpdateSettingsRequest],
) (*connect.Response[samplev1.UpdateSettingsResponse], error) {
	if _, nameless := request.Msg.GetSettings()[""]; nameless {
		return nil, invalid("settings must have names")
	}
	return connect.NewResponse(&samplev1.UpdateSettingsResponse{
		Settings: s.organizations.ofCaller(ctx).mergeSettings(request.Msg.GetSettings()),
	}), nil
}

func (s *documentService) GetUsage(
	ctx context.Context, _ *connect.Request[samplev1.GetUsageRequest],
) (*connect.Response[samplev1.GetUsageResponse], error) {
	organization := s.organizations.ofCaller(ctx)
	return connect.NewResponse(&samplev1.GetUsageResponse{
		OrganizationId: organization.id,
		Documents:      int32(organization.countDocuments()), //nolint:gosec // memory holds fewer documents than int32 counts
	}), nil
}

func (s *documentService) SyncDocuments(
	ctx context.Context, stream *connect.BidiStream[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse],
) error {
	for {
		request, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		document := request.GetDocument()
		if document.GetName() == "" {
			return invalid("document must have a name")
		}
		s.organizations.ofCaller(ctx).putDocument(document) // a call has a way after its first message
		if err := stream.Send(&samplev1.SyncDocumentsResponse{Document: document}); err != nil {
			return err
		}
	}
}

func errNoDocument() error {
	return connect.NewError(connect.CodeNotFound, errors.New("no such document"))
}
