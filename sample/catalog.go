package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
)

// A catalogService shows all callers the same catalog. The rules are in catalog.proto: the code here
// checks nobody's rights.
type catalogService struct {
	info     *samplev1.GetInfoResponse
	products *products
	orders   atomic.Int64
}

func (s *catalogService) GetInfo(
	context.Context, *connect.Request[samplev1.GetInfoRequest],
) (*connect.Response[samplev1.GetInfoResponse], error) {
	return connect.NewResponse(s.info), nil
}

func (s *catalogService) WhoAmI(
	ctx context.Context, _ *connect.Request[samplev1.WhoAmIRequest],
) (*connect.Response[samplev1.WhoAmIResponse], error) {
	claims := interceptor.ClaimsFromContext(ctx)
	return connect.NewResponse(&samplev1.WhoAmIResponse{Auth: &samplev1.AuthInfo{
		Sub:            claims.Subject(),
		ClientId:       claims.ClientID(),
		OrganizationId: proto.String(claims.OrganizationID()),
		Scopes:         claims.Scopes(),
		Audience:       claims.Audience(),
	}}), nil
}

func (s *catalogService) ListProducts(
	context.Context, *connect.Request[samplev1.ListProductsRequest],
) (*connect.Response[samplev1.ListProductsResponse], error) {
	return connect.NewResponse(&samplev1.ListProductsResponse{Products: s.products.list()}), nil
}

// WatchProducts ends with its context: when the client leaves, when the server stops, and when the token
// expires, at which the guard ends the context.
func (s *catalogService) WatchProducts(
	ctx context.Context, _ *connect.Request[samplev1.WatchProductsRequest],
	stream *connect.ServerStream[samplev1.WatchProductsResponse],
) error {
	for revision := 0; ; {
		news, latest, changed := s.products.since(revision)
		for _, product := range news {
			if err := stream.Send(&samplev1.WatchProductsResponse{Product: product}); err != nil {
				return err
			}
		}
		revision = latest
		select {
		case <-changed:
		case <-ctx.Done():
			return connect.NewError(connect.CodeUnavailable, context.Cause(ctx))
		}
	}
}

func (s *catalogService) CreateOrder(
	_ context.Context, request *connect.Request[samplev1.CreateOrderRequest],
) (*connect.Response[samplev1.CreateOrderResponse], error) {
	if request.Msg.GetQuantity() < 1 {
		return nil, invalid("quantity must be at least 1")
	}
	if !s.products.has(request.Msg.GetProductId()) {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no such product"))
	}
	return connect.NewResponse(&samplev1.CreateOrderResponse{Order: &samplev1.Order{
		Id:         fmt.Sprintf("order-%d", s.orders.Add(1)),
		ProductId:  request.Msg.GetProductId(),
		Quantity:   request.Msg.GetQuantity(),
		CreateTime: timestamppb.Now(),
	}}), nil
}

func (s *catalogService) ImportProducts(
	_ context.Context, stream *connect.ClientStream[samplev1.ImportProductsRequest],
) (*connect.Response[samplev1.ImportProductsResponse], error) {
	var imported int32
	for stream.Receive() {
		product := stream.Msg().GetProduct()
		if product.GetId() == "" || product.GetTitle() == "" {
			return nil, invalid("product must have an id and a title")
		}
		s.products.put(product)
		imported++
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return connect.NewResponse(&samplev1.ImportProductsResponse{Imported: imported}), nil
}

// invalid is the answer to a request whose values are wrong.
func invalid(complaint string) error {
	return connect.NewError(connect.CodeInvalidArgument, errors.New(complaint))
}
