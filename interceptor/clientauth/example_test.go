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

// example serves an identity provider and a guarded service.
func example() (*httptest.Server, error) {
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
		return nil, err
	}
	mux.Handle("/oidc/", issuer)
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog{}, interceptor.New(verifier, table).HandlerOption()))
	return server, nil
}

// A service calls another one with a token of its own.
func Example() {
	server, err := example()
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
