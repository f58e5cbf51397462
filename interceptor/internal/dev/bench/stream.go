package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// streamGroup measures one long stream for each contender.
func streamGroup(ctx context.Context, b *bench) error {
	c := contest{title: "one bidi stream over HTTP/2, for each message there and back", note: "Each message names the organization, and is judged."}
	for _, each := range []struct {
		name    string
		options []connect.HandlerOption
	}{{nameOpen, nil}, {nameOurs, []connect.HandlerOption{b.guard.HandlerOption()}}} {
		url, err := b.serve(ctx, syncHandler(each.options...))
		if err != nil {
			return err
		}
		client := newClient()
		defer client.CloseIdleConnections()
		stream := connect.NewClient[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse](client, url+syncDocuments).CallBidiStream(ctx)
		stream.RequestHeader().Set("Authorization", "Bearer "+b.issuer.token(usual))
		b.ends = append(b.ends, stream.CloseResponse, stream.CloseRequest)
		c.contenders = append(c.contenders, contender{each.name, repeat(func() error { return exchange(stream) })})
	}
	return b.compare(ctx, c)
}

// syncHandler answers each message with one message.
func syncHandler(options ...connect.HandlerOption) http.Handler {
	return connect.NewBidiStreamHandler(syncDocuments, func(_ context.Context, stream *connect.BidiStream[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]) error {
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
	}, options...)
}

// exchange sends a message and waits for its answer.
func exchange(stream *connect.BidiStreamForClient[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]) error {
	err := stream.Send(&samplev1.SyncDocumentsRequest{OrganizationId: organization, Document: &samplev1.Document{Name: "plan", Text: "Buy tea."}})
	if err != nil {
		return err
	}
	response, err := stream.Receive()
	if err == nil && response.GetDocument().GetName() != "plan" {
		err = fmt.Errorf("document %q", response.GetDocument().GetName())
	}
	return err
}
