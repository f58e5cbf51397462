package guardtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/prototest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// annotations is what google/api/annotations.proto declares, as far as it is used here.
const annotations = `syntax = "proto3";
package google.api;
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }
message HttpRule {
  oneof pattern { string get = 2; string put = 3; string post = 4; string delete = 5; string patch = 6; CustomHttpPattern custom = 8; }
  string body = 7;
  repeated HttpRule additional_bindings = 11;
}
message CustomHttpPattern { string kind = 1; string path = 2; }
`

// compileREST compiles a service whose methods are A, B, … with these options.
func compileREST(t *testing.T, options ...string) *policy.Table {
	t.Helper()
	var methods strings.Builder
	for i, option := range options {
		rule := "authenticated: true"
		if before, public := strings.CutPrefix(option, "public "); public {
			option, rule = before, "public: true"
		}
		_, _ = fmt.Fprintf(&methods, "rpc %c(In) returns (In) { option (protoauthz.v1.method) = { %s model: %s }; %s }\n", 'A'+i, rule,
			map[bool]string{true: "MODEL_UNSPECIFIED", false: "MODEL_GLOBAL_RESOURCE"}[rule == "public: true"], option)
	}
	files, err := prototest.Compile(t.Context(), "../../proto", map[string]string{
		"google/api/annotations.proto": annotations,
		"rest.proto": `syntax = "proto3";
package rest;
import "google/api/annotations.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "protoauthz/v1/authz.proto";
enum Kind { NONE = 0; SOME = 1; }
message Inner { string id = 1; int32 size = 2; }
message In {
  string name = 1; int64 number = 2; bool yes = 3; Kind kind = 4; bytes raw = 5; double real = 6; Inner inner = 7;
  google.protobuf.Int32Value wrapped = 8; google.protobuf.Timestamp time = 9; google.protobuf.Duration span = 10;
  repeated Inner many = 11;
}
service S {
` + methods.String() + "}\n",
	}, "rest.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files(files), policy.WithAudience("https://api.example.test"))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A restServer answers all routes alike and notes them.
type restServer struct {
	answer http.HandlerFunc

	mu    sync.Mutex
	calls []string
}

// ServeHTTP implements [http.Handler].
func (s *restServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	body, err := io.ReadAll(r.Body)
	s.calls = append(s.calls, strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL.Path, " ", string(body))))
	if err != nil || r.RequestURI != r.URL.Path {
		s.calls = append(s.calls, fmt.Sprint(r.RequestURI, err))
	}
	s.mu.Unlock()
	s.answer(w, r)
}

func answer(status int, challenge, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const (
	info    = `{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TOKEN_MISSING", "domain": "protoauthz"}`
	refusal = `{"code": 16, "message": "a bearer token is required", "details": [` + info + `]}`
	realm   = `Bearer realm="https://api.example.test"`
)

// TestRESTRoutes makes sure that every route of every form is called.
func TestRESTRoutes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		option string
		want   []string
	}{
		"get":             {`option (google.api.http) = { get: "/v1/a" };`, []string{"GET /v1/a"}},
		"put":             {`option (google.api.http) = { put: "/v1/a" body: "*" };`, []string{"PUT /v1/a {}"}},
		"post":            {`option (google.api.http) = { post: "/v1/a:go" body: "inner" };`, []string{"POST /v1/a:go {}"}},
		"delete":          {`option (google.api.http).delete = "/v1/a";`, []string{"DELETE /v1/a"}},
		"patch":           {`option (google.api.http) = { patch: "/v1/a" };`, []string{"PATCH /v1/a"}},
		"custom":          {`option (google.api.http) = { custom: { kind: "HEAD" path: "/v1/a" } };`, []string{"HEAD /v1/a"}},
		"in two":          {`option (google.api.http).get = "/v1/a"; option (google.api.http).body = "*";`, []string{"GET /v1/a {}"}},
		"bodies":          {`option (google.api.http) = { post: "/v1/a" body: "name" additional_bindings { post: "/v1/b" body: "many" } additional_bindings { post: "/v1/c" body: "inner" } additional_bindings { post: "/v1/d" } };`, []string{"POST /v1/a", "POST /v1/b", "POST /v1/c {}", "POST /v1/d"}},
		"several":         {`option (google.api.http) = { get: "/v1/a" additional_bindings { post: "/v1/b" } additional_bindings { custom: { kind: "*" path: "/v1/c" } } };`, []string{"GET /v1/a", "POST /v1/b", "* /v1/c"}},
		"only additional": {`option (google.api.http) = { additional_bindings { post: "/v1/b" } };`, []string{"POST /v1/b"}},
		"variables":       {`option (google.api.http) = { get: "/v1/{name}/{number}/{yes}/{kind}/{raw}/{real}/{inner.id}/{inner.size}" };`, []string{"GET /v1/x/1/true/NONE/eHh4/1/x/1"}},
		"well-known":      {`option (google.api.http) = { get: "/v1/{wrapped}/{time}/{span}/{unknown}" };`, []string{"GET /v1/1/2006-01-02T15:04:05Z/1s/x"}},
		"segments":        {`option (google.api.http) = { get: "/v1/{name=organizations/*/documents/*}:read" };`, []string{"GET /v1/organizations/x/documents/x:read"}},
		"stars":           {`option (google.api.http) = { get: "/*/{number=*}/{name=**}" };`, []string{"GET /x/1/x"}},
		"deep":            {`option (google.api.http) = { get: "/v1/{inner.id=a/**}" };`, []string{"GET /v1/a/x"}},
	} {
		table := compileREST(t, test.option, "", `public option (google.api.http) = { get: "/v1/public" };`)
		server := &restServer{answer: answer(http.StatusUnauthorized, "", refusal)}
		guardtest.AssertRESTGuarded(t, server, table)
		if !slices.Equal(server.calls, test.want) {
			t.Errorf("%s: %q, want %q", name, server.calls, test.want)
		}
	}
}

func TestAssertRESTGuarded(t *testing.T) {
	t.Parallel()
	const (
		get    = `option (google.api.http) = { get: "/v1/a" };`
		two    = `option (google.api.http) = { get: "/v1/a" additional_bindings { post: "/v1/b" } };`
		remedy = "for grpc-gateway, register it with RegisterXHandler and the connection of grpcguard.InProcess(server), " +
			"as RegisterXHandlerServer calls the implementation past all interceptors; for vanguard, guard the handlers or the server behind it"
	)
	open := func(answer string) []string {
		return []string{"/rest.S/A is open: it answered a call without a token with HTTP status " + answer + ", not with \"TOKEN_MISSING\": " + remedy}
	}
	second := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = w.Write([]byte("{}"))
			return
		}
		answer(http.StatusUnauthorized, "", refusal)(w, r)
	}
	for name, test := range map[string]struct {
		option string
		answer http.HandlerFunc
		want   []string
	}{
		"refused":                        {get, answer(401, "a bearer token is required", refusal), nil},
		"refused on a stream":            {get, answer(401, "", `{"error": `+refusal+`}`), nil},
		"refused in another form":        {get, answer(401, "", `{"errors": [{"info": `+info+`}]}`), nil},
		"refused, by the challenge":      {get, answer(401, realm, "<html>"), nil},
		"refused, without a body":        {get, answer(401, realm, ""), nil},
		"open":                           {get, answer(200, "", `{}`), open(`200 to GET /v1/a and reason ""`)},
		"open, no JSON":                  {get, answer(200, "", `hello`), open(`200 to GET /v1/a and reason ""`)},
		"open, with an error of its own": {get, answer(501, "", `{"code": 12}`), open(`501 to GET /v1/a and reason ""`)},
		"open at its second route":       {two, second, open(`200 to POST /v1/b and reason ""`)},
		"another's challenge":            {get, answer(401, `Bearer realm="https://other.example.test"`, "{}"), open(`401 to GET /v1/a and reason ""`)},
		"a challenge with an error":      {get, answer(401, realm+`, error="invalid_token"`, "{}"), open(`401 to GET /v1/a and reason ""`)},
		"a challenge, but no 401":        {get, answer(403, realm, "{}"), open(`403 to GET /v1/a and reason ""`)},
		"another's refusal":              {get, answer(401, "", strings.Replace(refusal, `"protoauthz"`, `"example.test"`, 1)), open(`401 to GET /v1/a and reason ""`)},
		"another status":                 {get, answer(500, "", refusal), open(`500, in place of 401, to GET /v1/a and reason ""`)},
		"another table":                  {get, answer(403, "", strings.Replace(refusal, "TOKEN_MISSING", "RULE_MISSING", 1)), open(`403 to GET /v1/a and reason "RULE_MISSING"`)},
		"absent": {get, http.NotFound, []string{"the handler answers 404 to GET /v1/a: give the one that serves them, without the prefix or host " +
			"that it is mounted under; if that is this one, the implementation has answered: " + remedy}},
		"no route":       {"", answer(200, "", `{}`), []string{"no method of the table that is not public has a google.api.http option"}},
		"a public route": {"public " + get, answer(200, "", `{}`), []string{"no method of the table that is not public has a google.api.http option"}},
		"a panic":        {get, func(http.ResponseWriter, *http.Request) { panic("a handler's panic") }, []string{"/rest.S/A panicked when called without a token: a handler's panic to GET /v1/a"}},
	} {
		r := &report{TB: t, ctx: context.WithoutCancel(t.Context())}
		guardtest.AssertRESTGuarded(r, &restServer{answer: test.answer}, compileREST(t, test.option))
		r.expect(t, name, test.want)
	}
}
