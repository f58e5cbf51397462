package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
)

const api = "https://api.example.com"

// Claims that satisfy the rules of one service each.
var (
	globalClaims = map[string]any{
		"aud": api, "scope": "read:products write:products write:orders",
	}
	acmeClaims = map[string]any{
		"aud": "urn:logto:organization:acme", "scope": "invite:member manage:members manage:billing",
	}
	acmeDataClaims = map[string]any{
		"aud": api, "organization_id": "acme", "scope": "read:data write:data write:settings",
	}
)

// A sample is a running server and a client that speaks HTTP/2 to it.
type sample struct {
	*server
	client *http.Client
}

func startSample(t *testing.T) *sample {
	t.Helper()
	c, err := parseConfig([]string{"-listen", "127.0.0.1:0", "-audience", api}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	server, err := newServer(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.serve(t.Context()) }()
	client := http2Client()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return &sample{server: server, client: client}
}

func http2Client() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}
}

// mint returns the value of an Authorization header.
func (s *sample) mint(t testing.TB, claims map[string]any) string {
	t.Helper()
	minted, err := s.issuer.Mint(claims)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + minted
}

// with returns claims with changes.
func with(claims map[string]any, changes map[string]any) map[string]any {
	changed := maps.Clone(claims)
	maps.Copy(changed, changes)
	return changed
}

// request makes a unary request. An empty authorization is not sent.
func request[T any](authorization string, message *T) *connect.Request[T] {
	r := connect.NewRequest(message)
	authorize(r.Header(), authorization)
	return r
}

func authorize(header http.Header, authorization string) {
	if authorization != "" {
		header.Set("Authorization", authorization)
	}
}

func (s *sample) catalog(options ...connect.ClientOption) samplev1connect.CatalogServiceClient {
	return samplev1connect.NewCatalogServiceClient(s.client, s.url(), options...)
}

func (s *sample) members(options ...connect.ClientOption) samplev1connect.MemberServiceClient {
	return samplev1connect.NewMemberServiceClient(s.client, s.url(), options...)
}

func (s *sample) documents(options ...connect.ClientOption) samplev1connect.DocumentServiceClient {
	return samplev1connect.NewDocumentServiceClient(s.client, s.url(), options...)
}

// An answer is the part of a call's outcome that tests compare. The zero answer is success.
type answer struct {
	code   connect.Code
	reason interceptor.Reason
}

var (
	missing      = answer{connect.CodeUnauthenticated, interceptor.ReasonTokenMissing}
	scheme       = answer{connect.CodeUnauthenticated, interceptor.ReasonSchemeUnsupported}
	malformed    = answer{connect.CodeUnauthenticated, interceptor.ReasonTokenMalformed}
	invalidToken = answer{connect.CodeUnauthenticated, interceptor.ReasonTokenInvalid}
	expired      = answer{connect.CodeUnauthenticated, interceptor.ReasonTokenExpired}
	notYet       = answer{connect.CodeUnauthenticated, interceptor.ReasonTokenNotYetValid}
	audience     = answer{connect.CodePermissionDenied, interceptor.ReasonAudienceMismatch}
	model        = answer{connect.CodePermissionDenied, interceptor.ReasonModelMismatch}
	organized    = answer{connect.CodePermissionDenied, interceptor.ReasonOrganizationMismatch}
	scope        = answer{connect.CodePermissionDenied, interceptor.ReasonScopeInsufficient}
)

// answerOf reads an error as a client does.
func answerOf(t testing.TB, err error) answer {
	t.Helper()
	if err == nil {
		return answer{}
	}
	result := answer{code: connect.CodeOf(err)}
	refusal, ok := errors.AsType[*connect.Error](err)
	if !ok {
		t.Fatalf("not a connect error: %v", err)
	}
	for _, detail := range refusal.Details() {
		value, err := detail.Value()
		if err != nil {
			t.Fatal(err)
		}
		if info, ok := value.(*errdetails.ErrorInfo); ok && info.GetDomain() == "protoauthz" {
			result.reason = interceptor.Reason(info.GetReason())
		}
	}
	return result
}

func check(t testing.TB, err error, want answer) {
	t.Helper()
	if got := answerOf(t, err); got != want {
		t.Errorf("got %v, want %v (%v)", got, want, err)
	}
}

// drain receives until the stream ends, and returns the answer.
func drain[T any](stream *connect.ServerStreamForClient[T]) error {
	for stream.Receive() {
		continue
	}
	_ = stream.Close() // with the same error
	return stream.Err()
}

// connectAnswer is the part of an answer that a unary call of Connect shows beside code and details.
type connectAnswer struct {
	status    int
	challenge string
}

// A witness is an HTTP client that remembers the last answer.
type witness struct {
	*http.Client
	method string
	last   connectAnswer
}

func (w *witness) Do(request *http.Request) (*http.Response, error) {
	response, err := w.Client.Do(request)
	if err == nil {
		w.method = request.Method
		w.last = connectAnswer{response.StatusCode, response.Header.Get("WWW-Authenticate")}
	}
	return response, err
}

// patience is how long a test waits before it fails. It ends only calls that hang.
const patience = 2 * time.Minute

// ending returns a context that ends with the test, or when the test hangs.
func ending(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
