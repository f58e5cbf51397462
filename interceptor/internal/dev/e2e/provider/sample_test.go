package provider_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// A sample is a running sample that trusts an identity provider, or a server with its API in this process.
type sample struct {
	url          string
	http1, http2 *http.Client
}

func startSample(t *testing.T, i *idp, audience string) *sample {
	t.Helper()
	s := newSample(t, e2e.Start(t, "-issuer", i.issuer, "-provider", "logto", "-audience", audience).URL)
	s.awaitKeys(t)
	return s
}

// newSample returns the sample at a URL.
func newSample(t *testing.T, url string) *sample {
	t.Helper()
	http1 := &http.Transport{MaxIdleConnsPerHost: connections}
	http2 := &http.Transport{Protocols: new(http.Protocols)}
	http2.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(http1.CloseIdleConnections)
	t.Cleanup(http2.CloseIdleConnections)
	return &sample{url: url, http1: &http.Client{Transport: http1}, http2: &http.Client{Transport: http2}}
}

// awaitKeys waits until the sample has the keys of its issuer, and is healthy.
func (s *sample) awaitKeys(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), e2e.Patience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/grpc.health.v1.Health/Check", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := s.http1.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("the sample's health is %s: %s, %v", response.Status, body, err)
		}
		if strings.Contains(string(body), `SERVING"`) && !strings.Contains(string(body), "NOT_SERVING") {
			return
		}
	}
}

// A protocol is a way to make the same call.
type protocol struct {
	name    string
	client  func(*sample) *http.Client
	options []connect.ClientOption
}

var protocols = []protocol{
	{"connect", func(s *sample) *http.Client { return s.http1 }, nil},
	{"grpc", func(s *sample) *http.Client { return s.http2 }, []connect.ClientOption{connect.WithGRPC()}},
}

// request makes a unary request. An empty token is not sent.
func request[T any](token string, message *T) *connect.Request[T] {
	r := connect.NewRequest(message)
	authorize(r.Header(), token)
	return r
}

func authorize(header http.Header, token string) {
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
}

func (s *sample) catalog(p protocol) samplev1connect.CatalogServiceClient {
	return samplev1connect.NewCatalogServiceClient(p.client(s), s.url, p.options...)
}

func (s *sample) documents(p protocol) samplev1connect.DocumentServiceClient {
	return samplev1connect.NewDocumentServiceClient(p.client(s), s.url, p.options...)
}

// A model is a permission model: a unary method, and the grant for the method.
type model struct {
	name   string
	scopes string // of the method, as a refusal names them
	grant  func(tenant) grant
	call   func(ctx context.Context, s *sample, p protocol, token, organization string) error
}

var models = []model{{
	name: "global resource", scopes: "read:products",
	grant: func(t tenant) grant { return grant{t.client, t.audience, "", "read:products"} },
	call: func(ctx context.Context, s *sample, p protocol, token, _ string) error {
		_, err := s.catalog(p).ListProducts(ctx, request(token, &samplev1.ListProductsRequest{}))
		return err
	},
}, {
	name: "organization", scopes: "manage:billing",
	grant: func(t tenant) grant { return grant{t.client, "", t.organization, "manage:billing"} },
	call: func(ctx context.Context, s *sample, p protocol, token, organization string) error {
		_, err := samplev1connect.NewMemberServiceClient(p.client(s), s.url, p.options...).
			UpdateBilling(ctx, request(token, &samplev1.UpdateBillingRequest{OrganizationId: organization, Plan: "free"}))
		return err
	},
}, {
	name: "organization resource", scopes: "read:data",
	grant: func(t tenant) grant { return grant{t.client, t.audience, t.organization, "read:data"} },
	call: func(ctx context.Context, s *sample, p protocol, token, organization string) error {
		_, err := s.documents(p).ListDocuments(ctx, request(token, &samplev1.ListDocumentsRequest{OrganizationId: organization}))
		return err
	},
}}

// A tenant is a part of the identity provider: all its tokens are signed with the same algorithm.
type tenant struct{ algorithm, audience, organization, client string }

var tenants = []tenant{
	{"ES384", "https://api.example.com", "acme", "acme-admin"},
	{"RS256", "https://rsa.example.com", "globex", "globex-admin"},
}

// An answer is the outcome of a call, as a client without knowledge of this project sees it. The zero answer
// is success.
type answer struct {
	code   connect.Code
	reason string
	scopes string // that are required
}

var (
	accepted          answer
	missing           = answer{code: connect.CodeUnauthenticated, reason: "TOKEN_MISSING"}
	malformed         = answer{code: connect.CodeUnauthenticated, reason: "TOKEN_MALFORMED"}
	invalid           = answer{code: connect.CodeUnauthenticated, reason: "TOKEN_INVALID"}
	wrongAudience     = answer{code: connect.CodePermissionDenied, reason: "AUDIENCE_MISMATCH"}
	wrongModel        = answer{code: connect.CodePermissionDenied, reason: "MODEL_MISMATCH"}
	wrongOrganization = answer{code: connect.CodePermissionDenied, reason: "ORGANIZATION_MISMATCH"}
)

func insufficient(scopes string) answer {
	return answer{connect.CodePermissionDenied, "SCOPE_INSUFFICIENT", scopes}
}

func answerOf(err error) answer {
	if err == nil {
		return accepted
	}
	result := answer{code: connect.CodeOf(err)}
	refusal, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return result
	}
	for _, detail := range refusal.Details() {
		if value, err := detail.Value(); err == nil {
			if info, ok := value.(*errdetails.ErrorInfo); ok && info.GetDomain() == "protoauthz" {
				result.reason, result.scopes = info.GetReason(), info.GetMetadata()["required_scopes"]
			}
		}
	}
	return result
}

func check(t *testing.T, what string, err error, want answer) {
	t.Helper()
	if got := answerOf(err); got != want {
		t.Errorf("%s: got %v, want %v (%v)", what, got, want, err)
	}
}
