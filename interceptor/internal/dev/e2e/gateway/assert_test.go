package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"connectrpc.com/vanguard/vanguardgrpc"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e/gateway/gen/ledger/v1/ledgerv1connect"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// routed are the methods that are not public, and the first of their routes. AuditAccounts has no
// google.api.http option.
var routed = []string{
	"AuditAccounts POST /ledger.v1.LedgerService/AuditAccounts",
	"CloseYear POST /v1/years/1:close",
	"CreateAccount POST /v1/accounts",
	"DeleteAccounts DELETE /v1/accounts/1/KIND_UNSPECIFIED/x",
	"GetAccount GET /v1/organizations/x/accounts/x",
	"GetBalance GET /v1/balance",
	"ImportAccounts POST /v1/accounts:import",
	"ListAccounts GET /v1/organizations/x/accounts",
	"ScheduleAudit POST /v1/audits:time",
	"SyncAccounts POST /v1/accounts:sync",
	"UpdateAccount PATCH /v1/organizations/x/accounts/x",
	"WatchAccounts GET /v1/organizations/x/accounts:watch",
}

// remedy tells the user how to mend the wrong registration.
const remedy = ": guard the handler of the method, or the server behind the gateway; for grpc-gateway, register it with RegisterXHandler and the connection of " +
	"grpcguard.InProcess(server), as RegisterXHandlerServer calls the implementation past all interceptors"

// answered tells the user the status of an answer.
func answered(status string) string {
	state, reason := " is not behind the guard", ` and reason "", not with "TOKEN_MISSING"`
	switch status {
	case "200":
		state = " is open"
	case "401":
		reason = noJSON + reason
	case "400", "415":
		state, reason = " failed before a guard saw it, as with a marshaler that does not read the JSON of runtime.JSONPb, or has no guard", ""
	case "503":
		state, reason = " cannot be called, or has no guard", ": serve the server behind the gateway, and"+remedy[1:]
		return state + ": it answered a call without a token with HTTP status 503 to ROUTE" + reason
	case "unregistered":
		return " is not registered with the server behind the gateway: it answered a call without a token with HTTP status 501 to ROUTE: register it before grpcguard.InProcess(server)"
	}
	return state + ": it answered a call without a token with HTTP status " + status + " to ROUTE" + reason + remedy
}

const noJSON = ", and without JSON, as with another marshaler than runtime.JSONPb,"

func marshaling(marshaler runtime.Marshaler) runtime.ServeMuxOption {
	return runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler)
}

// named are the faults of some methods.
func named(faults []string, methods ...string) []string {
	return slices.DeleteFunc(faults, func(fault string) bool {
		return !slices.ContainsFunc(methods, func(method string) bool { return strings.Contains(fault, "/"+method+" ") })
	})
}

// faults are the faults of methods, by the status for unary calls and for streams, "" for none.
func faults(unary, stream string) []string {
	var all []string
	for _, method := range routed {
		name, route, _ := strings.Cut(method, " ")
		status := unary
		if name == "ImportAccounts" || name == "SyncAccounts" || name == "WatchAccounts" {
			status = stream
		}
		if status != "" {
			all = append(all, "guardtest: /ledger.v1.LedgerService/"+name+strings.Replace(answered(status), "ROUTE", route, 1))
		}
	}
	return all
}

// TestAssertRESTGuarded makes sure that a user's test is red for the wrong registration, and green
// for the right one whatever its error handler.
func TestAssertRESTGuarded(t *testing.T) {
	t.Parallel()
	table := compile(t)
	guarded := func(options ...runtime.ServeMuxOption) http.Handler { return inProcess(t, guarded(table), options...) }
	guard := interceptor.New(harness.VerifierFunc(verify), table)
	past := faults("200", "501")
	stopped := grpc.NewServer()
	behind := inProcess(t, stopped)
	stopped.Stop()
	for name, test := range map[string]struct {
		handler http.Handler
		want    []string
	}{
		"in process, with the challenge":     {guarded(runtime.WithErrorHandler(challenge)), nil},
		"in process, with the gateway's own": {guarded(), nil},
		"in process, by the challenge alone": {onlyChallenge(guarded(runtime.WithErrorHandler(challenge))), []string{
			// A refusal of a server stream goes past every error handler.
			faults("", "401")[1], faults("", "401")[2],
		}},
		"in process, routes with an option alone":      {onlyOption(guarded()), nil},
		"past the server":                              {direct(t), past},
		"past the server, with the challenge":          {direct(t, runtime.WithErrorHandler(challenge)), past},
		"past the server, routes with an option alone": {onlyOption(direct(t)), past[1:]},
		"in process, encoding/json":                    {guarded(marshaling(&runtime.JSONBuiltin{})), named(faults("400", ""), "ScheduleAudit")},
		// The answer to a stream is not encoded.
		"in process, binary": {guarded(marshaling(&runtime.ProtoMarshaller{})), named(faults("400", "401"), "AuditAccounts",
			"CloseYear", "CreateAccount", "ScheduleAudit", "SyncAccounts", "UpdateAccount", "WatchAccounts")},
		"past the server, behind a check for a token": {checked(direct(t)), badly(past)},
		"a server without the service":                {inProcess(t, grpc.NewServer()), faults("unregistered", "unregistered")},
		"a server that has stopped":                   {behind, faults("503", "503")},
		"vanguard":                                    {transcoder(t, guard.HandlerOption()), faults("", "415")},
		"vanguard for grpc-go":                        {grpcTranscoder(t, table), faults("", "415")},
		"vanguard without the guard":                  {transcoder(t), faults("501", "415")[1:]}, // it serves AuditAccounts as an RPC alone
	} {
		r := &harness.Report{TB: t}
		guardtest.AssertRESTGuarded(r, test.handler, table)
		r.Expect(t, name, test.want)
	}
}

// onlyOption leaves out the route of AuditAccounts, as a gateway that was generated without
// generate_unbound_methods does.
func onlyOption(handler http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.Handle("/ledger.v1.LedgerService/", runtime.NewServeMux())
	return mux
}

// checked lets in every call that has a token, or something like a token.
func checked(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", realm)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// badly are the faults of methods that refuse only calls without a token.
func badly(faults []string) []string {
	var all []string
	for _, fault := range faults {
		all = append(all, strings.NewReplacer("without a token", "with two tokens",
			`"TOKEN_MISSING": `, `"TOKEN_MALFORMED": something else than a guard refuses calls without a token: `).Replace(fault))
	}
	return all
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

// grpcTranscoder serves the same REST API by way of grpc-go and its interceptors.
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
