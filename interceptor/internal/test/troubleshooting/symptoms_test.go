package troubleshooting_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"github.com/rs/cors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/probe"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Sections of docs/troubleshooting.md about symptoms without a reason.
const (
	noStart  = "The server does not start"
	conflict = "The program panics at start: already registered"
	notFound = "404, 405, 415 or unimplemented"
	noAnswer = "The client cannot reach the server: unavailable"
	browser  = "A browser reports a CORS error: Failed to fetch"
	silent   = "The client sees a code, and the log has no line"
	letIn    = "Every call is let in"
	unmet    = "No token can meet a rule"
	notReady = "The probe answers 503 or NOT_SERVING"
)

// A programSituation is a row of docs/troubleshooting.md about a program or a client, where no call has a reason.
type programSituation struct {
	section, name string
	observe       func(*testing.T, *lockedText) symptom
}

// compiling returns what a server prints whose rules do not compile.
func compiling(change map[string]string, options ...policy.Option) func(*testing.T) string {
	return func(t *testing.T) string {
		_, err := compile(t, change, options...)
		return fmt.Sprint(err)
	}
}

// deploying returns what Read says of a document, or else Compile about services of a package.
func deploying(document, services string) func(*testing.T) string {
	return func(t *testing.T) string {
		name := filepath.Join(t.TempDir(), "authz.json")
		if err := os.WriteFile(name, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := deployment.Read(name)
		if err == nil {
			_, err = d.Compile(policy.Linked(services))
		}
		return strings.ReplaceAll(fmt.Sprint(err), filepath.Dir(name)+string(filepath.Separator), "")
	}
}

// sharedScope are methods of two models that need the same scope.
var sharedScope = ofOrders(readsA, `option (protoauthz.v1.method) = {model: MODEL_ORGANIZATION_RESOURCE, organization: {token: true}, scopes: ["read:a"]};`)

// oldCopy is a copy of the annotations with another number.
func oldCopy(t *testing.T) string {
	annotations, err := os.ReadFile(root + "/proto/protoauthz/v1/authz.proto")
	if err != nil {
		t.Fatal(err)
	}
	files := ofOrders(readsA)
	files["protoauthz/v1/authz.proto"] = strings.ReplaceAll(string(annotations), "404209324", "50001")
	return compiling(files, policy.WithAudience(api))(t)
}

// notVerifying returns what NewVerifier says.
func notVerifying(issuer token.Issuer) func(*testing.T) string {
	return func(*testing.T) string {
		_, err := token.NewVerifier(issuer)
		return fmt.Sprint(err)
	}
}

// registering returns the first line of the panic of a program that registers a second copy of the annotations.
func registering(path string) func(*testing.T) string {
	return func(t *testing.T) string {
		second := protodesc.ToFileDescriptorProto(authzv1.File_protoauthz_v1_authz_proto)
		second.Name = proto.String(path)
		file, err := protodesc.NewFile(second, protoregistry.GlobalFiles)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(recovered(func() { _ = protoregistry.GlobalFiles.RegisterFile(file) }))
		first, _, _ := strings.Cut(text, "\n")
		return strings.ReplaceAll(first, "\u00a0", " ") // package proto writes one of the two, by chance
	}
}

// starting returns the symptom of a server that has printed an error in place of starting, by the first line.
func starting(printed func(*testing.T) string) func(*testing.T, *lockedText) symptom {
	return func(t *testing.T, _ *lockedText) symptom {
		first, _, _ := strings.Cut(printed(t), "\n")
		return symptom{calling(t, "http://"+closed), first}
	}
}

// logged returns what each line of the log tells: the cause, or the message of a line without one.
func logged(t *testing.T, text *lockedText) (told []string) {
	t.Helper()
	for each := range bytes.Lines(text.take()) {
		var line struct{ Msg, Cause string }
		if err := json.Unmarshal(each, &line); err != nil {
			t.Error(err)
		}
		told = append(told, cmp.Or(line.Cause, line.Msg))
	}
	if told == nil {
		told = []string{"nothing"}
	}
	return told
}

// calling calls a public method, and returns what the client prints.
func calling(t *testing.T, url string) string {
	t.Helper()
	client := new(http.Client)
	defer client.CloseIdleConnections()
	return printed(asking(t.Context(), client, url+public, nil, ""))
}

// printed returns what a client prints: an error, or its answer.
func printed(err error) string {
	if err == nil {
		return "the answer"
	}
	return err.Error()
}

// reached returns the symptom of a good server, and a client that is made for another one.
func reached(call func(t *testing.T, plain, secure string) string) func(*testing.T, *lockedText) symptom {
	return func(t *testing.T, text *lockedText) symptom {
		mux := guarded(harness.PlainRules)(t)
		plain := httptest.NewServer(mux) // HTTP/1.1 alone
		defer plain.Close()
		secure := httptest.NewUnstartedServer(mux)
		secure.Config.ErrorLog = log.New(io.Discard, "", 0)
		secure.StartTLS()
		defer secure.Close()
		return symptom{call(t, plain.URL, secure.URL), logged(t, text)[0]}
	}
}

// sends returns the symptom of a request that is no call: the status.
func sends(method, path, contentType string, wrap func(http.Handler) http.Handler) func(*testing.T, *lockedText) symptom {
	return func(t *testing.T, text *lockedText) symptom {
		issuer, verifier := trusting(t)
		var handler http.Handler = handlers{}.mux(interceptor.New(verifier, harness.PlainRules(t)).HandlerOption())
		if wrap != nil {
			handler = wrap(handler)
		}
		request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("{}"))
		request.Header = carrying(issuer.Token(t, global("read:a")))
		request.Header.Set("Content-Type", contentType)
		if method == http.MethodOptions {
			request.Header = http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization,content-type"}}
		}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		if allowed := recorder.Header().Get("Access-Control-Allow-Origin"); allowed != "" {
			t.Errorf("the origin %q is allowed", allowed)
		}
		return symptom{recorder.Result().Status, logged(t, text)[0]}
	}
}

// asks returns the symptom of a call of a server, without a token.
func asks(handler func(*testing.T) http.Handler, procedure string) func(*testing.T, *lockedText) symptom {
	return func(t *testing.T, text *lockedText) symptom {
		server := harness.ServePiped(t, handler(t))
		return symptom{printed(asking(t.Context(), server.HTTP2, server.URL+procedure, nil, "")), logged(t, text)[0]}
	}
}

// probed returns the symptom of a server without keys and a probe of it.
func probed(ask func(t *testing.T, verifier *token.Verifier) string) func(*testing.T, *lockedText) symptom {
	return func(t *testing.T, text *lockedText) symptom {
		verifier, err := token.NewVerifier(token.Logto("http://"+closed), withoutKeyLog)
		if err != nil {
			t.Fatal(err)
		}
		return symptom{ask(t, verifier), logged(t, text)[0]}
	}
}

// checked asks the health service for a service.
func checked(service string) func(*testing.T, *token.Verifier) string {
	return func(t *testing.T, verifier *token.Verifier) string {
		response, err := probe.Checker(verifier).Check(t.Context(), &grpchealth.CheckRequest{Service: service})
		if err != nil {
			return err.Error()
		}
		return strings.ToUpper(response.Status.String())
	}
}

// unmetBy returns the symptom of a server whose token.Issuer names neither kinds of callers nor organizations, and the
// first line of its log, about a rule.
func unmetBy(rule string, of claims) func(*testing.T, *lockedText) symptom {
	return func(t *testing.T, text *lockedText) symptom {
		const endpoint = "http://" + closed
		issuer := issuing(t, endpoint)
		keys := token.WithTransport(harness.ServeInProcess(issuer, new(harness.Records)).HTTP1.Transport)
		verifier, err := token.NewVerifier(token.Issuer{URL: endpoint + "/oidc", Algorithms: []string{"ES256"}}, keys)
		if err != nil {
			t.Fatal(err)
		}
		table, err := compile(t, ofOrders(readsA, `option (protoauthz.v1.method) = {authenticated: true, `+rule+`};`), policy.WithAudience(api))
		if err != nil {
			t.Fatal(err)
		}
		server := harness.ServePiped(t, handlers{}.mux(interceptor.New(verifier, table).HandlerOption()))
		line := logged(t, text)[0]
		return symptom{printed(asking(t.Context(), server.HTTP2, server.URL+orderCall, carrying(issuer.Token(t, of)), "")), line}
	}
}

// programSituations are situations in which no call has a reason.
var programSituations = []programSituation{
	{noStart, "a method has no annotation", starting(compiling(ofOrders(readsA, " "), policy.WithAudience(api)))},
	{noStart, "nothing names the audience", starting(compiling(ofOrders(readsA)))},
	{noStart, "a variable is empty", starting(compiling(ofOrders(readsA), policy.WithAudience("")))},
	{noStart, "the copy of authz.proto is old", starting(oldCopy)},
	{noStart, "a member of authz.json is misspelt", starting(deploying("{\n\"audiences\": \"https://api.example.com\"\n}", ""))},
	{noStart, "a preset of authz.json lacks its arguments", starting(deploying("{\n\"issuers\": [{\"preset\": [\"entra\"]}]\n}", ""))},
	{noStart, "authz.json is not in the folder", starting(func(*testing.T) string {
		_, err := deployment.Read("authz.json")
		return fmt.Sprint(err)
	})},
	{noStart, "another program has the port", starting(func(t *testing.T) string {
		other := httptest.NewServer(http.NotFoundHandler())
		defer other.Close()
		_, err := new(net.ListenConfig).Listen(t.Context(), "tcp", other.Listener.Addr().String())
		return fmt.Sprint(err)
	})},
	{noStart, "no service of the package is linked", starting(deploying(`{"audience": "https://api.example.com"}`, "orders"))},
	{noStart, "a scope leaks from one model into another", starting(compiling(sharedScope, policy.WithAudience(api)))},
	{noStart, "a name in shadow is not of a service", starting(compiling(ofOrders(readsA), policy.WithAudience(api), policy.WithShadow("order.v1.Orders")))},
	{noStart, "the issuer is plain http on another host", starting(notVerifying(token.Logto("http://idp.internal:3001")))},
	{noStart, "the issuer has no algorithms", starting(notVerifying(token.Issuer{URL: "https://idp.example.com"}))},
	{noStart, "an error of NewVerifier or Compile was dropped", starting(func(*testing.T) string { return fmt.Sprint(recovered(func() { interceptor.New(nil, nil) })) })},

	{noStart, "a rule names a user, and authz.json has two issuers", starting(func(t *testing.T) string {
		const issuers = `[{"preset": ["logto", "https://one.example.com"]}, {"preset": ["logto", "https://two.example.com"]}]`
		d, err := deployment.Parse("authz.json", []byte("{\n\"audience\": \""+api+"\",\n\"issuers\": "+issuers+"\n}"))
		if err != nil {
			t.Fatal(err)
		}
		files, err := protos.Compile(t.Context(), root+"/proto", naming(ofSubject), "order.proto")
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Compile(files)
		return fmt.Sprint(err)
	})},
	{noStart, "a rule names a user, and two issuers have users, without authz.json", starting(func(t *testing.T) string {
		verifier, err := token.NewVerifier(token.Logto("https://one.example.com"), token.WithIssuer(token.Logto("https://two.example.com")))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(recovered(func() { interceptor.New(verifier, identifying(t, ofSubject)) }))
	})},

	{conflict, "your module has generated code of the annotations, too", starting(registering("protoauthz/v1/authz.proto"))},
	{conflict, "the generated code has the annotations under another path", starting(registering("third_party/protoauthz/v1/authz.proto"))},

	{notFound, "curl: no handler has the path", sends(http.MethodPost, "/test.v1.Raed/Unary", "application/json", nil)},
	{notFound, "curl: PUT in place of POST", sends(http.MethodPut, "/test.v1.Read/Unary", "application/json", nil)},
	{notFound, "curl: the content type is absent", sends(http.MethodPost, "/test.v1.Read/Unary", "application/x-www-form-urlencoded", nil)},
	{notFound, "curl: a stream", sends(http.MethodPost, "/test.v1.Read/Server", "application/json", nil)},
	{notFound, "a client: no handler has the path", asks(guarded(harness.PlainRules), "/test.v1.Raed/Unary")},

	{noAnswer, "nobody listens at the address", reached(func(t *testing.T, _, _ string) string {
		return calling(t, "http://"+closed)
	})},
	{noAnswer, "a bidirectional stream over HTTP/1.1", reached(func(t *testing.T, plain, _ string) string {
		client := new(http.Client)
		defer client.CloseIdleConnections()
		return printed(streaming(t.Context(), client, plain+"/test.v1.Public/Bidi", nil, ""))
	})},
	{noAnswer, "https in the URL, a server without TLS", reached(func(t *testing.T, plain, _ string) string {
		return calling(t, strings.Replace(plain, "http:", "https:", 1))
	})},
	{noAnswer, "http in the URL, a server with TLS", reached(func(t *testing.T, _, secure string) string {
		return calling(t, strings.Replace(secure, "https:", "http:", 1))
	})},
	{noAnswer, "the server's certificate is of a private authority", reached(func(t *testing.T, _, secure string) string {
		return calling(t, secure)
	})},

	{browser, "the preflight: nothing answers it", sends(http.MethodOptions, "/test.v1.Read/Unary", "", nil)},
	{browser, "the preflight: the token's header is not allowed", sends(http.MethodOptions, "/test.v1.Read/Unary", "", cors.New(cors.Options{AllowedOrigins: []string{"https://app.example.com"}, AllowedMethods: []string{http.MethodPost}}).Handler)},

	{silent, "the message cannot be read", func(t *testing.T, text *lockedText) symptom {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, public, strings.NewReader(`{"organizationId": 1}`))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		guarded(harness.PlainRules)(t).ServeHTTP(recorder, request)
		var refused struct{ Code, Message string }
		if err := json.Unmarshal(recorder.Body.Bytes(), &refused); err != nil || recorder.Code != http.StatusBadRequest {
			t.Error(recorder.Code, err)
		}
		return symptom{refused.Code + ": " + refused.Message, logged(t, text)[0]}
	}},
	{silent, "an observer turns the default log off", asks(guarded(harness.PlainRules, interceptor.WithObserver(func(context.Context, interceptor.Event) {})), read)},
	{silent, "the level of the logger leaves warnings out", asks(guarded(harness.PlainRules, interceptor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))), read)},
	{silent, "a line of the same second stands for the call", func(t *testing.T, text *lockedText) (got symptom) {
		bubble(t, "in a second", func(t *testing.T) {
			server := harness.ServePiped(t, guarded(harness.PlainRules)(t))
			for range 2 {
				_ = text.take()
				got = symptom{printed(asking(t.Context(), server.HTTP2, server.URL+read, nil, "")), logged(t, text)[0]}
			}
		})
		return got
	}},
	{silent, "the handler has refused", asks(func(t *testing.T) http.Handler {
		refuse := func(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
			return nil, connect.NewError(connect.CodePermissionDenied, errors.New("the order is of another customer"))
		}
		return handlers{unary: refuse}.mux(interceptor.New(tokenless, harness.PlainRules(t)).HandlerOption())
	}, public)},
	{silent, "a proxy in front of the server has refused", asks(func(*testing.T) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	}, read)},

	{unmet, "no token tells a user from a client", unmetBy(`caller: CALLER_USER`, claims{"aud": api, "sub": "user"})},
	{unmet, "no token has an organization", unmetBy(`model: MODEL_ORGANIZATION_RESOURCE, organization: {token: true}`, resource("acme", "read:data"))},

	{letIn, "the handler was registered without the guard", asks(func(*testing.T) http.Handler { return handlers{}.mux() }, read)},
	{letIn, "the service is in shadow", asks(guarded(harness.ShadowRules), read)},
	{letIn, "the methods without annotation are open", asks(func(t *testing.T) http.Handler {
		return handlers{}.mux(interceptor.New(tokenless, unannotated(t, policy.WithUnannotatedOpen(orders))).HandlerOption())
	}, orderCall)},
	{letIn, "the method is public", asks(guarded(harness.PlainRules), public)},
	{letIn, "the test calls the implementation, and not the server", func(t *testing.T, text *lockedText) symptom {
		_, err := answering(t.Context(), connect.NewRequest(new(message)))
		return symptom{printed(err), logged(t, text)[0]}
	}},

	{notReady, "the keys cannot be fetched", probed(func(t *testing.T, verifier *token.Verifier) string {
		recorder := httptest.NewRecorder()
		probe.Handler(verifier).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		return fmt.Sprint(recorder.Code, " ", strings.TrimSpace(recorder.Body.String()))
	})},
	{notReady, "the keys cannot be fetched: a probe of gRPC", probed(checked(""))},
	{notReady, "the probe asks for a service that it does not know", probed(checked("shop.v1.OrderService"))},
	{notReady, "the health service is not public", asks(func(t *testing.T) http.Handler {
		_, health := grpchealth.NewHandler(grpchealth.NewStaticChecker(), interceptor.New(tokenless, harness.PlainRules(t)).HandlerOption())
		return health
	}, "/grpc.health.v1.Health/Check")},
}

// TestPrintedForms makes sure that the document shows a refusal as clients print it.
func TestPrintedForms(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(root + "/" + guide)
	if err != nil {
		t.Fatal(err)
	}
	handler := guarded(harness.PlainRules)(t)
	server := harness.ServePiped(t, handler)
	err = asking(t.Context(), server.HTTP2, server.URL+read, nil, "", connect.WithProtoJSON())
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, read, strings.NewReader("{}"))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	plain, _, _ := strings.Cut(recorder.Body.String(), `"details"`)
	for _, form := range []string{printed(err), status.Error(codes.Unauthenticated, catalogue.Missing.Text).Error(), plain + "…"} {
		if !strings.Contains(string(document), "`"+form+"`") {
			t.Errorf("%s lacks %s", guide, form)
		}
	}
}
