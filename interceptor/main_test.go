package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "%d goroutines before the tests, and now:\n", before)
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
			code = 1
			break
		}
	}
	os.Exit(code)
}

const (
	api    = "https://api.example.test"
	acme   = "acme"
	globex = "globex"

	issuerEndpoint = "http://127.0.0.1:1"
	brokenEndpoint = "http://127.0.0.2:1" // its keys cannot be had
)

// All methods of the tests' services have the same messages.
type (
	message = samplev1.SyncDocumentsRequest
	answer  = samplev1.SyncDocumentsResponse
)

// services are the tests' services with the rule that all their methods have.
// Each has a method of every stream type, called as kinds says.
var services = map[string]*authzv1.MethodRule{
	"Public":        {Public: true},
	"Authenticated": {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Authenticated: true},
	"Global":        {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Scopes: []string{"read:products", "write:products"}},
	"Any": {
		Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Scopes: []string{"read:products"}, AnyScopes: []string{"sell", "buy"},
	},
	"User":   {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Authenticated: true, Caller: authzv1.Caller_CALLER_USER},
	"Client": {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Authenticated: true, Caller: authzv1.Caller_CALLER_CLIENT},
	"Member": {
		Model: authzv1.Model_MODEL_ORGANIZATION, AnyScopes: []string{"invite:member", "manage:members"},
		Organization: &authzv1.Organization{Source: &authzv1.Organization_Field{Field: "organization_id"}},
	},
	"Field": {
		Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Scopes: []string{"read:data"},
		Organization: &authzv1.Organization{Source: &authzv1.Organization_Field{Field: "organization_id"}},
	},
	"Header": {
		Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Scopes: []string{"read:data"},
		Organization: &authzv1.Organization{Source: &authzv1.Organization_Header{Header: "X-Organization-Id"}},
	},
	"Token": {
		Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Scopes: []string{"read:data"},
		Organization: &authzv1.Organization{Source: &authzv1.Organization_Token{Token: true}},
	},
}

// More services: without a rule, and public as a whole without being known.
const (
	unruled = "Unruled"
	opened  = "Opened"
)

// kinds are the methods of each service.
var kinds = map[connect.StreamType]string{
	connect.StreamTypeUnary:  "Unary",
	connect.StreamTypeServer: "Server",
	connect.StreamTypeClient: "Client",
	connect.StreamTypeBidi:   "Bidi",
}

func procedure(service string, kind connect.StreamType) string {
	return "/test.v1." + service + "/" + kinds[kind]
}

var compiled = sync.OnceValues(func() (*policy.Table, error) {
	file := &descriptorpb.FileDescriptorProto{
		Name:       proto.String("test/v1/test.proto"),
		Package:    proto.String("test.v1"),
		Syntax:     proto.String("proto3"),
		Dependency: []string{samplev1.File_sample_v1_document_proto.Path()},
	}
	for name, rule := range services {
		service := &descriptorpb.ServiceDescriptorProto{Name: proto.String(name)}
		for kind, name := range kinds {
			options := new(descriptorpb.MethodOptions)
			proto.SetExtension(options, authzv1.E_Method, rule)
			service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
				Name:            proto.String(name),
				InputType:       proto.String(".sample.v1.SyncDocumentsRequest"),
				OutputType:      proto.String(".sample.v1.SyncDocumentsResponse"),
				ClientStreaming: proto.Bool(kind&connect.StreamTypeClient != 0),
				ServerStreaming: proto.Bool(kind&connect.StreamTypeServer != 0),
				Options:         options,
			})
		}
		file.Service = append(file.Service, service)
	}
	descriptor, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		return nil, err
	}
	return policy.Compile(policy.Files{descriptor}, policy.WithAudience(api), policy.WithPublic("test.v1."+opened))
})

func rules(t testing.TB) *policy.Table {
	t.Helper()
	table, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A roundTripper is a transport that is no network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// inProcess calls a handler.
func inProcess(handler http.Handler) roundTripper {
	return func(request *http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder.Result(), nil
	}
}

// A tenant is an issuer and the verifier of its tokens. It must not be shared
// between bubbles of testing/synctest.
type tenant struct {
	good, broken, forger *devissuer.Issuer
	verifier             *token.Verifier
}

func newTenant(options ...token.Option) (*tenant, error) {
	config := devissuer.Config{SigningAlgorithm: "ES256"}
	var errs [4]error
	tenant := new(tenant)
	tenant.good, errs[0] = devissuer.New(issuerEndpoint+"/oidc", config)
	tenant.broken, errs[1] = devissuer.New(brokenEndpoint+"/oidc", config)
	tenant.forger, errs[2] = devissuer.New(issuerEndpoint+"/oidc", config)
	transport := roundTripper(func(request *http.Request) (*http.Response, error) {
		if "http://"+request.URL.Host == brokenEndpoint {
			return nil, errors.New("no route to host")
		}
		return inProcess(tenant.good)(request)
	})
	options = append([]token.Option{token.WithLeeway(0), token.WithTransport(transport), token.WithIssuer(token.Logto(brokenEndpoint))}, options...)
	tenant.verifier, errs[3] = token.NewVerifier(token.Logto(issuerEndpoint), options...)
	return tenant, errors.Join(errs[:]...)
}

var sharedTenant = sync.OnceValues(func() (*tenant, error) { return newTenant() })

func shared(t testing.TB) *tenant {
	t.Helper()
	tenant, err := sharedTenant()
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}

type claims = map[string]any

// Claims of good tokens.
func global(scope string) claims { return claims{"aud": api, "scope": scope} }

func resource(organization, scope string) claims {
	return claims{"aud": api, "scope": scope, "organization_id": organization}
}

func member(organization, scope string) claims {
	return claims{"aud": "urn:logto:organization:" + organization, "scope": scope}
}

func with(base claims, name string, value any) claims {
	base[name] = value
	return base
}

func mint(t testing.TB, issuer *devissuer.Issuer, claims claims, options ...devissuer.MintOption) string {
	t.Helper()
	raw, err := issuer.Mint(claims, options...)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// bearer is a request header with a good issuer's token.
func bearer(t testing.TB, claims claims) http.Header {
	t.Helper()
	return http.Header{"Authorization": {"Bearer " + mint(t, shared(t).good, claims)}}
}

// A verifierFunc is a verifier that is no token.Verifier.
type verifierFunc func(ctx context.Context, raw string) (*token.Claims, error)

func (f verifierFunc) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	return f(ctx, raw)
}

// unverified believes everything: the claims of a token are all there is of it.
func unverified(payload string) verifierFunc {
	return func(context.Context, string) (*token.Claims, error) {
		return token.UnverifiedClaims(token.Logto(issuerEndpoint), []byte(payload))
	}
}

// A call is what the server knows of one call of a test.
type call struct {
	mu       sync.Mutex
	handled  int      // how often a handler was called
	messages []string // the organizations in the messages that handlers saw
	events   []interceptor.Event
}

type callKey struct{}

// withCall records what happens in a context.
func withCall(ctx context.Context) (context.Context, *call) {
	c := new(call)
	return context.WithValue(ctx, callKey{}, c), c
}

// observer is an observer for what withCall records.
func observer(ctx context.Context, event interceptor.Event) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.events = append(c.events, event)
	}
}

func handled(ctx context.Context) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.handled++
	}
}

func saw(ctx context.Context, organization string) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.messages = append(c.messages, organization)
	}
}

// decisions are the reasons of all events, "" for a call that was let in.
func (c *call) decisions() []interceptor.Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	var reasons []interceptor.Reason
	for _, event := range c.events {
		if event.Denial == nil {
			reasons = append(reasons, "")
		} else {
			reasons = append(reasons, event.Denial.Reason)
		}
	}
	return reasons
}

func (c *call) seen() (int, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handled, slices.Clone(c.messages)
}

// Handlers of each kind. What is nil echoes.
type handlers struct {
	unary  func(context.Context, *connect.Request[message]) (*connect.Response[answer], error)
	server func(context.Context, *connect.Request[message], *connect.ServerStream[answer]) error
	client func(context.Context, *connect.ClientStream[message]) (*connect.Response[answer], error)
	bidi   func(context.Context, *connect.BidiStream[message, answer]) error
}

func text(organization string) *answer {
	return &answer{Document: &samplev1.Document{Text: organization}}
}

// mux serves all services with these handlers.
func (h handlers) mux(options ...connect.HandlerOption) *http.ServeMux {
	if h.unary == nil {
		h.unary = func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
			handled(ctx)
			saw(ctx, request.Msg.GetOrganizationId())
			return connect.NewResponse(text(request.Msg.GetOrganizationId())), nil
		}
	}
	if h.server == nil {
		h.server = func(ctx context.Context, request *connect.Request[message], stream *connect.ServerStream[answer]) error {
			handled(ctx)
			saw(ctx, request.Msg.GetOrganizationId())
			return stream.Send(text(request.Msg.GetOrganizationId()))
		}
	}
	if h.client == nil {
		h.client = func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
			handled(ctx)
			last := ""
			for stream.Receive() {
				last = stream.Msg().GetOrganizationId()
				saw(ctx, last)
			}
			return connect.NewResponse(text(last)), stream.Err()
		}
	}
	if h.bidi == nil {
		h.bidi = func(ctx context.Context, stream *connect.BidiStream[message, answer]) error {
			handled(ctx)
			for {
				message, err := stream.Receive()
				if err != nil {
					return ended(err)
				}
				saw(ctx, message.GetOrganizationId())
				if err := stream.Send(text(message.GetOrganizationId())); err != nil {
					return err
				}
			}
		}
	}
	mux := http.NewServeMux()
	options = append(options, connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	names := []string{unruled, opened}
	for name := range services {
		names = append(names, name)
	}
	for _, name := range names {
		path := procedure(name, connect.StreamTypeUnary)
		mux.Handle(path, connect.NewUnaryHandler(path, h.unary, options...))
		path = procedure(name, connect.StreamTypeServer)
		mux.Handle(path, connect.NewServerStreamHandler(path, h.server, options...))
		path = procedure(name, connect.StreamTypeClient)
		mux.Handle(path, connect.NewClientStreamHandler(path, h.client, options...))
		path = procedure(name, connect.StreamTypeBidi)
		mux.Handle(path, connect.NewBidiStreamHandler(path, h.bidi, options...))
	}
	return mux
}
