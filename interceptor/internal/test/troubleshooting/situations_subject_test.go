package troubleshooting_test

import (
	"net/http/httptest"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Rules of the call of orders.
const (
	ofSubject = `subject: {field: "document.name"}`
	ofClient  = `client: {field: "document.name", pattern: "clients/{client}"}`
)

// naming returns a service whose request names a user or a client.
func naming(identifier string) map[string]string {
	return map[string]string{"order.proto": `syntax = "proto3"; package order.v1;
		import "protoauthz/v1/authz.proto"; import "sample/v1/document.proto";
		service OrderService { rpc Call1(sample.v1.SyncDocumentsRequest) returns (sample.v1.SyncDocumentsResponse) {
			option (protoauthz.v1.method) = {model: MODEL_GLOBAL_RESOURCE, authenticated: true, ` + identifier + `}; } }`}
}

// identifying returns the rules of a service whose request names a user or a client.
func identifying(t *testing.T, identifier string, options ...policy.Option) *policy.Table {
	t.Helper()
	table, err := compile(t, naming(identifier), append(options, policy.WithAudience(api))...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// owned returns the situation of a client that names an owner of its document.
func owned(identifier, owner string, of claims) func(*testing.T) situation {
	return func(t *testing.T) situation {
		in := sendingClaims(of)(t)
		in.table, in.owner = identifying(t, identifier), owner
		return in
	}
}

// user are the claims of a user who calls by the client web.
func user(id string) claims { return claims{"aud": api, "sub": id, "client_id": "web"} }

// subjectSituations are refusals of requests that name somebody else than the caller.
var subjectSituations = []callSituation{
	{"SUBJECT_MISMATCH", "the field names another user", orderCall, owned(ofSubject, "bob", user("alice"))},
	{"SUBJECT_MISMATCH", "the field is empty", orderCall, owned(ofSubject, "", user("alice"))},
	{"SUBJECT_MISMATCH", "a client calls with a token of its own", orderCall, owned(ofSubject, "job", claims{"aud": api, "sub": "job", "client_id": "job"})},
	{"SUBJECT_MISMATCH", "the token tells no user from a client", orderCall, owned(ofSubject, "alice", claims{"aud": api, "sub": "alice", "client_id": nil})},
	{"SUBJECT_MISMATCH", "a user of another issuer", orderCall, func(t *testing.T) situation {
		server, _ := listening(t, (*httptest.Server).Start, "")
		other, issuer := listening(t, (*httptest.Server).Start, "")
		verifier, err := token.NewVerifier(token.Logto(server.URL), token.WithIssuer(token.Logto(other.URL)), withoutKeyLog)
		if err != nil {
			t.Fatal(err)
		}
		table := identifying(t, ofSubject, policy.WithSubjectIssuer(server.URL+"/oidc"))
		return situation{verifier: verifier, table: table, header: carrying(issuer.Token(t, user("alice"))), owner: "alice"}
	}},
	{"SUBJECT_MISMATCH", "the field names another client", orderCall, owned(ofClient, "clients/job", user("alice"))},
	{"SUBJECT_MISMATCH", "a resource name of another form", orderCall, owned(ofClient, "web", user("alice"))},
	{"SUBJECT_MISMATCH", "the token names no client", orderCall, owned(ofClient, "clients/web", claims{"aud": api, "sub": "alice", "client_id": nil})},
}
