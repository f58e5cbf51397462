package guardtest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	connect2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const (
	v1, v1alpha = grpcreflect.ReflectV1ServiceName, grpcreflect.ReflectV1AlphaServiceName
	reading     = "/ServerReflectionInfo"
	load        = "xds.service.orca.v3.OpenRcaService"
	health      = grpchealth.HealthV1ServiceName
)

// withExtras mounts reflection and health beside a handler.
func withExtras(handler http.Handler, options ...connect.HandlerOption) http.Handler {
	reflector := grpcreflect.NewStaticReflector(samplev1connect.CatalogServiceName)
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, options...))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, options...))
	mux.Handle(grpchealth.NewHandler(grpchealth.NewStaticChecker(), options...))
	return mux
}

// version2 serves the table's procedures behind a guard of connect-go v2, and open procedures.
func version2(guard *interceptor.Guard, table *policy.Table, open ...string) http.Handler {
	mux := http.NewServeMux()
	receive := func(_ context.Context, _ connect2.Spec, stream connect2.ServerStream) error {
		return stream.Receive(nil)
	}
	guarded, bare := connect2.NewServer(connectv2guard.Interceptor(guard)), connect2.NewServer()
	for _, rule := range table.Rules() {
		if rule.Method != nil {
			guarded.Register(connect2.Method{Spec: connect2.Spec{Procedure: rule.Procedure, StreamType: connect2.StreamTypeBidi}, Handler: receive})
		}
	}
	for _, procedure := range open {
		bare.Register(connect2.Method{Spec: connect2.Spec{Procedure: procedure, StreamType: connect2.StreamTypeBidi}, Handler: func(context.Context, connect2.Spec, connect2.ServerStream) error {
			return nil
		}})
	}
	connecthttp.Mount(mux, guarded)
	if len(open) > 0 {
		connecthttp.Mount(mux, bare)
	}
	return mux
}

func TestOutside(t *testing.T) {
	t.Parallel()
	table := compile(t)
	public, err := policy.Compile(policy.Files{
		samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_member_proto, samplev1.File_sample_v1_document_proto,
	}, policy.WithAudience("https://api.example.test"), policy.WithPublic(v1, v1alpha, health))
	if err != nil {
		t.Fatal(err)
	}
	guard := harness.NoTokens(table)
	const (
		ending = " in policy.WithPublic if everybody may call it, or do not serve it"
		refuse = " is refused to everybody: name "
	)
	answer := func(code, service string) string {
		return strings.Replace(answered(code), "TOKEN_MISSING", "RULE_MISSING", 1) + "; then name " + service + ending
	}
	open := []string{
		"/" + health + "/Check" + answer("12", health), "/" + health + "/Watch" + answer("12", health),
		"/" + v1 + reading + answer("0", v1), "/" + v1alpha + reading + answer("0", v1alpha),
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html>"))
	})
	for name, test := range map[string]struct {
		handler http.Handler
		table   *policy.Table
		want    []string
	}{
		"A6 connect-go":            {withExtras(sample(guard, nil)), table, open},
		"A6 connect-go v2":         {withExtras(version2(guard, table)), table, open},
		"A6 connect-go v2, itself": {version2(guard, table, "/"+v1+reading), table, []string{"/" + v1 + reading + answer("0", v1)}},
		"A6 load reports":          {version2(guard, table, "/"+load+"/StreamCoreMetrics"), table, []string{"/" + load + "/StreamCoreMetrics" + answer("0", load)}},
		"A6 guarded, without a rule": {withExtras(sample(guard, nil), guard.HandlerOption()), table, []string{
			"/" + health + "/Check" + refuse + health + ending, "/" + health + "/Watch" + refuse + health + ending,
			"/" + v1 + reading + refuse + v1 + ending, "/" + v1alpha + reading + refuse + v1alpha + ending,
		}},
		"A6 public":               {withExtras(sample(harness.NoTokens(public), nil)), public, nil},
		"A6 none":                 {sample(guard, nil), table, nil},
		"A6 none, v2":             {version2(guard, table), table, nil},
		"A6 pages for the rest":   {pages(sample(guard, nil), page), table, nil},
		"A6 a guard for the rest": {pages(sample(guard, nil), connectHandler(guard)), table, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &harness.Report{TB: t}
			guardtest.AssertGuarded(r, test.handler, test.table)
			r.Expect(t, name, prefixed(test.want))
		})
	}
}

// pages adds a handler for all other paths to a mux.
func pages(mux *http.ServeMux, rest http.Handler) http.Handler {
	mux.Handle("/", rest)
	return mux
}

// connectHandler answers every procedure behind a guard.
func connectHandler(guard *interceptor.Guard) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Count(r.URL.Path, "/") != 2 {
			http.NotFound(w, r)
			return
		}
		connect.NewUnaryHandler(r.URL.Path, samplev1connect.UnimplementedDocumentServiceHandler{}.ListDocuments, guard.HandlerOption()).ServeHTTP(w, r)
	})
}
