package gateway_test

import (
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/protoauthz/protoauthz/interceptor"
)

// form makes a gateway take a POST for another method, or for a GET with parameters.
const form = "Content-Type: application/x-www-form-urlencoded"

// TestDoors tries the ways in which the gateway changes a call: the guard judges the changed call.
func TestDoors(t *testing.T) {
	t.Parallel()
	const (
		accounts  = `{"accounts": [` + ok + `]}`
		balance   = `{"organizationId": "acme"}`
		acmes     = "Grpc-Metadata-X-Organization-Id: acme"
		globexes  = "Grpc-Metadata-X-Organization-Id: globex"
		forwarded = "Grpc-Metadata-Authorization: Bearer acme"
		duplicate = `{"code": 3, "message": "duplicate field \"organization_id\"", "details": []}`
		notFound  = `{"code": 5, "message": "Not Found", "details": []}`
	)
	several := refusal(t, 16, "the bearer token is malformed", interceptor.ReasonTokenMalformed,
		map[string]string{"challenge": realm + `, error="invalid_request"`})
	options := []runtime.ServeMuxOption{runtime.WithErrorHandler(challenge)}
	matching := runtime.WithIncomingHeaderMatcher(func(name string) (string, bool) {
		if name == "X-Organization-Id" {
			return name, true
		}
		return runtime.LegacyHeaderMatcher(name)
	})
	server := guarded(compile(t))
	plain, all := inProcess(t, server, options...), inProcess(t, server, append(options, matching)...)
	for _, c := range []call{
		// The path is stronger than the query.
		{"path and query", "GET /v1/organizations/acme/accounts?organization_id=globex", []string{acme}, "", 200, "", accounts},
		{"path and query in JSON's form", "GET /v1/organizations/acme/accounts?organizationId=globex", []string{acme}, "", 200, "", accounts},
		{"another's path and query", "GET /v1/organizations/globex/accounts?organization_id=acme", []string{acme}, "", 403, realm, elsewhere},
		{"name and query", "GET /v1/organizations/globex/accounts/1?name=organizations/acme/accounts/1", []string{acme}, "", 403, realm, elsewhere},
		{"an escaped slash", "GET /v1/organizations/acme%2f..%2fglobex/accounts/1", []string{acme}, "", 404, "", notFound},
		// The path is stronger than the body.
		{"path and body", "POST /v1/organizations/acme/accounts:create", []string{acme}, `{"organizationId": "globex"}`, 200, "", ok},
		{"another's path and body", "POST /v1/organizations/globex/accounts:create", []string{acme}, `{"organizationId": "acme"}`, 403, realm, elsewhere},
		{"another's path and the name in the body", "PATCH /v1/organizations/globex/accounts/1", []string{acme}, `{"name": "organizations/acme/accounts/1"}`, 403, realm, elsewhere},
		{"path, a field as body, and query", "PUT /v1/organizations/globex/accounts?organization_id=acme", []string{acme}, `{}`, 403, realm, elsewhere},
		// A whole body is stronger than the query.
		{"another's body and query", "POST /v1/accounts?organization_id=acme", []string{acme}, `{"organizationId": "globex"}`, 403, realm, elsewhere},
		{"no body, but a query", "POST /v1/accounts?organization_id=acme", []string{acme}, "", 403, realm, elsewhere},
		// Two values count as no value.
		{"two forms in the query", "DELETE /v1/accounts/1/KIND_CASH/a/b?organization_id=acme&organizationId=globex", []string{acme}, "", 400, "", duplicate},
		// A form may be sent for another method, and is judged as a call of that method.
		{"another method", "POST /v1/organizations/globex/accounts/1", []string{acme, form, "X-Http-Method-Override: PATCH"}, "", 403, realm, elsewhere},
		{"another method, no token", "POST /v1/organizations/acme/accounts/1", []string{form, "X-Http-Method-Override: PATCH"}, "", 401, realm, missing},
		{"a form for a GET", "POST /v1/organizations/globex/accounts", []string{acme, form}, "organization_id=acme", 403, realm, elsewhere},
		{"a form for a GET, no token", "POST /v1/organizations/acme/accounts", []string{form}, "", 401, realm, missing},
		// The gateway forwards only the headers that it is configured to forward.
		{"the header of an organization", "GET /v1/balance", []string{acme, "X-Organization-Id: acme"}, "", 403, realm, elsewhere},
		{"metadata of an organization", "GET /v1/balance", []string{acme, acmes}, "", 403, realm, elsewhere},
		{"metadata of a token", "GET /v1/organizations/acme/accounts", []string{forwarded}, "", 401, realm, missing},
		{"two tokens", "GET /v1/organizations/acme/accounts", []string{acme, acme}, "", 401, realm + `, error="invalid_request"`, several},
		{"a route there is not", "POST /ledger.v1.LedgerService/ListAccounts", []string{acme}, "", 404, "", notFound},
		// A method without the option has a route of its own.
		{"a method without the option", "POST /ledger.v1.LedgerService/AuditAccounts", []string{"Authorization: Bearer audit"}, "", 200, "", `{"organizationId": "acme"}`},
		{"a method without the option, no token", "POST /ledger.v1.LedgerService/AuditAccounts", nil, "", 401, realm, missing},
	} {
		c.check(t, plain)
	}
	for _, c := range []call{
		{"the header of an organization", "GET /v1/balance", []string{acme, "X-Organization-Id: acme"}, "", 200, "", balance},
		{"the header of another's", "GET /v1/balance", []string{acme, "X-Organization-Id: globex"}, "", 403, realm, elsewhere},
		{"metadata of an organization", "GET /v1/balance", []string{acme, acmes}, "", 200, "", balance},
		{"metadata of another's", "GET /v1/balance", []string{acme, globexes}, "", 403, realm, elsewhere},
		{"both, which differ", "GET /v1/balance", []string{acme, "X-Organization-Id: acme", globexes}, "", 403, realm, elsewhere},
		{"twice, which differ", "GET /v1/balance", []string{acme, acmes, globexes}, "", 403, realm, elsewhere},
		{"metadata of a token", "GET /v1/organizations/acme/accounts", []string{forwarded}, "", 200, "", accounts},
		{"a token and metadata of one", "GET /v1/organizations/acme/accounts", []string{acme, forwarded}, "", 401, realm + `, error="invalid_request"`, several},
		{"metadata of a token, and another scheme", "GET /v1/organizations/acme/accounts", []string{"Authorization: Basic YTpi", forwarded}, "", 401, realm + `, error="invalid_request"`, several},
	} {
		c.name += ", told to"
		c.check(t, all)
	}
}
