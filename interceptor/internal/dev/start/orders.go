package main

import (
	"context"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"

	orderv1 "example.com/shop/gen/order/v1"
)

// orders holds the products that each organization has ordered.
type orders map[string][]string

func (o orders) ListOrders(
	ctx context.Context, _ *connect.Request[orderv1.ListOrdersRequest],
) (*connect.Response[orderv1.ListOrdersResponse], error) {
	organization := interceptor.ClaimsFromContext(ctx).OrganizationID() // equals the request's organization_id
	return connect.NewResponse(&orderv1.ListOrdersResponse{Products: o[organization]}), nil
}

func (o orders) ListProducts(
	context.Context, *connect.Request[orderv1.ListProductsRequest],
) (*connect.Response[orderv1.ListProductsResponse], error) {
	return connect.NewResponse(&orderv1.ListProductsResponse{Products: []string{"coffee", "tea"}}), nil
}
