package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// A call is a call over REST, with its right answer.
type call struct {
	name      string
	request   string   // as in "GET /v1/info"
	header    []string // as in "Authorization: Bearer acme"
	body      string
	status    int
	challenge string
	answer    string // JSON, each message on a line
}

const (
	acme    = "Authorization: Bearer acme"
	realm   = `Bearer realm="https://api.example.test"`
	scope   = realm + `, error="insufficient_scope", scope="write:account"`
	invalid = realm + `, error="invalid_token"`

	ok        = `{"name": "organizations/acme/accounts/1", "label": ""}`
	missing   = `{"code": 16, "message": "a bearer token is required", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TOKEN_MISSING", "domain": "protoauthz", "metadata": {"challenge": "Bearer realm=\"https://api.example.test\""}}]}`
	garbled   = `{"code": 16, "message": "the bearer token is not valid", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TOKEN_INVALID", "domain": "protoauthz", "metadata": {"challenge": "Bearer realm=\"https://api.example.test\", error=\"invalid_token\""}}]}`
	unscoped  = `{"code": 7, "message": "a required scope is missing", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SCOPE_INSUFFICIENT", "domain": "protoauthz", "metadata": {"required_scopes": "write:account", "challenge": "Bearer realm=\"https://api.example.test\", error=\"insufficient_scope\", scope=\"write:account\""}}]}`
	elsewhere = `{"code": 7, "message": "the token is not for this organization", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ORGANIZATION_MISMATCH", "domain": "protoauthz", "metadata": {"challenge": "Bearer realm=\"https://api.example.test\""}}]}`
)

// calls are 17 REST calls: seven must be let in, ten refused.
var calls = []call{
	{"public", "GET /v1/info", nil, "", 200, "", `{"version": "1"}`},
	{"no token", "GET /v1/organizations/acme/accounts", nil, "", 401, realm, missing},
	{"garbage", "GET /v1/organizations/acme/accounts", []string{"Authorization: Bearer garbage"}, "", 401, invalid, garbled},
	{"scope missing", "POST /v1/accounts", []string{"Authorization: Bearer reader"}, `{"organizationId": "acme"}`, 403, scope, unscoped},
	{"path", "GET /v1/organizations/acme/accounts", []string{acme}, "", 200, "", `{"accounts": [` + ok + `]}`},
	{"another's path", "GET /v1/organizations/globex/accounts", []string{acme}, "", 403, realm, elsewhere},
	{"name", "GET /v1/organizations/acme/accounts/1", []string{acme}, "", 200, "", ok},
	{"another's name", "GET /v1/organizations/globex/accounts/1", []string{acme}, "", 403, realm, elsewhere},
	{"another's name within the body's message", "PATCH /v1/organizations/globex/accounts/1", []string{acme}, `{"label": "a"}`, 403, realm, elsewhere},
	{"body", "POST /v1/accounts", []string{acme}, `{"organizationId": "acme"}`, 200, "", ok},
	{"another's body", "POST /v1/accounts", []string{acme}, `{"organizationId": "globex"}`, 403, realm, elsewhere},
	{"query", "DELETE /v1/accounts/1/KIND_CASH/a/b?organization_id=acme", []string{acme}, "", 200, "", `{"organizationId": "acme"}`},
	{"another's query", "DELETE /v1/accounts/1/KIND_CASH/a/b?organization_id=globex", []string{acme}, "", 403, realm, elsewhere},
	{"stream", "GET /v1/organizations/acme/accounts:watch", []string{acme}, "", 200, "", `{"result": ` + ok + "}\n" + `{"result": ` + ok + `}`},
	{"another's stream", "GET /v1/organizations/globex/accounts:watch", []string{acme}, "", 403, "", `{"error": ` + elsewhere + `}`},
	{"no token for a stream", "GET /v1/organizations/acme/accounts:watch", nil, "", 401, "", `{"error": ` + missing + `}`},
	{"stream of requests", "POST /v1/accounts:import", []string{acme}, `{"organizationId": "acme"}{"organizationId": "acme"}`, 200, "", `{"count": 2}`},
}

// do makes a call.
func (c *call) do(handler http.Handler) *httptest.ResponseRecorder {
	method, target, _ := strings.Cut(c.request, " ")
	request := httptest.NewRequest(method, target, strings.NewReader(c.body))
	for _, line := range c.header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

// check makes a call and compares the answer.
func (c *call) check(t *testing.T, handler http.Handler) {
	t.Helper()
	got := c.do(handler)
	if got.Code != c.status || strings.Join(got.Header()["Www-Authenticate"], "|") != c.challenge {
		t.Errorf("%s: %d and %q, want %d and %q", c.name, got.Code, got.Header()["Www-Authenticate"], c.status, c.challenge)
	}
	if answered := decode(t, got.Body.String()); !reflect.DeepEqual(answered, decode(t, c.answer)) {
		t.Errorf("%s:\n got %s\nwant %s", c.name, got.Body, c.answer)
	}
}

// decode reads JSON documents, one after another.
func decode(t *testing.T, text string) (all []any) {
	t.Helper()
	for decoder := json.NewDecoder(strings.NewReader(text)); decoder.More(); {
		var one any
		if err := decoder.Decode(&one); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		all = append(all, one)
	}
	return all
}

// TestOutside makes sure that calls through the gateway are judged, and shows that calls which go past the
// server are not.
func TestOutside(t *testing.T) {
	t.Parallel()
	if len(calls) != 17 {
		t.Fatalf("%d calls", len(calls))
	}
	right, plain := inProcess(t, guarded(compile(t)), runtime.WithErrorHandler(challenge)), inProcess(t, guarded(compile(t)))
	wrong := direct(t)
	data := 0
	for _, c := range calls {
		t.Run("A4 "+c.name, func(t *testing.T) {
			c.check(t, right)
			if got := c.do(wrong); got.Code == http.StatusOK {
				data++
			}
			// The gateway's own error handler takes the text of the refusal for a challenge.
			got, text := c.do(plain), ""
			if c.status == http.StatusUnauthorized && c.challenge != "" {
				text = decode(t, c.answer)[0].(map[string]any)["message"].(string) //nolint:errcheck // of an answer above
			}
			if challenge := got.Header().Get("WWW-Authenticate"); got.Code != c.status || challenge != text {
				t.Errorf("with the gateway's own error handler: %d and %q, want %d and %q", got.Code, challenge, c.status, text)
			}
		})
	}
	if data != 13 {
		t.Errorf("%d calls past the server got data, want all 13 that are no streams", data)
	}
}
