package main

import (
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/grpcguardtest"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	orderv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/order/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/order/v1/orderv1connect"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// api is the audience of authz.json.
const api = "https://shop.example.com"

func TestGuard(t *testing.T) {
	t.Parallel()
	issuer := devissuer.Start(t, devissuer.Config{})
	shop, err := newShop(guardtest.Deployment(t, "authz.json", token.Logto(issuer.URL())))
	if err != nil {
		t.Fatal(err)
	}

	// No handler is open.
	guardtest.AssertGuarded(t, shop.web, shop.webRules)
	guardtest.AssertRESTGuarded(t, shop.web, shop.webRules)
	grpcguardtest.AssertGuarded(t, grpcguardtest.InProcess(t, shop.stock), shop.stockRules)

	// Who may call what.
	callers := guardtest.Callers{
		"clerk":    guardtest.User("clerk").Audience(api).Organization("acme").Scopes("read:orders", "write:orders").Claims(t),
		"supplier": guardtest.Client("supplier").Audience(api).Organization("acme").Scopes("write:stock").Claims(t),
		"visitor":  guardtest.User("visitor").Audience(api).Scopes("read:products").Claims(t),
	}
	guardtest.AssertAccess(t, "testdata/web.golden", shop.webRules, callers)
	guardtest.AssertAccess(t, "testdata/stock.golden", shop.stockRules, callers)

	// A token of acme does not list the orders of globex.
	server := httptest.NewServer(shop.web)
	defer server.Close()
	claims := map[string]any{"sub": "clerk", "aud": api, "organization_id": "acme", "scope": "read:orders"}
	request := connect.NewRequest(&orderv1.ListOrdersRequest{OrganizationId: "globex"})
	request.Header().Set("Authorization", "Bearer "+issuer.Token(t, claims))
	_, err = orderv1connect.NewOrderServiceClient(server.Client(), server.URL).ListOrders(t.Context(), request)
	if reason := interceptor.DenialFrom(err).Reason(); reason != interceptor.ReasonOrganizationMismatch {
		t.Errorf("got %v, with the reason %s", err, reason)
	}
}
