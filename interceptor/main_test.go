package interceptor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	insecure "github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

const (
	api    = tokens.API
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
	unruled = catalogue.Unruled
	opened  = catalogue.Opened
)

// kinds are the methods of each service.
var kinds = map[connect.StreamType]string{
	connect.StreamTypeUnary:  catalogue.Unary.Name,
	connect.StreamTypeServer: catalogue.Server.Name,
	connect.StreamTypeClient: catalogue.Client.Name,
	connect.StreamTypeBidi:   catalogue.Bidi.Name,
}

func procedure(service string, kind connect.StreamType) string {
	return catalogue.Procedure(service, methodOf(kind))
}

func methodOf(kind connect.StreamType) catalogue.Method {
	return catalogue.Method{
		Name: kinds[kind], ClientStreams: kind&connect.StreamTypeClient != 0, ServerStreams: kind&connect.StreamTypeServer != 0,
	}
}

func kindOf(method catalogue.Method) (kind connect.StreamType) {
	for kind = range kinds {
		if methodOf(kind) == method {
			break
		}
	}
	return kind
}

func rules(t testing.TB) *policy.Table {
	t.Helper()
	return harness.Rules(t)
}

// inProcess is a transport that calls a handler.
func inProcess(handler http.Handler) tokens.Handler {
	return func(request *http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder.Result(), nil
	}
}

// A tenant is an issuer and the verifier of its tokens. Bubbles of testing/synctest must not share a
// tenant.
type tenant struct {
	good     *devissuer.Issuer
	verifier *token.Verifier
}

func newTenant(options ...token.Option) (*tenant, error) {
	good, err := devissuer.New(issuerEndpoint+"/oidc", devissuer.Config{SigningAlgorithm: "ES256"})
	if err != nil {
		return nil, err
	}
	// No call is refused because of other calls at the same time.
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

// bearer is a request header with a token of a trusted issuer.
func bearer(t testing.TB, claims claims) http.Header {
	t.Helper()
	return http.Header{"Authorization": {"Bearer " + mint(t, shared(t).good, claims)}}
}

type verifierFunc = harness.VerifierFunc

// unverified is a verifier that verifies nothing: the token is its claims.
func unverified(payload string) verifierFunc {
	return func(context.Context, string) (*token.Claims, error) {
		return insecure.Claims(token.Logto(issuerEndpoint), payload)
	}
}

// A call records one call of a test.
type call = harness.Record

// withCall records what happens in a context.
func withCall(ctx context.Context) (context.Context, *call) {
	c := new(call)
	return harness.NewContext(ctx, c), c
}

// Handlers of each kind for requests of a type. A nil handler echoes.
type handlersOf[M any] struct {
	unary  func(context.Context, *connect.Request[M]) (*connect.Response[answer], error)
	server func(context.Context, *connect.Request[M], *connect.ServerStream[answer]) error
	client func(context.Context, *connect.ClientStream[M]) (*connect.Response[answer], error)
	bidi   func(context.Context, *connect.BidiStream[M, answer]) error
}

type handlers = handlersOf[message]

// said is the text of a message, in the form of catalogue.Message.
func said[M any](m *M) string { return catalogue.Said(tokens.As[proto.Message](m)) }

func text(organization string) *answer {
	return &answer{Document: &document{Text: organization}}
}

// mux serves all services. Services of catalogue.Rich have handlers that echo, and the others have these handlers.
func (h handlersOf[M]) mux(options ...connect.HandlerOption) *http.ServeMux {
	mux := http.NewServeMux()
	options = append(options, connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	names := []string{unruled, opened}
	for name := range catalogue.Services {
		names = append(names, name)
	}
	rich := handlersOf[catalogue.Request]{}.echoing()
	h = h.echoing()
	for _, name := range names {
		if catalogue.Rich(name) {
			rich.register(mux, name, options...)
		} else {
			h.register(mux, name, options...)
		}
	}
	return mux
}

// echoing returns the handlers, and echoing handlers for those that are nil.
func (h handlersOf[M]) echoing() handlersOf[M] {
	if h.unary == nil {
		h.unary = func(ctx context.Context, request *connect.Request[M]) (*connect.Response[answer], error) {
			harness.Handled(ctx)
			harness.Saw(ctx, said(request.Msg))
			return connect.NewResponse(text(said(request.Msg))), nil
		}
	}
	if h.server == nil {
		h.server = func(ctx context.Context, request *connect.Request[M], stream *connect.ServerStream[answer]) error {
			harness.Handled(ctx)
			harness.Saw(ctx, said(request.Msg))
			return stream.Send(text(said(request.Msg)))
		}
	}
	if h.client == nil {
		h.client = func(ctx context.Context, stream *connect.ClientStream[M]) (*connect.Response[answer], error) {
			harness.Handled(ctx)
			last := ""
			for stream.Receive() {
				last = said(stream.Msg())
				harness.Saw(ctx, last)
			}
			if harness.Swallows(ctx) {
				return connect.NewResponse(text(last)), nil
			}
			return connect.NewResponse(text(last)), stream.Err()
		}
	}
	if h.bidi == nil {
		h.bidi = func(ctx context.Context, stream *connect.BidiStream[M, answer]) error {
			harness.Handled(ctx)
			for {
				message, err := stream.Receive()
				if harness.Swallows(ctx) && err != nil {
					return nil
				}
				if err != nil {
					return ended(err)
				}
				harness.Saw(ctx, said(message))
				if err := stream.Send(text(said(message))); err != nil {
					return err
				}
			}
		}
	}
	return h
}

// register serves one service.
func (h handlersOf[M]) register(mux *http.ServeMux, name string, options ...connect.HandlerOption) {
	path := procedure(name, connect.StreamTypeUnary)
	mux.Handle(path, connect.NewUnaryHandler(path, h.unary, options...))
	path = procedure(name, connect.StreamTypeServer)
	mux.Handle(path, connect.NewServerStreamHandler(path, h.server, options...))
	path = procedure(name, connect.StreamTypeClient)
	mux.Handle(path, connect.NewClientStreamHandler(path, h.client, options...))
	path = procedure(name, connect.StreamTypeBidi)
	mux.Handle(path, connect.NewBidiStreamHandler(path, h.bidi, options...))
}
