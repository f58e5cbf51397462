package guardtest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

func compile(t *testing.T, files ...policy.Files) *policy.Table {
	t.Helper()
	all := policy.Files{
		samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_member_proto, samplev1.File_sample_v1_document_proto,
	}
	if len(files) > 0 {
		all = files[0]
	}
	table, err := policy.Compile(all, policy.WithAudience("https://api.example.test"))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// sample mounts the sample's services behind a guard, apart from procedures with a handler of their own.
func sample(guard *interceptor.Guard, replaced map[string]http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	option := guard.HandlerOption()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(samplev1connect.UnimplementedCatalogServiceHandler{}, option))
	mux.Handle(samplev1connect.NewMemberServiceHandler(samplev1connect.UnimplementedMemberServiceHandler{}, option))
	mux.Handle(samplev1connect.NewDocumentServiceHandler(samplev1connect.UnimplementedDocumentServiceHandler{}, option))
	for procedure, handler := range replaced {
		mux.Handle(procedure, handler)
	}
	return mux
}

const (
	unary  = samplev1connect.DocumentServiceListDocumentsProcedure
	server = samplev1connect.CatalogServiceWatchProductsProcedure
	client = samplev1connect.CatalogServiceImportProductsProcedure
	bidi   = samplev1connect.DocumentServiceSyncDocumentsProcedure
)

const (
	otherwise = " (test grpc-go with grpcguardtest.AssertGuarded, and REST with guardtest.AssertRESTGuarded)"
	remedy    = "give its handler guard.HandlerOption(), or its server of connect-go v2 connectv2guard.Interceptor(guard)" + otherwise
	instead   = ": give the handler that serves them, without the prefix or host that it is mounted under, and without what answers in front of it; if another program serves them, leave their package out of policy.Linked" + otherwise
	sameTable = ": give this test the table that interceptor.New got"
	smallOne  = " is refused to everybody: the server's guard has another table" + sameTable + ", or compile the method's file into the server's table"
)

// answered is the fault of a procedure that answers with a gRPC status.
func answered(code string) string {
	state := " is not behind the guard"
	if code == "0" || code == "" {
		state = " is open"
	}
	return state + `: it answered a call without a token with HTTP status 200, gRPC status "` + code + `" and reason "", not with "TOKEN_MISSING": ` + remedy
}

// of returns the procedures of a service that are not public, each with its fault.
func of(service, fault string) []string {
	names := map[string]string{
		"Catalog":  "CreateOrder ImportProducts ListProducts WatchProducts WhoAmI",
		"Document": "BatchGetDocuments GetDocument GetUsage ListDocuments SyncDocuments UpdateSettings",
		"Member":   "InviteMember ListMembers UpdateBilling",
	}
	all := strings.Fields(names[service])
	for i, name := range all {
		all[i] = "/sample.v1." + service + "Service/" + name + fault
	}
	return all
}

// absent is the fault of services that are not mounted.
func absent(services ...string) string {
	var all []string
	for _, service := range services {
		all = append(all, of(service, "")...)
	}
	return "the handler does not serve " + strings.Join(all, ", ") + instead
}

func TestAssertGuarded(t *testing.T) {
	t.Parallel()
	table := compile(t)
	guard := harness.NoTokens(table)
	guardtest.AssertGuarded(t, sample(guard, nil), table)

	open := samplev1connect.UnimplementedDocumentServiceHandler{}
	openCatalog := samplev1connect.UnimplementedCatalogServiceHandler{}
	smaller := compile(t, policy.Files{samplev1.File_sample_v1_catalog_proto})
	answering := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = connect.NewErrorWriter().Write(w, r, connect.NewError(connect.CodeUnauthenticated, errors.New("who are you?")))
	})
	impostor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := connect.NewError(connect.CodeUnauthenticated, errors.New("who are you?"))
		detail, detailErr := connect.NewErrorDetail(&errdetails.ErrorInfo{Reason: string(interceptor.ReasonTokenMissing), Domain: "example.test"})
		if detailErr != nil {
			t.Error(detailErr)
			return
		}
		err.AddDetail(detail)
		_ = connect.NewErrorWriter().Write(w, r, err)
	})
	garbled := func(details string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "16")
			w.Header().Set(http.TrailerPrefix+"Grpc-Status-Details-Bin", details)
		})
	}
	for _, test := range []struct {
		name    string
		handler http.Handler
		table   *policy.Table
		want    []string
	}{
		{"all", sample(guard, nil), table, nil},
		{"some are not mounted", only(samplev1connect.NewMemberServiceHandler(samplev1connect.UnimplementedMemberServiceHandler{}, guard.HandlerOption())), table, []string{absent("Catalog", "Document")}},
		{"under a prefix", only("/api/", http.StripPrefix("/api", sample(guard, nil))), table, []string{absent("Catalog", "Document", "Member")}},
		{"open unary", sample(guard, map[string]http.Handler{
			unary: connect.NewUnaryHandler(unary, open.ListDocuments),
		}), table, []string{unary + answered("12")}},
		{"open server stream", sample(guard, map[string]http.Handler{
			server: connect.NewServerStreamHandler(server, openCatalog.WatchProducts),
		}), table, []string{server + answered("12")}},
		{"open client stream", sample(guard, map[string]http.Handler{
			client: connect.NewClientStreamHandler(client, func(_ context.Context, stream *connect.ClientStream[samplev1.ImportProductsRequest]) (*connect.Response[samplev1.ImportProductsResponse], error) {
				for stream.Receive() {
					continue
				}
				return connect.NewResponse(new(samplev1.ImportProductsResponse)), stream.Err()
			}),
		}), table, []string{client + answered("0")}},
		{"open bidirectional stream", sample(guard, map[string]http.Handler{
			bidi: connect.NewBidiStreamHandler(bidi, open.SyncDocuments),
		}), table, []string{bidi + answered("12")}},
		{"all open", both(
			only(samplev1connect.NewDocumentServiceHandler(open)),
			only(samplev1connect.NewCatalogServiceHandler(openCatalog, guard.HandlerOption())),
		), table, append(of("Document", answered("12")), absent("Member"))},
		{"interceptor alone", only(samplev1connect.NewMemberServiceHandler(
			samplev1connect.UnimplementedMemberServiceHandler{}, connect.WithInterceptors(guard.Interceptor()),
		)), table, append(of("Member", answered("12")), absent("Catalog", "Document"))},
		{"a file was forgotten", only(samplev1connect.NewMemberServiceHandler(
			samplev1connect.UnimplementedMemberServiceHandler{}, harness.NoTokens(smaller).HandlerOption(),
		)), smaller, append(of("Member", " is refused to everybody: compile its file into the table, or name sample.v1.MemberService in policy.WithPublic"), absent("Catalog"))},
		{"the guard's table is another", sample(harness.NoTokens(smaller), nil), table, append(of("Document", smallOne), of("Member", smallOne)...)},
		{"its own refusal", sample(guard, map[string]http.Handler{unary: answering}), table, []string{unary + answered("16")}},
		{"another's refusal", sample(guard, map[string]http.Handler{unary: impostor}), table, []string{unary + answered("16")}},
		{"garbled details", sample(guard, map[string]http.Handler{unary: garbled("!"), bidi: garbled("////")}), table, []string{unary + answered("16"), bidi + answered("16")}},
		{"no RPC", sample(guard, map[string]http.Handler{
			unary: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }),
		}), table, []string{unary + answered("")}},
		{"panic", sample(guard, map[string]http.Handler{
			bidi: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a handler's panic") }),
		}), table, []string{bidi + " panicked when called: a handler's panic"}},
		{"a token comes along", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Authorization", "Bearer any")
			sample(guard, nil).ServeHTTP(w, r)
		}), table, []string{`the calls carry a token: /sample.v1.CatalogService/CreateOrder was refused with reason "TOKEN_INVALID": give a handler that adds no token`}},
		{"empty", http.NewServeMux(), table, []string{absent("Catalog", "Document", "Member")}},
		{"nil", nil, table, []string{"the handler is nil: give the handler that is tested"}},
		{"nil pointer", (*http.ServeMux)(nil), table, []string{"the handler is nil: give the handler that is tested"}},
		{"nil table", http.NewServeMux(), nil, []string{"the table is nil: give the table that policy.Compile returned"}},
		{"nothing", http.NewServeMux(), new(policy.Table), []string{"the table guards nothing: give a table with a method that is not public"}},
		{"the guard's table is larger", sample(guard, nil), smaller, append(
			of("Document", " is guarded by another table than the given one"+sameTable), of("Member", " is guarded by another table than the given one"+sameTable)...)},
	} {
		r := &harness.Report{TB: t}
		guardtest.AssertGuarded(r, test.handler, test.table)
		r.Expect(t, test.name, prefixed(test.want))
	}
}

// prefixed begins each fault with the name of the package.
func prefixed(faults []string) []string {
	all := make([]string, len(faults))
	for i, fault := range faults {
		all[i] = "guardtest: " + fault
	}
	return all
}

func only(path string, handler http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	return mux
}

func both(first, second http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/sample.v1.DocumentService/") {
			first.ServeHTTP(w, r)
			return
		}
		second.ServeHTTP(w, r)
	})
}

// TestAssertGuardedHanging makes sure that a handler which never answers is a fault after five seconds, also if
// it ignores the end of its context.
func TestAssertGuardedHanging(t *testing.T) {
	t.Parallel()
	table := compile(t)
	for name, wait := range map[string]func(ctx context.Context, release <-chan struct{}){
		"until its context ends": func(ctx context.Context, _ <-chan struct{}) { <-ctx.Done() },
		"for ever":               func(_ context.Context, release <-chan struct{}) { <-release },
	} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			defer close(release)
			mux := sample(harness.NoTokens(table), map[string]http.Handler{
				bidi: connect.NewBidiStreamHandler(bidi, func(ctx context.Context, _ *connect.BidiStream[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]) error {
					wait(ctx, release)
					return ctx.Err()
				}),
			})
			r := &harness.Report{TB: t}
			started := time.Now()
			guardtest.AssertGuarded(r, mux, table)
			r.Expect(t, name, prefixed([]string{bidi + " is open: it has not refused a call without a token within 5s: " + remedy}))
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("%s: it took %v", name, took)
			}
		})
	}
}
