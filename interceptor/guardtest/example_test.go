package guardtest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// newServer stands for the function of a program that makes its handler and its rules by a deployment.
func newServer(d *deployment.Deployment) (http.Handler, *policy.Table, error) {
	verifier, verifierErr := d.NewVerifier()
	table, tableErr := d.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto})
	if err := errors.Join(verifierErr, tableErr); err != nil {
		return nil, nil, err
	}
	guard := interceptor.New(verifier, table)
	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog{}, guard.HandlerOption()))
	return interceptor.DeadlineHandler(mux), table, nil
}

// catalog stands for the handler of a program.
type catalog struct {
	samplev1connect.UnimplementedCatalogServiceHandler
}

// WhoAmI answers with what the server knows of the caller.
func (catalog) WhoAmI(ctx context.Context, _ *connect.Request[samplev1.WhoAmIRequest]) (*connect.Response[samplev1.WhoAmIResponse], error) {
	claims := interceptor.ClaimsFromContext(ctx)
	return connect.NewResponse(&samplev1.WhoAmIResponse{Auth: &samplev1.AuthInfo{Sub: claims.Subject(), Scopes: claims.Scopes()}}), nil
}

// testGuarded is a test of the whole server: it fails if a handler was mounted without
// guard.HandlerOption(). Name it TestGuarded, so that go test calls it.
func testGuarded(t *testing.T) {
	handler, table, err := newServer(guardtest.Deployment(t, "testdata/authz.json"))
	if err != nil {
		t.Fatal(err)
	}
	guardtest.AssertGuarded(t, handler, table)
}

func ExampleAssertGuarded() {
	var t *testing.T // go test supplies one
	testGuarded(t)
}

// testShadowGuarded reads a deployment with a service in shadow. It passes only while the rules of the service are not enforced.
func testShadowGuarded(t *testing.T) {
	d, err := deployment.Read("testdata/authz.json")
	if err != nil {
		t.Fatal(err)
	}
	handler, table, err := newServer(d)
	if err != nil {
		t.Fatal(err)
	}
	guardtest.AssertGuarded(t, handler, table, guardtest.NotEnforced("sample.v1.CatalogService"))
}

func ExampleNotEnforced() {
	var t *testing.T // go test supplies one
	testShadowGuarded(t)
}

// testWhoAmI is a test of a handler, which needs no token, no key and no server.
func testWhoAmI(t *testing.T) {
	ctx := guardtest.User("alice").Audience("https://api.example.com").Scopes("read:products").Context(t)
	response, err := catalog{}.WhoAmI(ctx, connect.NewRequest(&samplev1.WhoAmIRequest{}))
	if err != nil || response.Msg.GetAuth().GetSub() != "alice" {
		t.Error(response, err)
	}
}

func ExampleUser() {
	var t *testing.T // go test supplies one
	testWhoAmI(t)
}

// testServer is a test of a server with tokens of its own issuer.
func testServer(t *testing.T) {
	issuer := devissuer.Start(t, devissuer.Config{})
	handler, _, err := newServer(guardtest.Deployment(t, "testdata/authz.json", token.Logto(issuer.URL())))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	client := samplev1connect.NewCatalogServiceClient(server.Client(), server.URL)

	request := connect.NewRequest(&samplev1.CreateOrderRequest{})
	request.Header().Set("Authorization", "Bearer "+issuer.Token(t, map[string]any{"sub": "alice", "aud": "https://api.example.com", "scope": "read:products"}))
	_, err = client.CreateOrder(t.Context(), request)
	if denial := interceptor.DenialFrom(err); denial == nil || denial.Reason() != interceptor.ReasonScopeInsufficient {
		t.Error(err)
	}
}

// testOutgoing is a test of calls to another service, for which the issuer of the test makes the tokens.
func testOutgoing(t *testing.T) {
	scopes := map[string][]string{"https://api.example.com": {"read:products"}}
	issuer := devissuer.Start(t, devissuer.Config{
		Resources: scopes,
		Clients:   []devissuer.Client{{ID: "shop", Secret: "shop-secret", Scopes: scopes}},
	})
	client, err := clientauth.New(clientauth.Provider{TokenURL: issuer.TokenURL()}, "shop", "shop-secret")
	if err != nil {
		t.Fatal(err)
	}
	source := client.Source(clientauth.Target{Resource: "https://api.example.com", Scopes: []string{"read:products"}})
	if _, err := source.Token(t.Context()); err != nil {
		t.Error(err)
	}
}

// testAccess is a test of who may call what.
func testAccess(t *testing.T) {
	_, table, err := newServer(guardtest.Deployment(t, "testdata/authz.json"))
	if err != nil {
		t.Fatal(err)
	}
	reader := guardtest.User("alice").Audience("https://api.example.com").Scopes("read:products")
	guardtest.AssertAccess(t, "testdata/access.golden", table, guardtest.Callers{
		"reader":   reader.Claims(t),
		"customer": reader.Scopes("read:products", "write:orders").Claims(t),
		"worker":   guardtest.Client("worker").Audience("https://other.example.com").Claims(t),
	})
}

func ExampleAssertAccess() {
	var t *testing.T // go test supplies one
	testAccess(t)
}

// TestExamples runs the tests that the documents show.
func TestExamples(t *testing.T) {
	t.Parallel()
	t.Run("guarded", testGuarded)
	t.Run("shadow", testShadowGuarded)
	t.Run("handler", testWhoAmI)
	t.Run("server", testServer)
	t.Run("outgoing", testOutgoing)
	t.Run("access", testAccess)
}
