package guardtest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// sends tells the calls apart that go to an open handler.
func sends(verb, contentType string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == verb && strings.HasPrefix(r.Header.Get("Content-Type"), contentType)
	}
}

func exactly(contentType string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Header.Get("Content-Type") == contentType }
}

// beside serves what a mux does not.
func beside(mux *http.ServeMux, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// splitting sends some calls of some procedures elsewhere.
func splitting(handler, elsewhere http.Handler, prefix string, wanted func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) && wanted(r) {
			elsewhere.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// TestProtocols makes sure that a procedure is guarded only if it is guarded by every protocol.
func TestProtocols(t *testing.T) {
	t.Parallel()
	table := compile(t)
	guarded := sample(harness.NoTokens(table), nil)
	open := http.NewServeMux()
	open.Handle(samplev1connect.NewCatalogServiceHandler(samplev1connect.UnimplementedCatalogServiceHandler{}))
	open.Handle(samplev1connect.NewDocumentServiceHandler(samplev1connect.UnimplementedDocumentServiceHandler{}))
	open.Handle(client, connect.NewClientStreamHandler(client, func(_ context.Context, stream *connect.ClientStream[samplev1.ImportProductsRequest]) (*connect.Response[samplev1.ImportProductsResponse], error) {
		for stream.Receive() {
			continue
		}
		return connect.NewResponse(new(samplev1.ImportProductsResponse)), stream.Err()
	}))
	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	html := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // whose text differs from call to call
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html>" + r.URL.Path))
	})
	notFound := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json(w, 404, `{"code": "not_found", "message": "no such document"}`)
	})
	fault := func(procedure, state, answer string) []string {
		return []string{procedure + state + ": it answered a call without a token with HTTP status " + answer + ` and reason "", not with "TOKEN_MISSING": ` + remedy}
	}
	const openly, notIts = " is open", " is not behind the guard"
	all := func(*http.Request) bool { return true }
	small := compile(t, policy.Files{samplev1.File_sample_v1_catalog_proto})
	catalog := http.NewServeMux()
	catalog.Handle(samplev1connect.NewCatalogServiceHandler(samplev1connect.UnimplementedCatalogServiceHandler{}, harness.NoTokens(small).HandlerOption()))
	catalog.Handle("/", html)
	catalogAlone := http.NewServeMux()
	catalogAlone.Handle(samplev1connect.NewCatalogServiceHandler(samplev1connect.UnimplementedCatalogServiceHandler{}, harness.NoTokens(small).HandlerOption()))
	unimplemented := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = connect.NewErrorWriter().Write(w, r, connect.NewError(connect.CodeUnimplemented, errors.New("no procedure "+r.URL.Path)))
	})
	guardAll := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connect.NewUnaryHandler(r.URL.Path, func(context.Context, *connect.Request[samplev1.ListDocumentsRequest]) (*connect.Response[samplev1.ListDocumentsResponse], error) {
			return nil, errors.New("open")
		}, harness.NoTokens(table).HandlerOption()).ServeHTTP(w, r)
	})
	invalid := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = connect.NewErrorWriter().Write(w, r, connect.NewError(connect.CodeInvalidArgument, errors.New("open")))
	})
	connectOnly := splitting(open, status(415), "/", sends("POST", "application/grpc"))
	var ruleless []string
	for _, procedure := range of("Document", "") {
		answer := "400 to POST application/proto"
		if procedure == bidi {
			answer = "200 to POST application/connect+proto"
		}
		text := strings.Replace(fault(procedure, notIts, answer)[0], "TOKEN_MISSING", "RULE_MISSING", 1)
		ruleless = append(ruleless, text+"; then compile its file into the table, or name sample.v1.DocumentService in policy.WithPublic")
	}
	for name, test := range map[string]struct {
		handler http.Handler
		table   *policy.Table
		want    []string
	}{
		"gRPC-Web is open":                          {splitting(guarded, open, unary, sends("POST", "application/grpc-web")), table, fault(unary, notIts, "200 to POST application/grpc-web+proto")},
		"gRPC-Web of a stream is open":              {splitting(guarded, open, client, sends("POST", "application/grpc-web")), table, fault(client, openly, "200 to POST application/grpc-web+proto")},
		"Connect is open, binary":                   {splitting(guarded, open, unary, sends("POST", "application/proto")), table, fault(unary, notIts, "400 to POST application/proto")},
		"Connect is open, JSON":                     {splitting(guarded, open, unary, sends("POST", "application/json")), table, fault(unary, notIts, "400 to POST application/json")},
		"Connect of a stream is open":               {splitting(guarded, open, client, sends("POST", "application/connect+")), table, fault(client, openly, "200 to POST application/connect+proto")},
		"Connect of a stream, JSON":                 {splitting(guarded, open, client, sends("POST", "application/connect+json")), table, fault(client, openly, "200 to POST application/connect+json")},
		"GET is open":                               {splitting(guarded, json200, unary, sends("GET", "")), table, fault(unary, openly, "200 to GET")},
		"GET is open, beside JSON":                  {splitting(splitting(guarded, jsonPage, "/", sends("GET", "")), json200, unary, sends("GET", "")), table, fault(unary, openly, "200 to GET")},
		"GET is open, beside text":                  {splitting(splitting(guarded, text("page"), "/", sends("GET", "")), text("data"), unary, sends("GET", "")), table, fault(unary, openly, "200 to GET")},
		"POST alone, JSON for the rest":             {splitting(guarded, jsonPage, "/", sends("GET", "")), table, nil},
		"an open handler finds nothing":             {splitting(guarded, notFound, unary, sends("POST", "application/json")), table, fault(unary, notIts, "404 to POST application/json")},
		"gRPC by its own type is open":              {splitting(guarded, open, unary, exactly("application/grpc")), table, fault(unary, notIts, "200 to POST application/grpc")},
		"a guard for the rest, beside what is open": {splitting(beside(http.NewServeMux(), guardAll), invalid, unary, all), table, fault(unary, notIts, `200, gRPC status "3"`)},
		"errors of Connect for the rest":            {beside(catalogAlone, notFound), small, nil},
		"errors of RPCs for the rest":               {beside(catalogAlone, unimplemented), small, nil},
		"grpc-go for the rest":                      {beside(catalogAlone, grpc.NewServer()), small, nil},
		"gRPC alone":                                {splitting(guarded, status(415), "/", func(r *http.Request) bool { return !sends("POST", "application/grpc")(r) }), table, nil},
		"Connect alone":                             {splitting(guarded, status(405), "/", sends("POST", "application/grpc")), table, nil},
		"POST alone, pages for the rest":            {splitting(guarded, html, "/", sends("GET", "")), table, nil},
		"Connect alone, without a rule":             {splitting(catalog, connectOnly, "/sample.v1.DocumentService/", all), small, ruleless},
		"pages alone":                               {html, table, []string{strings.NewReplacer(",", " (HTTP status 200),", ": give", " (HTTP status 200): give").Replace(strings.SplitAfter(absent("Catalog", "Document", "Member"), ": give")[0]) + strings.SplitAfter(absent(""), ": give")[1]}},
		"a check for a token": {splitting(guarded, checkingHeader(guarded, open), unary, all), table, []string{
			strings.NewReplacer("without a token", "with two tokens", `"TOKEN_MISSING": `, `"TOKEN_MALFORMED": `+noGuard).Replace(unary + answered("12")),
		}},
	} {
		r := &harness.Report{TB: t}
		guardtest.AssertGuarded(r, test.handler, test.table)
		r.Expect(t, name, prefixed(test.want))
	}
}

// TestDeadlines makes sure that handlers can set deadlines, as over a connection.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	table := compile(t)
	guarded := sample(harness.NoTokens(table), nil)
	guardtest.AssertGuarded(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}), control.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
		guarded.ServeHTTP(w, r)
	}), table)
}

func json(w http.ResponseWriter, status int, body string) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write([]byte(body))
	return err
}

var json200 = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json(w, 200, `{"documents": []}`) })

// jsonPage answers all paths with what is no RPC's answer.
var jsonPage = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = json(w, 200, `{"page": "`+r.URL.Path+`"}`) })

func text(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

// checkingHeader lets calls with a token, or what looks like one, through to an open handler.
func checkingHeader(guarded, open http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			guarded.ServeHTTP(w, r)
			return
		}
		open.ServeHTTP(w, r)
	})
}
