package harness

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// A received is all that a client gets.
type received struct {
	texts []string
	sees  string
	err   error // nil if the stream ends in peace
}

// exchange makes a call that names organizations.
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
				return // the answer says why
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

// manyAtOnce is for the race detector: many calls of one guard, each busy in both directions, some of which are
// refused in the midst.
func manyAtOnce(t *testing.T, framework *Framework) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client := framework.Serve(t, Expiring(t, time.Hour), new(Wire), func(ctx context.Context, stream ServerStream) error {
			s := &serving{TB: t, ServerStream: stream, ctx: ctx}
			if _, err := s.receive(); err != nil {
				return err
			}
			var sending sync.WaitGroup
			defer sending.Wait()
			sending.Go(func() {
				for n := 0; n < 20 && s.send(Acme) == nil; n++ {
				}
			})
			for {
				if _, err := s.receive(); err != nil {
					return ended(err)
				}
			}
		})
		var calls sync.WaitGroup
		for n := range 20 {
			in, want := slices.Repeat([]string{Acme}, 20), catalogue.Answer{}
			if n%2 == 0 {
				in[10], want = globex, catalogue.Organization
				want.Challenge = ""
			}
			calls.Go(func() {
				got := exchange(t, client, "Field", catalogue.Bidi, in, false)
				if answer := framework.Answer(got.err); answer.Answer != want || want.Code == 0 && len(got.texts) != 20 {
					t.Errorf("%d texts, %v", len(got.texts), got.err)
				}
			})
		}
		calls.Wait()
	})
}
