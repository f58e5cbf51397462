package harness

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// A received is everything that a client gets.
type received struct {
	texts []string
	sees  string
	err   error // nil if the stream ends without an error
}

// exchange makes a call with a message for each organization.
func exchange(t testing.TB, open StreamClient, service string, method catalogue.Method, in []string, stayOpen bool) (got received) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	defer time.AfterFunc(24*time.Hour, cancel).Stop() // the bubble's clock: a call that hangs ends
	stream, err := open(ctx, service, method)
	if err != nil {
		t.Fatal(err)
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	defer func() { _ = stream.Close() }()
	sending.Go(func() { // in memory, a message may wait for its reader
		for _, organization := range in {
			if stream.Send(naming(organization)) != nil {
				return // Receive returns the cause
			}
		}
		if !stayOpen || !method.ClientStreams {
			_ = stream.CloseSend()
		}
	})
	for {
		response := new(samplev1.SyncDocumentsResponse)
		if got.err = stream.Receive(response); got.err != nil {
			break
		}
		got.texts = append(got.texts, response.GetDocument().GetText())
	}
	if errors.Is(got.err, io.EOF) {
		got.err = nil
	}
	var seen []string
	for _, name := range []string{early, late, trailing, last} {
		for range stream.Values(name) {
			seen = append(seen, name)
		}
	}
	got.sees = strings.Join(seen, " ")
	return got
}

func naming(organization string) *samplev1.SyncDocumentsRequest {
	return &samplev1.SyncDocumentsRequest{OrganizationId: organization}
}
