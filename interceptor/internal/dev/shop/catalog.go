package main

import (
	"context"
	"maps"
	"slices"
	"sync"

	"connectrpc.com/connect/v2"

	catalogv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/catalog/v1"
)

// A catalog has the products that all organizations see.
type catalog struct {
	mu       sync.Mutex
	products map[string]*catalogv1.Product
}

func newCatalog() *catalog {
	return &catalog{products: map[string]*catalogv1.Product{"tea": {Id: "tea", Title: "Tea"}}}
}

func (c *catalog) ListProducts(context.Context, *catalogv1.ListProductsRequest) (*catalogv1.ListProductsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &catalogv1.ListProductsResponse{Products: slices.Collect(maps.Values(c.products))}, nil
}

func (c *catalog) GetProduct(_ context.Context, request *catalogv1.GetProductRequest) (*catalogv1.Product, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if product := c.products[request.GetId()]; product != nil {
		return product, nil
	}
	return nil, connect.NewError(connect.CodeNotFound, "no such product")
}

func (c *catalog) PutProduct(_ context.Context, request *catalogv1.PutProductRequest) (*catalogv1.Product, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.products[request.GetProduct().GetId()] = request.GetProduct()
	return request.GetProduct(), nil
}

func (c *catalog) GetPrice(context.Context, *catalogv1.GetPriceRequest) (*catalogv1.GetPriceResponse, error) {
	return &catalogv1.GetPriceResponse{Cents: 400}, nil
}
