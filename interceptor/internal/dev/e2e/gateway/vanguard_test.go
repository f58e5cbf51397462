package gateway_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	connectcors "connectrpc.com/cors"
	"connectrpc.com/vanguard"
	"github.com/rs/cors"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/protoauthz/protoauthz/interceptor"
	ledgerv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e/gateway/gen/ledger/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e/gateway/gen/ledger/v1/ledgerv1connect"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// page is a web page that may call the server.
const page = "https://app.example.com"

// pages lets a web page call the services and read the answers, also refusals.
var pages = cors.New(cors.Options{
	AllowedOrigins: []string{"https://app.example.com"},
	AllowedMethods: append(connectcors.AllowedMethods(), "PUT", "PATCH", "DELETE"),
	AllowedHeaders: append(connectcors.AllowedHeaders(), "Authorization", "X-Organization-Id"),
	ExposedHeaders: append(connectcors.ExposedHeaders(), "WWW-Authenticate"),
	MaxAge:         7200, // seconds
})

func Example_vanguard() {
	table, err := policy.Compile(policy.Files{ledgerv1.File_ledger_v1_ledger_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(harness.VerifierFunc(verify), table)
	ledger := ledgerv1connect.UnimplementedLedgerServiceHandler{}
	mux := http.NewServeMux()

	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{
		vanguard.NewService(ledgerv1connect.NewLedgerServiceHandler(ledger, guard.HandlerOption())),
	})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/", transcoder)
	handler := pages.Handler(otelhttp.NewHandler(interceptor.DeadlineHandler(mux), "rpc"))

	server := httptest.NewServer(handler)
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/v1/balance")
	if err != nil {
		log.Fatal(err)
	}
	_ = response.Body.Close()
	fmt.Println(response.StatusCode, response.Header.Get("WWW-Authenticate"))
	// Output: 401 Bearer realm="https://api.example.com"
}

// A transcoded is a call through vanguard and CORS, with its right answer.
type transcoded struct {
	name, request string   // as in "GET /v1/info"
	header        []string // as in "Authorization: Bearer acme"
	body          string
	status        int
	tells         string // a part of the body
	reason        interceptor.Reason
	judged        bool   // the guard decides
	readable      string // the origin whose pages read the answer
}

const (
	list    = "/v1/organizations/acme/accounts"
	method  = "POST /ledger.v1.LedgerService/ListAccounts"
	asJSON  = "Content-Type: application/json"
	version = "Connect-Protocol-Version: 1"
)

var throughVanguard = []transcoded{
	{"no token", "GET " + list, nil, "", 401, "", interceptor.ReasonTokenMissing, true, ""},
	{"path", "GET " + list, []string{acme}, "", 200, "organizations/acme/", "", true, ""},
	{"another's path", "GET /v1/organizations/globex/accounts", []string{acme}, "", 403, "", interceptor.ReasonOrganizationMismatch, true, ""},
	{"header", "GET /v1/balance", []string{acme, "X-Organization-Id: acme"}, "", 200, `"acme"`, "", true, ""},
	{"another's header", "GET /v1/balance", []string{acme, "X-Organization-Id: globex"}, "", 403, "", interceptor.ReasonOrganizationMismatch, true, ""},
	{"body", "POST /v1/accounts", []string{acme, asJSON}, `{"organizationId": "acme"}`, 200, "organizations/acme/", "", true, ""},
	{"another's body", "POST /v1/accounts", []string{acme, asJSON}, `{"organizationId": "globex"}`, 403, "", interceptor.ReasonOrganizationMismatch, true, ""},
	// The guard and the handler get one message, whatever has made it.
	{"another's path, and query", "GET /v1/organizations/globex/accounts?organization_id=acme", []string{acme}, "", 200, "organizations/acme/", "", true, ""},
	{"path, and another's query", "GET " + list + "?organization_id=globex", []string{acme}, "", 403, "", interceptor.ReasonOrganizationMismatch, true, ""},
	{"another's path, and body", "POST /v1/organizations/globex/accounts:create", []string{acme, asJSON}, `{"organizationId": "acme"}`, 403, "", interceptor.ReasonOrganizationMismatch, true, ""},
	{"path, and another's body", "POST /v1/organizations/acme/accounts:create", []string{acme, asJSON}, `{"organizationId": "globex"}`, 200, "organizations/acme/", "", true, ""},

	{"a stream", "GET " + list + ":watch", []string{acme}, "", 415, "", "", false, ""},
	{"Connect", method, []string{acme, asJSON, version}, `{"organizationId": "acme"}`, 200, "organizations/acme/", "", true, ""},
	{"Connect without its version", method, []string{acme, asJSON}, `{"organizationId": "acme"}`, 404, "", "", false, ""},

	{"a page", "GET " + list, []string{acme, "Origin: " + page}, "", 200, "organizations/acme/", "", true, page},
	{"a page, no token", "GET " + list, []string{"Origin: " + page}, "", 401, "", interceptor.ReasonTokenMissing, true, page},
	{"another page", "GET " + list, []string{acme, "Origin: https://other.example.com"}, "", 200, "organizations/acme/", "", true, ""},
	{"a preflight", "OPTIONS " + list, []string{"Origin: " + page, "Access-Control-Request-Method: DELETE",
		"Access-Control-Request-Headers: authorization,content-type,x-organization-id"}, "", 204, "", "", false, page},
	{"another page's preflight", "OPTIONS " + list, []string{"Origin: https://other.example.com", "Access-Control-Request-Method: GET"}, "", 204, "", "", false, ""},
}

// TestVanguard makes sure that the guard judges what comes through vanguard, and no preflight of a page.
func TestVanguard(t *testing.T) {
	t.Parallel()
	judged := 0
	guard := interceptor.New(harness.VerifierFunc(verify), compile(t),
		interceptor.WithObserver(func(context.Context, interceptor.Event) { judged++ }))
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{
		vanguard.NewService(ledgerv1connect.NewLedgerServiceHandler(books{}, guard.HandlerOption())),
	})
	if err != nil {
		t.Fatal(err)
	}
	handler := pages.Handler(transcoder)
	for _, c := range throughVanguard {
		before := judged
		got := (&call{request: c.request, header: c.header, body: c.body}).do(handler)
		if got.Code != c.status || !strings.Contains(got.Body.String(), c.tells) || c.judged != (judged > before) {
			t.Errorf("%s: %d, judged: %v, %s", c.name, got.Code, judged > before, got.Body)
		}
		if refused := c.reason != ""; refused != (got.Header().Get("WWW-Authenticate") != "") || refused && !strings.Contains(got.Body.String(), string(c.reason)) {
			t.Errorf("%s: %q, %s, want the reason %q", c.name, got.Header()["Www-Authenticate"], got.Body, c.reason)
		}
		exposed := strings.Contains(got.Header().Get("Access-Control-Expose-Headers"), "Www-Authenticate")
		if origin := got.Header().Get("Access-Control-Allow-Origin"); origin != c.readable || exposed != (c.readable != "" && c.judged) {
			t.Errorf("%s: pages of %q read the answer, and its challenge: %v", c.name, origin, exposed)
		}
		if caching := got.Header()["Cache-Control"]; caching != nil {
			t.Errorf("%s: Cache-Control %q", c.name, caching)
		}
	}
}

// TestNoOrigin shows that rs/cors takes no origin for every origin.
func TestNoOrigin(t *testing.T) {
	t.Parallel()
	open := cors.New(cors.Options{AllowedOrigins: []string{}}).Handler(http.NotFoundHandler())
	got := (&call{request: "GET /", header: []string{"Origin: https://other.example.com"}}).do(open)
	if origin := got.Header().Get("Access-Control-Allow-Origin"); origin != "*" {
		t.Errorf("pages of %q read the answer: change interceptor/docs/rest.md", origin)
	}
}

// books answer every call with data.
type books struct {
	ledgerv1connect.UnimplementedLedgerServiceHandler
}

func (books) ListAccounts(_ context.Context, request *connect.Request[ledgerv1.ListAccountsRequest]) (*connect.Response[ledgerv1.ListAccountsResponse], error) {
	return connect.NewResponse(&ledgerv1.ListAccountsResponse{Accounts: []*ledgerv1.Account{account(request.Msg.GetOrganizationId())}}), nil
}

func (books) CreateAccount(_ context.Context, request *connect.Request[ledgerv1.CreateAccountRequest]) (*connect.Response[ledgerv1.Account], error) {
	return connect.NewResponse(account(request.Msg.GetOrganizationId())), nil
}

func (books) GetBalance(_ context.Context, _ *connect.Request[ledgerv1.GetBalanceRequest]) (*connect.Response[ledgerv1.GetBalanceResponse], error) {
	return connect.NewResponse(&ledgerv1.GetBalanceResponse{OrganizationId: "acme"}), nil
}
