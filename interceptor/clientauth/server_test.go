package clientauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// All methods of the tests' services have the same messages.
type (
	message = samplev1.SyncDocumentsRequest
	answer  = samplev1.SyncDocumentsResponse
)

var (
	compiled = sync.OnceValues(catalogue.Compile)
	api      = clientauth.Target{Resource: tokens.API, Scopes: []string{"read:a"}}
)

func table(t testing.TB) *policy.Table {
	t.Helper()
	table, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A world is an issuer, a client of it, and a server that accepts its tokens.
type world struct {
	issuer  *devissuer.Issuer
	client  *clientauth.Client
	source  *clientauth.Source // of tokens for the tests' services
	guard   *interceptor.Guard
	url     string
	http    *http.Client // that knows nothing of tokens
	fetches atomic.Int64 // of tokens
	refuse  sync.Map     // tokens
	refused atomic.Int64 // calls
	unary   func(context.Context, *connect.Request[message]) (*connect.Response[answer], error)

	mu      sync.Mutex
	headers []http.Header // of calls
}

// verifying is a verifier that refuses tokens.
func (w *world) verifying(verifier *token.Verifier) verifierFunc {
	return func(ctx context.Context, raw string) (*token.Claims, error) {
		_, refused := w.refuse.Load(raw)
		if _, all := w.refuse.Load("all"); all || refused {
			w.refused.Add(1)
			return nil, token.ErrInvalid
		}
		return verifier.Verify(ctx, raw)
	}
}

type verifierFunc func(ctx context.Context, raw string) (*token.Claims, error)

func (f verifierFunc) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	return f(ctx, raw)
}

// refuseNow has the server refuse the tokens that are in use.
func (w *world) refuseNow(t testing.TB) { w.refuse.Store(get(t, w.source), nil) }

func newWorld(t testing.TB) *world {
	t.Helper()
	issuer, err := devissuer.New("https://idp.test/oidc", devissuer.Config{
		SigningAlgorithm: "ES256",
		Resources:        map[string][]string{tokens.API: {"read:a", "write:b", "read:data"}},
		Organizations:    []string{"acme", "globex"},
		Clients: []devissuer.Client{{
			ID: "shop", Secret: clientSecret,
			Scopes: map[string][]string{tokens.API: {"read:a"}},
			Organizations: map[string]devissuer.Membership{
				"acme":   {Scopes: map[string][]string{tokens.API: {"read:data"}}},
				"globex": {Scopes: map[string][]string{tokens.API: {"read:data"}}},
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, issuer)
}

// newWorldOf returns a world with a new server.
func newWorldOf(t testing.TB, issuer *devissuer.Issuer) *world {
	t.Helper()
	w := &world{issuer: issuer}
	transport := tokens.Handler(func(request *http.Request) (*http.Response, error) {
		if strings.HasSuffix(request.URL.Path, "/token") {
			w.fetches.Add(1)
		}
		recorder := httptest.NewRecorder()
		issuer.ServeHTTP(recorder, request)
		return recorder.Result(), nil
	})
	w.client = newClient(t, transport)
	w.source = w.client.Source(api)
	verifier, err := token.NewVerifier(token.Logto("https://idp.test"), token.WithTransport(transport))
	if err != nil {
		t.Fatal(err)
	}
	w.unary = func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
		return connect.NewResponse(saying(interceptor.ClaimsFromContext(ctx).OrganizationID() + request.Msg.GetDocument().GetText())), nil
	}
	w.guard = interceptor.New(w.verifying(verifier), table(t))
	served := harness.Serve(t, w.mux(w.guard.HandlerOption()))
	w.url, w.http = served.URL, served.HTTP2
	return w
}

func saying(text string) *answer { return &answer{Document: &samplev1.Document{Text: text}} }

func hearing(text string) *message { return &message{Document: &samplev1.Document{Text: text}} }

// mux serves methods of each kind, which echo.
func (w *world) mux(options ...connect.HandlerOption) http.Handler {
	options = append(options, connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	mux := http.NewServeMux()
	for _, service := range []string{"Read", "Global", "Token", catalogue.Opened} {
		path := catalogue.Procedure(service, catalogue.Unary)
		mux.Handle(path, connect.NewUnaryHandler(path, func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
			w.mu.Lock()
			w.headers = append(w.headers, request.Header())
			w.mu.Unlock()
			return w.unary(ctx, request)
		}, options...))
		path = catalogue.Procedure(service, catalogue.Server)
		mux.Handle(path, connect.NewServerStreamHandler(path,
			func(_ context.Context, request *connect.Request[message], stream *connect.ServerStream[answer]) error {
				return stream.Send(saying(request.Msg.GetDocument().GetText()))
			}, options...))
		path = catalogue.Procedure(service, catalogue.Client)
		mux.Handle(path, connect.NewClientStreamHandler(path, func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
			text := ""
			for stream.Receive() {
				text += stream.Msg().GetDocument().GetText()
			}
			return connect.NewResponse(saying(text)), stream.Err()
		}, options...))
		path = catalogue.Procedure(service, catalogue.Bidi)
		mux.Handle(path, connect.NewBidiStreamHandler(path, func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
			for {
				request, err := stream.Receive()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				if err := stream.Send(saying(request.GetDocument().GetText())); err != nil {
					return err
				}
			}
		}, options...))
	}
	return mux
}

// connect returns a client of a method, with tokens of the source.
func (w *world) connect(source *clientauth.Source, service string, method catalogue.Method, options ...connect.ClientOption) *connect.Client[message, answer] {
	options = append([]connect.ClientOption{
		connect.WithInterceptors(clientauth.NewInterceptor(source)), connect.WithIdempotency(connect.IdempotencyNoSideEffects),
	}, options...)
	return connect.NewClient[message, answer](clientauth.HTTPClient(w.http), w.url+catalogue.Procedure(service, method), options...)
}

// call makes a call that sends "hello", and returns the answer.
func call(ctx context.Context, client *connect.Client[message, answer], method catalogue.Method) (string, error) {
	switch method {
	case catalogue.Unary:
		response, err := client.CallUnary(ctx, connect.NewRequest(hearing("hello")))
		if err != nil {
			return "", err
		}
		return response.Msg.GetDocument().GetText(), nil
	case catalogue.Server:
		stream, err := client.CallServerStream(ctx, connect.NewRequest(hearing("hello")))
		if err != nil {
			return "", err
		}
		defer func() { _ = stream.Close() }()
		text := ""
		for stream.Receive() {
			text += stream.Msg().GetDocument().GetText()
		}
		return text, stream.Err()
	case catalogue.Client:
		stream := client.CallClientStream(ctx)
		_ = stream.Send(hearing("hello")) // Receive returns the error
		response, err := stream.CloseAndReceive()
		if err != nil {
			return "", err
		}
		return response.Msg.GetDocument().GetText(), nil
	default:
		stream := client.CallBidiStream(ctx)
		defer func() { _ = stream.CloseResponse() }()
		_ = stream.Send(hearing("hello"))
		_ = stream.CloseRequest()
		response, err := stream.Receive()
		return response.GetDocument().GetText(), err
	}
}
