package main

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	orderv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/order/v1"
)

// orders are the orders of each organization.
type orders struct {
	mu    sync.Mutex
	byOrg map[string][]*orderv1.Order
	last  int
}

func newOrders() *orders { return &orders{byOrg: map[string][]*orderv1.Order{}} }

func (o *orders) of(organization string) []*orderv1.Order {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*orderv1.Order(nil), o.byOrg[organization]...)
}

func (o *orders) GetTerms(
	context.Context, *connect.Request[orderv1.GetTermsRequest],
) (*connect.Response[orderv1.GetTermsResponse], error) {
	return connect.NewResponse(&orderv1.GetTermsResponse{Text: "All sales are final."}), nil
}

func (o *orders) ListOrders(
	_ context.Context, request *connect.Request[orderv1.ListOrdersRequest],
) (*connect.Response[orderv1.ListOrdersResponse], error) {
	return connect.NewResponse(&orderv1.ListOrdersResponse{Orders: o.of(request.Msg.GetOrganizationId())}), nil
}

func (o *orders) CreateOrder(
	ctx context.Context, request *connect.Request[orderv1.CreateOrderRequest],
) (*connect.Response[orderv1.Order], error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	order := &orderv1.Order{
		Id:        strconv.Itoa(o.last),
		ProductId: request.Msg.GetProductId(),
		Buyer:     interceptor.ClaimsFromContext(ctx).Subject(),
	}
	organization := request.Msg.GetOrganizationId()
	o.byOrg[organization] = append(o.byOrg[organization], order)
	return connect.NewResponse(order), nil
}

func (o *orders) CancelOrder(
	_ context.Context, request *connect.Request[orderv1.CancelOrderRequest],
) (*connect.Response[orderv1.Order], error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	organization := request.Msg.GetOrganizationId()
	for n, order := range o.byOrg[organization] {
		if order.GetId() == request.Msg.GetId() {
			o.byOrg[organization] = append(o.byOrg[organization][:n:n], o.byOrg[organization][n+1:]...)
			return connect.NewResponse(order), nil
		}
	}
	return nil, connect.NewError(connect.CodeNotFound, errors.New("no such order"))
}

func (o *orders) WatchOrders(
	_ context.Context, request *connect.Request[orderv1.WatchOrdersRequest], stream *connect.ServerStream[orderv1.Order],
) error {
	for _, order := range o.of(request.Msg.GetOrganizationId()) {
		if err := stream.Send(order); err != nil {
			return err
		}
	}
	return nil
}
