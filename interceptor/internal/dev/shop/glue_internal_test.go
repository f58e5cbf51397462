package main

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/grpcguardtest"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	d := guardtest.Deployment(t, "authz.json")
	shop, err := newShop(d)
	if err != nil {
		t.Fatal(err)
	}

	// No handler is open.
	guardtest.AssertGuarded(t, shop.web, shop.webRules)
	guardtest.AssertRESTGuarded(t, shop.web, shop.webRules)
	grpcguardtest.AssertGuarded(t, grpcguardtest.InProcess(t, shop.stock), shop.stockRules)

	// Who may call what.
	user := guardtest.User("alice").Audience(d.Audience)
	client := guardtest.Client("supplier").Audience(d.Audience)
	callers := guardtest.Callers{
		"clerk":    user.Organization("acme").Scopes("read:orders", "write:orders").Claims(t),
		"supplier": client.Organization("acme").Scopes("write:stock").Claims(t),
		"visitor":  user.Scopes("read:products").Claims(t),
	}
	guardtest.AssertAccess(t, "testdata/web.golden", shop.webRules, callers)
	guardtest.AssertAccess(t, "testdata/stock.golden", shop.stockRules, callers)
}
