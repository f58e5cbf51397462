package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// streamFronts are the protocols of streams.
var streamFronts = []front{
	{"connect", nil},
	{"grpc", []connect.ClientOption{connect.WithGRPC()}},
	{"grpc_web", []connect.ClientOption{connect.WithGRPCWeb()}},
}

func TestStreamsAreRefused(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	cases := []authorizationCase{
		{name: "no token", want: missing},
		{name: "garbage", authorization: "Bearer garbage", want: malformed},
		{name: "missing scope", authorization: s.mint(t, with(globalClaims, map[string]any{"scope": "write:orders"})), want: scope},
		{name: "other audience", authorization: s.mint(t, with(globalClaims, map[string]any{"aud": "https://other.example.com"})), want: audience},
		{name: "an organization's token", authorization: s.mint(t, with(acmeClaims, map[string]any{"scope": globalClaims["scope"]})), want: model},
		{name: "an organization-level API token", authorization: s.mint(t, with(acmeDataClaims, map[string]any{"scope": globalClaims["scope"]})), want: model},
	}
	for _, f := range streamFronts {
		for _, c := range cases {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				watch, err := s.catalog(f.options...).WatchProducts(ending(t), request(c.authorization, &samplev1.WatchProductsRequest{}))
				if err != nil {
					t.Fatal(err)
				}
				check(t, drain(watch), c.want)

				imports := s.catalog(f.options...).ImportProducts(ending(t))
				authorize(imports.RequestHeader(), c.authorization)
				_ = imports.Send(&samplev1.ImportProductsRequest{Product: &samplev1.Product{Id: "stolen", Title: "Stolen"}})
				_, err = imports.CloseAndReceive()
				check(t, err, c.want)

				products, err := s.catalog().ListProducts(ending(t), request(s.mint(t, globalClaims), &samplev1.ListProductsRequest{}))
				if err != nil || len(products.Msg.GetProducts()) != 2 {
					t.Errorf("after a refused import: %v, %v", products, err)
				}
			})
		}
	}
}

func TestWatchProducts(t *testing.T) {
	t.Parallel()
	for _, f := range streamFronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := startSample(t)
			authorization := s.mint(t, globalClaims)
			watch, err := s.catalog(f.options...).WatchProducts(ending(t), request(authorization, &samplev1.WatchProductsRequest{}))
			if err != nil {
				t.Fatal(err)
			}
			receive := func(want ...string) {
				t.Helper()
				for _, title := range want {
					if !watch.Receive() {
						t.Fatalf("the stream ended before %q: %v", title, watch.Err())
					}
					if got := watch.Msg().GetProduct().GetTitle(); got != title {
						t.Fatalf("got %q, want %q", got, title)
					}
				}
			}
			receive("Green tea", "Coffee beans")
			s.importProducts(t, f, authorization, "cake", "Cake")
			receive("Cake")
			s.importProducts(t, f, authorization, "tea", "Black tea")
			receive("Black tea")
			if err := watch.Close(); err != nil && connect.CodeOf(err) != connect.CodeCanceled {
				t.Error(err)
			}
		})
	}
}

// importProducts imports one product per pair of id and title.
func (s *sample) importProducts(t testing.TB, f front, authorization string, pairs ...string) {
	t.Helper()
	stream := s.catalog(f.options...).ImportProducts(ending(t))
	authorize(stream.RequestHeader(), authorization)
	for i := 0; i < len(pairs); i += 2 {
		// CloseAndReceive returns the cause of a failure.
		_ = stream.Send(&samplev1.ImportProductsRequest{Product: &samplev1.Product{Id: pairs[i], Title: pairs[i+1]}})
	}
	response, err := stream.CloseAndReceive()
	if err != nil || int(response.Msg.GetImported()) != len(pairs)/2 {
		t.Errorf("import of %d: %v, %v", len(pairs)/2, response, err)
	}
}

// A watcher that does not read holds up no other caller, and misses nothing. The products are more than HTTP/2's
// windows hold.
func TestSlowWatcher(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	authorization := s.mint(t, globalClaims)
	watch, err := s.catalog(connect.WithGRPC()).WatchProducts(ending(t), request(authorization, &samplev1.WatchProductsRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	if !watch.Receive() {
		t.Fatal(watch.Err())
	}
	const count = 100
	var pairs []string
	for i := range count {
		pairs = append(pairs, fmt.Sprintf("product-%d", i), strings.Repeat("long ", 20_000))
	}
	s.importProducts(t, streamFronts[1], authorization, pairs...)
	seen := map[string]bool{}
	for len(seen) < count+1 && watch.Receive() { // without the first, which was received
		seen[watch.Msg().GetProduct().GetId()] = true
	}
	if len(seen) != count+1 {
		t.Errorf("saw %d products, want %d (%v)", len(seen), count+1, watch.Err())
	}
}

// A stream ends with its token: at exp plus the verifier's leeway of 30 seconds.
func TestStreamsEndWithTheirToken(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	for _, f := range streamFronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			// Both streams must begin before their tokens expire, on a slow machine too.
			for left := 2 * time.Second; ; left *= 2 {
				ends := map[string]any{"exp": time.Now().Add(left - 30*time.Second).Unix()}
				watch, err := s.catalog(f.options...).WatchProducts(ending(t),
					request(s.mint(t, with(globalClaims, ends)), &samplev1.WatchProductsRequest{}))
				if err != nil {
					t.Fatal(err)
				}
				watching := watch.Receive()
				sync := s.documents(f.options...).SyncDocuments(ending(t))
				authorize(sync.RequestHeader(), s.mint(t, with(acmeDataClaims, ends)))
				_, err = syncDocument(sync, "acme", "note", "Text.")
				check(t, drain(watch), expired)
				if watching && err == nil {
					_, err = sync.Receive()
					check(t, err, expired)
					return
				}
				if err != nil {
					check(t, err, expired)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

type syncStream = connect.BidiStreamForClient[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]

func syncDocument(stream *syncStream, organization, name, text string) (*samplev1.Document, error) {
	err := stream.Send(&samplev1.SyncDocumentsRequest{
		OrganizationId: organization,
		Document:       &samplev1.Document{Name: name, Text: text},
	})
	if err != nil && !errors.Is(err, io.EOF) { // Receive returns the cause of an EOF
		return nil, err
	}
	response, err := stream.Receive()
	return response.GetDocument(), err
}

func TestSyncDocuments(t *testing.T) {
	t.Parallel()
	for _, f := range streamFronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := startSample(t)
			authorization := s.mint(t, acmeDataClaims)

			stream := s.documents(f.options...).SyncDocuments(ending(t))
			authorize(stream.RequestHeader(), authorization)
			for _, text := range []string{"One.", "Two."} {
				document, err := syncDocument(stream, "acme", "note", text)
				if err != nil || document.GetText() != text {
					t.Fatalf("got %v, %v", document, err)
				}
			}
			// The first messages were right: each is judged alone.
			_, err := syncDocument(stream, "globex", "note", "Three.")
			check(t, err, organized)
			_, err = stream.Receive()
			check(t, err, organized)

			for _, organization := range []string{"globex", ""} {
				stream := s.documents(f.options...).SyncDocuments(ending(t))
				authorize(stream.RequestHeader(), authorization)
				_, err := syncDocument(stream, organization, "note", "Four.")
				check(t, err, organized)
			}
			// A stream without a message proves no organization.
			empty := s.documents(f.options...).SyncDocuments(ending(t))
			authorize(empty.RequestHeader(), authorization)
			if err := empty.CloseRequest(); err != nil {
				t.Fatal(err)
			}
			_, err = empty.Receive()
			check(t, err, organized)

			got, err := s.documents().GetDocument(ending(t),
				request(authorization, &samplev1.GetDocumentRequest{Name: "organizations/acme/documents/note"}))
			if err != nil || got.Msg.GetDocument().GetText() != "Two." {
				t.Errorf("got %v, %v", got, err)
			}
			globex := s.mint(t, with(acmeDataClaims, map[string]any{"organization_id": "globex"}))
			_, err = s.documents().GetDocument(ending(t),
				request(globex, &samplev1.GetDocumentRequest{Name: "organizations/globex/documents/note"}))
			check(t, err, answer{code: connect.CodeNotFound})
		})
	}
}
