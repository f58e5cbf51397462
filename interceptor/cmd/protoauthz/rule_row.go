package main

import (
	"slices"
	"strings"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// The values of row.Access.
const (
	accessPublic        = "public"
	accessAuthenticated = "authenticated"
	accessScopes        = "scopes"
	accessRefused       = "refused"
)

// A row is the rule of one procedure, for people and programs. The names in JSON are
// stable.
type row struct {
	Procedure   string `json:"procedure"`   // "/pkg.Service/Method", or "/pkg.Service/*"
	Enforced    bool   `json:"enforced"`    // false in shadow, and if public without annotation
	Unannotated bool   `json:"unannotated"` // an -unannotated flag, and no annotation, makes the method public or refused
	Place       string `json:"place"`       // "file:line:column" of the method, as much of it as is known
	wayRow
	Alternatives         []*wayRow `json:"alternatives"` // further ways in
	OrganizationOptional bool      `json:"organizationOptional"`
}

// A wayRow is one way in. It is the only one of a rule that is public or refuses every call.
type wayRow struct {
	Access       string        `json:"access"`       // "public", "authenticated", "scopes", or "refused" without annotation
	Model        string        `json:"model"`        // "global_resource", "organization", "organization_resource", or "" if public or refused
	Audience     string        `json:"audience"`     // "" if public or refused, and for "organization"
	Scopes       []string      `json:"scopes"`       // all are needed
	AnyScopes    []string      `json:"anyScopes"`    // one is needed, unless empty
	Caller       string        `json:"caller"`       // "any", "user", "client", or "" if public or refused
	Organization *organization `json:"organization"` // null if public or refused, and for "global_resource"
	Subject      *identifier   `json:"subject"`      // null unless the request must name the user
	Client       *identifier   `json:"client"`       // null unless the request must name the client

	Notes string `json:"-"` // what needs does not tell, for people
	needs string // what the token must have, for people
}

// An organization is where requests name the organization.
type organization struct {
	Location string `json:"location"` // "field", "header" or "token"
	Name     string `json:"name"`     // the path of the field, the header, or ""
	Pattern  string `json:"pattern"`  // of the resource name in the field, or ""

	text string
}

// An identifier is where requests name the user or the client.
type identifier struct {
	Name    string `json:"name"`    // the path of the field
	Pattern string `json:"pattern"` // of the resource name in the field, or ""
	Issuer  string `json:"issuer"`  // whose users and clients the field names, or ""

	text string
}

var locations = map[policy.Location]string{policy.LocationField: "field", policy.LocationHeader: "header", policy.LocationToken: "token"}

// newRow returns the row of a rule.
func newRow(rule *policy.Rule) *row {
	r := &row{
		Procedure: rule.Procedure, Enforced: rule.Enforced(), Unannotated: rule.Unannotated, Place: rule.Place().String(),
		Alternatives: []*wayRow{}, OrganizationOptional: rule.OrganizationOptional,
	}
	r.wayRow = wayRow{Access: accessRefused, Scopes: []string{}, AnyScopes: []string{}}
	if rule.Public {
		r.Access = accessPublic
	}
	r.needs = r.Access
	for n, way := range rule.Ways() {
		if n == 0 {
			r.wayRow = *newWayRow(way)
		} else {
			r.Alternatives = append(r.Alternatives, newWayRow(way))
		}
	}
	if rule.Unannotated {
		r.Notes = " (no annotation)"
	}
	if rule.Shadow {
		r.Notes += " (shadow, not enforced)"
	}
	return r
}

// newWayRow returns the row of a way.
func newWayRow(way *policy.Way) *wayRow {
	r := &wayRow{
		Access: accessScopes, Scopes: list(way.Scopes), AnyScopes: list(way.AnyScopes), Model: modelName(way.Model),
		Caller: strings.ToLower(strings.TrimPrefix(way.Caller.String(), "CALLER_")), needs: way.Needs(),
		Subject: newIdentifier(way.Subject), Client: newIdentifier(way.Client),
	}
	if len(way.Scopes)+len(way.AnyScopes) == 0 {
		r.Access = accessAuthenticated
	}
	// The audience of an organization token is the organization, not the audience of the service.
	if way.Model != authzv1.Model_MODEL_ORGANIZATION {
		r.Audience = way.Audience
	}
	if o := way.Organization; o != nil {
		r.Organization = &organization{locations[o.Location], o.Name, o.Pattern, o.String()}
	}
	return r
}

func newIdentifier(i *policy.Identifier) *identifier {
	if i == nil {
		return nil
	}
	return &identifier{i.Name, i.Pattern, i.Issuer, i.String()}
}

// list returns a copy of a list that is not null in JSON.
func list(values []string) []string { return append([]string{}, values...) }

func modelName(model authzv1.Model) string {
	return strings.ToLower(strings.TrimPrefix(model.String(), "MODEL_"))
}

// split returns the service and the method.
func (r *row) split() (service, method string) {
	service, method, _ = strings.Cut(strings.TrimPrefix(r.Procedure, "/"), "/")
	return service, method
}

// title returns what stands before a way: the name of the method, or "or".
func (r *row) title(way int) string {
	if way > 0 {
		return "or"
	}
	_, method := r.split()
	return method
}

// ways returns the ways in, the rule's own first.
func (r *row) ways() []*wayRow { return append([]*wayRow{&r.wayRow}, r.Alternatives...) }

// where returns where requests name their organization.
func (r *wayRow) where() string {
	if r.Organization == nil {
		return ""
	}
	return r.Organization.text
}

// names returns where requests name their user and their client.
func (r *wayRow) names() string {
	var names []string
	if r.Subject != nil {
		names = append(names, "subject="+r.Subject.text)
	}
	if r.Client != nil {
		names = append(names, "client="+r.Client.text)
	}
	return strings.Join(names, ", ")
}

// aud returns the audience that a token must have.
func (r *wayRow) aud() string {
	if r.Model == modelName(authzv1.Model_MODEL_ORGANIZATION) {
		return "organization"
	}
	return terminal.Escape(r.Audience)
}

// A group holds the rows of one service.
type group struct {
	Service string
	Rows    []*row
}

// names reports whether requests of a row must name their user or their client.
func (g *group) names() bool {
	return slices.ContainsFunc(g.Rows, func(r *row) bool {
		return slices.ContainsFunc(r.ways(), func(way *wayRow) bool { return way.names() != "" })
	})
}

// groups returns the rows of rules that are sorted by procedure.
func groups(rules []*policy.Rule) []*group {
	var all []*group
	for _, rule := range rules {
		r := newRow(rule)
		service, _ := r.split()
		if len(all) == 0 || all[len(all)-1].Service != service {
			all = append(all, &group{Service: service})
		}
		last := all[len(all)-1]
		last.Rows = append(last.Rows, r)
	}
	return all
}
