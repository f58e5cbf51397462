package main

import (
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	orderv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/order/v1"
)

func TestBuyer(t *testing.T) {
	t.Parallel()
	ctx := guardtest.User("alice").Context(t) // glue
	order, err := newOrders().CreateOrder(ctx, connect.NewRequest(&orderv1.CreateOrderRequest{ProductId: "tea"}))
	if err != nil || order.Msg.GetBuyer() != "alice" || order.Msg.GetProductId() != "tea" {
		t.Errorf("got %v, %v", order, err)
	}
}
