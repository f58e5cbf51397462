// Package tenant reads the document of a local issuer, tenant.json, and keeps its keys.
package tenant

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/document"
)

// Example is a document that works.
const Example = `{
  "resources": {"https://api.example.com": ["read:orders"]},
  "users": [{"id": "alice", "scopes": {"https://api.example.com": ["read:orders"]}}]
}`

// A Tenant is what a local issuer serves.
type Tenant struct {
	devissuer.Config               // without Keys and AllowRemote
	URL              string        // of the issuer
	RotateEvery      time.Duration // zero: never

	name  string
	lines *document.Lines
}

// members are the members of a document.
type members struct {
	URL                string
	Hosts              []string
	RotateEvery        time.Duration
	Resources          map[string][]string
	OrganizationScopes []string
	Organizations      []string
	Users              []devissuer.User
	Clients            []devissuer.Client
	Claims             map[string]any
	Type               string
	Opaque             bool
	SigningAlgorithm   string
	TokenLifetime      time.Duration
}

// Parse reads a document, whose file has the given name. The error names every fault, with its line. The values of
// claims and secrets are not in the error.
func Parse(name string, text []byte) (*Tenant, error) {
	m := members{URL: "http://127.0.0.1:3001/oidc"}
	lines, errs := document.Parse(text, &m)
	t := &Tenant{
		Config: devissuer.Config{
			Resources: m.Resources, OrganizationScopes: m.OrganizationScopes, Organizations: m.Organizations,
			Users: m.Users, Clients: m.Clients, Claims: m.Claims, Type: m.Type, Opaque: m.Opaque,
			SigningAlgorithm: m.SigningAlgorithm, TokenLifetime: m.TokenLifetime, Hosts: m.Hosts,
		},
		URL: m.URL, RotateEvery: m.RotateEvery, name: name, lines: lines,
	}
	var forms, contents []fault
	for _, err := range errs {
		if f, ok := errors.AsType[*document.Fault](err); ok {
			forms = append(forms, fault{f.Line, f.Path, strings.TrimPrefix(f.Path+" "+f.Text, " ")})
		}
	}
	if len(errs) == 0 || forms[0].path != "" { // the document is a JSON object
		for _, f := range t.contentFaults() {
			if !slices.ContainsFunc(forms, func(form fault) bool { return f.follows(form) }) {
				contents = append(contents, f)
			}
		}
	}
	faults := slices.Concat(forms, contents)
	if len(faults) == 0 {
		return t, nil
	}
	slices.SortStableFunc(faults, func(a, b fault) int { return cmp.Compare(a.line, b.line) })
	texts := make([]string, len(faults))
	for n, f := range faults {
		texts[n] = fmt.Sprintf("%s:%d: %s", name, f.line, f.text)
	}
	return nil, errors.New(strings.Join(texts, "\n"))
}

// A fault is what is wrong with a member.
type fault struct {
	line int
	path string
	text string
}

// follows reports whether a fault of content may come from a fault of form: of the same member, or of the list whose
// names the member has to use.
func (f fault) follows(form fault) bool {
	list := form.path
	if end := strings.IndexAny(list, ".["); end >= 0 {
		list = list[:end]
	}
	if list == "resources" {
		list = "scopes["
	}
	return strings.HasPrefix(f.path, form.path) || strings.Contains(f.path, "."+list)
}

// contentFaults returns what is wrong with values of the right types.
func (t *Tenant) contentFaults() (faults []fault) {
	report := func(path, detail string) {
		faults = append(faults, fault{t.lines.Of(path), path, path + ": " + detail})
	}
	_, err := devissuer.New(t.URL, t.Config)
	for _, f := range faultsOf(err) {
		report(memberPath(f.Field), f.Detail)
	}
	if t.RotateEvery != 0 && t.RotateEvery < time.Second {
		report("rotateEvery", `is shorter than a second: write a duration such as "1h", or leave the member out`)
	}
	return faults
}

// faultsOf returns the faults that an error joins.
func faultsOf(err error) (faults []*devissuer.Fault) {
	for _, err := range document.SplitFaults(err) {
		if f, ok := errors.AsType[*devissuer.Fault](err); ok {
			faults = append(faults, f)
		}
	}
	return faults
}

// fieldName matches a name of a Go field, or a key in quotes, which may hold anything.
var fieldName = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[A-Za-z]+`)

// memberPath returns the path of a member, given the path of a field of devissuer.Config.
func memberPath(field string) string {
	if field == "issuerURL" {
		return "url"
	}
	return fieldName.ReplaceAllStringFunc(field, func(name string) string {
		if strings.HasPrefix(name, `"`) {
			return name
		}
		return document.MemberName(name)
	})
}

// Where returns where a member stands, as in tenant.json:12.
func (t *Tenant) Where(path string) string { return fmt.Sprintf("%s:%d", t.name, t.lines.Of(path)) }

// Address returns the default address to listen on: the host and the port of URL or, with AllowRemote, the port of URL
// on all addresses of this machine.
func (t *Tenant) Address() (string, error) {
	u, err := url.Parse(t.URL)
	switch {
	case err != nil || u.Scheme == "https":
		return "", fmt.Errorf("%s: url is https, and the issuer serves plain http: give -listen the address to which a TLS proxy sends the requests, such as 127.0.0.1:3001", t.Where("url"))
	case t.AllowRemote:
		return net.JoinHostPort("", cmp.Or(u.Port(), "80")), nil
	default:
		return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")), nil
	}
}
