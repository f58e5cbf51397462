package main

import (
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// Requests that a caller may make, with wrong values.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	ctx := ending(t)
	global, acme, data := s.mint(t, globalClaims), s.mint(t, acmeClaims), s.mint(t, acmeDataClaims)
	order := func(product string, quantity int32) error {
		_, err := s.catalog().CreateOrder(ctx, request(global,
			&samplev1.CreateOrderRequest{ProductId: product, Quantity: quantity}))
		return err
	}
	importOne := func(product *samplev1.Product) error {
		stream := s.catalog().ImportProducts(ctx)
		authorize(stream.RequestHeader(), global)
		_ = stream.Send(&samplev1.ImportProductsRequest{Product: product})
		_, err := stream.CloseAndReceive()
		return err
	}
	invite := func(email string) error {
		_, err := s.members().InviteMember(ctx, request(acme,
			&samplev1.InviteMemberRequest{OrganizationId: "acme", Email: email}))
		return err
	}
	bill := func(plan string) error {
		_, err := s.members().UpdateBilling(ctx, request(acme,
			&samplev1.UpdateBillingRequest{OrganizationId: "acme", Plan: plan}))
		return err
	}
	get := func(name string) error {
		_, err := s.documents().GetDocument(ctx, request(data, &samplev1.GetDocumentRequest{Name: name}))
		return err
	}
	syncOne := func(name string) error {
		stream := s.documents().SyncDocuments(ctx)
		defer func() { _ = stream.CloseRequest() }()
		authorize(stream.RequestHeader(), data)
		_, err := syncDocument(stream, "acme", name, "Text.")
		return err
	}
	set := func(name string) error {
		r := request(data, &samplev1.UpdateSettingsRequest{Settings: map[string]string{name: "dark"}})
		r.Header().Set("X-Organization-Id", "acme")
		_, err := s.documents().UpdateSettings(ctx, r)
		return err
	}
	for _, c := range []struct {
		name string
		err  error
		want connect.Code // 0 is success
	}{
		{"order", order("tea", 1), 0},
		{"order of nothing", order("tea", 0), connect.CodeInvalidArgument},
		{"order of less", order("tea", -1), connect.CodeInvalidArgument},
		{"order of an unknown product", order("gold", 1), connect.CodeNotFound},
		{"import", importOne(&samplev1.Product{Id: "cake", Title: "Cake"}), 0},
		{"import without a product", importOne(nil), connect.CodeInvalidArgument},
		{"import without an id", importOne(&samplev1.Product{Title: "Cake"}), connect.CodeInvalidArgument},
		{"import without a title", importOne(&samplev1.Product{Id: "cake"}), connect.CodeInvalidArgument},
		{"import of too much", importOne(&samplev1.Product{Id: "cake", Title: strings.Repeat("x", maxMessageBytes)}), connect.CodeResourceExhausted},
		{"invitation", invite("new@acme.example"), 0},
		{"invitation of a member", invite("ada@acme.example"), connect.CodeAlreadyExists},
		{"invitation of nobody", invite(""), connect.CodeInvalidArgument},
		{"invitation of no address", invite("Ada <ada@acme.example>"), connect.CodeInvalidArgument},
		{"plan", bill("team"), 0},
		{"no plan", bill(""), connect.CodeInvalidArgument},
		{"document", get("organizations/acme/documents/roadmap"), 0},
		{"unknown document", get("organizations/acme/documents/other"), connect.CodeNotFound},
		{"synchronized document", syncOne("note"), 0},
		{"synchronized document without a name", syncOne(""), connect.CodeInvalidArgument},
		{"setting", set("theme"), 0},
		{"setting without a name", set(""), connect.CodeInvalidArgument},
	} {
		check(t, c.err, answer{code: c.want})
		if t.Failed() {
			t.Fatalf("so much for %s", c.name)
		}
	}
}

// Writers, readers and watchers at once: the race detector is quiet, and the counts are right.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	ctx := ending(t)
	global, data := s.mint(t, globalClaims), s.mint(t, acmeDataClaims)
	const workers, rounds = 4, 10
	var group sync.WaitGroup
	for worker := range workers {
		name := string(rune('a' + worker))
		group.Go(func() {
			for range rounds {
				s.importProducts(t, streamFronts[1], global, name, "Title")
				if _, err := s.catalog().ListProducts(ctx, request(global, &samplev1.ListProductsRequest{})); err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			stream := s.documents().SyncDocuments(ctx)
			authorize(stream.RequestHeader(), data)
			for range rounds {
				if _, err := syncDocument(stream, "acme", name, "Text."); err != nil {
					t.Error(err)
				}
			}
			if err := stream.CloseRequest(); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			watch, err := s.catalog(connect.WithGRPC()).WatchProducts(ctx, request(global, &samplev1.WatchProductsRequest{}))
			if err != nil {
				t.Error(err)
				return
			}
			defer watch.Close()
			for range 2 + workers {
				if !watch.Receive() {
					t.Error(watch.Err())
					return
				}
			}
		})
	}
	group.Wait()
	usage, err := s.documents().GetUsage(ctx, request(data, &samplev1.GetUsageRequest{}))
	if err != nil || usage.Msg.GetDocuments() != 2+workers {
		t.Errorf("got %v, %v", usage, err)
	}
}
