package main

import (
	"slices"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

func seedProducts() *products {
	products := newProducts()
	products.put(&samplev1.Product{Id: "tea", Title: "Green tea"})
	products.put(&samplev1.Product{Id: "coffee", Title: "Coffee beans"})
	return products
}

// seedOrganizations fills acme and globex. Both have a document "roadmap": a mix-up of organizations would
// show.
func seedOrganizations() *organizations {
	organizations := new(organizations)
	acme := organizations.get("acme")
	acme.addMember(&samplev1.Member{Email: "ada@acme.example"})
	acme.addMember(&samplev1.Member{Email: "alan@acme.example"})
	acme.putDocument(&samplev1.Document{Name: "roadmap", Text: "Acme sells anvils."})
	acme.putDocument(&samplev1.Document{Name: "budget", Text: "Acme has 100."})
	globex := organizations.get("globex")
	globex.addMember(&samplev1.Member{Email: "grace@globex.example"})
	globex.putDocument(&samplev1.Document{Name: "roadmap", Text: "Globex sells weather."})
	return organizations
}

// seedAccounts are the accounts of the users of the embedded issuer.
func seedAccounts() *accounts {
	return newAccounts(
		&samplev1.Account{UserId: "alice", OrganizationId: "acme", Email: "alice@acme.example"},
		&samplev1.Account{UserId: "bob", OrganizationId: "globex", Email: "bob@globex.example"},
		&samplev1.Account{UserId: "sam", Email: "sam@sample.example"},
	)
}

// seedIssuer is the tenant of the embedded issuer. A scope belongs to one permission model: it is a scope of the
// API for everything (global, or staff for users alone), a scope of the API in one organization (data), or a scope of
// an organization itself (organization).
func seedIssuer(audience string) devissuer.Config {
	global := []string{"read:products", "write:products", "write:orders"}
	staff := []string{"read:accounts", "support:accounts"}
	data := []string{"read:data", "write:data", "write:settings", "list:accounts"}
	organization := []string{"invite:member", "manage:members", "manage:billing"}

	api := func(scopes ...string) map[string][]string {
		return map[string][]string{audience: scopes}
	}
	admin := devissuer.Membership{OrganizationScopes: organization, Scopes: api(data...)}
	clients := []devissuer.Client{
		{
			ID:            "acme-admin",
			Scopes:        api(global...),
			Organizations: map[string]devissuer.Membership{"acme": admin},
		},
		{
			ID:            "acme-viewer",
			Scopes:        api("read:products"),
			Organizations: map[string]devissuer.Membership{"acme": {Scopes: api("read:data")}},
		},
		{
			ID:            "globex-admin",
			Scopes:        api("read:products"),
			Organizations: map[string]devissuer.Membership{"globex": admin},
		},
		{ID: "no-roles"},
	}
	for i := range clients {
		clients[i].Secret = clients[i].ID + "-secret"
	}
	return devissuer.Config{
		Resources:          api(slices.Concat(global, staff, data)...),
		OrganizationScopes: organization,
		Organizations:      []string{"acme", "globex"},
		Clients:            clients,
		Users: []devissuer.User{
			{ID: "alice", Organizations: map[string]devissuer.Membership{"acme": {Scopes: api("read:data", "list:accounts")}}},
			{ID: "bob", Organizations: map[string]devissuer.Membership{"globex": {Scopes: api("read:data", "list:accounts")}}},
			{ID: "sam", Scopes: api(staff...)},
		},
	}
}
