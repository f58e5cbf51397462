package deployment_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// catalog answers Unimplemented.
type catalog = samplev1connect.UnimplementedCatalogServiceHandler

// newHandler returns the handler of a server, given the name of its document.
func newHandler(name string) (http.Handler, error) {
	d, err := deployment.Read(name)
	if err != nil {
		return nil, err
	}
	verifier, verifierErr := d.NewVerifier()
	rules, rulesErr := d.Compile(policy.Linked("sample"))
	if err := errors.Join(verifierErr, rulesErr); err != nil {
		return nil, err
	}
	mux := newMux(interceptor.New(verifier, rules))
	return interceptor.DeadlineHandler(mux), nil
}

func newMux(guard *interceptor.Guard) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog{}, guard.HandlerOption()))
	return mux
}

func ExampleRead() {
	handler, err := newHandler("testdata/authz.json")
	if err != nil {
		log.Fatal(err)
	}
	_ = handler // for http.Server

	_, err = newHandler("testdata/faulty.json")
	fmt.Println(err)

	// Output:
	// testdata/faulty.json:3: shadow is not an array: write ["…"]
	// testdata/faulty.json:4: issuers[0].preset is faulty: url: "https://sso.example.com" does not look like "https://sso.example.com/realms/acme"
}

// A server that takes opaque tokens, too, asks their issuer.
func ExampleDeployment_NewVerifier() {
	d, err := deployment.Read("testdata/authz.json")
	if err != nil {
		log.Fatal(err)
	}
	introspector, introspectorErr := token.NewIntrospector(d.Issuers[0], token.Introspection{
		Client: token.ClientSecretBasic("report", os.Getenv("REPORT_SECRET")),
	})
	verifier, verifierErr := d.NewVerifier(token.WithIntrospector(introspector))
	if err := errors.Join(introspectorErr, verifierErr); err != nil {
		log.Fatal(err)
	}
	_ = verifier // for interceptor.New
}
