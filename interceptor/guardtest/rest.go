package guardtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// AssertRESTGuarded calls the REST API of a table, as grpc-gateway or connectrpc.com/vanguard serve
// it, without a token, and fails the test for each method that is not refused as a Guard refuses
// it. Methods that the table declares public are not called.
//
// The routes are the routes of the google.api.http options of the table's methods. What the handler
// answers with 404 counts as not mounted, and every route to a method that is not public must be
// mounted. A method without the option is called as POST /package.Service/Method, the route that
// grpc-gateway generates with generate_unbound_methods. This route need not be mounted, but at least
// one route of the table must be. The route counts as not mounted if the handler answers 404, 405 or
// 415 (an RPC that takes no JSON), or answers an unknown route alike.
//
// Routes that a configuration beside the .proto files adds are not known, and services that are not
// in the table are not called: see [AssertGuarded] and grpcguardtest.AssertGuarded.
//
// Calls are made in process, with an empty message. A call counts as refused if the status is 401
// and the answer holds either the google.rpc.ErrorInfo of a Guard, as JSON, or the WWW-Authenticate
// of a Guard with this table. A call that fails before a Guard sees it is a fault, too, such as the
// route of a stream with vanguard, which serves no stream over REST. If the method is open, its
// handler runs. Each route that does not answer takes five seconds, one after the other.
func AssertRESTGuarded(t testing.TB, handler http.Handler, table *policy.Table) {
	t.Helper()
	var unknown reply
	unguarded.Server{
		Package: "guardtest",
		What:    "handler",
		Given:   handler,
		Call: func(ctx context.Context, procedure unguarded.Procedure) unguarded.Answer {
			if procedure == unguarded.UnknownProcedure {
				unknown, _ = callRoute(ctx, handler, route{http.MethodPost, procedure.Name, "{}"}, "")
				return unguarded.Answer{Kind: unguarded.Uncallable}
			}
			if _, ok := table.Lookup(procedure.Name); !ok || procedure.Method == nil {
				return unguarded.Answer{Kind: unguarded.Uncallable}
			}
			// New panics for a nil table, which Assert reports before it calls.
			_, denial := interceptor.New(noTokens{}, table).Admit(ctx, procedure.Name, http.Header{})
			return callRoutes(ctx, handler, procedure, denial.Challenge(), unknown)
		},
		Remedy:       func(unguarded.Procedure) string { return restRemedy },
		Absent:       "the handler answers 404 to",
		Instead:      "give the handler that serves them, without the prefix or host that it is mounted under; if this is that handler, the implementation has answered: " + restRemedy,
		NoProcedures: "the handler has no route to a method of the table that is not public: give the table of the files with REST routes; routes from a grpc_api_configuration cannot be tested",
	}.Assert(t, table)
}

const restRemedy = "for grpc-gateway, register it with RegisterXHandler and the connection of grpcguard.InProcess(server), " +
	"as RegisterXHandlerServer calls the implementation past all interceptors; for vanguard, guard the handlers or the server behind it"

// callRoutes calls a method by each route. It returns the first open route's answer, else an absent
// route's, else the refusal.
func callRoutes(ctx context.Context, handler http.Handler, procedure unguarded.Procedure, challenge string, unknown reply) unguarded.Answer {
	routes, err := routesOf(procedure.Method)
	if err != nil {
		return unguarded.Answer{Kind: unguarded.Unreachable, Text: "its google.api.http option: " + err.Error()}
	}
	if len(routes) == 0 {
		reply, answer := callRoute(ctx, handler, route{http.MethodPost, procedure.Name, emptyBody("*", procedure.Method)}, challenge)
		if reply == unknown || reply.unmounted() {
			answer.Kind = unguarded.Uncallable
		}
		return answer
	}
	var whole unguarded.Answer
	for _, route := range routes {
		_, answer := callRoute(ctx, handler, route, challenge)
		if answer.Kind != unguarded.Absent && answer.Reason != interceptor.ReasonTokenMissing {
			return answer
		}
		if whole.Kind != unguarded.Absent {
			whole = answer
		}
	}
	return whole
}

// A reply is what the handler answers to a call by a route. It is zero without an answer.
type reply struct {
	status int
	body   string
}

// unmounted reports whether no REST API answers where a method without an option would be.
func (r reply) unmounted() bool {
	return r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed || r.status == http.StatusUnsupportedMediaType
}

// early reports whether the call may have failed before a guard saw it.
func (r reply) early() bool {
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError, http.StatusNotImplemented:
		return false
	}
	return r.status >= http.StatusBadRequest
}

// callRoute makes one call without a token, which a guard answers with a challenge.
func callRoute(ctx context.Context, handler http.Handler, route route, challenge string) (reply, unguarded.Answer) {
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", strings.NewReader(route.body))
	request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/2.0", 2, 0
	request.Method, request.URL = route.verb, &url.URL{Path: route.path}
	request.RequestURI = request.URL.RequestURI()
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, answer := serve(ctx, handler, request)
	to := " to " + route.verb + " " + route.path
	if response == nil {
		answer.Text += to
		return reply{}, answer
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body) // of a recorder, which does not fail
	got := reply{response.StatusCode, string(text)}
	var body any
	_ = json.NewDecoder(bytes.NewReader(text)).Decode(&body) // leaves nil where there is no JSON
	answer.OK = got.status/100 == 2
	answer.Reason = reasonIn(body)
	answer.Text = fmt.Sprintf("HTTP status %d", got.status) + to
	switch unauthorized := got.status == http.StatusUnauthorized; {
	case got.status == http.StatusNotFound:
		answer.Kind, answer.Text = unguarded.Absent, route.verb+" "+route.path
	case unauthorized && answer.Reason == "" && challenge != "" && response.Header.Get("WWW-Authenticate") == challenge:
		answer.Reason = interceptor.ReasonTokenMissing
	case !unauthorized && answer.Reason == interceptor.ReasonTokenMissing:
		answer = unguarded.Answer{Kind: unguarded.Faulty, Text: fmt.Sprintf("is refused by a guard, but with HTTP status %d in place of 401%s: "+
			"send 401 from the error handler", got.status, to)}
	case answer.Reason == "" && got.early():
		answer = unguarded.Answer{Kind: unguarded.Faulty, Text: "failed before a guard saw it, or has no guard: it answered a call without a token with " +
			answer.Text + ": " + restRemedy}
	}
	return got, answer
}

// noTokens is a verifier that refuses every token.
type noTokens struct{}

// Verify implements [interceptor.Verifier].
func (noTokens) Verify(context.Context, string) (*token.Claims, error) { return nil, token.ErrInvalid }

// reasonIn finds a Guard's reason in JSON, in whatever an error handler has wrapped it.
func reasonIn(value any) interceptor.Reason {
	var inner []any
	switch value := value.(type) {
	case []any:
		inner = value
	case map[string]any:
		if reason, ok := value["reason"].(string); ok && value["domain"] == unguarded.Domain {
			return interceptor.Reason(reason)
		}
		for _, member := range value {
			inner = append(inner, member)
		}
	}
	for _, value := range inner {
		if reason := reasonIn(value); reason != "" {
			return reason
		}
	}
	return ""
}
