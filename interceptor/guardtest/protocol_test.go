package guardtest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
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

// sends matches requests by verb and content type.
func sends(verb, contentType string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == verb && strings.HasPrefix(r.Header.Get("Content-Type"), contentType)
	}
}

func exactly(contentType string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Header.Get("Content-Type") == contentType }
}

// beside serves the paths that a mux does not serve.
func beside(mux *http.ServeMux, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// splitting sends wanted calls of procedures with a prefix to another handler.
func splitting(handler, elsewhere http.Handler, prefix string, wanted func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) && wanted(r) {
			elsewhere.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// TestProtocols makes sure that a procedure passes only if it is guarded by every protocol that serves it, whatever the
// handler answers to unknown procedures.
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
	var pages atomic.Int64
	differing := func(contentType string, status int) http.Handler { // with a text that differs from call to call
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = fmt.Fprintln(w, "<!doctype html>", r.URL.Path, pages.Add(1))
		})
	}
	html := differing("text/html; charset=utf-8", 200)
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
	guardAll := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connect.NewUnaryHandler(r.URL.Path, func(context.Context, *connect.Request[samplev1.ListDocumentsRequest]) (*connect.Response[samplev1.ListDocumentsResponse], error) {
			return nil, errors.New("open")
		}, harness.NoTokens(table).HandlerOption()).ServeHTTP(w, r)
	})
	failing := func(code connect.Code, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = connect.NewErrorWriter().Write(w, r, connect.NewError(code, errors.New(text+r.URL.Path)))
		})
	}
	unauthenticated, invalid := failing(connect.CodeUnauthenticated, "who are you?"), failing(connect.CodeInvalidArgument, "open")
	unimplemented, notFoundRPC := failing(connect.CodeUnimplemented, "no procedure "), failing(connect.CodeNotFound, "no procedure ")
	naming := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // in each form alone
		service, method, _ := strings.Cut(r.URL.Path[1:], "/")
		_, _ = fmt.Fprintln(w, r.URL.Path, url.QueryEscape(r.URL.Path), "service:", service, "method:", method)
	})
	framed := func(contentType string, body ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write([]byte(strings.Join(body, "")))
		})
	}
	detail := base64.RawStdEncoding.EncodeToString([]byte("\n\rTOKEN_MISSING\x12\nprotoauthz"))
	failure := `{"error": {"code": "unauthenticated", "details": [{"type": "google.rpc.ErrorInfo", "value": "` + detail + `"}]}}`
	details := base64.RawStdEncoding.EncodeToString([]byte(protobuf(t)))
	trailers := "grpc-status: 16\r\ngrpc-status-details-bin: " + details + "\r\n"
	everywhere := func(state, stream, unary string) []string { // the faults if the unknown procedure is answered as all others
		all := []string{strings.Replace(fault("every procedure that the server does not know", state, stream)[0], "TOKEN_MISSING", "RULE_MISSING", 1)}
		for _, procedure := range of("Catalog", "") {
			answer := unary
			if procedure == server || procedure == client {
				answer = stream
			}
			all = append(all, fault(procedure, state, answer)...)
		}
		return all
	}
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
	fresh := func(status int) http.Handler { // for all that is not mounted
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json(w, status, fmt.Sprintf(`{"error": "no such path", "request_id": %d}`, pages.Add(1)))
		})
	}
	const reflection = "/grpc.reflection.v1.ServerReflection/"
	besideFresh := func(status int) http.Handler { // apart from well-known services other than reflection
		return splitting(splitting(guarded, fresh(status), "/protoauthz.guardtest.", all), invalid, reflection, all)
	}
	reflects := []string{strings.Replace(fault(reflection+"ServerReflectionInfo", notIts, `200, gRPC status "3"`)[0], "TOKEN_MISSING", "RULE_MISSING", 1) +
		"; then name grpc.reflection.v1.ServerReflection in policy.WithPublic if everybody may call it, or do not serve it"}
	smaller := sample(harness.NoTokens(small), nil)
	const missing, ruleMissing = `%s and reason "TOKEN_MISSING"`, `%s and reason "RULE_MISSING"`
	differ := func(procedure, first, firstAnswer, second, secondAnswer string) string {
		return procedure + " is refused for different reasons: it answered calls without a token with HTTP status " +
			fmt.Sprintf(first, firstAnswer) + ", and with HTTP status " + fmt.Sprintf(second, secondAnswer) + ": guard all protocols with one table"
	}
	members := func(fault func(procedure string) string) []string {
		all := of("Member", "")
		for i, procedure := range all {
			all[i] = fault(procedure)
		}
		return all
	}
	tokenFirst := members(func(procedure string) string {
		return differ(procedure, missing, `200, gRPC status "16"`, ruleMissing, "403 to POST application/proto")
	})
	ruleFirst := members(func(procedure string) string {
		return differ(procedure, ruleMissing, `200, gRPC status "7"`, missing, "401 to POST application/proto")
	})
	const member = "/sample.v1.MemberService/"
	joining := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if values := r.Header["Authorization"]; values != nil {
			r.Header.Set("Authorization", values[0])
		}
		guarded.ServeHTTP(w, r)
	})
	mapped := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // for all paths
		_ = json(w, 404, `{"code": "not_found", "details": [{"type": "google.rpc.ErrorInfo", "value": "`+detail+`"}]}`)
	})
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // gRPC without its content type
		w.Header().Set("Grpc-Status", "16")
		w.Header().Set("Content-Type", "text/plain")
	})
	for name, test := range map[string]struct {
		handler http.Handler
		table   *policy.Table
		want    []string
	}{
		"reflection, beside fresh JSON, 200": {besideFresh(200), table, reflects},
		"reflection, beside fresh JSON, 400": {besideFresh(400), table, reflects},
		"reflection, beside fresh JSON, 500": {besideFresh(500), table, reflects},
		"gRPC has another table":             {splitting(guarded, smaller, member, sends("POST", "application/grpc")), table, ruleFirst},
		"Connect has another table": {splitting(smaller, guarded, "/", func(r *http.Request) bool {
			return !strings.HasPrefix(r.URL.Path, member) || sends("POST", "application/grpc")(r)
		}), table, tokenFirst},
		"GET is open, beside another table":         {splitting(splitting(guarded, smaller, member, sends("POST", "application/grpc")), json200, member+"ListMembers", sends("GET", "")), table, append(append([]string{}, ruleFirst[0]), append(fault(member+"ListMembers", openly, "200 to GET"), ruleFirst[2])...)},
		"Connect joins the tokens":                  {splitting(joining, guarded, "/", sends("POST", "application/grpc")), table, nil},
		"a refusal with another code":               {mapped, small, []string{"every procedure that the server does not know is guarded by another table than the given one" + sameTable}},
		"gRPC by its status alone":                  {bare, small, everywhere(notIts, `200, gRPC status ""`, `200, gRPC status ""`)},
		"trailers in a body of gRPC":                {splitting(guarded, framed("application/grpc", envelope(0x80, trailers)), unary, exactly("application/grpc")), table, fault(unary, openly, "200 to POST application/grpc")},
		"garbage after the details":                 {splitting(guarded, framed("application/grpc-web", envelope(0x80, "grpc-status: 16\r\ngrpc-status-details-bin: "+details+"!\r\n")), unary, sends("POST", "application/grpc-web")), table, fault(unary, notIts, "200 to POST application/grpc-web+proto")},
		"a stream that is cut after a frame":        {splitting(guarded, framed("application/connect+json", envelope(0, "message"), "\x02\x00\x00\x00"), client, sends("POST", "application/connect+")), table, fault(client, openly, "200 to POST application/connect+proto")},
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
		"errors of RPCs for the rest, not found":    {beside(catalogAlone, notFoundRPC), small, nil},
		"another 404 for each call":                 {beside(catalogAlone, differing("text/plain", 404)), small, nil},
		"a page that names the procedure":           {beside(catalogAlone, naming), small, nil},
		"another page for calls with a token":       {beside(catalogAlone, checkingHeader(text("no token"), text("nothing here"))), small, nil},
		"GET is open, beside another content type":  {splitting(splitting(guarded, framed("text/plain", "{}"), "/", sends("GET", "")), framed("application/json", "{}"), unary, sends("GET", "")), table, fault(unary, openly, "200 to GET")},
		"an open handler, beside another code":      {splitting(beside(catalogAlone, unimplemented), notFoundRPC, server, all), small, fault(server, notIts, `200, gRPC status "5"`)},
		"an open handler, beside errors of RPCs":    {splitting(beside(catalogAlone, unimplemented), open, server, all), small, fault(server, notIts, `200, gRPC status "12"`)},
		"an open handler that fails":                {splitting(guarded, status(500), unary, all), table, fault(unary, notIts, `500, gRPC status ""`)},
		"gRPC without a status, everywhere":         {framed("application/grpc"), small, everywhere(openly, `200, gRPC status ""`, `200, gRPC status ""`)},
		"Connect without an end, everywhere":        {framed("application/connect+json"), small, everywhere(openly, `200, gRPC status ""`, `200, gRPC status ""`)},
		"another's check, everywhere":               {unauthenticated, small, everywhere(notIts, `200, gRPC status "16"`, `200, gRPC status "16"`)},
		"another's check of Connect, everywhere":    {splitting(unauthenticated, status(415), "/", sends("POST", "application/grpc")), small, everywhere(notIts, "200 to POST application/connect+proto", "401 to POST application/proto")},
		"a refusal in the trailers of gRPC-Web":     {splitting(guarded, framed("application/grpc-web", "\x00\x00\x00\x00\x00", envelope(0x80, trailers)), unary, sends("POST", "application/grpc-web")), table, nil},
		"trailers in a message of gRPC-Web":         {splitting(guarded, framed("application/grpc-web", envelope(0, trailers)), unary, sends("POST", "application/grpc-web")), table, fault(unary, openly, "200 to POST application/grpc-web+proto")},
		"a refusal at the end of a stream":          {splitting(guarded, framed("application/connect+json", envelope(0, "{}"), envelope(2, failure)), client, sends("POST", "application/connect+")), table, nil},
		"a refusal in a message of a stream":        {splitting(guarded, framed("application/connect+json", envelope(0, failure), envelope(2, "{}")), client, sends("POST", "application/connect+")), table, fault(client, openly, "200 to POST application/connect+proto")},
		"a stream that is cut":                      {splitting(guarded, framed("application/connect+json", envelope(2, failure)[:40]), client, sends("POST", "application/connect+")), table, fault(client, openly, "200 to POST application/connect+proto")},
		"a stream that is cut before its size":      {splitting(guarded, framed("application/connect+json", "\x02\x00\x00\x00"), client, sends("POST", "application/connect+")), table, fault(client, openly, "200 to POST application/connect+proto")},
		"a check for a token": {splitting(guarded, checkingHeader(guarded, open), unary, all), table, []string{
			strings.NewReplacer("without a token", "with two tokens", `"TOKEN_MISSING": `, `"TOKEN_MALFORMED": `+noGuard).Replace(unary + answered("12")),
		}},
	} {
		r := &harness.Report{TB: t}
		guardtest.AssertGuarded(r, test.handler, test.table)
		r.Expect(t, name, prefixed(test.want))
	}
}

// envelope is a frame of a stream with a flag.
func envelope(flag byte, message string) string {
	return string([]byte{flag}) + harness.Envelope(message)[1:]
}

// TestRequests makes sure that a procedure is called by all protocols of its kind, with the header of a client, and that
// a request is as over a connection: a handler can set deadlines, and its context ends with the call.
func TestRequests(t *testing.T) {
	t.Parallel()
	table := compile(t)
	guarded := sample(harness.NoTokens(table), nil)
	var contexts []context.Context
	got := map[string][]string{}
	guardtest.AssertGuarded(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}), control.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
		contexts = append(contexts, r.Context())
		if values, ok := r.Header["Authorization"]; ok != (len(values) == 2) {
			t.Errorf("Authorization %q", values)
		}
		sent := fmt.Sprintf("%s %q %s %q %q %d", r.Method, r.Header["Content-Type"], r.URL.RawQuery, r.Header["Te"], r.Header["Connect-Protocol-Version"], r.ProtoMajor)
		if !slices.Contains(got[r.URL.Path], sent) {
			got[r.URL.Path] = append(got[r.URL.Path], sent)
		}
		guarded.ServeHTTP(w, r)
	}), table)
	post := func(contentTypes ...string) (all []string) {
		for _, contentType := range contentTypes {
			all = append(all, fmt.Sprintf(`POST ["application/%s"]  ["trailers"] ["1"] 2`, contentType))
		}
		return all
	}
	grpc, streams := post("grpc+proto", "grpc", "grpc-web+proto", "grpc-web"), post("connect+proto", "connect+json")
	unaries := append(post("proto", "json"), `GET [] connect=v1&encoding=json&message= ["trailers"] ["1"] 2`)
	for procedure, want := range map[string][]string{
		unary: slices.Concat(grpc, unaries), bidi: slices.Concat(grpc, streams),
		"/protoauthz.guardtest.Nowhere/Nothing": slices.Concat(grpc, streams, unaries),
	} {
		if !slices.Equal(got[procedure], want) {
			t.Errorf("%s is called by\n     %q\nwant %q", procedure, got[procedure], want)
		}
	}
	for _, ctx := range contexts {
		if ctx.Err() == nil {
			t.Fatal("the context of a call goes on after the call")
		}
	}
}

func json(w http.ResponseWriter, status int, body string) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write([]byte(body))
	return err
}

var json200 = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json(w, 200, `{"documents": []}`) })

// jsonPage answers all paths with JSON that is not an answer of an RPC.
var jsonPage = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = json(w, 200, `{"page": "`+r.URL.Path+`"}`) })

func text(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

// checkingHeader sends calls with an Authorization field to an open handler.
func checkingHeader(guarded, open http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			guarded.ServeHTTP(w, r)
			return
		}
		open.ServeHTTP(w, r)
	})
}
