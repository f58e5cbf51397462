package guardtest_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// annotations is the part of google/api/annotations.proto that the tests use.
const annotations = `syntax = "proto3";
package google.api;
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }
message HttpRule {
  string selector = 1;
  oneof pattern { string get = 2; string put = 3; string post = 4; string delete = 5; string patch = 6; CustomHttpPattern custom = 8; }
  string body = 7;
  repeated HttpRule additional_bindings = 11;
  string response_body = 12;
}
message CustomHttpPattern { string kind = 1; string path = 2; }
`

// compileREST compiles the rules of a service whose methods are A, B, … with these options. An option may have
// "public ", "upload " and "stream " before it, in this order.
func compileREST(t *testing.T, options ...string) *policy.Table {
	t.Helper()
	table, err := policy.Compile(policy.Files(filesREST(t, options...)), policy.WithAudience("https://api.example.test"))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// filesREST returns the files of such a service.
func filesREST(t *testing.T, options ...string) []protoreflect.FileDescriptor {
	t.Helper()
	var methods strings.Builder
	for i, option := range options {
		rule := "authenticated: true"
		if before, public := strings.CutPrefix(option, "public "); public {
			option, rule = before, "public: true"
		}
		input, output := "In", "In"
		if after, stream := strings.CutPrefix(option, "upload "); stream {
			option, input = after, "stream In"
		}
		if after, stream := strings.CutPrefix(option, "stream "); stream {
			option, output = after, "stream In"
		}
		_, _ = fmt.Fprintf(&methods, "rpc %c(%s) returns (%s) { option (protoauthz.v1.method) = { %s model: %s }; %s }\n", 'A'+i, input, output, rule,
			map[bool]string{true: "MODEL_UNSPECIFIED", false: "MODEL_GLOBAL_RESOURCE"}[rule == "public: true"], option)
	}
	files, err := protos.Compile(t.Context(), "../../proto", map[string]string{
		"google/api/annotations.proto": annotations,
		"old.proto":                    "syntax = \"proto2\"; package old; message Old { required string id = 1; optional string more = 2; }",
		"rest.proto": `syntax = "proto3";
package rest;
import "google/api/annotations.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto";
import "old.proto";
import "protoauthz/v1/authz.proto";
enum Kind { NONE = 0; SOME = 1; }
message Inner { string id = 1; int32 size = 2; }
message In {
  string name = 1; int64 number = 2; bool yes = 3; Kind kind = 4; bytes raw = 5; double real = 6; Inner inner = 7;
  google.protobuf.Int32Value wrapped = 8; google.protobuf.Timestamp time = 9; google.protobuf.Duration span = 10;
  repeated Inner many = 11; google.protobuf.FieldMask mask = 12; google.protobuf.Struct free = 13; google.protobuf.ListValue items = 14;
  google.protobuf.Value value = 15; google.protobuf.StringValue text = 16; google.protobuf.Any packed = 17; Pair pair = 18; map<string, Inner> map = 19; old.Old old = 20; Loop loop = 21;
}
message Loop { Loop value = 1; }
message Pair { int32 id = 1; string value = 2; }
service S {
` + methods.String() + "}\n",
	}, "rest.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A restServer answers all routes alike, apart from the unknown route, and notes the calls.
type restServer struct {
	answer http.HandlerFunc

	mu    sync.Mutex
	calls []string
}

// ServeHTTP implements [http.Handler].
func (s *restServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/protoauthz.guardtest.Nowhere/Nothing" {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	body, err := io.ReadAll(r.Body)
	s.calls = append(s.calls, strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL.Path, " ", string(body))))
	if types := r.Header.Get("Accept") + r.Header.Get("Content-Type"); err != nil || r.RequestURI != r.URL.Path || types != "application/jsonapplication/json" {
		s.calls = append(s.calls, fmt.Sprint(r.RequestURI, r.Header, err))
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

// challenging refuses as a guard behind a gateway that keeps the challenge and replaces the body.
func challenging(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Authorization"]) == 2 {
			answer(401, realm+`, error="invalid_request"`, body)(w, r)
			return
		}
		answer(401, realm, body)(w, r)
	}
}

// checking refuses calls without an Authorization field, and hands on the others.
func checking(refuse, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			refuse(w, r)
			return
		}
		next(w, r)
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
		"get":                       {`option (google.api.http) = { get: "/v1/a" };`, []string{"GET /v1/a"}},
		"put":                       {`option (google.api.http) = { put: "/v1/a" body: "*" };`, []string{"PUT /v1/a {}"}},
		"post":                      {`option (google.api.http) = { post: "/v1/a:go" body: "inner" };`, []string{"POST /v1/a:go {}"}},
		"delete":                    {`option (google.api.http).delete = "/v1/a";`, []string{"DELETE /v1/a"}},
		"patch":                     {`option (google.api.http) = { patch: "/v1/a" };`, []string{"PATCH /v1/a"}},
		"response":                  {`option (google.api.http) = { selector: "a" get: "/v1/a" response_body: "name" };`, []string{"GET /v1/a"}},
		"upload without the option": {"upload ", []string{"POST /rest.S/A"}},
		"upload":                    {`upload option (google.api.http) = { post: "/v1/a" body: "*" };`, []string{"POST /v1/a"}},
		"custom":                    {`option (google.api.http) = { custom: { kind: "HEAD" path: "/v1/a" } };`, []string{"HEAD /v1/a"}},
		"odd bodies": {`option (google.api.http) = { post: "/v1/a" body: "time" additional_bindings { post: "/v1/b" body: "span" } additional_bindings { post: "/v1/c" body: "mask" }
			additional_bindings { post: "/v1/d" body: "wrapped" } additional_bindings { post: "/v1/e" body: "text" } additional_bindings { post: "/v1/f" body: "items" }
			additional_bindings { post: "/v1/g" body: "value" } additional_bindings { post: "/v1/h" body: "free" } additional_bindings { post: "/v1/i" body: "packed" }
			additional_bindings { post: "/v1/j" body: "map" } additional_bindings { post: "/v1/k" body: "unknown" } additional_bindings { post: "/v1/l" body: "old" } };`, []string{
			`POST /v1/a "1970-01-01T00:00:00Z"`, `POST /v1/b "0s"`, `POST /v1/c ""`, "POST /v1/d 0", `POST /v1/e ""`, "POST /v1/f []",
			"POST /v1/g {}", "POST /v1/h {}", "POST /v1/i {}", "POST /v1/j", "POST /v1/k", `POST /v1/l {"id":""}`,
		}},
		"in two":          {`option (google.api.http).get = "/v1/a"; option (google.api.http).body = "*";`, []string{"GET /v1/a {}"}},
		"bodies":          {`option (google.api.http) = { post: "/v1/a" body: "name" additional_bindings { post: "/v1/b" body: "many" } additional_bindings { post: "/v1/c" body: "inner" } additional_bindings { post: "/v1/d" } };`, []string{"POST /v1/a", "POST /v1/b", "POST /v1/c {}", "POST /v1/d"}},
		"several":         {`option (google.api.http) = { get: "/v1/a" additional_bindings { post: "/v1/b" } additional_bindings { custom: { kind: "*" path: "/v1/c" } } };`, []string{"GET /v1/a", "POST /v1/b", "* /v1/c"}},
		"only additional": {`option (google.api.http) = { additional_bindings { post: "/v1/b" } };`, []string{"POST /v1/b"}},
		"variables":       {`option (google.api.http) = { get: "/v1/{name}/{number}/{yes}/{kind}/{raw}/{real}/{inner.id}/{inner.size}" };`, []string{"GET /v1/x/1/true/NONE/eHh4/1/x/1"}},
		"well-known":      {`option (google.api.http) = { get: "/v1/{wrapped}/{wrapped.value}/{text}/{time}/{span}/{unknown}/{value}" };`, []string{"GET /v1/1/1/x/2006-01-02T15:04:05Z/1s/x/1"}},
		"beside a value":  {`option (google.api.http) = { get: "/v1/{pair.id}/{pair.value}" };`, []string{"GET /v1/1/x"}},
		"segments":        {`option (google.api.http) = { get: "/v1/{name=organizations/*/documents/*}:read" };`, []string{"GET /v1/organizations/x/documents/x:read"}},
		"stars":           {`option (google.api.http) = { get: "/*/{number=*}/{name=**}" };`, []string{"GET /x/1/x"}},
		"in itself":       {`option (google.api.http) = { get: "/v1/{loop}/{loop.value}" };`, []string{"GET /v1/x/x"}},
		"deep":            {`option (google.api.http) = { get: "/v1/{inner.id=a/**}" };`, []string{"GET /v1/a/x"}},
	} {
		table := compileREST(t, test.option, "", `public option (google.api.http) = { get: "/v1/public" };`)
		server := &restServer{answer: answer(http.StatusUnauthorized, "", refusal)}
		guardtest.AssertRESTGuarded(t, server, table)
		want := slices.Concat(test.want, test.want, []string{"POST /rest.S/B {}", "POST /rest.S/B {}"})
		if !slices.Equal(server.calls, want) {
			t.Errorf("%s: %q, want %q", name, server.calls, want)
		}
	}
}

const (
	get        = `option (google.api.http) = { get: "/v1/a" };`
	restRemedy = "guard the handler of the method, or the server behind the gateway; for grpc-gateway, register it with RegisterXHandler and the connection of " +
		"grpcguard.InProcess(server), as RegisterXHandlerServer calls the implementation past all interceptors"
	noRoute = "the handler has no route to a method of the table that is not public: give the table of the files with REST routes; " +
		"routes from a grpc_api_configuration cannot be tested"
)

// callTo is the fault of a method that gives an answer with a state.
func callTo(state, answer string) []string {
	text := state + ": it answered a call without a token with HTTP status " + answer
	switch state {
	case early:
		return []string{text + ": " + restRemedy}
	case away:
		return []string{text + ": serve the server behind the gateway, and " + restRemedy}
	}
	return []string{text + ` and reason "", not with "TOKEN_MISSING": ` + restRemedy}
}

const (
	isOpen = "/rest.S/A is open"
	notIts = "/rest.S/A is not behind the guard"
	early  = "/rest.S/A failed before a guard saw it, as with a marshaler that does not read the JSON of runtime.JSONPb, or has no guard"
	away   = "/rest.S/A cannot be called, or has no guard"
	alien  = "/rest.S/A is not registered with the server behind the gateway: it answered a call without a token with HTTP status 501 to GET /v1/a: register it before grpcguard.InProcess(server)"
)

// hidden is the part of a fault about an answer without a google.rpc.ErrorInfo.
const hidden = ", and JSON without a google.rpc.ErrorInfo (if the error handler hides it, send grpcguard.Challenge(err) as WWW-Authenticate),"

const noGuard = "something else than a guard refuses calls without a token: "

// bad is the fault of a method that refuses only calls without a token.
func bad(state, answer string) []string {
	return []string{strings.NewReplacer("without a token", "with two tokens", `"TOKEN_MISSING": `, `"TOKEN_MALFORMED": `+noGuard).Replace(callTo(state, answer)[0])}
}

// unserved is the fault of a route that is not mounted.
func unserved(route string) []string {
	return []string{"the handler does not serve " + route + ": give the handler that serves them, without the prefix or host " +
		"that it is mounted under, and without what answers in front of it or hides the google.rpc.ErrorInfo; if this is that handler, the implementation has answered: " + restRemedy}
}

// protobuf is a refusal as runtime.ProtoMarshaller writes it.
func protobuf(t *testing.T) string {
	t.Helper()
	refused, err := status.New(codes.Unauthenticated, "").WithDetails(&errdetails.ErrorInfo{Reason: "TOKEN_MISSING", Domain: "protoauthz"})
	if err != nil {
		t.Fatal(err)
	}
	wire, err := proto.Marshal(refused.Proto())
	if err != nil {
		t.Fatal(err)
	}
	return string(wire)
}

func TestAssertRESTGuarded(t *testing.T) {
	t.Parallel()
	binary := base64.StdEncoding.EncodeToString([]byte("\n\rTOKEN_MISSING\x12\nprotoauthz"))
	const two = `option (google.api.http) = { get: "/v1/a" additional_bindings { post: "/v1/b" } };`
	routes := func(get, post http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				post(w, r)
				return
			}
			get(w, r)
		}
	}
	open, refused := answer(200, "", "{}"), answer(401, "", refusal)
	openToTokens := checking(answer(401, realm, refusal), open)
	for name, test := range map[string]struct {
		option string
		answer http.HandlerFunc
		want   []string
	}{
		"refused":                    {get, answer(401, "a bearer token is required", refusal), nil},
		"refused on a stream":        {get, answer(401, "", `{"error": `+refusal+`}`), nil},
		"refused in another form":    {get, answer(401, "", `{"errors": [{"info": `+info+`}]}`), nil},
		"refused, by the challenge":  {get, challenging("<html>"), nil},
		"refused, without a body":    {get, challenging(""), nil},
		"open":                       {get, answer(200, "", `{}`), callTo(isOpen, "200 to GET /v1/a")},
		"open, no JSON":              {get, answer(200, "", `hello`), callTo(isOpen, "200 to GET /v1/a")},
		"a stream, past the guard":   {"stream " + get, answer(501, "", `{"code": 12}`), callTo(notIts, "501 to GET /v1/a")},
		"open, with a failure":       {get, answer(500, "", `{"code": 13}`), callTo(notIts, "500 to GET /v1/a")},
		"open, to another page":      {get, answer(302, "", ""), callTo(notIts, "302 to GET /v1/a")},
		"a request that is not read": {get, answer(400, "", `{"code": 3}`), callTo(early, "400 to GET /v1/a")},
		"a type that is not read":    {get, answer(415, "", ""), callTo(early, "415 to GET /v1/a")},
		"a server that is not there": {get, answer(503, "", `{"code": 14}`), callTo(away, "503 to GET /v1/a")},
		"open at its second route":   {two, routes(refused, open), callTo(isOpen, "200 to POST /v1/b")},
		"open at its first route":    {two, routes(open, refused), callTo(isOpen, "200 to GET /v1/a")},
		"open at one, to tokens":     {two, routes(openToTokens, challenging("")), bad(isOpen, "200 to GET /v1/a")},
		"open at another, to tokens": {two, routes(challenging(""), openToTokens), bad(isOpen, "200 to POST /v1/b")},
		"absent, and open":           {two, routes(http.NotFound, open), callTo(isOpen, "200 to POST /v1/b")},
		"absent, and refused":        {two, routes(http.NotFound, refused), unserved("GET /v1/a")},
		"another table at one route": {two, routes(answer(403, "", strings.Replace(refusal, "TOKEN_MISSING", "RULE_MISSING", 1)), refused), []string{"/rest.S/A" + smallOne}},
		"not read with two tokens": {get, checking(refused, answer(400, "", "")), []string{
			strings.Replace(callTo(early, "400 to GET /v1/a")[0], "without a token", "with two tokens", 1),
		}},
		"another's challenge":       {get, answer(401, `Bearer realm="https://other.example.test"`, "{}"), callTo(notIts, "401 to GET /v1/a"+hidden)},
		"a challenge with an error": {get, answer(401, realm+`, error="invalid_token"`, "{}"), callTo(notIts, "401 to GET /v1/a"+hidden)},
		"a challenge, but no 401":   {get, answer(403, realm, "{}"), callTo(notIts, "403 to GET /v1/a")},
		"another's page":            {get, answer(401, "", "<html>"), callTo(notIts, "401 to GET /v1/a, and without JSON, as with another marshaler than runtime.JSONPb,")},
		"another's refusal":         {get, answer(401, "", strings.Replace(refusal, `"protoauthz"`, `"example.test"`, 1)), callTo(notIts, "401 to GET /v1/a"+hidden)},
		"another status":            {get, answer(500, "", refusal), []string{"/rest.S/A is refused by a guard, but with HTTP status 500 in place of 401 to GET /v1/a: send 401 from the error handler"}},
		"another table":             {get, answer(403, "", strings.Replace(refusal, "TOKEN_MISSING", "RULE_MISSING", 1)), []string{"/rest.S/A" + smallOne}},
		"a token": {get, answer(401, "", strings.Replace(refusal, "TOKEN_MISSING", "TOKEN_INVALID", 1)), []string{
			`the calls carry a token: /rest.S/A was refused with reason "TOKEN_INVALID": give a handler that adds no token`,
		}},
		"not registered, by another status":     {get, answer(500, "", `{"code": 12, "message": "unknown service rest.S"}`), callTo(notIts, "500 to GET /v1/a")},
		"another table, beside a challenge":     {get, answer(401, realm, strings.Replace(refusal, "TOKEN_MISSING", "RULE_MISSING", 1)), []string{"/rest.S/A" + smallOne}},
		"refused, beside another domain":        {get, answer(401, "", `{"domain": "protoauthz", "error": `+refusal+`}`), nil},
		"encoding/json, garbled":                {get, answer(401, "", `{"code": 16, "details": [{"type_url": "type.googleapis.com/google.rpc.ErrorInfo", "value": "`+binary+`!"}]}`), callTo(notIts, "401 to GET /v1/a"+hidden)},
		"not registered, a service":             {get, answer(501, "", `{"code": 12, "message": "unknown service rest.S"}`), []string{alien}},
		"not registered, of a stream":           {"stream " + get, answer(501, "", `{"error": {"code": 12, "message": "unknown service rest.S"}}`), []string{alien}},
		"not registered, a method":              {get, answer(501, "", `{"code": 12, "message": "unknown method A for service rest.S"}`), []string{alien}},
		"absent":                                {get, http.NotFound, unserved("GET /v1/a")},
		"another verb":                          {get, answer(405, "", ""), unserved("GET /v1/a (HTTP status 405)")},
		"another verb, as of a gateway":         {get, answer(501, "", `{"code": 12, "message": "Method Not Allowed"}`), unserved("GET /v1/a (HTTP status 501)")},
		"a check for a token, by the challenge": {get, checking(answer(401, realm, ""), answer(200, "", "{}")), bad(isOpen, "200 to GET /v1/a")},
		"a check for a token, by the body":      {get, checking(answer(401, realm, refusal), answer(200, "", "{}")), bad(isOpen, "200 to GET /v1/a")},
		"a challenge, whatever the token":       {get, answer(401, realm, "{}"), bad(notIts, "401 to GET /v1/a"+hidden)},
		"a challenge, then nothing":             {get, checking(answer(401, realm, ""), http.NotFound), []string{notIts + ": it refuses a call without a token, and does not serve a call with two tokens: " + noGuard + restRemedy}},
		"encoding/json, padded":                 {get, answer(401, "", `{"code": 16, "details": [{"type_url": "type.googleapis.com/google.rpc.ErrorInfo", "value": "`+base64.StdEncoding.EncodeToString([]byte("\n\rTOKEN_MISSING\x1a\x00\x12\nprotoauthz"))+`"}]}`), nil},
		"a method that is not implemented":      {get, answer(501, "", `{"code": 12, "message": "Method A is not implemented"}`), callTo(notIts, "501 to GET /v1/a")},
		"encoding/json":                         {get, answer(401, "", `{"code": 16, "details": [{"type_url": "type.googleapis.com/google.rpc.ErrorInfo", "value": "`+binary+`"}]}`), nil},
		"Connect":                               {get, answer(401, "", `{"code": "unauthenticated", "details": [{"type": "google.rpc.ErrorInfo", "value": "`+strings.TrimRight(binary, "=")+`"}]}`), nil},
		"another's encoding/json":               {get, answer(401, "", `{"code": 16, "details": [{"type_url": "type.googleapis.com/google.rpc.RetryInfo", "value": "`+binary+`"}]}`), callTo(notIts, "401 to GET /v1/a"+hidden)},
		"binary":                                {get, answer(401, "", protobuf(t)), nil},
		"no route":                              {"", http.NotFound, []string{noRoute}},
		"a public route":                        {"public " + get, answer(200, "", `{}`), []string{noRoute}},
		"nil":                                   {get, nil, []string{"the handler is nil: give the handler that is tested"}},
		"a panic":                               {get, panicking, []string{"/rest.S/A panicked when called: a handler's panic to GET /v1/a"}},
	} {
		r := &harness.Report{TB: t}
		var handler http.Handler = &restServer{answer: test.answer}
		if test.answer == nil {
			handler = test.answer
		}
		guardtest.AssertRESTGuarded(r, handler, compileREST(t, test.option))
		r.Expect(t, name, prefixed(test.want))
	}
	for status, challenge := range map[int]string{200: "", 302: "", 401: "Bearer"} { // in front of all paths
		r := &harness.Report{TB: t}
		guardtest.AssertRESTGuarded(r, answer(status, challenge, "<html>"), compileREST(t, get))
		r.Expect(t, "everywhere", prefixed(unserved(fmt.Sprintf("GET /v1/a (HTTP status %d)", status))))
	}
	guardtest.AssertRESTGuarded(t, refused, compileREST(t, get))
	guardtest.AssertRESTGuarded(t, refused, compileREST(t, ""))
	naming := func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "Log in to go to", r.URL.Path, url.QueryEscape(r.URL.Path))
	}
	for _, path := range []string{"/v1/a/b", "/a", "/v1/v1x"} {
		r := &harness.Report{TB: t}
		guardtest.AssertRESTGuarded(r, http.HandlerFunc(naming), compileREST(t, `option (google.api.http) = { get: "`+path+`" };`))
		r.Expect(t, "a page that names the route", prefixed(unserved("GET "+path+" (HTTP status 200)")))
	}
	r := &harness.Report{TB: t}
	guardtest.AssertRESTGuarded(r, routes(answer(200, "", "no such route"), answer(200, "", "no such method")), compileREST(t, get, ""))
	r.Expect(t, "another page for each verb", prefixed(unserved("GET /v1/a (HTTP status 200)")))
	r = &harness.Report{TB: t}
	guardtest.AssertRESTGuarded(r, checking(answer(200, "", "no token"), answer(200, "", "no such route")), compileREST(t, ""))
	r.Expect(t, "another page for calls with a token", prefixed([]string{noRoute}))
	r = &harness.Report{TB: t}
	echo := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }
	guardtest.AssertRESTGuarded(r, http.HandlerFunc(echo), compileREST(t, ""))
	r.Expect(t, "a page with the body of the call", prefixed([]string{noRoute}))
	r = &harness.Report{TB: t}
	guardtest.AssertRESTGuarded(r, http.HandlerFunc(panicking), compileREST(t, get))
	r.Expect(t, "panics everywhere", []string{"guardtest: /rest.S/A panicked when called: a handler's panic to GET /v1/a"})
	r = &harness.Report{TB: t}
	guardtest.AssertRESTGuarded(r, http.NewServeMux(), nil)
	r.Expect(t, "nil table", []string{"guardtest: the table is nil: give the table that policy.Compile returned"})
}

func panicking(http.ResponseWriter, *http.Request) { panic("a handler's panic") }

// TestRESTHanging makes sure that a method without the option is open if its route does not answer, also
// if other routes do not answer.
func TestRESTHanging(t *testing.T) {
	t.Parallel()
	table := compileREST(t, "")
	synctest.Test(t, func(t *testing.T) {
		r := &harness.Report{TB: t}
		guardtest.AssertRESTGuarded(r, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), table)
		r.Expect(t, "hanging", []string{"guardtest: /rest.S/A is open: it has not refused a call without a token within 5s: " + restRemedy})
	})
}

// TestRESTGarbled makes sure that an option that cannot be read is a fault, and not a method without a route.
func TestRESTGarbled(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ option, fault string }{ // a google.api.HttpRule
		"tag":                        {"\xff", "unexpected EOF"},
		"value":                      {"\x12\x05/", "unexpected EOF"},
		"custom":                     {"\x42\x01\xff", "unexpected EOF"},
		"additional":                 {"\x5a\x01\xff", "unexpected EOF"},
		"a number in place of text":  {"\x12\x05/v1/a\x10\x01", ""},
		"custom, with another field": {"\x42\x13\x0a\x03GET\x12\x05/v1/a\x1a\x05/v1/b", ""},
		"custom, without a path":     {"\x12\x05/v1/b\x42\x06\x0a\x04HEAD\x5a\x07\x12\x05/v1/a", ""},
	} {
		set := protos.Set(filesREST(t, "")...)
		last := set.GetFile()[len(set.GetFile())-1]
		options := last.GetService()[0].GetMethod()[0].GetOptions()
		rule := protowire.AppendString(protowire.AppendTag(nil, 72295728, protowire.BytesType), test.option)
		options.ProtoReflect().SetUnknown(append(options.ProtoReflect().GetUnknown(), rule...))
		files, err := protodesc.NewFiles(set)
		if err != nil {
			t.Fatal(err)
		}
		file, err := files.FindFileByPath(last.GetName())
		if err != nil {
			t.Fatal(err)
		}
		table, err := policy.Compile(policy.Files{file}, policy.WithAudience("https://api.example.test"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		server := &restServer{answer: answer(401, "", refusal)}
		r := &harness.Report{TB: t}
		guardtest.AssertRESTGuarded(r, server, table)
		if test.fault == "" {
			r.Expect(t, name, nil)
			if want := []string{"GET /v1/a", "GET /v1/a"}; !slices.Equal(server.calls, want) {
				t.Errorf("%s: %q, want %q", name, server.calls, want)
			}
			continue
		}
		r.Expect(t, name, []string{"guardtest: /rest.S/A cannot be called: its google.api.http option: " + test.fault})
	}
}

// TestRESTWithoutOption makes sure that a method without the option is called by the route that grpc-gateway
// generates with generate_unbound_methods, and that this route need not be served.
func TestRESTWithoutOption(t *testing.T) {
	t.Parallel()
	refused := challenging(refusal)
	page := answer(200, "", "<!doctype html>")
	for name, test := range map[string]struct {
		options []string
		unbound http.HandlerFunc // of A
		rest    http.HandlerFunc // but for a route with the option, which is refused
		want    []string
	}{
		"refused":                         {[]string{""}, refused, http.NotFound, nil},
		"refused, beside others":          {[]string{"", get}, refused, http.NotFound, nil},
		"open":                            {[]string{""}, answer(200, "", "{}"), http.NotFound, callTo(isOpen, "200 to POST /rest.S/A")},
		"open, beside others":             {[]string{"", get}, answer(200, "", "{}"), http.NotFound, callTo(isOpen, "200 to POST /rest.S/A")},
		"open, beside pages":              {[]string{"", get}, answer(200, "", "{}"), page, callTo(isOpen, "200 to POST /rest.S/A")},
		"a stream, past the guard":        {[]string{"stream ", get}, answer(501, "", `{"code": 12}`), http.NotFound, callTo(notIts, "501 to POST /rest.S/A")},
		"not implemented, past the guard": {[]string{"", get}, answer(501, "", `{"code": 12, "message": "A"}`), answer(501, "", `{"code": 12}`), callTo(notIts, "501 to POST /rest.S/A")},
		"a request that is not read":      {[]string{"", get}, answer(400, "", ""), http.NotFound, callTo(early, "400 to POST /rest.S/A")},
		"a check for a token, alone":      {[]string{"", get}, checking(http.NotFound, answer(200, "", "{}")), http.NotFound, []string{"/rest.S/A has no guard: it answered a call with two tokens with HTTP status 200 to POST /rest.S/A: " + restRemedy}},
		"a check for a token, then none":  {[]string{"", get}, checking(answer(401, "", ""), http.NotFound), checking(answer(401, "", ""), http.NotFound), nil},
		"a panic for tokens alone":        {[]string{"", get}, checking(http.NotFound, panicking), http.NotFound, []string{"/rest.S/A panicked when called: a handler's panic to POST /rest.S/A"}},
		"a guard for tokens alone":        {[]string{"", get}, checking(http.NotFound, refused), http.NotFound, nil},
		"panicking":                       {[]string{"", get}, panicking, http.NotFound, []string{"/rest.S/A panicked when called: a handler's panic to POST /rest.S/A"}},
		"unknown, 404":                    {[]string{"", get}, http.NotFound, http.NotFound, nil},
		"unknown, 405":                    {[]string{"", get}, answer(405, "", ""), http.NotFound, nil},
		"unknown, 415":                    {[]string{"", get}, answer(415, "", ""), http.NotFound, nil},
		"unknown, 501":                    {[]string{"", get}, answer(501, "", `{"code": 12}`), answer(501, "", `{"code": 12}`), nil},
		"unknown, a page":                 {[]string{"", get}, page, page, nil},
		"unknown, a panic":                {[]string{"", get}, panicking, panicking, nil},
		"none is known":                   {[]string{"", "", "public " + get}, http.NotFound, http.NotFound, []string{noRoute}},
		"none is known, but pages are":    {[]string{"", ""}, page, page, []string{noRoute}},
	} {
		mux := http.NewServeMux()
		mux.HandleFunc("/", test.rest)
		mux.HandleFunc("/v1/a", refused)
		mux.HandleFunc("POST /rest.S/A", test.unbound)
		r := &harness.Report{TB: t}
		guardtest.AssertRESTGuarded(r, mux, compileREST(t, test.options...))
		r.Expect(t, name, prefixed(test.want))
	}

	// Handlers of connect-go take unary calls as JSON on the same route, and no streams.
	table := compile(t)
	guardtest.AssertRESTGuarded(t, sample(harness.NoTokens(table), nil), table)
	r := &harness.Report{TB: t}
	open := samplev1connect.UnimplementedDocumentServiceHandler{}
	guardtest.AssertRESTGuarded(r, sample(harness.NoTokens(table), map[string]http.Handler{unary: connect.NewUnaryHandler(unary, open.ListDocuments)}), table)
	r.Expect(t, "connect-go", []string{"guardtest: " + strings.Replace(callTo(notIts, "501 to POST "+unary)[0], "/rest.S/A", unary, 1)})
}
