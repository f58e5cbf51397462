package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const scopesHelp = `Prints the scopes that the rules ask for, so that you can create them at the issuer. Nothing is sent.

` + inputHelp + `

Formats:
   json    for programs: {"groups": [...], "missing": [...]}: a group for each model and audience, each
           with model, audience ("" for organization) and scopes; each scope with name and the procedures
           that ask for it. Missing are the procedures that have faults: the answer lacks their scopes.
           Names and values are stable; fields may be added.
   logto   bodies for Logto's Management API. {"resources": [{"resource": ..., "scopes": [...]}]}:
           resource is the body of POST /api/resources, each of scopes is the body of
           POST /api/resources/{resourceId}/scopes. {"organizationScopes": [...]}: each is the body
           of POST /api/organization-scopes. "missing" is as in json.
   auth0   bodies for Auth0's Management API. {"resourceServers": [...]}: each is the body of
           POST /api/v2/resource-servers. PATCH /api/v2/resource-servers/{id} takes only its scopes,
           and deletes all other scopes: if a method has a fault, nothing is printed.

The models and their scopes:
   global_resource         scopes of an API. Users and clients get them by roles.
   organization_resource   scopes of an API too. Logto: organization roles hold them as API
                           permissions. Auth0: roles hold them, given to members of an organization.
   organization            organization scopes of Logto, held by organization roles. Auth0 has no
                           such scopes: standard error names the scopes that are left out.

Examples:
   buf build -o - | protoauthz scopes -audience https://api.example.com
   protoauthz scopes -format logto image.binpb | jq -c '.organizationScopes[]'
   protoauthz scopes -format auth0 image.binpb | jq '.resourceServers[0] | {scopes}'`

func scopesCommand() *cli.Command {
	return &cli.Command{
		Name:        "scopes",
		Usage:       "print the scopes to create at Logto, Auth0 or another issuer",
		ArgsUsage:   "[INPUT]",
		Description: scopesHelp,
		Flags:       append([]cli.Flag{newFormatFlag("json", "logto", "auth0")}, policyFlags()...),
		Action:      scopes,
	}
}

func scopes(ctx context.Context, c *cli.Command) error {
	a, err := readRules(ctx, c)
	if err != nil {
		return err
	}
	found, missing := inventory(a.rules), a.missing()
	w := c.Root().Writer
	switch c.String(formatFlagName) {
	case "logto":
		err = scopesLogto(w, found, missing)
	case "auth0":
		if err := a.describe("the rules do not compile, so that nothing is printed: a PATCH of Auth0 would delete the missing scopes", all); err != nil {
			return err
		}
		err = scopesAuth0(w, c.Root().ErrWriter, found)
	default:
		err = scopesJSON(w, found, missing)
	}
	return cmp.Or(err, a.err())
}

// A scopeGroup holds the scopes of a model and an audience. The audience is empty for
// MODEL_ORGANIZATION.
type scopeGroup struct {
	model      authzv1.Model
	audience   string
	procedures map[string][]string // by the scope that they ask for
}

// inventory returns the scopes that rules ask for, sorted. A group may have no scopes: its
// methods take any token of the model.
func inventory(rules []*policy.Rule) []*scopeGroup {
	type key struct {
		model    authzv1.Model
		audience string
	}
	groups := map[key]*scopeGroup{}
	for _, rule := range rules {
		for _, way := range rule.Ways() {
			k := key{way.Model, way.Audience}
			if k.model == authzv1.Model_MODEL_ORGANIZATION {
				k.audience = ""
			}
			if groups[k] == nil {
				groups[k] = &scopeGroup{k.model, k.audience, map[string][]string{}}
			}
			for _, scope := range slices.Concat(way.Scopes, way.AnyScopes) {
				if procedures := groups[k].procedures; !slices.Contains(procedures[scope], rule.Procedure) {
					procedures[scope] = append(procedures[scope], rule.Procedure)
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(groups), func(a, b *scopeGroup) int {
		return cmp.Or(strings.Compare(a.audience, b.audience), cmp.Compare(a.model, b.model))
	})
}

func scopesJSON(w io.Writer, found []*scopeGroup, missing []string) error {
	type scope struct {
		Name       string   `json:"name"`
		Procedures []string `json:"procedures"`
	}
	type group struct {
		Model    string  `json:"model"`
		Audience string  `json:"audience"`
		Scopes   []scope `json:"scopes"`
	}
	document := struct {
		Groups  []group  `json:"groups"`
		Missing []string `json:"missing"`
	}{[]group{}, missing}
	for _, g := range found {
		one := group{modelName(g.model), g.audience, []scope{}}
		for _, name := range slices.Sorted(maps.Keys(g.procedures)) {
			one.Scopes = append(one.Scopes, scope{name, g.procedures[name]})
		}
		document.Groups = append(document.Groups, one)
	}
	return terminal.WriteJSON(w, document)
}

// A resource is an API with the scopes of both models of an API.
type resource struct {
	indicator  string
	procedures map[string][]string // by the scope that they ask for
}

// resources returns the APIs, and the scopes that do not belong to an API.
func resources(found []*scopeGroup) (apis []*resource, organization map[string][]string) {
	for _, g := range found {
		if g.model == authzv1.Model_MODEL_ORGANIZATION {
			organization = g.procedures
			continue
		}
		if len(apis) == 0 || apis[len(apis)-1].indicator != g.audience {
			apis = append(apis, &resource{g.audience, map[string][]string{}})
		}
		for scope, procedures := range g.procedures {
			all := apis[len(apis)-1].procedures
			all[scope] = slices.Compact(slices.Sorted(slices.Values(append(all[scope], procedures...)))) // two ways of a method may share a scope
		}
	}
	return apis, organization
}

func scopesLogto(w io.Writer, found []*scopeGroup, missing []string) error {
	// CreateScope and CreateOrganizationScope of @logto/schemas, without the fields that Logto fills in.
	type scope struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	type api struct {
		Resource struct {
			Name      string `json:"name"`
			Indicator string `json:"indicator"`
		} `json:"resource"`
		Scopes []scope `json:"scopes"`
	}
	all := func(procedures map[string][]string) []scope {
		list := []scope{}
		for _, name := range slices.Sorted(maps.Keys(procedures)) {
			list = append(list, scope{name, description(procedures[name])})
		}
		return list
	}
	document := struct {
		Resources          []api    `json:"resources"`
		OrganizationScopes []scope  `json:"organizationScopes"`
		Missing            []string `json:"missing"`
	}{Resources: []api{}, Missing: missing}
	apis, organization := resources(found)
	for _, r := range apis {
		one := api{Scopes: all(r.procedures)}
		one.Resource.Name, one.Resource.Indicator = r.indicator, r.indicator
		document.Resources = append(document.Resources, one)
	}
	document.OrganizationScopes = all(organization)
	return terminal.WriteJSON(w, document)
}

func scopesAuth0(w, stderr io.Writer, found []*scopeGroup) error {
	// ResourceServerCreate and Scope of Auth0's SDKs.
	type scope struct {
		Value       string `json:"value"`
		Description string `json:"description"`
	}
	type server struct {
		Identifier string  `json:"identifier"`
		Name       string  `json:"name"`
		Scopes     []scope `json:"scopes"`
	}
	document := struct {
		ResourceServers []server `json:"resourceServers"`
	}{[]server{}}
	apis, organization := resources(found)
	for _, r := range apis {
		// Auth0 forbids these characters in a name.
		one := server{r.indicator, strings.NewReplacer("<", "", ">", "").Replace(r.indicator), []scope{}}
		for _, name := range slices.Sorted(maps.Keys(r.procedures)) {
			one.Scopes = append(one.Scopes, scope{name, description(r.procedures[name])})
		}
		document.ResourceServers = append(document.ResourceServers, one)
	}
	if slices.ContainsFunc(found, func(g *scopeGroup) bool { return g.model == authzv1.Model_MODEL_ORGANIZATION }) {
		complain(stderr, fmt.Sprintf("warning: Auth0 issues no tokens for MODEL_ORGANIZATION, so the output lacks %s: %s",
			count(len(organization), "scope", "scopes"), strings.Join(slices.Sorted(maps.Keys(organization)), " ")))
	}
	return terminal.WriteJSON(w, document)
}

// descriptionLength is the limit of a description in bytes. It does not come from an issuer.
const descriptionLength = 250

// description returns the names of the methods, as in "OrderService: GetOrder, ListOrders", up to
// the limit.
func description(procedures []string) string {
	procedures = slices.Sorted(slices.Values(procedures))
	short := func(service string) string { return service[strings.LastIndexByte(service, '.')+1:] }
	full := map[string]map[string]bool{} // by short name, such as OrderService of v1 and of v2
	for _, procedure := range procedures {
		service, _, _ := strings.Cut(procedure[1:], "/")
		if full[short(service)] == nil {
			full[short(service)] = map[string]bool{}
		}
		full[short(service)][service] = true
	}
	var out strings.Builder
	last := ""
	for i, procedure := range procedures {
		service, method, _ := strings.Cut(procedure[1:], "/")
		part := ", " + method
		if service != last {
			name := short(service)
			if len(full[name]) > 1 {
				name = service
			}
			part = "; " + name + ": " + method
		}
		last = service
		if rest := fmt.Sprintf(" and %d more", len(procedures)-i); i > 0 && out.Len()+len(part)+len(rest) > descriptionLength {
			out.WriteString(rest)
			break
		}
		out.WriteString(part)
	}
	return strings.TrimPrefix(out.String(), "; ")
}
