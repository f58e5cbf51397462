package gateway_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	ledgerv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e/gateway/gen/ledger/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

func challenge(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, challenger{w, grpcguard.Challenge(err)}, r, err)
}

type challenger struct {
	http.ResponseWriter
	challenge string
}

func (c challenger) WriteHeader(status int) {
	c.Header().Del("WWW-Authenticate")
	if c.challenge != "" {
		c.Header().Set("WWW-Authenticate", c.challenge)
	}
	c.ResponseWriter.WriteHeader(status)
}

func Example() {
	table, err := policy.Compile(policy.Files{ledgerv1.File_ledger_v1_ledger_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(harness.VerifierFunc(verify), table)
	server := grpc.NewServer(grpcguard.ServerOptions(guard)...)
	ledgerv1.RegisterLedgerServiceServer(server, ledger{})
	ctx := context.Background()
	conn, err := grpcguard.InProcess(server) // after all services are registered
	if err != nil {
		log.Fatal(err)
	}
	mux := runtime.NewServeMux(runtime.WithErrorHandler(challenge))
	if err := ledgerv1.RegisterLedgerServiceHandler(ctx, mux, conn); err != nil {
		log.Fatal(err)
	}

	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/v1/balance", nil))
	fmt.Println(recorder.Code, recorder.Header().Get("WWW-Authenticate"))
	_ = conn.Close()
	// Output: 401 Bearer realm="https://api.example.com"
}
