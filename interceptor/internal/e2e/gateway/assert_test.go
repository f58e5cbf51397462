package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"connectrpc.com/vanguard/vanguardgrpc"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/calltest"
	"github.com/protoauthz/protoauthz/interceptor/internal/e2e/gateway/gen/ledger/v1/ledgerv1connect"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A report is a test that fails without failing.
type report struct {
	testing.TB
	faults []string
}

func (r *report) Helper() {}
func (r *report) Errorf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// routed are the methods with a route that are not public, and the first of their routes.
var routed = []string{
	"/ledger.v1.LedgerService/CloseYear POST /v1/years/1:close",
	"/ledger.v1.LedgerService/CreateAccount POST /v1/accounts",
	"/ledger.v1.LedgerService/DeleteAccounts DELETE /v1/accounts/1/KIND_UNSPECIFIED/x",
	"/ledger.v1.LedgerService/GetAccount GET /v1/organizations/x/accounts/x",
	"/ledger.v1.LedgerService/GetBalance GET /v1/balance",
	"/ledger.v1.LedgerService/ImportAccounts POST /v1/accounts:import",
	"/ledger.v1.LedgerService/ListAccounts GET /v1/organizations/x/accounts",
	"/ledger.v1.LedgerService/SyncAccounts POST /v1/accounts:sync",
	"/ledger.v1.LedgerService/UpdateAccount PATCH /v1/organizations/x/accounts/x",
	"/ledger.v1.LedgerService/WatchAccounts GET /v1/organizations/x/accounts:watch",
}

// unstreamed are those of streams, of which vanguard serves none by REST: it answers 415.
var unstreamed = []string{routed[5], routed[7], routed[9]}

// TestAssertRESTGuarded makes sure that a user's test is red for the wrong registration, and green
// for the right one whatever its error handler.
func TestAssertRESTGuarded(t *testing.T) {
	t.Parallel()
	table := compile(t)
	guarded := func(options ...runtime.ServeMuxOption) http.Handler { return inProcess(t, guarded(table), options...) }
	guard := interceptor.New(calltest.VerifierFunc(verify), table)
	for name, test := range map[string]struct {
		handler http.Handler
		open    []string
	}{
		"in process, with the challenge":     {guarded(runtime.WithErrorHandler(challenge)), nil},
		"in process, with the gateway's own": {guarded(), nil},
		"in process, by the challenge alone": {onlyChallenge(guarded(runtime.WithErrorHandler(challenge))), []string{
			// A refusal of a server stream goes past every error handler.
			"/ledger.v1.LedgerService/SyncAccounts POST /v1/accounts:sync",
			"/ledger.v1.LedgerService/WatchAccounts GET /v1/organizations/x/accounts:watch",
		}},
		"past the server":                     {direct(t), routed},
		"past the server, with the challenge": {direct(t, runtime.WithErrorHandler(challenge)), routed},
		"vanguard":                            {transcoder(t, guard.HandlerOption()), unstreamed},
		"vanguard for grpc-go":                {grpcTranscoder(t, table), unstreamed},
		"vanguard without the guard":          {transcoder(t), routed},
	} {
		r := &report{TB: t}
		guardtest.AssertRESTGuarded(r, test.handler, table)
		if len(r.faults) != len(test.open) {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(r.faults, "\n     "), strings.Join(test.open, "\n     "))
			continue
		}
		for i, fault := range r.faults {
			procedure, route, _ := strings.Cut(test.open[i], " ")
			if !strings.HasPrefix(fault, "guardtest: "+procedure+" is open: ") || !strings.Contains(fault, " to "+route+" and reason") {
				t.Errorf("%s: %s, want %s", name, fault, test.open[i])
			}
		}
	}
}

// onlyChallenge leaves out the bodies of answers.
func onlyChallenge(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(bodiless{w}, r) })
}

type bodiless struct{ http.ResponseWriter }

func (bodiless) Write(body []byte) (int, error) { return len(body), nil }

// transcoder serves the same REST API by way of connect-go.
func transcoder(t *testing.T, options ...connect.HandlerOption) http.Handler {
	t.Helper()
	path, handler := ledgerv1connect.NewLedgerServiceHandler(ledgerv1connect.UnimplementedLedgerServiceHandler{}, options...)
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{vanguard.NewService(path, handler)})
	if err != nil {
		t.Fatal(err)
	}
	return transcoder
}

// grpcTranscoder serves it by way of grpc-go, whose interceptors it does not pass by.
func grpcTranscoder(t *testing.T, table *policy.Table) http.Handler {
	t.Helper()
	server := guarded(table)
	t.Cleanup(server.Stop)
	transcoder, err := vanguardgrpc.NewTranscoder(server)
	if err != nil {
		t.Fatal(err)
	}
	return transcoder
}
