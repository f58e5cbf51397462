package tenant

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// Complete returns a request with the only resource of the tenant, if the request has none. A request for an
// organization stays without a resource if the tenant has organization scopes.
func (t *Tenant) Complete(request devissuer.Request) devissuer.Request {
	isForOrganization := request.Organization != "" && len(t.OrganizationScopes) > 0
	if request.Resource == "" && !isForOrganization && len(t.Resources) == 1 {
		request.Resource = slices.Collect(maps.Keys(t.Resources))[0]
	}
	return request
}

// flags are the flags of the fields of a request.
var flags = map[string]string{"Subject": "-sub", "Client": "-client", "Resource": "-resource", "Organization": "-organization"}

// Refusal returns why a request gets no token, by the flags of protoauthz token, and where to change the tenant.
func (t *Tenant) Refusal(request devissuer.Request, err error) error {
	f, ok := errors.AsType[*devissuer.Fault](err)
	if !ok {
		return err
	}
	at := map[string]string{"Subject": "users", "Client": "clients", "Resource": "resources", "Organization": t.holder(request) + ".organizations"}[f.Field]
	detail := f.Detail
	switch {
	case f.Field == "Subject" && t.hasClient(request.Subject):
		return fmt.Errorf("-sub: %s is a client: give -client %s", request.Subject, request.Subject)
	case f.Field == "Client" && t.hasUser(request.Client):
		return fmt.Errorf("-client: %s is a user: give -sub %s", request.Client, request.Client)
	case f.Field == "Client" && request.Client == "":
		return errors.New("give -sub for the token of a user, or -client for the token of a client")
	case f.Field == "Resource" && request.Resource == "" && len(t.Resources) == 0:
		detail = "the tenant has no resource: add one"
	case f.Field == "Resource" && request.Resource == "":
		detail = "write one of " + strings.Join(slices.Sorted(maps.Keys(t.Resources)), ", ")
	}
	return fmt.Errorf("%s: %s (%s: %s)", flags[f.Field], detail, t.Where(at), at)
}

// LeftOut returns what to do so that a request gets a scope that its token leaves out.
func (t *Tenant) LeftOut(request devissuer.Request, scope string) string {
	if strings.Contains(scope, ",") && !slices.Contains(t.scopes(), scope) {
		return "separate scopes by spaces"
	}
	return "add the scope to " + t.whereToAdd(request, scope) + t.elsewhere(request, scope)
}

// scopes returns every scope of the tenant.
func (t *Tenant) scopes() []string {
	return append(slices.Concat(slices.Collect(maps.Values(t.Resources))...), t.OrganizationScopes...)
}

// elsewhere returns the flags with which a request gets a scope that its user or client holds, or "".
func (t *Tenant) elsewhere(request devissuer.Request, scope string) string {
	held := t.held(request)
	for _, organization := range append([]string{""}, slices.Sorted(maps.Keys(held.Organizations))...) {
		scopes, membership := held.Scopes, held.Organizations[organization]
		if organization != "" {
			scopes = membership.Scopes
		}
		resources := slices.Sorted(maps.Keys(scopes))
		resources = slices.DeleteFunc(resources, func(resource string) bool { return !slices.Contains(scopes[resource], scope) })
		if slices.Contains(membership.OrganizationScopes, scope) {
			resources = append(resources, "") // of the organization's token
		}
		if len(resources) == 0 {
			continue
		}
		resource := resources[0]
		if slices.Contains(resources, request.Resource) {
			resource = request.Resource
		}
		var words string
		if organization != "" {
			words = " -organization " + organization
		}
		if organizationAlone := (devissuer.Request{Organization: organization}); t.Complete(organizationAlone).Resource != resource {
			words += " -resource " + resource
		}
		switch {
		case words == "":
			return fmt.Sprintf(", or leave -organization out: %s holds the scope outside of organizations", held.ID)
		case organization == "" && request.Organization != "":
			return fmt.Sprintf(", or leave -organization out and give%s, where %s holds the scope", words, held.ID)
		default:
			return fmt.Sprintf(", or give%s, where %s holds the scope", words, held.ID)
		}
	}
	return ""
}

func (t *Tenant) hasUser(id string) bool {
	return slices.ContainsFunc(t.Users, func(u devissuer.User) bool { return u.ID == id })
}

func (t *Tenant) hasClient(id string) bool {
	return slices.ContainsFunc(t.Clients, func(c devissuer.Client) bool { return c.ID == id })
}

// held returns what the user or client holds whose token is asked for.
func (t *Tenant) held(request devissuer.Request) (held devissuer.User) {
	for _, user := range t.Users {
		if user.ID == request.Subject {
			return user
		}
	}
	for _, client := range t.Clients {
		if client.ID == request.Client {
			return devissuer.User{ID: client.ID, Scopes: client.Scopes, Organizations: client.Organizations}
		}
	}
	return held
}

// whereToAdd returns which members of the document to add a scope to, so that a request gets the scope.
func (t *Tenant) whereToAdd(request devissuer.Request, scope string) string {
	var places []string
	add := func(path string) { places = append(places, fmt.Sprintf("%s (%s)", path, t.Where(path))) }
	held := t.holder(request)
	if request.Organization != "" {
		held += fmt.Sprintf(".organizations[%q]", request.Organization)
	}
	if request.Resource == "" {
		if !slices.Contains(t.OrganizationScopes, scope) {
			add("organizationScopes")
		}
		add(held + ".organizationScopes")
	} else {
		if !slices.Contains(t.Resources[request.Resource], scope) {
			add(fmt.Sprintf("resources[%q]", request.Resource))
		}
		add(held + fmt.Sprintf(".scopes[%q]", request.Resource))
	}
	return strings.Join(places, " and to ")
}

// holder returns the path of the user or client whose token is asked for.
func (t *Tenant) holder(request devissuer.Request) string {
	if request.Subject != "" {
		return fmt.Sprintf("users[%d]", slices.IndexFunc(t.Users, func(u devissuer.User) bool { return u.ID == request.Subject }))
	}
	return fmt.Sprintf("clients[%d]", slices.IndexFunc(t.Clients, func(c devissuer.Client) bool { return c.ID == request.Client }))
}

// Likely returns a request that gets a token with a scope, if the tenant has a user or client with a scope.
func (t *Tenant) Likely() (request devissuer.Request, ok bool) {
	for _, user := range t.Users {
		request := devissuer.Request{Subject: user.ID}
		if likely(&request, user.Scopes, user.Organizations) {
			return request, true
		}
	}
	for _, client := range t.Clients {
		request := devissuer.Request{Client: client.ID}
		if likely(&request, client.Scopes, client.Organizations) {
			return request, true
		}
	}
	return request, false
}

func likely(request *devissuer.Request, scopes map[string][]string, organizations map[string]devissuer.Membership) bool {
	choose := func(scopes map[string][]string) bool {
		for _, resource := range slices.Sorted(maps.Keys(scopes)) {
			if len(scopes[resource]) > 0 {
				request.Resource, request.Scopes = resource, scopes[resource]
				return true
			}
		}
		return false
	}
	for _, id := range slices.Sorted(maps.Keys(organizations)) {
		request.Organization = id
		if choose(organizations[id].Scopes) {
			return true
		}
		if request.Scopes = organizations[id].OrganizationScopes; len(request.Scopes) > 0 {
			return true
		}
	}
	request.Organization = ""
	return choose(scopes)
}
