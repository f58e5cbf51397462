package troubleshooting_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

const (
	root = "../../../.." // of the project
	api  = tokens.API

	orders    = "order.v1.OrderService"
	orderCall = "/" + orders + "/Call1"
	readsA    = `option (protoauthz.v1.method) = {scopes: ["read:a"]};`

	public = "/test.v1.Public/Unary"
	read   = "/test.v1.Read/Unary"
)

// All methods of the tests' services have the same messages.
type (
	message = samplev1.SyncDocumentsRequest
	answer  = samplev1.SyncDocumentsResponse
)

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

// trusting returns an issuer, and a verifier that fetches its keys in memory.
func trusting(t *testing.T) (*devissuer.Issuer, *token.Verifier) {
	t.Helper()
	const endpoint = "http://" + closed
	issuer := issuing(t, endpoint)
	keys := token.WithTransport(harness.ServeInProcess(issuer, new(harness.Records)).HTTP1.Transport)
	verifier, err := token.NewVerifier(token.Logto(endpoint), keys)
	if err != nil {
		t.Fatal(err)
	}
	return issuer, verifier
}

// compile compiles files of a change of the project's protos, with the service of orders.
func compile(t *testing.T, change map[string]string, options ...policy.Option) (*policy.Table, error) {
	t.Helper()
	files, err := protos.Compile(t.Context(), root+"/proto", change, "order.proto")
	if err != nil {
		t.Fatal(err)
	}
	return policy.Compile(files, options...)
}

// ofOrders are methods of a service without a public one.
func ofOrders(methods ...string) map[string]string {
	return map[string]string{"order.proto": protos.OrderService(`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};`, methods...)}
}

// unannotated returns the rules of a service whose second method has no annotation.
func unannotated(t *testing.T, option policy.Option) *policy.Table {
	t.Helper()
	table, err := compile(t, ofOrders(readsA, " "), policy.WithAudience(api), option)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Handlers of each service, by kind. A nil handler answers.
type handlers struct {
	unary  func(context.Context, *connect.Request[message]) (*connect.Response[answer], error)
	server func(context.Context, *connect.Request[message], *connect.ServerStream[answer]) error
	bidi   func(context.Context, *connect.BidiStream[message, answer]) error
}

// answering is an implementation that answers.
func answering(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
	return connect.NewResponse(new(answer)), nil
}

// mux serves the services of the catalogue and the service of orders with these handlers.
func (h handlers) mux(options ...connect.HandlerOption) *http.ServeMux {
	if h.unary == nil {
		h.unary = answering
	}
	if h.server == nil {
		h.server = func(context.Context, *connect.Request[message], *connect.ServerStream[answer]) error { return nil }
	}
	if h.bidi == nil {
		h.bidi = func(_ context.Context, stream *connect.BidiStream[message, answer]) (err error) {
			for err == nil {
				_, err = stream.Receive()
			}
			return ended(err)
		}
	}
	client := func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
		for stream.Receive() {
		}
		return connect.NewResponse(new(answer)), stream.Err()
	}
	mux := http.NewServeMux()
	names := []string{catalogue.Unruled}
	for name := range catalogue.Services {
		names = append(names, name)
	}
	for _, name := range names {
		path := catalogue.Procedure(name, catalogue.Unary)
		mux.Handle(path, connect.NewUnaryHandler(path, h.unary, options...))
		path = catalogue.Procedure(name, catalogue.Server)
		mux.Handle(path, connect.NewServerStreamHandler(path, h.server, options...))
		path = catalogue.Procedure(name, catalogue.Client)
		mux.Handle(path, connect.NewClientStreamHandler(path, client, options...))
		path = catalogue.Procedure(name, catalogue.Bidi)
		mux.Handle(path, connect.NewBidiStreamHandler(path, h.bidi, options...))
	}
	mux.Handle(orderCall, connect.NewUnaryHandler(orderCall, h.unary, options...))
	return mux
}

// guarded returns a server of a guard.
func guarded(table func(testing.TB) *policy.Table, options ...interceptor.Option) func(*testing.T) http.Handler {
	return func(t *testing.T) http.Handler {
		return handlers{}.mux(interceptor.New(tokenless, table(t), options...).HandlerOption())
	}
}

// tokenless is a verifier for calls without a token.
var tokenless = harness.VerifierFunc(func(context.Context, string) (*token.Claims, error) { return nil, token.ErrInvalid })

// ended returns nil for the end of a stream.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// asking makes a unary call with a client of connect-go.
func asking(ctx context.Context, client *http.Client, url string, header http.Header, organization string, options ...connect.ClientOption) error {
	return sending(ctx, client, url, header, &message{OrganizationId: organization}, options...)
}

func sending(ctx context.Context, client *http.Client, url string, header http.Header, sent *message, options ...connect.ClientOption) error {
	request := connect.NewRequest(sent)
	merge(request.Header(), header)
	_, err := connect.NewClient[message, answer](client, url, options...).CallUnary(ctx, request)
	return err
}

// streaming makes a call of a stream with a client of connect-go, and a message for each organization.
func streaming(ctx context.Context, client *http.Client, url string, header http.Header, organizations ...string) error {
	stream := connect.NewClient[message, answer](client, url).CallBidiStream(ctx)
	defer func() { _ = stream.CloseResponse() }()
	merge(stream.RequestHeader(), header)
	for _, organization := range organizations {
		if stream.Send(&message{OrganizationId: organization}) != nil {
			break // the answer tells why
		}
	}
	_ = stream.CloseRequest()
	for {
		if _, err := stream.Receive(); err != nil {
			return ended(err)
		}
	}
}

func merge(into, from http.Header) {
	for name, values := range from {
		into[name] = append(into[name], values...)
	}
}

// recovered is the value with which a call panics.
func recovered(call func()) (value any) {
	defer func() { value = recover() }()
	call()
	return nil
}

// bubble runs a test in a bubble of testing/synctest.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t)
			time.Sleep(2 * time.Hour) // the bubble's clock: the handlers' goroutines must be gone by then
		})
	})
}
