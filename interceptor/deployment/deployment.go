// Package deployment reads what differs between two installations of one program: the audience, the public services and
// the issuers, in one JSON document for the server and for the tools.
//
//	{
//	  "$schema": "../protoauthz/interceptor/deployment/deployment.schema.json",
//	  "audience": "https://shop.example.com",
//	  "public": ["grpc.health.v1.Health"],
//	  "issuers": [{"preset": ["logto", "https://tenant.logto.app"]}]
//	}
//
// "$schema" is for editors, which then mark a member that is misspelt: here it is the schema of a clone. An issuer is a
// preset, as here, or has the members that [token.ParseIssuer] describes.
//
// A server compiles its rules and makes its verifier by the document:
//
//	d, err := deployment.Read("authz.json")
//	…
//	verifier, verifierErr := d.NewVerifier()
//	rules, rulesErr := d.Compile(policy.Linked("shop"))
//	if err := errors.Join(verifierErr, rulesErr); err != nil {
//		return err
//	}
//	guard := interceptor.New(verifier, rules)
package deployment

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/compiling"
	"github.com/protoauthz/protoauthz/interceptor/internal/document"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Deployment is what differs between two installations of one program. It may be read from a document, or written in
// Go. The methods are safe for concurrent use while no field changes.
//
// A program with two servers compiles two tables by one Deployment: see [Deployment.Compile].
type Deployment struct {
	// Audience is the resource indicator of the API: see [policy.WithAudience]. It is required.
	Audience string
	// Public are services without annotations that everybody may call: see [policy.WithPublic].
	Public []string
	// SharedScopes are scopes that both global methods and methods of organizations may need: see
	// [policy.WithSharedScopes].
	SharedScopes []string
	// Shadow are services whose rules are observed and not enforced: see [policy.WithShadow].
	Shadow []string
	// UnannotatedRefused are services whose methods without annotation nobody may call: see
	// [policy.WithUnannotatedRefused].
	UnannotatedRefused []string
	// UnannotatedOpen are services whose methods without annotation everybody may call: see
	// [policy.WithUnannotatedOpen].
	UnannotatedOpen []string
	// SubjectIssuer is the issuer whose users and clients the requests name, as its iss has it: see
	// [policy.WithSubjectIssuer]. With one issuer it may be empty.
	SubjectIssuer string
	// Issuers are the authorization servers whose tokens are accepted. A server needs one at least. Rules do not tell
	// issuers apart: see [token.WithIssuer].
	Issuers []token.Issuer

	name     string // of the file
	lines    *document.Lines
	compiled func(policy.Files, []policy.Option) // for package guardtest, or nil
}

// init gives package guardtest what the public API of this package does not have.
func init() {
	compiling.Observe = func(d *Deployment, compiled func(policy.Files, []policy.Option)) { d.compiled = compiled }
}

// Parse returns the deployment that a JSON document (RFC 8259) describes. The document has a member for each field of
// [Deployment], named as the field with its first word in small letters: "audience", "sharedScopes". An issuer is a
// document of [token.ParseIssuer].
//
// A member that is unknown, given twice, null or of another type is a fault, except "$schema", which editors read. The
// error names every such fault and every fault of an issuer, with their lines. [Deployment.Compile] finds the faults of
// the other members.
//
// Faults name the document by the given name, as in "authz.json:3", or as "deployment" without a name. Parse opens no
// file.
func Parse(name string, text []byte) (*Deployment, error) {
	d := &Deployment{name: name}
	lines, faults := document.Parse(text, d)
	d.lines = lines
	for n, err := range faults {
		if fault, ok := errors.AsType[*document.Fault](err); ok {
			fault.File = name
		}
		if name == "" {
			faults[n] = fmt.Errorf("deployment: %w", err)
		}
	}
	if len(faults) == 0 && len(d.Issuers) > 0 { // two issuers may not fit together
		if _, err := d.NewVerifier(); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 {
		for _, fault := range d.issuerFaults() {
			faults = append(faults, fmt.Errorf("%s: %s", fault.Subject, fault.Detail))
		}
	}
	if len(faults) > 0 {
		return nil, endpoint.JoinFaults(faults)
	}
	return d, nil
}

// Read is [Parse] for a file. The error names the file.
func Read(name string) (*Deployment, error) {
	if name == "" {
		return nil, errors.New(`deployment: the name of the file is empty: name a document, such as "authz.json"; if a variable should supply the name, set the variable`)
	}
	text, err := os.ReadFile(name) //nolint:gosec // the program names the file
	if err != nil {
		return nil, fmt.Errorf("deployment: %w", err)
	}
	return Parse(name, text)
}

// NewVerifier returns a verifier for the tokens of all issuers, as [token.NewVerifier] does.
func (d *Deployment) NewVerifier(options ...token.Option) (*token.Verifier, error) {
	if len(d.Issuers) == 0 {
		return nil, fmt.Errorf(`%s: none is given: write one, such as {"preset": ["logto", "https://tenant.logto.app"]}`, d.subject("issuers"))
	}
	var all []token.Option
	for _, issuer := range d.Issuers[1:] {
		all = append(all, token.WithIssuer(issuer))
	}
	verifier, err := token.NewVerifier(d.Issuers[0], append(all, options...)...)
	if err == nil {
		return verifier, nil
	}
	faults := document.SplitFaults(err)
	for n, fault := range faults {
		if text, ok := strings.CutPrefix(fault.Error(), "token: issuer"); ok && d.lines != nil {
			fault = errors.New("issuer" + document.InMembers(text, reflect.TypeFor[token.Issuer]()))
		}
		faults[n] = fmt.Errorf("%s: %w", d.subject("issuers"), fault)
	}
	return nil, errors.Join(faults...)
}

// Place returns the place of a member, such as "shadow[0]": the name and the line of the document, as in "authz.json:3".
// For a member that the document does not have, it is the line of the nearest member around it. A Deployment that was
// written in Go has the place "deployment".
func (d *Deployment) Place(member string) string {
	switch {
	case d.lines == nil:
		return "deployment"
	case d.name == "":
		return fmt.Sprintf("deployment: line %d", d.lines.Of(member))
	default:
		return fmt.Sprintf("%s:%d", d.name, d.lines.Of(member))
	}
}

// subject returns what faults name as their subject.
func (d *Deployment) subject(member string) string { return d.Place(member) + ": " + member }
