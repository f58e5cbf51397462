package interceptor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/rpctest"
	"github.com/protoauthz/protoauthz/interceptor/internal/tokentest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	api    = tokentest.API
	acme   = "acme"
	globex = "globex"

	issuerEndpoint = "http://127.0.0.1:1"
)

// All methods of the tests' services have the same messages.
type (
	message  = samplev1.SyncDocumentsRequest
	answer   = samplev1.SyncDocumentsResponse
	document = samplev1.Document
)

const (
	unruled = rpctest.Unruled
	opened  = rpctest.Opened
)

// kinds are the methods of each service.
var kinds = map[connect.StreamType]string{
	connect.StreamTypeUnary:  rpctest.Unary.Name,
	connect.StreamTypeServer: rpctest.Server.Name,
	connect.StreamTypeClient: rpctest.Client.Name,
	connect.StreamTypeBidi:   rpctest.Bidi.Name,
}

func procedure(service string, kind connect.StreamType) string {
	return rpctest.Procedure(service, methodOf(kind))
}

func methodOf(kind connect.StreamType) rpctest.Method {
	return rpctest.Method{
		Name: kinds[kind], ClientStreams: kind&connect.StreamTypeClient != 0, ServerStreams: kind&connect.StreamTypeServer != 0,
	}
}

var compiled = sync.OnceValues(rpctest.Compile)

func rules(t testing.TB) *policy.Table {
	t.Helper()
	table, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// inProcess is a transport that calls a handler.
func inProcess(handler http.Handler) tokentest.Handler {
	return func(request *http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder.Result(), nil
	}
}

// A tenant is an issuer and the verifier of its tokens. It must not be shared
// between bubbles of testing/synctest.
type tenant struct {
	good     *devissuer.Issuer
	verifier *token.Verifier
}

func newTenant(options ...token.Option) (*tenant, error) {
	good, err := devissuer.New(issuerEndpoint+"/oidc", devissuer.Config{SigningAlgorithm: "ES256"})
	if err != nil {
		return nil, err
	}
	// No call is refused for others made at the same time.
	options = append([]token.Option{token.WithLeeway(0), token.WithTransport(inProcess(good)), token.WithSignatureLimit(1000)}, options...)
	verifier, err := token.NewVerifier(token.Logto(issuerEndpoint), options...)
	return &tenant{good: good, verifier: verifier}, err
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
	swallow bool // as rpctest.Case says

	mu       sync.Mutex
	handled  int      // how often a handler was called
	messages []string // the organizations in the messages that handlers saw
	events   []interceptor.Event
	received strings.Builder // by the client
	status   int             // of HTTP
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

// swallows reports whether the handler of a call shall ignore that it cannot receive.
func swallows(ctx context.Context) bool {
	c, ok := ctx.Value(callKey{}).(*call)
	return ok && c.swallow
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

// said is what a message names, as rpctest.Message says it.
func said(m *message) string { return m.GetOrganizationId() + m.GetDocument().GetName() }

func text(organization string) *answer {
	return &answer{Document: &document{Text: organization}}
}

// mux serves all services with these handlers.
func (h handlers) mux(options ...connect.HandlerOption) *http.ServeMux {
	if h.unary == nil {
		h.unary = func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
			handled(ctx)
			saw(ctx, said(request.Msg))
			return connect.NewResponse(text(said(request.Msg))), nil
		}
	}
	if h.server == nil {
		h.server = func(ctx context.Context, request *connect.Request[message], stream *connect.ServerStream[answer]) error {
			handled(ctx)
			saw(ctx, said(request.Msg))
			return stream.Send(text(said(request.Msg)))
		}
	}
	if h.client == nil {
		h.client = func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
			handled(ctx)
			last := ""
			for stream.Receive() {
				last = said(stream.Msg())
				saw(ctx, last)
			}
			if swallows(ctx) {
				return connect.NewResponse(text(last)), nil
			}
			return connect.NewResponse(text(last)), stream.Err()
		}
	}
	if h.bidi == nil {
		h.bidi = func(ctx context.Context, stream *connect.BidiStream[message, answer]) error {
			handled(ctx)
			for {
				message, err := stream.Receive()
				if swallows(ctx) && err != nil {
					return nil
				}
				if err != nil {
					return ended(err)
				}
				saw(ctx, said(message))
				if err := stream.Send(text(said(message))); err != nil {
					return err
				}
			}
		}
	}
	mux := http.NewServeMux()
	options = append(options, connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	names := []string{unruled, opened}
	for name := range rpctest.Services {
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
