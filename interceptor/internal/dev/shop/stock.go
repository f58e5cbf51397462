package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	stockv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/stock/v1"
)

// An item is a product of an organization.
type item struct{ organization, product string }

// stock counts the products of each organization.
type stock struct {
	stockv1.UnimplementedStockServiceServer

	mu     sync.Mutex
	counts map[item]int32
}

func newStock() *stock { return &stock{counts: map[item]int32{}} }

// add changes a count, which must not fall below zero.
func (s *stock) add(organization, product string, count int32) (*stockv1.Stock, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.counts[item{organization, product}] + count
	if now < 0 {
		return nil, status.Error(codes.FailedPrecondition, "out of stock")
	}
	s.counts[item{organization, product}] = now
	return &stockv1.Stock{ProductId: product, Count: now}, nil
}

func (s *stock) GetStock(_ context.Context, request *stockv1.GetStockRequest) (*stockv1.Stock, error) {
	return s.add(request.GetOrganizationId(), request.GetProductId(), 0)
}

func (s *stock) Reserve(_ context.Context, request *stockv1.ReserveRequest) (*stockv1.Stock, error) {
	return s.add(request.GetOrganizationId(), request.GetProductId(), -1)
}

func (s *stock) Restock(stream grpc.ClientStreamingServer[stockv1.RestockRequest, stockv1.RestockResponse]) error {
	response := new(stockv1.RestockResponse)
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(response)
		}
		if err != nil {
			return err
		}
		delivery := request.GetDelivery()
		if _, err := s.add(request.GetOrganizationId(), delivery.GetProductId(), delivery.GetCount()); err != nil {
			return err
		}
		response.Deliveries++
	}
}
