package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

type testCase struct {
	name string
	call call
	want answer
}

const (
	catalog   = "sample.v1.CatalogService"
	members   = "sample.v1.MemberService"
	documents = "sample.v1.DocumentService"
	accounts  = "sample.v1.AccountService"

	api = "https://api.example.com"
)

func raw(documents ...string) []json.RawMessage {
	var all []json.RawMessage
	for _, document := range documents {
		all = append(all, json.RawMessage(document))
	}
	return all
}

// bearer is the header of a call. Without a token there is none.
func bearer(token string) map[string]string {
	if token == "" {
		return nil
	}
	return map[string]string{"Authorization": "Bearer " + token}
}

func granted(messages ...string) answer { return answer{Messages: raw(messages...)} }

const realm = `Bearer realm="` + api + `"`

func unauthenticated(reason string) answer {
	challenge := realm + `, error="invalid_token"`
	if reason == "TOKEN_MISSING" {
		challenge = realm
	}
	return answer{Code: connect.CodeUnauthenticated, Reason: reason, Challenge: challenge}
}

func denied(reason string) answer {
	return answer{Code: connect.CodePermissionDenied, Reason: reason, Challenge: realm}
}

func requires(scopes string) answer {
	return answer{
		Code: connect.CodePermissionDenied, Reason: "SCOPE_INSUFFICIENT", RequiredScopes: scopes,
		Challenge: realm + `, error="insufficient_scope", scope="` + scopes + `"`,
	}
}

// newCases returns the calls that all clients make, with the right answers. The calls do not change the data
// of the sample.
func newCases(t *testing.T, s *e2e.Sample) []testCase {
	t.Helper()
	viewer := s.Token(t, "-client", "acme-viewer", "-scope", "read:products")
	seller := s.Token(t, "-client", "acme-admin", "-scope", "read:products write:products")
	buyer := s.Token(t, "-client", "acme-admin", "-scope", "write:orders")
	member := s.Token(t, "-client", "acme-admin", "-scope", "invite:member", "-organization", "acme")
	editor := s.Token(t, "-client", "acme-admin", "-scope", "read:data write:data write:settings", "-organization", "acme", "-resource", api)
	lister := s.Token(t, "-user", "alice", "-scope", "list:accounts", "-organization", "acme", "-resource", api)
	user, staff := s.Token(t, "-user", "alice"), s.Token(t, "-user", "sam", "-scope", "read:accounts support:accounts")

	// Only the sample has the key of its issuer, so another key signs these tokens. The expiry of a token is
	// checked before its signature.
	impostor, err := devissuer.New(s.URL+"/oidc", devissuer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mint := func(expires time.Time) string {
		minted, err := impostor.Mint(map[string]any{"aud": api, "scope": "read:products", "exp": expires.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return minted
	}
	expired, forged := mint(time.Now().Add(-time.Hour)), mint(time.Now().Add(time.Hour))

	const (
		tea, coffee = `{"product": {"id": "tea", "title": "Green tea"}}`, `{"product": {"id": "coffee", "title": "Coffee beans"}}`
		roadmap     = `{"document": {"name": "roadmap", "text": "Acme sells anvils."}}`
		ofAcme      = `{"organizationId": "acme", "document": {"name": "roadmap", "text": "Acme sells anvils."}}`
		alice       = `{"account": {"userId": "alice", "organizationId": "acme", "email": "alice@acme.example"}}`
		bob         = `{"account": {"userId": "bob", "organizationId": "globex", "email": "bob@globex.example"}}`
		ofGlobex    = `{"organizationId": "globex", "document": {"name": "roadmap", "text": "Globex sells weather."}}`
	)
	info := fmt.Sprintf(`{"name": "protoauthz sample", "issuer": "%s/oidc", "audience": "%s"}`, s.URL, api)
	products := `{"products": [{"id": "coffee", "title": "Coffee beans"}, {"id": "tea", "title": "Green tea"}]}`
	budget := `{"documents": [{"name": "budget", "text": "Acme has 100."}, {"name": "roadmap", "text": "Acme sells anvils."}]}`
	order := raw(`{"productId": "tea", "quantity": 1}`)
	inHeader := func(organization string) map[string]string {
		header := bearer(editor)
		header["X-Organization-Id"] = organization
		return header
	}

	return []testCase{
		{"public", call{catalog, "GetInfo", nil, raw(`{}`), 0}, granted(info)},
		{"public, garbage token", call{catalog, "GetInfo", bearer("garbage"), raw(`{}`), 0}, granted(info)},
		{"good token", call{catalog, "ListProducts", bearer(viewer), raw(`{}`), 0}, granted(products)},
		{"no token", call{catalog, "ListProducts", nil, raw(`{}`), 0}, unauthenticated("TOKEN_MISSING")},
		{"garbage token", call{catalog, "ListProducts", bearer("garbage"), raw(`{}`), 0}, unauthenticated("TOKEN_MALFORMED")},
		{"forged token", call{catalog, "ListProducts", bearer(forged), raw(`{}`), 0}, unauthenticated("TOKEN_INVALID")},
		{"expired token", call{catalog, "ListProducts", bearer(expired), raw(`{}`), 0}, unauthenticated("TOKEN_EXPIRED")},
		{"missing scope", call{catalog, "ListProducts", bearer(buyer), raw(`{}`), 0}, requires("read:products")},
		{"no token", call{catalog, "CreateOrder", nil, order, 0}, unauthenticated("TOKEN_MISSING")},
		{"missing scope", call{catalog, "CreateOrder", bearer(viewer), order, 0}, requires("write:orders")},

		{"organization", call{members, "ListMembers", bearer(member), raw(`{"organizationId": "acme"}`), 0},
			granted(`{"members": [{"email": "ada@acme.example"}, {"email": "alan@acme.example"}]}`)},
		{"other organization", call{members, "ListMembers", bearer(member), raw(`{"organizationId": "globex"}`), 0}, denied("ORGANIZATION_MISMATCH")},
		{"token of another model", call{members, "ListMembers", bearer(editor), raw(`{"organizationId": "acme"}`), 0}, denied("MODEL_MISMATCH")},
		{"organization", call{documents, "ListDocuments", bearer(editor), raw(`{"organizationId": "acme"}`), 0}, granted(budget)},
		{"other organization", call{documents, "ListDocuments", bearer(editor), raw(`{"organizationId": "globex"}`), 0}, denied("ORGANIZATION_MISMATCH")},
		{"organization in a header", call{documents, "UpdateSettings", inHeader("acme"), raw(`{"settings": {"theme": "dark"}}`), 0},
			granted(`{"settings": {"theme": "dark"}}`)},
		{"other organization in a header", call{documents, "UpdateSettings", inHeader("globex"), raw(`{}`), 0}, denied("ORGANIZATION_MISMATCH")},

		{"own account", call{accounts, "GetAccount", bearer(user), raw(`{"userId": "alice"}`), 0}, granted(alice)},
		{"other account", call{accounts, "GetAccount", bearer(user), raw(`{"userId": "bob"}`), 0}, denied("SUBJECT_MISMATCH")},
		{"other account, staff", call{accounts, "GetAccount", bearer(staff), raw(`{"userId": "alice"}`), 0}, granted(alice)},
		{"own account in a name", call{accounts, "UpdatePreferences", bearer(user), raw(`{"name": "users/alice/preferences", "preferences": {"theme": "dark"}}`), 0},
			granted(`{"preferences": {"theme": "dark"}}`)},
		{"other account in a name, staff", call{accounts, "UpdatePreferences", bearer(staff), raw(`{"name": "users/alice/preferences"}`), 0}, denied("SUBJECT_MISMATCH")},
		{"organization's accounts", call{accounts, "ListAccounts", bearer(lister), raw(`{"organizationId": "acme"}`), 0},
			granted(`{"accounts": [{"userId": "alice", "organizationId": "acme", "email": "alice@acme.example"}]}`)},
		{"other organization's accounts", call{accounts, "ListAccounts", bearer(lister), raw(`{"organizationId": "globex"}`), 0}, denied("ORGANIZATION_MISMATCH")},
		{"other organization's accounts, support", call{accounts, "ListAccounts", bearer(staff), raw(`{"organizationId": "globex"}`), 0},
			granted(`{"accounts": [{"userId": "bob", "organizationId": "globex", "email": "bob@globex.example"}]}`)},
		{"other client", call{accounts, "RotateKey", bearer(buyer), raw(`{"clientId": "globex-admin"}`), 0}, denied("SUBJECT_MISMATCH")},

		{"good token", call{catalog, "WatchProducts", bearer(viewer), raw(`{}`), 2}, granted(tea, coffee)},
		{"no token", call{catalog, "WatchProducts", nil, raw(`{}`), 2}, unauthenticated("TOKEN_MISSING")},
		{"expired token", call{catalog, "WatchProducts", bearer(expired), raw(`{}`), 2}, unauthenticated("TOKEN_EXPIRED")},
		{"missing scope", call{catalog, "WatchProducts", bearer(buyer), raw(`{}`), 2}, requires("read:products")},

		{"good token", call{catalog, "ImportProducts", bearer(seller), raw(tea, coffee), 0}, granted(`{"imported": 2}`)},
		{"no token", call{catalog, "ImportProducts", nil, raw(tea), 0}, unauthenticated("TOKEN_MISSING")},
		{"missing scope", call{catalog, "ImportProducts", bearer(viewer), raw(tea), 0}, requires("read:products write:products")},

		{"organization", call{documents, "SyncDocuments", bearer(editor), raw(ofAcme, ofAcme), 0}, granted(roadmap, roadmap)},
		{"no token", call{documents, "SyncDocuments", nil, raw(ofAcme), 0}, unauthenticated("TOKEN_MISSING")},
		{"missing scope", call{documents, "SyncDocuments", bearer(s.Token(t, "-client", "acme-viewer", "-scope", "read:data", "-organization", "acme", "-resource", api)),
			raw(ofAcme), 0}, requires("read:data write:data")},
		{"other organization in the second message", call{documents, "SyncDocuments", bearer(editor), raw(ofAcme, ofGlobex), 0},
			answer{Code: connect.CodePermissionDenied, Reason: "ORGANIZATION_MISMATCH", Challenge: realm, Messages: raw(roadmap)}},

		{"any account, staff", call{accounts, "ReadAccounts", bearer(staff), raw(`{"userId": "alice"}`, `{"userId": "bob"}`), 0}, granted(alice, bob)},
		{"other account in the second message", call{accounts, "ReadAccounts", bearer(user), raw(`{"userId": "alice"}`, `{"userId": "bob"}`), 0},
			answer{Code: connect.CodePermissionDenied, Reason: "SUBJECT_MISMATCH", Challenge: realm, Messages: raw(alice)}},
	}
}
