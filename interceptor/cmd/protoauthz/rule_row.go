package main

import (
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
	Procedure    string        `json:"procedure"`    // "/pkg.Service/Method", or "/pkg.Service/*"
	Access       string        `json:"access"`       // "public", "authenticated", "scopes", or "refused" without annotation
	Enforced     bool          `json:"enforced"`     // false in shadow, and if public without annotation
	Unannotated  bool          `json:"unannotated"`  // an -unannotated flag, and no annotation, makes the method public or refused
	Model        string        `json:"model"`        // "global_resource", "organization", "organization_resource", or "" if public or refused
	Audience     string        `json:"audience"`     // "" if public or refused, and for "organization"
	Scopes       []string      `json:"scopes"`       // all are needed
	AnyScopes    []string      `json:"anyScopes"`    // one is needed, unless empty
	Caller       string        `json:"caller"`       // "any", "user", "client", or "" if public or refused
	Organization *organization `json:"organization"` // null if public or refused, and for "global_resource"
	Place        string        `json:"place"`        // "file:line:column" of the method, as much of it as is known

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

var locations = map[policy.Location]string{policy.LocationField: "field", policy.LocationHeader: "header", policy.LocationToken: "token"}

// newRow returns the row of a rule.
func newRow(rule *policy.Rule) *row {
	r := &row{
		Procedure: rule.Procedure, Access: accessScopes, Scopes: list(rule.Scopes), AnyScopes: list(rule.AnyScopes),
		Enforced: rule.Enforced(), Unannotated: rule.Unannotated, Place: rule.Place().String(), needs: rule.Needs(),
	}
	if rule.Unannotated {
		r.Access, r.Notes = accessRefused, " (no annotation)"
	}
	if rule.Public {
		r.Access = accessPublic
	}
	if rule.Shadow {
		r.Notes += " (shadow, not enforced)"
	}
	if rule.Public || rule.Unannotated {
		r.needs = r.Access
		return r
	}
	if len(rule.Scopes)+len(rule.AnyScopes) == 0 {
		r.Access = accessAuthenticated
	}
	r.Model = modelName(rule.Model)
	r.Caller = strings.ToLower(strings.TrimPrefix(rule.Caller.String(), "CALLER_"))
	// The audience of an organization token is the organization, not the audience of the service.
	if rule.Model != authzv1.Model_MODEL_ORGANIZATION {
		r.Audience = rule.Audience
	}
	if o := rule.Organization; o != nil {
		r.Organization = &organization{locations[o.Location], o.Name, o.Pattern, o.String()}
	}
	return r
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

// where returns where requests name their organization.
func (r *row) where() string {
	if r.Organization == nil {
		return ""
	}
	return r.Organization.text
}

// aud returns the audience that a token must have.
func (r *row) aud() string {
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
