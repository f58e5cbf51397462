package catalogue

import (
	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

const (
	userID   = "user_1"
	clientID = "app_1"

	// staffAPI is the audience of a way.
	staffAPI = "https://staff.test"

	global     = authzv1.Model_MODEL_GLOBAL_RESOURCE
	ofResource = authzv1.Model_MODEL_ORGANIZATION_RESOURCE
)

// SubjectIssuer is the issuer whose users and clients the rules of [Services] name.
var SubjectIssuer = tokens.I1.URL

// Rich reports whether the messages of a service are a [Request].
func Rich(service string) bool {
	_, ok := richServices[service]
	return ok
}

func named(field string) *authzv1.Identifier { return &authzv1.Identifier{Field: field} }

func inField(field string) *authzv1.Organization {
	return &authzv1.Organization{Location: &authzv1.Organization_Field{Field: field}}
}

func inHeader(name string) *authzv1.Organization {
	return &authzv1.Organization{Location: &authzv1.Organization_Header{Header: name}}
}

func inToken() *authzv1.Organization {
	return &authzv1.Organization{Location: &authzv1.Organization_Token{Token: true}}
}

// own is the rule that a request names the user.
func own(field string) *authzv1.MethodRule {
	return &authzv1.MethodRule{Model: global, Authenticated: true, Subject: named(field)}
}

// paths are the fields that name the user, by service.
var paths = map[string]string{
	"Own": "user_id", "OwnExplicit": "explicit", "OwnList": "user_ids", "OwnNested": "owner.user_id", "OwnItems": "items.user_id",
	"OwnLists": "items.user_ids", "OwnChoice": "choice", "OwnChosen": "chosen.user_id", "OwnDelimited": "delimited.user_id",
	"OwnWrapped": "wrapped.value", "OwnWraps": "wraps.value", "OwnDefault": "old.user_id", "OwnGroup": "old.result.user_id",
	"OwnGroups": "old.entry.user_id", "OwnMaybe": "three.maybe", "OwnPlain": "three.plain", "OwnDeep": "inner.inner.user_id",
}

// richServices are the services whose messages are a [Request].
var richServices = rules(map[string]*authzv1.MethodRule{
	"OwnName": {
		Model: global, Authenticated: true,
		Subject: &authzv1.Identifier{Field: "name", Pattern: "users/{subject}/settings"},
	},
	"OwnClient": {Model: global, Authenticated: true, Client: named("client_id")},
	"OwnBoth":   {Model: global, Authenticated: true, Subject: named("user_id"), Client: named("client_id")},
	"OwnIn": {
		Model: ofResource, Scopes: []string{"read:data"},
		Organization: inField("organization_id"), Subject: named("user_id"),
	},
	"OwnInName": {
		Model: ofResource, Authenticated: true,
		Organization: &authzv1.Organization{Location: &authzv1.Organization_Field{Field: "name"}, Pattern: "organizations/{organization}/users/*"},
		Subject:      &authzv1.Identifier{Field: "name", Pattern: "organizations/*/users/{subject}"},
	},
	"OwnInHeader": {
		Model: ofResource, Authenticated: true,
		Organization: inHeader("X-Organization-Id"), Subject: named("user_id"),
	},
	"OwnMember": {
		Model: authzv1.Model_MODEL_ORGANIZATION, Authenticated: true,
		Organization: inField("organization_id"), Subject: named("user_id"),
	},

	"SelfOrStaff": {
		Model: global, Authenticated: true, Subject: named("user_id"),
		Alternatives: []*authzv1.Alternative{{Scopes: []string{"read:accounts"}, Model: global, Caller: authzv1.Caller_CALLER_USER}},
	},
	"SelfOrClient": {
		Model: global, Authenticated: true, Subject: named("user_id"),
		Alternatives: []*authzv1.Alternative{{Model: global, Authenticated: true, Client: named("client_id")}},
	},
	"Staff": {
		Model: ofResource, Scopes: []string{"read:data"}, Organization: inField("organization_id"),
		Alternatives: []*authzv1.Alternative{{Model: global, Scopes: []string{"support:orders"}}},
	},
	"Three": {
		Model: global, Scopes: []string{"read:a"}, Subject: named("user_id"),
		Alternatives: []*authzv1.Alternative{
			{Model: global, Authenticated: true, Caller: authzv1.Caller_CALLER_CLIENT, Client: named("client_id")},
			{Model: ofResource, Scopes: []string{"write:data"}, Organization: inHeader("X-Organization-Id")},
		},
	},
	"Places": {
		Model: ofResource, Scopes: []string{"read:data"}, Organization: inHeader("X-Organization-Id"),
		Alternatives: []*authzv1.Alternative{{Model: ofResource, Scopes: []string{"admin:data"}, Organization: inField("organization_id")}},
	},
	"Optional": {
		Model: ofResource, Authenticated: true, Organization: inToken(), OrganizationOptional: true,
		Alternatives: []*authzv1.Alternative{{Model: global, Authenticated: true}},
	},
	"Elsewhere": {
		Model: global, Scopes: []string{"read:a"},
		Alternatives: []*authzv1.Alternative{{Model: global, Audience: staffAPI, Scopes: []string{"read:accounts"}}},
	},
	"Kinds": {
		Model: authzv1.Model_MODEL_ORGANIZATION, AnyScopes: []string{"invite:member", "manage:members"}, Organization: inField("organization_id"),
		Alternatives: []*authzv1.Alternative{
			{Model: ofResource, Scopes: []string{"read:data"}, Organization: inField("organization_id")},
			{Model: global, AnyScopes: []string{"sell", "buy"}, Caller: authzv1.Caller_CALLER_CLIENT},
		},
	},
})

// rules adds the services of paths.
func rules(services map[string]*authzv1.MethodRule) map[string]*authzv1.MethodRule {
	for service, path := range paths {
		services[service] = own(path)
	}
	return services
}

// streamServices are the services whose messages name the user, or the client, in the field organization_id, for streams
// whose messages are the sample's.
var streamServices = map[string]*authzv1.MethodRule{
	"Mine": {Model: ofResource, Authenticated: true, Organization: inToken(), Subject: named("organization_id")},
	"MineOrStaff": {
		Model: ofResource, Authenticated: true, Organization: inToken(), Subject: named("organization_id"),
		Alternatives: []*authzv1.Alternative{{Model: ofResource, Scopes: []string{"read:data"}, Organization: inToken()}},
	},
	"MineOrClient": {
		Model: ofResource, Authenticated: true, Organization: inToken(), Subject: named("organization_id"),
		Alternatives: []*authzv1.Alternative{{
			Model: ofResource, Authenticated: true, Organization: inToken(),
			Client: &authzv1.Identifier{Field: "organization_id"},
		}},
	},
}
