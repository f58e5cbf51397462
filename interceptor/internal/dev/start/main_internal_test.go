package main

import (
	"slices"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/guardtest"

	orderv1 "example.com/shop/gen/order/v1"
)

func TestGuarded(t *testing.T) {
	t.Parallel()
	handler, table, err := newServer(guardtest.Deployment(t, "authz.json"))
	if err != nil {
		t.Fatal(err)
	}
	guardtest.AssertGuarded(t, handler, table)
}

func TestListOrders(t *testing.T) {
	t.Parallel()
	ctx := guardtest.User("alice").Organization("acme").Context(t)
	request := connect.NewRequest(&orderv1.ListOrdersRequest{OrganizationId: "acme"})
	response, err := orders{"acme": {"tea"}}.ListOrders(ctx, request)
	if err != nil || !slices.Equal(response.Msg.GetProducts(), []string{"tea"}) {
		t.Error(response, err)
	}
}
