package clientauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// catalog is the service that is called.
type catalog struct {
	samplev1connect.UnimplementedCatalogServiceHandler
}

// WhoAmI answers with what the server knows of the caller.
func (catalog) WhoAmI(ctx context.Context, _ *connect.Request[samplev1.WhoAmIRequest]) (*connect.Response[samplev1.WhoAmIResponse], error) {
	claims := interceptor.ClaimsFromContext(ctx)
	return connect.NewResponse(&samplev1.WhoAmIResponse{Auth: &samplev1.AuthInfo{ClientId: claims.ClientID(), Scopes: claims.Scopes()}}), nil
}

// example serves an identity provider and a guarded service, and returns the guard too.
func example() (*httptest.Server, *interceptor.Guard, error) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	issuer, issuerErr := devissuer.New(server.URL+"/oidc", devissuer.Config{
		Resources: map[string][]string{"https://api.example.com": {"read:products"}},
		Clients: []devissuer.Client{{
			ID: "shop", Secret: "shop-secret",
			Scopes: map[string][]string{"https://api.example.com": {"read:products"}},
		}},
	})
	verifier, verifierErr := token.NewVerifier(token.Logto(server.URL))
	table, tableErr := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err := errors.Join(issuerErr, verifierErr, tableErr); err != nil {
		server.Close()
		return nil, nil, err
	}
	guard := interceptor.New(verifier, table)
	mux.Handle("/oidc/", issuer)
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog{}, guard.HandlerOption()))
	return server, guard, nil
}

// A service calls another one with a token of its own.
func Example() {
	server, _, err := example()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	if err := os.Setenv("SHOP_SECRET", "shop-secret"); err != nil {
		log.Fatal(err)
	}

	client, err := clientauth.New(clientauth.Logto(server.URL), "shop", os.Getenv("SHOP_SECRET"))
	if err != nil {
		log.Fatal(err) // every fault at once
	}
	source := client.Source(clientauth.Target{Resource: "https://api.example.com", Scopes: []string{"read:products"}})
	products := samplev1connect.NewCatalogServiceClient(
		clientauth.HTTPClient(http.DefaultClient), server.URL,
		connect.WithInterceptors(clientauth.NewInterceptor(source)),
	)

	response, err := products.WhoAmI(context.Background(), connect.NewRequest(&samplev1.WhoAmIRequest{}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Msg.GetAuth().GetClientId(), response.Msg.GetAuth().GetScopes())

	// Output:
	// shop [read:products]
}

// A server that serves many organizations asks for the token of the one that it is called for.
func ExampleClient_SourceFunc() {
	client, err := clientauth.New(clientauth.Logto("https://tenant.logto.app"), "shop", "shop-secret")
	if err != nil {
		log.Fatal(err)
	}
	source := client.SourceFunc(func(ctx context.Context) (clientauth.Target, error) {
		organization := interceptor.ClaimsFromContext(ctx).OrganizationID()
		if organization == "" {
			return clientauth.Target{}, errors.New("no organization") // else the token would be one for all
		}
		return clientauth.Target{Resource: "https://api.example.com", Organization: organization}, nil
	})

	_, err = source.Token(context.Background()) // of no call
	fmt.Println(err)

	// Output:
	// clientauth: no target: no organization
}

// front is a service whose handlers call the catalog as their caller.
type front struct {
	samplev1connect.UnimplementedCatalogServiceHandler

	products samplev1connect.CatalogServiceClient
}

// WhoAmI answers with what the catalog knows of the caller.
func (f front) WhoAmI(ctx context.Context, request *connect.Request[samplev1.WhoAmIRequest]) (*connect.Response[samplev1.WhoAmIResponse], error) {
	return f.products.WhoAmI(ctx, connect.NewRequest(request.Msg))
}

// A handler calls another service with the token of its caller.
func ExampleForward() {
	server, guard, err := example()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	products := samplev1connect.NewCatalogServiceClient(
		clientauth.HTTPClient(http.DefaultClient), server.URL,
		connect.WithInterceptors(clientauth.NewInterceptor(clientauth.Forward())),
	)
	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(front{products: products}, guard.HandlerOption()))

	frontServer := httptest.NewServer(mux)
	defer frontServer.Close()
	shop, err := clientauth.New(clientauth.Logto(server.URL), "shop", "shop-secret")
	if err != nil {
		log.Fatal(err)
	}
	source := shop.Source(clientauth.Target{Resource: "https://api.example.com", Scopes: []string{"read:products"}})
	client := samplev1connect.NewCatalogServiceClient(
		clientauth.HTTPClient(http.DefaultClient), frontServer.URL, connect.WithInterceptors(clientauth.NewInterceptor(source)),
	)
	response, err := client.WhoAmI(context.Background(), connect.NewRequest(&samplev1.WhoAmIRequest{}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Msg.GetAuth().GetClientId(), response.Msg.GetAuth().GetScopes())

	// Output:
	// shop [read:products]
}

// A token of package oauth2 is sent with the same care as a token of a [clientauth.Client].
func ExampleFromTokenSource() {
	source := clientauth.FromTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "eyJhbGci.eyJzdWIi.c2ln"}))

	token, err := source.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	_, err = source.Replace(context.Background(), token) // after a server has refused the token
	fmt.Println(errors.Is(err, clientauth.ErrSameToken))

	// Output:
	// true
}
