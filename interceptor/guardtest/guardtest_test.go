package guardtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A report is a test that fails without failing.
type report struct {
	testing.TB
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

func (r *report) Helper()                  {}
func (r *report) Context() context.Context { return r.ctx }

func (r *report) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// noVerifier knows no token, for none is ever shown to it.
type noVerifier struct{}

func (noVerifier) Verify(context.Context, string) (*token.Claims, error) {
	return nil, errors.New("a token was sent")
}

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

// sample mounts the sample's services, guarded but for those procedures that
// are replaced.
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

const absent = "the handler answers 404 to "

func TestAssertGuarded(t *testing.T) {
	t.Parallel()
	table := compile(t)
	guard := interceptor.New(noVerifier{}, table)
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
		want    []string // each the beginning of a fault
	}{
		{"all", sample(guard, nil), table, nil},
		{"some are not mounted", only(samplev1connect.NewMemberServiceHandler(samplev1connect.UnimplementedMemberServiceHandler{}, guard.HandlerOption())), table, []string{absent + "/sample.v1.CatalogService/CreateOrder, "}},
		{"under a prefix", only("/api/", http.StripPrefix("/api", sample(guard, nil))), table, []string{absent + "/sample.v1.CatalogService/CreateOrder, "}},
		{"open unary", sample(guard, map[string]http.Handler{
			unary: connect.NewUnaryHandler(unary, open.ListDocuments),
		}), table, []string{unary}},
		{"open server stream", sample(guard, map[string]http.Handler{
			server: connect.NewServerStreamHandler(server, openCatalog.WatchProducts),
		}), table, []string{server}},
		{"open client stream", sample(guard, map[string]http.Handler{
			client: connect.NewClientStreamHandler(client, func(_ context.Context, stream *connect.ClientStream[samplev1.ImportProductsRequest]) (*connect.Response[samplev1.ImportProductsResponse], error) {
				for stream.Receive() {
					continue
				}
				return connect.NewResponse(new(samplev1.ImportProductsResponse)), stream.Err()
			}),
		}), table, []string{client}},
		{"open bidirectional stream", sample(guard, map[string]http.Handler{
			bidi: connect.NewBidiStreamHandler(bidi, open.SyncDocuments),
		}), table, []string{bidi}},
		{"all open", both(
			only(samplev1connect.NewDocumentServiceHandler(open)),
			only(samplev1connect.NewCatalogServiceHandler(openCatalog, guard.HandlerOption())),
		), table, []string{
			"/sample.v1.DocumentService/BatchGetDocuments", "/sample.v1.DocumentService/GetDocument", "/sample.v1.DocumentService/GetUsage",
			"/sample.v1.DocumentService/ListDocuments", "/sample.v1.DocumentService/SyncDocuments", "/sample.v1.DocumentService/UpdateSettings",
			absent + "/sample.v1.MemberService/InviteMember, ",
		}},
		{"interceptor alone", only(samplev1connect.NewMemberServiceHandler(
			samplev1connect.UnimplementedMemberServiceHandler{}, connect.WithInterceptors(guard),
		)), table, []string{
			"/sample.v1.MemberService/InviteMember", "/sample.v1.MemberService/ListMembers", "/sample.v1.MemberService/UpdateBilling",
			absent,
		}},
		{"a file was forgotten", only(samplev1connect.NewMemberServiceHandler(
			samplev1connect.UnimplementedMemberServiceHandler{}, interceptor.New(noVerifier{}, smaller).HandlerOption(),
		)), smaller, []string{
			"/sample.v1.MemberService/InviteMember is refused to everybody", "/sample.v1.MemberService/ListMembers", "/sample.v1.MemberService/UpdateBilling",
			absent,
		}},
		{"the guard's table is another", sample(interceptor.New(noVerifier{}, smaller), nil), table, []string{
			"/sample.v1.DocumentService/BatchGetDocuments", "/sample.v1.DocumentService/GetDocument", "/sample.v1.DocumentService/GetUsage",
			"/sample.v1.DocumentService/ListDocuments", "/sample.v1.DocumentService/SyncDocuments", "/sample.v1.DocumentService/UpdateSettings",
			"/sample.v1.MemberService/InviteMember", "/sample.v1.MemberService/ListMembers", "/sample.v1.MemberService/UpdateBilling",
		}},
		{"its own refusal", sample(guard, map[string]http.Handler{unary: answering}), table, []string{unary}},
		{"another's refusal", sample(guard, map[string]http.Handler{unary: impostor}), table, []string{unary}},
		{"garbled details", sample(guard, map[string]http.Handler{unary: garbled("!"), bidi: garbled("////")}), table, []string{unary, bidi}},
		{"no RPC", sample(guard, map[string]http.Handler{
			unary: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }),
		}), table, []string{unary}},
		{"panic", sample(guard, map[string]http.Handler{
			bidi: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a handler's panic") }),
		}), table, []string{bidi + " panicked when called without a token: a handler's panic"}},
		{"empty", http.NewServeMux(), table, []string{absent}},
		{"nothing", http.NewServeMux(), new(policy.Table), []string{"the table guards nothing"}},
		{"public only", sample(guard, nil), new(policy.Table), []string{
			"/sample.v1.CatalogService/CreateOrder is guarded by another table", "/sample.v1.CatalogService/GetInfo", "/sample.v1.CatalogService/ImportProducts",
			"/sample.v1.CatalogService/ListProducts", "/sample.v1.CatalogService/WatchProducts", "/sample.v1.CatalogService/WhoAmI",
			"/sample.v1.DocumentService/BatchGetDocuments", "/sample.v1.DocumentService/GetDocument", "/sample.v1.DocumentService/GetUsage",
			"/sample.v1.DocumentService/ListDocuments", "/sample.v1.DocumentService/SyncDocuments", "/sample.v1.DocumentService/UpdateSettings",
			"/sample.v1.MemberService/InviteMember", "/sample.v1.MemberService/ListMembers", "/sample.v1.MemberService/UpdateBilling",
		}},
	} {
		r := &report{TB: t, ctx: t.Context()}
		guardtest.AssertGuarded(r, test.handler, test.table)
		r.expect(t, test.name, test.want)
	}
}

func (r *report) expect(t *testing.T, name string, want []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) != len(want) {
		t.Errorf("%s: %q, want %q", name, r.faults, want)
		return
	}
	for i, fault := range r.faults {
		if !strings.HasPrefix(fault, "guardtest: "+want[i]) {
			t.Errorf("%s: %q, want %q", name, fault, want[i])
		}
	}
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

// TestAssertGuardedHanging makes sure that a handler which waits for ever, and
// which nothing tells to stop, costs a while and not the whole test.
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
			mux := sample(interceptor.New(noVerifier{}, table), map[string]http.Handler{
				bidi: connect.NewBidiStreamHandler(bidi, func(ctx context.Context, _ *connect.BidiStream[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]) error {
					wait(ctx, release)
					return ctx.Err()
				}),
			})
			r := &report{TB: t, ctx: t.Context()}
			started := time.Now()
			guardtest.AssertGuarded(r, mux, table)
			r.expect(t, name, []string{bidi})
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("%s: it took %v", name, took)
			}
		})
	}
}
