package guardtest

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Deployment reads the document of a deployment for a test, with the given issuers in place of the document's. The
// result has no service in shadow, since in shadow no test can tell a handler behind the guard from one without:
//
//	issuer := devissuer.Start(t, devissuer.Config{})
//	d := guardtest.Deployment(t, "authz.json", token.Logto(issuer.URL()))
//
// Without issuers, the document's stay. The test fails at once if the document has a fault, or if no linked service has
// a name of the document's shadow: a server would not start.
func Deployment(t testing.TB, name string, issuers ...token.Issuer) *deployment.Deployment {
	t.Helper()
	d, err := deployment.Read(name)
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	var faults []error
	for n, service := range d.Shadow {
		linked, _ := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		if _, ok := linked.(protoreflect.ServiceDescriptor); !ok {
			member := fmt.Sprintf("shadow[%d]", n)
			faults = append(faults, fmt.Errorf("%s: %s: the test links no service %s: correct the name, or import the generated Go package of the service", d.Place(member), member, service))
		}
	}
	if len(faults) > 0 {
		t.Fatalf("guardtest: %v", errors.Join(faults...))
	}
	d.Shadow = nil
	if len(issuers) > 0 {
		d.Issuers = issuers
	}
	return d
}
