package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	connectv2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	catalogv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/catalog/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/catalog/v1/catalogv1connect"
	orderv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/order/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/order/v1/orderv1connect"
	stockv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/stock/v1"
)

// A front is a method with a client. The call returns the reason for which the server has refused it, or "" and any
// other error.
type front struct {
	name, procedure, scope string
	call                   func(ctx context.Context, s *running, organization string) (interceptor.Reason, error)
	letIn                  string // the code of the span of a call that is let in
}

var fronts = []front{
	{"connect-go", "/order.v1.OrderService/ListOrders", "read:orders", listOrders(), ""},
	{"connect-go by gRPC", "/order.v1.OrderService/ListOrders", "read:orders", listOrders(connect.WithGRPC()), ""},
	{"connect-go, a stream", "/order.v1.OrderService/WatchOrders", "read:orders", watchOrders, ""},
	{"REST", "/order.v1.OrderService/ListOrders", "read:orders", getOrders, ""},
	{"connect v2", "/catalog.v1.CatalogService/GetPrice", "read:prices", getPrice, ""},
	{"grpc-go", "/stock.v1.StockService/GetStock", "read:stock", getStock, "OK"},
	{"grpc-go, a stream", "/stock.v1.StockService/Restock", "write:stock", restock, "OK"},
}

func listOrders(options ...connect.ClientOption) func(context.Context, *running, string) (interceptor.Reason, error) {
	return func(ctx context.Context, s *running, organization string) (interceptor.Reason, error) {
		client := orderv1connect.NewOrderServiceClient(s.client, s.url, options...)
		_, err := client.ListOrders(ctx, connect.NewRequest(&orderv1.ListOrdersRequest{OrganizationId: organization}))
		return reasonOf(interceptor.DenialFrom(err), err)
	}
}

func watchOrders(ctx context.Context, s *running, organization string) (interceptor.Reason, error) {
	client := orderv1connect.NewOrderServiceClient(s.client, s.url)
	stream, err := client.WatchOrders(ctx, connect.NewRequest(&orderv1.WatchOrdersRequest{OrganizationId: organization}))
	if err != nil {
		return "", err
	}
	for stream.Receive() {
		continue
	}
	err = errors.Join(stream.Err(), stream.Close())
	return reasonOf(interceptor.DenialFrom(err), err)
}

func getOrders(ctx context.Context, s *running, organization string) (interceptor.Reason, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/organizations/"+organization+"/orders", nil)
	if err != nil {
		return "", err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var status struct {
		Details []struct{ Reason interceptor.Reason }
	}
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil || response.StatusCode == http.StatusOK {
		return "", err
	}
	if len(status.Details) != 1 {
		return "", fmt.Errorf("HTTP status %d with %d details", response.StatusCode, len(status.Details))
	}
	return status.Details[0].Reason, nil
}

func getPrice(ctx context.Context, s *running, organization string) (interceptor.Reason, error) {
	client := catalogv1connect.NewCatalogServiceClient(connectv2.NewClient(connecthttp.NewTransport(s.client, s.url)))
	_, err := client.GetPrice(ctx, &catalogv1.GetPriceRequest{OrganizationId: organization, ProductId: "tea"})
	return reasonOf(connectv2guard.DenialFrom(err), err)
}

func getStock(ctx context.Context, s *running, organization string) (interceptor.Reason, error) {
	client := stockv1.NewStockServiceClient(s.conn)
	_, err := client.GetStock(ctx, &stockv1.GetStockRequest{OrganizationId: organization, ProductId: "tea"})
	return reasonOf(grpcguard.DenialFrom(err), err)
}

func restock(ctx context.Context, s *running, organization string) (interceptor.Reason, error) {
	stream, err := stockv1.NewStockServiceClient(s.conn).Restock(ctx)
	if err != nil {
		return "", err
	}
	_ = stream.Send(&stockv1.RestockRequest{OrganizationId: organization}) // fails if the server was faster to refuse
	_, err = stream.CloseAndRecv()
	return reasonOf(grpcguard.DenialFrom(err), err)
}

func reasonOf(denial *interceptor.Denial, err error) (interceptor.Reason, error) {
	if denial == nil {
		return "", err
	}
	return denial.Reason(), nil
}

// withToken returns a context of calls that have a token. The clients of HTTP and of gRPC look for it.
func withToken(ctx context.Context, raw string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+raw)
}

// A bearer sends the token of the context over HTTP.
type bearer struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (b bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	if md, ok := metadata.FromOutgoingContext(request.Context()); ok {
		request = request.Clone(request.Context())
		request.Header["Authorization"] = md.Get("authorization")
	}
	return b.Transport.RoundTrip(request)
}
