// Package gateway_test holds the guard of grpc-go against the real grpc-gateway.
package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	ledgerv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e/gateway/gen/ledger/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

const api = "https://api.example.test"

// A ledger answers every call with data.
type ledger struct {
	ledgerv1.UnimplementedLedgerServiceServer
}

func (ledger) GetInfo(context.Context, *ledgerv1.GetInfoRequest) (*ledgerv1.GetInfoResponse, error) {
	return &ledgerv1.GetInfoResponse{Version: "1"}, nil
}

func (ledger) ListAccounts(_ context.Context, request *ledgerv1.ListAccountsRequest) (*ledgerv1.ListAccountsResponse, error) {
	return &ledgerv1.ListAccountsResponse{Accounts: []*ledgerv1.Account{account(request.GetOrganizationId())}}, nil
}

func (ledger) GetAccount(_ context.Context, request *ledgerv1.GetAccountRequest) (*ledgerv1.Account, error) {
	return &ledgerv1.Account{Name: request.GetName()}, nil
}

func (ledger) CreateAccount(_ context.Context, request *ledgerv1.CreateAccountRequest) (*ledgerv1.Account, error) {
	return account(request.GetOrganizationId()), nil
}

func (ledger) UpdateAccount(_ context.Context, request *ledgerv1.UpdateAccountRequest) (*ledgerv1.Account, error) {
	return &ledgerv1.Account{Name: request.GetAccount().GetName()}, nil
}

func (ledger) DeleteAccounts(_ context.Context, request *ledgerv1.DeleteAccountsRequest) (*ledgerv1.DeleteAccountsResponse, error) {
	return &ledgerv1.DeleteAccountsResponse{OrganizationId: request.GetOrganizationId()}, nil
}

func (ledger) GetBalance(ctx context.Context, _ *ledgerv1.GetBalanceRequest) (*ledgerv1.GetBalanceResponse, error) {
	named := metadata.ValueFromIncomingContext(ctx, "x-organization-id")
	return &ledgerv1.GetBalanceResponse{OrganizationId: append(named, "")[0]}, nil
}

func (ledger) CloseYear(_ context.Context, request *ledgerv1.CloseYearRequest) (*ledgerv1.CloseYearResponse, error) {
	return &ledgerv1.CloseYearResponse{Year: request.GetYear()}, nil
}

func (ledger) ScheduleAudit(context.Context, *ledgerv1.ScheduleAuditRequest) (*ledgerv1.ScheduleAuditResponse, error) {
	return new(ledgerv1.ScheduleAuditResponse), nil
}

func (ledger) AuditAccounts(context.Context, *ledgerv1.AuditAccountsRequest) (*ledgerv1.AuditAccountsResponse, error) {
	return &ledgerv1.AuditAccountsResponse{OrganizationId: "acme"}, nil
}

func (ledger) WatchAccounts(request *ledgerv1.WatchAccountsRequest, stream grpc.ServerStreamingServer[ledgerv1.Account]) error {
	return errors.Join(stream.Send(account(request.GetOrganizationId())), stream.Send(account(request.GetOrganizationId())))
}

func (ledger) ImportAccounts(stream grpc.ClientStreamingServer[ledgerv1.ImportAccountsRequest, ledgerv1.ImportAccountsResponse]) error {
	response := new(ledgerv1.ImportAccountsResponse)
	for {
		switch _, err := stream.Recv(); {
		case errors.Is(err, io.EOF):
			return stream.SendAndClose(response)
		case err != nil:
			return err
		}
		response.Count++
	}
}

func (ledger) SyncAccounts(stream grpc.BidiStreamingServer[ledgerv1.SyncAccountsRequest, ledgerv1.Account]) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = stream.Send(account(request.GetOrganizationId()))
		}
		if err != nil {
			return err
		}
	}
}

func account(organization string) *ledgerv1.Account {
	return &ledgerv1.Account{Name: "organizations/" + organization + "/accounts/1"}
}

func compile(t testing.TB) *policy.Table {
	t.Helper()
	table, err := policy.Compile(policy.Files{ledgerv1.File_ledger_v1_ledger_proto}, policy.WithAudience(api))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// tokens are the claims of the good tokens, by name. The name of any other token tells its fault.
var tokens = map[string]string{
	"acme":   `"organization_id": "acme", "scope": "read:account write:account", "aud": "` + api + `"`,
	"reader": `"organization_id": "acme", "scope": "read:account", "aud": "` + api + `"`,
	"audit":  `"organization_id": "acme", "scope": "audit:account", "aud": "urn:logto:organization:acme"`,
	"user":   `"scope": "write:year", "aud": "` + api + `", "client_id": "app"`,
	"client": `"scope": "write:year", "aud": "` + api + `", "client_id": "user"`,
	"other":  `"organization_id": "acme", "scope": "read:account", "aud": "https://other.example.test"`,
}

var wrong = map[string]error{
	"malformed": token.ErrMalformed, "expired": token.ErrExpired, "early": token.ErrNotYetValid,
	"keyless": token.ErrKeysUnavailable, "unanswered": token.ErrVerifierUnavailable, "busy": token.ErrBusy, "failing": errors.New("the verifier is broken"),
}

func verify(_ context.Context, raw string) (*token.Claims, error) {
	claims, ok := tokens[raw]
	if !ok {
		if err, ok := wrong[raw]; ok {
			return nil, err
		}
		return nil, token.ErrInvalid
	}
	return unverified.Claims(token.Logto("https://issuer.example.test"), `{"iss": "https://issuer.example.test/oidc", "sub": "user", "exp": 4102444800, `+claims+`}`)
}

// guarded makes a server with a guard.
func guarded(table *policy.Table) *grpc.Server {
	server := grpc.NewServer(grpcguard.ServerOptions(interceptor.New(harness.VerifierFunc(verify), table))...)
	ledgerv1.RegisterLedgerServiceServer(server, ledger{})
	return server
}

// inProcess is a gateway that calls a server.
func inProcess(t testing.TB, server *grpc.Server, options ...runtime.ServeMuxOption) http.Handler {
	t.Helper()
	conn, err := grpcguard.InProcess(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	mux := runtime.NewServeMux(options...)
	if err := ledgerv1.RegisterLedgerServiceHandler(t.Context(), mux, conn); err != nil {
		t.Fatal(err)
	}
	return mux
}

// direct is a gateway that calls the implementation, past all interceptors.
func direct(t testing.TB, options ...runtime.ServeMuxOption) http.Handler {
	t.Helper()
	mux := runtime.NewServeMux(options...)
	if err := ledgerv1.RegisterLedgerServiceHandlerServer(t.Context(), mux, ledger{}); err != nil {
		t.Fatal(err)
	}
	return mux
}
