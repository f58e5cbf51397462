// Package migrating_test holds an interceptor that was written by hand against the guard that takes its place.
package migrating_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

const api = "https://api.example.com"

// services are a program's handlers. Two of them know their caller: alice, of the organization of the request.
type services struct {
	samplev1connect.UnimplementedCatalogServiceHandler
	samplev1connect.UnimplementedDocumentServiceHandler

	caller func(context.Context) *caller
}

func (*services) GetInfo(context.Context, *connect.Request[samplev1.GetInfoRequest]) (*connect.Response[samplev1.GetInfoResponse], error) {
	return connect.NewResponse(new(samplev1.GetInfoResponse)), nil
}

func (s *services) WhoAmI(ctx context.Context, _ *connect.Request[samplev1.WhoAmIRequest]) (*connect.Response[samplev1.WhoAmIResponse], error) {
	if s.caller(ctx).Subject != "alice" {
		return nil, errors.New("not alice")
	}
	return connect.NewResponse(new(samplev1.WhoAmIResponse)), nil
}

func (*services) CreateOrder(context.Context, *connect.Request[samplev1.CreateOrderRequest]) (*connect.Response[samplev1.CreateOrderResponse], error) {
	return connect.NewResponse(new(samplev1.CreateOrderResponse)), nil
}

func (s *services) ListDocuments(ctx context.Context, request *connect.Request[samplev1.ListDocumentsRequest]) (*connect.Response[samplev1.ListDocumentsResponse], error) {
	if s.caller(ctx).Organization != request.Msg.GetOrganizationId() {
		return nil, errors.New("not the organization")
	}
	return connect.NewResponse(new(samplev1.ListDocumentsResponse)), nil
}

func (*services) GetDocument(context.Context, *connect.Request[samplev1.GetDocumentRequest]) (*connect.Response[samplev1.GetDocumentResponse], error) {
	return connect.NewResponse(new(samplev1.GetDocumentResponse)), nil
}

func (*services) GetUsage(context.Context, *connect.Request[samplev1.GetUsageRequest]) (*connect.Response[samplev1.GetUsageResponse], error) {
	return connect.NewResponse(new(samplev1.GetUsageResponse)), nil
}

func (*services) SyncDocuments(_ context.Context, stream *connect.BidiStream[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]) error {
	for {
		if _, err := stream.Receive(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// mount serves the handlers.
func (s *services) mount(t *testing.T, options ...connect.HandlerOption) *harness.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(s, options...))
	mux.Handle(samplev1connect.NewDocumentServiceHandler(s, options...))
	return harness.Serve(t, mux)
}

// compile compiles the rules of the handlers.
func compile(options ...policy.Option) (*policy.Table, error) {
	return policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_document_proto},
		append(options, policy.WithAudience(api))...)
}

// The servers of a program, on its way to protoauthz.
type steps struct {
	issuer *devissuer.Issuer

	before, // the interceptor that was written by hand, alone
	observed, // the guard in shadow, behind the other interceptor
	both, // the guard, in front of the other interceptor
	after *harness.Server // the guard alone

	mu     sync.Mutex
	missed []interceptor.Reason // of what the guard in shadow would refuse
}

func newSteps(t *testing.T) *steps {
	t.Helper()
	s := &steps{issuer: devissuer.Start(t, devissuer.Config{SigningAlgorithm: "RS256"})}
	issuer := token.Logto(s.issuer.URL())
	byHand, byHandErr := newByHand(t.Context(), s.issuer.URL()+"/jwks")
	verifier, verifierErr := token.NewVerifier(issuer)
	table, tableErr := compile()
	shadow, shadowErr := compile(policy.WithShadow("sample.v1.CatalogService", "sample.v1.DocumentService"))
	if err := errors.Join(byHandErr, verifierErr, tableErr, shadowErr); err != nil {
		t.Fatal(err)
	}
	guard := interceptor.New(verifier, shadow, interceptor.WithObserver(s.observe))
	observed := connect.WithInterceptors(byHand, guard.Interceptor())
	guard = interceptor.New(verifier, table)
	both := connect.WithHandlerOptions(guard.HandlerOption(), connect.WithInterceptors(byHand))

	read, readNow := &services{caller: callerFrom}, &services{caller: callerNow}
	s.before = read.mount(t, connect.WithInterceptors(byHand))
	s.observed = read.mount(t, observed)
	s.both = readNow.mount(t, both)
	s.after = readNow.mount(t, guard.HandlerOption())
	return s
}

func (s *steps) observe(_ context.Context, event interceptor.Event) {
	if event.Denial != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.missed = append(s.missed, event.Denial.Reason())
	}
}

// callerNow takes the place of callerFrom, once the rules are enforced.
func callerNow(ctx context.Context) *caller {
	claims := interceptor.ClaimsFromContext(ctx)
	c := &caller{Organization: claims.OrganizationID()}
	c.Subject = claims.Subject()
	return c
}

type claims = map[string]any

// with returns the claims of a token of organization acme, with the given ones in their place. Nil leaves a claim out.
func with(other claims) claims {
	all := claims{"sub": "alice", "client_id": "shop", "aud": api, "organization_id": "acme", "scope": "read:data write:data"}
	maps.Copy(all, other)
	return all
}

// A call is a call with its caller.
type call struct {
	name   string
	claims claims // nil: no token
	make   func(context.Context, *harness.Server, http.Header) error
	reason interceptor.Reason // why the guard refuses it, or ""
}

// unary makes a unary call.
func unary[Request, Response any](procedure string, message *Request) func(context.Context, *harness.Server, http.Header) error {
	return func(ctx context.Context, server *harness.Server, header http.Header) error {
		request := connect.NewRequest(message)
		maps.Copy(request.Header(), header)
		_, err := connect.NewClient[Request, Response](server.HTTP2, server.URL+procedure).CallUnary(ctx, request)
		return err
	}
}

// syncDocuments sends a message for each organization.
func syncDocuments(organizations ...string) func(context.Context, *harness.Server, http.Header) error {
	return func(ctx context.Context, server *harness.Server, header http.Header) error {
		stream := samplev1connect.NewDocumentServiceClient(server.HTTP2, server.URL).SyncDocuments(ctx)
		maps.Copy(stream.RequestHeader(), header)
		for _, organization := range organizations {
			if err := stream.Send(&samplev1.SyncDocumentsRequest{OrganizationId: organization}); err != nil {
				break // Receive tells why
			}
		}
		sendErr := stream.CloseRequest()
		_, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return errors.Join(err, sendErr, stream.CloseResponse())
	}
}

var (
	getInfo     = unary[samplev1.GetInfoRequest, samplev1.GetInfoResponse](samplev1connect.CatalogServiceGetInfoProcedure, new(samplev1.GetInfoRequest))
	whoAmI      = unary[samplev1.WhoAmIRequest, samplev1.WhoAmIResponse](samplev1connect.CatalogServiceWhoAmIProcedure, new(samplev1.WhoAmIRequest))
	createOrder = unary[samplev1.CreateOrderRequest, samplev1.CreateOrderResponse](samplev1connect.CatalogServiceCreateOrderProcedure, new(samplev1.CreateOrderRequest))
	getUsage    = unary[samplev1.GetUsageRequest, samplev1.GetUsageResponse](samplev1connect.DocumentServiceGetUsageProcedure, new(samplev1.GetUsageRequest))
)

func listDocuments(organization string) func(context.Context, *harness.Server, http.Header) error {
	return unary[samplev1.ListDocumentsRequest, samplev1.ListDocumentsResponse](
		samplev1connect.DocumentServiceListDocumentsProcedure, &samplev1.ListDocumentsRequest{OrganizationId: organization})
}

func getDocument(organization string) func(context.Context, *harness.Server, http.Header) error {
	return unary[samplev1.GetDocumentRequest, samplev1.GetDocumentResponse](
		samplev1connect.DocumentServiceGetDocumentProcedure, &samplev1.GetDocumentRequest{Name: "organizations/" + organization + "/documents/1"})
}

var global = with(claims{"organization_id": nil, "scope": "write:orders"})

// good are calls that both let in, refused are calls that both refuse, and holes are calls that the interceptor
// written by hand lets in, though it must not.
var good = []call{
	{"a public method", nil, getInfo, ""},
	{"a public method, with a token that has expired", with(claims{"exp": 1}), getInfo, ""},
	{"any token", global, whoAmI, ""},
	{"a scope", global, createOrder, ""},
	{"an organization", with(nil), listDocuments("acme"), ""},
	{"an organization in a name", with(nil), getDocument("acme"), ""},
	{"a stream", with(nil), syncDocuments("acme", "acme"), ""},
}

var refused = []call{
	{"no token", nil, createOrder, interceptor.ReasonTokenMissing},
	{"a token that has expired", with(claims{"exp": 1}), createOrder, interceptor.ReasonTokenExpired},
	{"another scope", with(claims{"organization_id": nil}), createOrder, interceptor.ReasonScopeInsufficient},
	{"another organization", with(nil), listDocuments("globex"), interceptor.ReasonOrganizationMismatch},
}

var holes = []call{
	{"a token without organization, and a message without organization", with(claims{"organization_id": nil}), listDocuments(""), interceptor.ReasonModelMismatch},
	{"an empty organization in both", with(claims{"organization_id": ""}), listDocuments(""), interceptor.ReasonModelMismatch},
	{"a token for another API", with(claims{"aud": "https://other.example.com"}), listDocuments("acme"), interceptor.ReasonAudienceMismatch},
	{"a token of another issuer", with(claims{"iss": "https://other.example.com"}), listDocuments("acme"), interceptor.ReasonTokenInvalid},
	{"a token without `exp`", with(claims{"exp": nil}), listDocuments("acme"), interceptor.ReasonTokenInvalid},
	{"a name such as `organizations/globex/documents/1`", with(nil), getDocument("globex"), interceptor.ReasonOrganizationMismatch},
	{"a procedure that is new", with(claims{"scope": "read:other"}), getUsage, interceptor.ReasonScopeInsufficient},
	{"a later message of a stream", with(nil), syncDocuments("acme", "globex"), interceptor.ReasonOrganizationMismatch},
}

// header returns the header of a call.
func (s *steps) header(t *testing.T, c *call) http.Header {
	t.Helper()
	if c.claims == nil {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + s.issuer.Token(t, c.claims)}}
}

// reasonOf returns the reason for which the guard has refused a call, or "".
func reasonOf(err error) interceptor.Reason {
	if denial := interceptor.DenialFrom(err); denial != nil {
		return denial.Reason()
	}
	return ""
}

// TestAgree makes sure that good calls pass at each step, and that bad calls are refused at each step.
func TestAgree(t *testing.T) {
	t.Parallel()
	s := newSteps(t)
	for _, c := range slices.Concat(good, refused) {
		header := s.header(t, &c)
		for name, server := range map[string]*harness.Server{"before": s.before, "observed": s.observed, "both": s.both, "after": s.after} {
			err := c.make(t.Context(), server, header)
			if (err == nil) != (c.reason == "") {
				t.Errorf("%s, %s: got %v", c.name, name, err)
			}
			if server == s.after && reasonOf(err) != c.reason {
				t.Errorf("%s: got %v, want the reason %q", c.name, err, c.reason)
			}
		}
	}
	if len(s.missed) != 0 {
		t.Errorf("the guard in shadow would refuse %q", s.missed)
	}
}

// TestHoles makes sure that the guard closes the holes of the interceptor written by hand, and that the guard in
// shadow tells each of them.
func TestHoles(t *testing.T) {
	t.Parallel()
	s := newSteps(t)
	for _, c := range holes {
		header := s.header(t, &c)
		before := c.make(t.Context(), s.before, header)
		observed := c.make(t.Context(), s.observed, header)
		if before != nil || observed != nil {
			t.Errorf("%s: the interceptor written by hand returns %v, %v", c.name, before, observed)
		}
		if !slices.Equal(s.missed, []interceptor.Reason{c.reason}) {
			t.Errorf("%s: the guard in shadow would refuse %q, want %q", c.name, s.missed, c.reason)
		}
		s.missed = nil
		for _, server := range []*harness.Server{s.both, s.after} {
			if err := c.make(t.Context(), server, header); reasonOf(err) != c.reason {
				t.Errorf("%s: got %v, want the reason %q", c.name, err, c.reason)
			}
		}
	}
}

// rotated is a call of TestRotation.
const rotated = "a token of a key that the issuer has taken back"

// TestDocument makes sure that the guide's table has the holes, with the guard's answers.
func TestDocument(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]interceptor.Reason{rotated: interceptor.ReasonTokenInvalid}
	for _, c := range holes {
		want[c.name] = c.reason
	}
	_, table, _ := strings.Cut(string(guide), "| the call | the fault | the guard |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table + "\n") {
		cells := strings.Split(row, " | ")
		name := strings.TrimPrefix(cells[0], "| ")
		if reason, ok := want[name]; !ok || !strings.Contains(row, " `"+string(reason)+"`") {
			t.Errorf("%q has the reason %q: %s", name, reason, row)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("the guide lacks %v", want)
	}
}

// TestRotation makes sure that the guard follows the issuer to new keys. By hand, nobody is let in any more.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := newSteps(t)
	withdrawn := s.header(t, &good[3])
	if err := s.issuer.Rotate(); err != nil {
		t.Fatal(err)
	}
	s.issuer.TrimKeys()
	c := &good[3]
	before, after := c.make(t.Context(), s.before, s.header(t, c)), c.make(t.Context(), s.after, s.header(t, c))
	if connect.CodeOf(before) != connect.CodeUnauthenticated || after != nil {
		t.Errorf("a new key: got %v, %v", before, after)
	}
	before, after = c.make(t.Context(), s.before, withdrawn), c.make(t.Context(), s.after, withdrawn)
	if before != nil || reasonOf(after) != interceptor.ReasonTokenInvalid {
		t.Errorf(rotated+": got %v, %v", before, after)
	}
}
