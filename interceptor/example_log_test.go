package interceptor_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"testing"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// viewer returns a verifier and the rules of a service. Every token is a viewer's.
func viewer() (interceptor.Verifier, *policy.Table) {
	table, err := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
	claims := guardtest.Claims(new(testing.T), issuer,
		`{"sub": "alice", "exp": 4102444800, "aud": "https://api.example.com", "scope": "read:products"}`)
	return everyTokenIs{claims}, table
}

// A callOfViewer is the header of a call over a network.
type callOfViewer struct{ http.Header }

// Peer tells the client.
func (callOfViewer) Peer() connect.Peer {
	return connect.Peer{Addr: "192.0.2.1:52301", Protocol: connect.ProtocolGRPC}
}

func callOf(guard *interceptor.Guard, method string) {
	header := callOfViewer{http.Header{"Authorization": {"Bearer any"}}}
	_, _ = guard.Admit(context.Background(), "/sample.v1.CatalogService/"+method, header)
}

// A log that also tells who was refused.
func ExampleWithLogger() {
	verifier, table := viewer()

	withoutTime := func(_ []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	guard := interceptor.New(verifier, table, interceptor.WithLogger(logger))

	callOf(guard, "CreateOrder")

	// Output:
	// level=WARN msg="protoauthz: refused" procedure=/sample.v1.CatalogService/CreateOrder reason=SCOPE_INSUFFICIENT cause="the token lacks the scope write:orders: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer" count=1 peer=192.0.2.1:52301 protocol=grpc issuer=https://issuer.example.com subject=alice missing_scopes=[write:orders] help=https://github.com/protoauthz/protoauthz/blob/main/interceptor/docs/troubleshooting.md#scope_insufficient
}

// An audit trail of all decisions.
func ExampleWithObserver_audit() {
	verifier, table := viewer()

	guard := interceptor.New(verifier, table,
		interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
			fmt.Println(event.Outcome(), event.Procedure, event.Claims.Subject(), event.Organization, event.Peer)
		}),
		interceptor.WithDefaultLog())

	for _, method := range []string{"ListProducts", "CreateOrder", "Other"} {
		callOf(guard, method)
	}

	// Output:
	// allowed /sample.v1.CatalogService/ListProducts alice  192.0.2.1:52301
	// refused /sample.v1.CatalogService/CreateOrder alice  192.0.2.1:52301
	// refused unknown   192.0.2.1:52301
}
