package guardtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/compiling"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Deployment reads the document of a deployment for a test. The given issuers take the place of the issuers in the
// document. The first given issuer takes the place of the document's subjectIssuer, unless subjectIssuer is a given
// issuer. No service is in shadow, since in shadow no test can tell a handler behind the guard from one without. The log
// of the test names the services that the document has in shadow: a server does not enforce their rules.
//
//	issuer := devissuer.Start(t, devissuer.Config{})
//	d := guardtest.Deployment(t, "authz.json", token.Logto(issuer.URL()))
//
// When [deployment.Deployment.Compile] compiles the rules, the test fails for each way that no token of the document's own
// issuers can meet: see [interceptor.Check].
//
// Without issuers, the issuers of the document stay. So do the services of UnannotatedOpen: see [NotEnforced]. The test
// fails at once if the document has a fault, or if no linked service has a name of the document's shadow: a server would
// not start.
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
	for n, service := range d.Shadow {
		t.Logf("guardtest: %s: shadow[%d]: this test enforces the rules of %s, and a server does not", d.Place(fmt.Sprintf("shadow[%d]", n)), n, service)
	}
	checkCompiled(t, d)
	d.Shadow = nil
	if len(issuers) > 0 {
		d.Issuers = issuers
		if isOf := func(issuer token.Issuer) bool { return issuer.URL == d.SubjectIssuer }; d.SubjectIssuer != "" && !slices.ContainsFunc(issuers, isOf) {
			d.SubjectIssuer = issuers[0].URL
		}
	}
	return d
}

// observe has a function called with the arguments of each call of Compile that returns a table. A program does not start
// if package deployment has another type.
var observe = compiling.Observe.(func(*deployment.Deployment, func(policy.Files, []policy.Option))) //nolint:errcheck // see above

// checkCompiled fails the test for the rules that a test compiles by a deployment, and that no token can meet in production.
func checkCompiled(t testing.TB, d *deployment.Deployment) {
	t.Helper()
	production := *d
	if len(production.Issuers) == 0 { // the document is of tests alone
		return
	}
	observe(d, func(files policy.Files, options []policy.Option) {
		t.Helper()
		verifier, verifierErr := production.NewVerifier()
		table, tableErr := production.Compile(files, options...)
		if err := errors.Join(verifierErr, tableErr); err != nil {
			t.Errorf("guardtest: %v", err)
			return
		}
		if err := interceptor.Check(verifier, table); err != nil {
			t.Errorf("guardtest: %s: the issuers do not fit the rules: %v", production.Place("issuers"), err)
		}
	})
}
