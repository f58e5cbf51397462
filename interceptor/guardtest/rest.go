package guardtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// AssertRESTGuarded calls the REST API of a table, as grpc-gateway or connectrpc.com/vanguard serve
// it, without a token, and fails the test for each method that is not refused as a Guard refuses
// it. Methods that the table declares public are not called.
//
// The routes are those of the google.api.http options of the table's methods. A method without the
// option is left out, as there is no route to it. Routes that a configuration beside the .proto
// files adds are not known, and services that are not in the table are not called: see
// [AssertGuarded] and grpcguardtest.AssertGuarded. What the handler answers with 404 counts as not
// mounted, and every route to a method that is not public must be. A table without such a route is a
// fault.
//
// Calls are made in process, with an empty message. Refused is one that is answered with status 401
// and either, in JSON, the google.rpc.ErrorInfo of a Guard, or, for error handlers that send no
// details, the WWW-Authenticate of a Guard with this table. What fails before a Guard sees it is a
// fault, too, such as the route of a stream with vanguard, which serves none. If the method is open,
// its handler runs.
func AssertRESTGuarded(t testing.TB, handler http.Handler, table *policy.Table) {
	t.Helper()
	const remedy = "for grpc-gateway, register it with RegisterXHandler and the connection of grpcguard.InProcess(server), " +
		"as RegisterXHandlerServer calls the implementation past all interceptors; for vanguard, guard the handlers or the server behind it"
	guard := interceptor.New(noTokens{}, table)
	unguarded.Server{
		Package: "guardtest",
		Call: func(ctx context.Context, procedure unguarded.Procedure) unguarded.Answer {
			if _, ok := table.Lookup(procedure.Name); !ok || procedure.Method == nil {
				return unguarded.Answer{Kind: unguarded.Uncallable}
			}
			_, denial := guard.Admit(ctx, procedure.Name, http.Header{})
			return callRoutes(ctx, handler, procedure.Method, denial.Challenge())
		},
		Remedy:  func(unguarded.Procedure) string { return remedy },
		Absent:  "the handler answers 404 to",
		Give:    "give the one that serves them, without the prefix or host that it is mounted under; if that is this one, the implementation has answered: " + remedy,
		Nothing: "no method of the table that is not public has a google.api.http option",
	}.Assert(t, table)
}

// callRoutes calls a method by each of its routes. The answer is that of an open one, or else of one
// that is absent, if there is any.
func callRoutes(ctx context.Context, handler http.Handler, method protoreflect.MethodDescriptor, challenge string) unguarded.Answer {
	routes, err := routesOf(method)
	if err != nil {
		return unguarded.Answer{Kind: unguarded.Unreachable, Text: "its google.api.http option: " + err.Error()}
	}
	whole := unguarded.Answer{Kind: unguarded.Uncallable}
	for _, route := range routes {
		answer := callRoute(ctx, handler, route, challenge)
		if answer.Kind != unguarded.Absent && answer.Reason != interceptor.ReasonTokenMissing {
			return answer
		}
		if whole.Kind != unguarded.Absent {
			whole = answer
		}
	}
	return whole
}

// callRoute makes one call without a token, which a guard answers with a challenge.
func callRoute(ctx context.Context, handler http.Handler, route route, challenge string) unguarded.Answer {
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", strings.NewReader(route.body))
	request.Method, request.URL = route.verb, &url.URL{Path: route.path}
	request.RequestURI = request.URL.RequestURI()
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, answer := serve(ctx, handler, request)
	to := " to " + route.verb + " " + route.path
	if response == nil {
		answer.Text += to
		return answer
	}
	defer func() { _ = response.Body.Close() }()
	var body any
	_ = json.NewDecoder(response.Body).Decode(&body) // which leaves nil where there is no JSON
	answer.Reason = reasonIn(body)
	answer.Text = fmt.Sprintf("HTTP status %d", response.StatusCode) + to
	switch unauthorized := response.StatusCode == http.StatusUnauthorized; {
	case response.StatusCode == http.StatusNotFound:
		answer.Kind, answer.Text = unguarded.Absent, route.verb+" "+route.path
	case unauthorized && answer.Reason == "" && challenge != "" && response.Header.Get("WWW-Authenticate") == challenge:
		answer.Reason = interceptor.ReasonTokenMissing
	case !unauthorized && answer.Reason == interceptor.ReasonTokenMissing:
		answer.Reason, answer.Text = "", fmt.Sprintf("HTTP status %d, in place of 401,", response.StatusCode)+to
	}
	return answer
}

// noTokens is for a guard that sees no token.
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
