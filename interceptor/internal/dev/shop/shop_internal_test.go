package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// TestTold makes sure that the log, a span and the counter tell of each refused call, over each framework.
func TestTold(t *testing.T) { //nolint:paralleltest // it replaces the logger and the providers of the process
	issuer := devissuer.Start(t, devissuer.Config{})
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			told := listenIn(t)
			s := start(t, issuer.URL())
			token := func(scope string) context.Context {
				return withToken(t.Context(), issuer.Token(t, map[string]any{
					"aud": "https://shop.example.com", "organization_id": "acme", "scope": scope, "client_id": "clerk",
				}))
			}
			good := token(f.scope)
			var spans []string
			for name, call := range map[string]struct {
				ctx          context.Context
				organization string
				want         interceptor.Reason
				code, client string
			}{
				"let in":                  {good, "acme", "", f.letIn, ""},
				"refused without a token": {t.Context(), "acme", interceptor.ReasonTokenMissing, "UNAUTHENTICATED", ""},
				"refused by the scope":    {token("read:nothing"), "acme", interceptor.ReasonScopeInsufficient, "PERMISSION_DENIED", "clerk"},
				"refused by the message":  {good, "globex", interceptor.ReasonOrganizationMismatch, "PERMISSION_DENIED", "clerk"},
			} {
				before := told.decisions(t)
				reason, err := f.call(call.ctx, s, call.organization)
				if reason != call.want || err != nil {
					t.Errorf("%s: the client got %q, %v, want %q", name, reason, err, call.want)
				}
				spans = append(spans, string(call.want)+" "+call.code)
				told.expectLine(t, name, f.procedure, string(call.want), call.client)
				want := f.procedure + " refused " + string(call.want)
				if call.want == "" {
					want = f.procedure + " allowed "
				}
				before[want]++
				if after := told.decisions(t); !maps.Equal(after, before) {
					t.Errorf("%s: the counter has %v, want %v", name, after, before)
				}
			}
			s.stop() // a span may end after its call
			slices.Sort(spans)
			if got := told.refusals(); !slices.Equal(got, spans) {
				t.Errorf("the spans tell %q, want %q", got, spans)
			}
		})
	}
}

// expectLine compares the line of the log, if there must be one.
func (r *record) expectLine(t *testing.T, name, procedure, reason, client string) {
	t.Helper()
	got := r.line()
	if reason == "" {
		if got != nil {
			t.Errorf("%s: the log has %v", name, got)
		}
		return
	}
	said := func(name string) string { text, _ := got[name].(string); return text }
	if said("msg") != "protoauthz: refused" || said("procedure") != procedure || said("reason") != reason ||
		said("client") != client || said("cause") == "" || said("peer") == "" {
		t.Errorf("%s: the log has %v", name, got)
	}
}

// TestRefusedBeforeBody makes sure that a call without a token is refused before its body has come, also behind vanguard,
// which changes the path of a call of REST. Over HTTP/1.1 DeadlineHandler ends the wait for the body.
func TestRefusedBeforeBody(t *testing.T) {
	t.Parallel()
	s := start(t, "https://tenant.logto.app")
	overHTTP1 := *s
	overHTTP1.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for protocol, s := range map[string]*running{"HTTP/1.1": &overHTTP1, "HTTP/2.0": s} {
		for _, path := range []string{
			"/order.v1.OrderService/CreateOrder", "/catalog.v1.CatalogService/PutProduct", "/v1/organizations/acme/orders",
		} {
			body, client := io.Pipe() // nobody writes
			response := s.request(t, http.MethodPost, path, body)
			if response.protocol != protocol || response.status != http.StatusUnauthorized || !strings.Contains(response.body, "TOKEN_MISSING") {
				t.Errorf("%s, %s: got %v", protocol, path, response)
			}
			_ = client.Close()
		}
	}
}

// TestProbes makes sure that probes need no token, and that the log tells why a shop is not ready.
func TestProbes(t *testing.T) { //nolint:paralleltest // it replaces the logger and the providers of the process
	told := listenIn(t)
	check := func(issuer string, status int, health string) {
		t.Helper()
		s := start(t, issuer)
		if got := s.request(t, http.MethodGet, "/readyz", nil); got.status != status {
			t.Errorf("got %v, want the status %d", got, status)
		}
		got := s.request(t, http.MethodPost, "/grpc.health.v1.Health/Check", strings.NewReader("{}"))
		if got.status != http.StatusOK || !strings.Contains(got.body, health) {
			t.Errorf("got %v, want %s", got, health)
		}
		stock, err := healthpb.NewHealthClient(s.conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil || `"SERVING_STATUS_`+stock.GetStatus().String()+`"` != health {
			t.Errorf("grpc-go: got %v, %v, want %s", stock, err, health)
		}
		if got := s.request(t, http.MethodGet, "/v1/terms", nil); got.status != http.StatusOK {
			t.Errorf("the public method: got %v", got)
		}
	}
	check(devissuer.Start(t, devissuer.Config{}).URL(), http.StatusOK, `"SERVING_STATUS_SERVING"`)
	if got := told.line(); got != nil {
		t.Errorf("the log has %v", got)
	}
	down := listen(t)
	_ = down.Close()
	check("http://"+down.Addr().String()+"/oidc", http.StatusServiceUnavailable, `"SERVING_STATUS_NOT_SERVING"`)
	if got := told.line(); got == nil || !strings.Contains(fmt.Sprint(got["cause"]), down.Addr().String()) {
		t.Errorf("the log has %v", got)
	}
}

// A reply is an answer over HTTP.
type reply struct {
	protocol string // of HTTP
	status   int
	body     string
}

func (s *running) request(t *testing.T, method, path string, body io.Reader) reply {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	if !strings.HasPrefix(path, "/v1/") {
		header.Set("Connect-Protocol-Version", "1") // vanguard takes JSON without it for REST
	}
	response := s.ask(t, method, path, body, header)
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.Proto, response.StatusCode, string(text)}
}

// ask sends a request. The body of the response is closed at the end of the test.
func (s *running) ask(t *testing.T, method, path string, body io.Reader, header http.Header) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// TestPages makes sure that a page of the shop may call, and may read why a call is refused, and no other page.
func TestPages(t *testing.T) {
	t.Parallel()
	s := start(t, "https://tenant.logto.app")
	for origin, want := range map[string]string{"https://shop.example.com": "https://shop.example.com", "https://other.example.com": ""} {
		preflight := s.ask(t, http.MethodOptions, "/order.v1.OrderService/ListOrders", nil, http.Header{
			"Origin":                         {origin},
			"Access-Control-Request-Method":  {http.MethodPost},
			"Access-Control-Request-Headers": {"authorization,connect-protocol-version,content-type"},
		})
		refused := s.ask(t, http.MethodPost, "/order.v1.OrderService/ListOrders", strings.NewReader("{}"), http.Header{
			"Origin": {origin}, "Content-Type": {"application/json"}, "Connect-Protocol-Version": {"1"},
		})
		if refused.StatusCode != http.StatusUnauthorized || refused.Header.Get("Www-Authenticate") == "" {
			t.Errorf("%s: got %v", origin, refused)
		}
		for _, response := range []*http.Response{preflight, refused} {
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s: allowed is %q", origin, got)
			}
		}
		if got := preflight.Header.Get("Access-Control-Allow-Headers"); strings.Contains(got, "authorization") != (want != "") {
			t.Errorf("%s: the headers are %q", origin, got)
		}
		if got := refused.Header.Get("Access-Control-Expose-Headers"); strings.Contains(got, "Www-Authenticate") != (want != "") {
			t.Errorf("%s: exposed is %q", origin, got)
		}
	}
}
