package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// catalog is a service. Its .proto file holds the rules, and the service no check.
type catalog struct {
	samplev1connect.UnimplementedCatalogServiceHandler
}

// WhoAmI answers with what the server knows of the caller.
func (catalog) WhoAmI(ctx context.Context, _ *connect.Request[samplev1.WhoAmIRequest]) (*connect.Response[samplev1.WhoAmIResponse], error) {
	claims := interceptor.ClaimsFromContext(ctx)
	organization := claims.OrganizationID()
	return connect.NewResponse(&samplev1.WhoAmIResponse{Auth: &samplev1.AuthInfo{
		Sub:            claims.Subject(),
		ClientId:       claims.ClientID(),
		OrganizationId: &organization,
		Scopes:         claims.Scopes(),
		Audience:       claims.Audience(),
	}}), nil
}

// A server of one service whose permissions hold everywhere.
func ExampleNew() {
	mux := http.NewServeMux()

	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
	verifier, verifierErr := token.NewVerifier(issuer)
	table, tableErr := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		log.Fatal(err) // every fault at once, each with its name
	}
	guard := interceptor.New(verifier, table)
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog{}, guard.HandlerOption()))

	server := httptest.NewServer(mux)
	defer server.Close()
	client := samplev1connect.NewCatalogServiceClient(server.Client(), server.URL)
	_, err := client.WhoAmI(context.Background(), connect.NewRequest(&samplev1.WhoAmIRequest{}))
	fmt.Println(err) // the client has sent no token

	// Output:
	// unauthenticated: a bearer token is required
}

// documents is a service whose requests name an organization.
type documents struct {
	samplev1connect.UnimplementedDocumentServiceHandler
}

// ListDocuments takes the organization from the claims, and needs no check.
func (documents) ListDocuments(ctx context.Context, _ *connect.Request[samplev1.ListDocumentsRequest]) (*connect.Response[samplev1.ListDocumentsResponse], error) {
	organization := interceptor.ClaimsFromContext(ctx).OrganizationID()
	return connect.NewResponse(&samplev1.ListDocumentsResponse{
		Documents: []*samplev1.Document{{Name: "roadmap of " + organization}},
	}), nil
}

// A server of one service whose permissions hold inside an organization. The rule names the field of
// the request that must hold the organization of the token.
func ExampleNew_organization() {
	mux := http.NewServeMux()

	issuer := token.Issuer{
		URL: "https://issuer.example.com", Algorithms: []string{"RS256"},
		OrganizationClaim: "org_id",
	}
	table, err := policy.Compile(
		policy.Files{samplev1.File_sample_v1_document_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	// The example has no issuer to call. A server gives New the verifier of token.NewVerifier(issuer).
	alice := guardtest.Claims(new(testing.T), issuer, `{
		"sub": "alice", "exp": 4102444800, "aud": "https://api.example.com", "scope": "read:data", "org_id": "acme"
	}`)
	guard := interceptor.New(everyTokenIs{alice}, table)
	mux.Handle(samplev1connect.NewDocumentServiceHandler(documents{}, guard.HandlerOption()))

	server := httptest.NewServer(mux)
	defer server.Close()
	client := samplev1connect.NewDocumentServiceClient(server.Client(), server.URL)
	for _, organization := range []string{"acme", "globex"} {
		request := connect.NewRequest(&samplev1.ListDocumentsRequest{OrganizationId: organization})
		request.Header().Set("Authorization", "Bearer alice")
		response, err := client.ListDocuments(context.Background(), request)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(response.Msg.GetDocuments()[0].GetName())
	}

	// Output:
	// roadmap of acme
	// permission_denied: the token is not for this organization
}

// everyTokenIs is a verifier that reads no token.
type everyTokenIs struct{ claims *token.Claims }

// Verify implements [interceptor.Verifier].
func (v everyTokenIs) Verify(context.Context, string) (*token.Claims, error) { return v.claims, nil }

// A whole server, for clients that may stop sending and reading at any time.
func ExampleDeadlineHandler() {
	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
	verifier, verifierErr := token.NewVerifier(issuer)
	table, tableErr := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(verifier, table)
	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(
		samplev1connect.UnimplementedCatalogServiceHandler{}, // yours
		guard.HandlerOption(), connect.WithReadMaxBytes(4<<20),
	))
	server := &http.Server{
		Addr: "127.0.0.1:8081", Handler: interceptor.DeadlineHandler(mux), Protocols: new(http.Protocols),
		ReadHeaderTimeout: 10 * time.Second, HTTP2: &http.HTTP2Config{WriteByteTimeout: 10 * time.Second},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // gRPC needs HTTP/2: behind TLS it is there anyway
	log.Fatal(server.ListenAndServe())
}

// A download over plain HTTP, guarded by the rule of an RPC.
func ExampleGuard_Admit() {
	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
	verifier, verifierErr := token.NewVerifier(issuer)
	table, tableErr := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(verifier, table)
	download := func(w http.ResponseWriter, r *http.Request) {
		call, denial := guard.Admit(r.Context(), "/sample.v1.CatalogService/ListProducts", r.Header)
		if denial == nil {
			denial = call.Judge(new(samplev1.ListProductsRequest))
		}
		if denial != nil {
			status, ok := map[connect.Code]int{
				connect.CodeUnauthenticated:  http.StatusUnauthorized,
				connect.CodePermissionDenied: http.StatusForbidden,
				connect.CodeUnavailable:      http.StatusServiceUnavailable,
			}[denial.Code()]
			if !ok {
				status = http.StatusInternalServerError
			}
			if challenge := denial.Challenge(); challenge != "" {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, denial.Error(), status)
			return
		}
		w.Header().Set("Cache-Control", "private")
		_, _ = fmt.Fprintln(w, "for", interceptor.ClaimsFromContext(call.Context()).Subject())
	}

	w := httptest.NewRecorder()
	download(w, httptest.NewRequest(http.MethodGet, "/products.csv", nil))
	fmt.Print(w.Code, " ", w.Body)

	// Output:
	// 401 a bearer token is required
}

// A handler reads who calls, and needs no check: the guard calls the handler only with a token that
// satisfies the rule.
func ExampleClaimsFromContext() {
	greet := func(ctx context.Context) string {
		return "Hello, " + interceptor.ClaimsFromContext(ctx).Subject() + "!"
	}

	t := new(testing.T) // a test has one
	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
	alice := guardtest.Claims(t, issuer, `{"sub": "alice", "exp": 1}`)
	fmt.Println(greet(interceptor.ContextWithClaims(context.Background(), alice)))

	// Output:
	// Hello, alice!
}

// A test of a handler, without a token, a key or an issuer to call.
func ExampleContextWithClaims() {
	t, ctx := new(testing.T), context.Background() // a test has both

	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
	claims := guardtest.Claims(t, issuer,
		`{"sub": "alice", "exp": 1, "aud": "https://api.example.com", "scope": "read:products"}`)
	ctx = interceptor.ContextWithClaims(ctx, claims)

	response, err := catalog{}.WhoAmI(ctx, connect.NewRequest(&samplev1.WhoAmIRequest{}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Msg.GetAuth().GetSub(), response.Msg.GetAuth().GetScopes())

	// Output:
	// alice [read:products]
}

// A log of refusals. The cause names what is wrong and what to do.
func ExampleWithObserver() {
	log := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}})
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(log))

	table, err := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		panic(err)
	}
	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
	claims := guardtest.Claims(new(testing.T), issuer,
		`{"sub": "viewer", "exp": 4102444800, "aud": "https://api.example.com", "scope": "read:products"}`)
	guard := interceptor.New(everyTokenIs{claims}, table,
		interceptor.WithObserver(func(ctx context.Context, event interceptor.Event) {
			if event.Denial != nil {
				slog.WarnContext(ctx, "refused", "procedure", event.Procedure, "reason", event.Denial.Reason(), "cause", event.Denial.Unwrap())
			}
		}))
	for _, procedure := range []string{"/sample.v1.CatalogService/ListProducts", "/sample.v1.CatalogService/CreateOrder", "/any\nthing"} {
		_, _ = guard.Admit(context.Background(), procedure, http.Header{"Authorization": {"Bearer viewer"}})
	}

	// Output:
	// level=WARN msg=refused procedure=/sample.v1.CatalogService/CreateOrder reason=SCOPE_INSUFFICIENT cause="the token lacks the scope write:orders: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer"
	// level=WARN msg=refused procedure=unknown reason=RULE_MISSING cause="no rule was compiled for the procedure \"/any\\nthing\": give policy.Compile the .proto file of its service, or make the service public with policy.WithPublic, or by public in authz.json; if the server does not have this procedure, the client must call another"
}
