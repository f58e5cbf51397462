package guardtest_test

import (
	"net/http"
	"testing"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// newServer stands for the function of a program that makes its handler and its rules.
func newServer() (http.Handler, *policy.Table, error) {
	verifier, err := token.NewVerifier(token.Logto("https://tenant.logto.app"))
	if err != nil {
		return nil, nil, err
	}
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		return nil, nil, err
	}
	guard := interceptor.New(verifier, table)
	mux := http.NewServeMux()
	catalog := samplev1connect.UnimplementedCatalogServiceHandler{}
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog, guard.HandlerOption()))
	return interceptor.DeadlineHandler(mux), table, nil
}

// testGuarded is a test of the whole server: it fails if a handler was mounted without
// guard.HandlerOption(). Name it TestGuarded, so that go test calls it.
func testGuarded(t *testing.T) {
	handler, table, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	guardtest.AssertGuarded(t, handler, table)
}

func ExampleAssertGuarded() {
	var t *testing.T // go test supplies one
	testGuarded(t)
}

// newShadowServer stands for the same function while the rules of a service are not enforced.
func newShadowServer() (http.Handler, *policy.Table, error) {
	handler, _, err := newServer()
	if err != nil {
		return nil, nil, err
	}
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"),
		policy.WithShadow("sample.v1.CatalogService"))
	return handler, table, err
}

// testShadowGuarded passes only while the rules of the service are not enforced.
func testShadowGuarded(t *testing.T) {
	handler, table, err := newShadowServer()
	if err != nil {
		t.Fatal(err)
	}
	guardtest.AssertGuarded(t, handler, table, guardtest.NotEnforced("sample.v1.CatalogService"))
}

func ExampleNotEnforced() {
	var t *testing.T // go test supplies one
	testShadowGuarded(t)
}
