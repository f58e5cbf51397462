package guardtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/traits"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// AssertRESTGuarded calls every method of a table over REST, as grpc-gateway or connectrpc.com/vanguard
// serve it, once without a token and once with two tokens. It fails the test for each method that does
// not refuse both calls as a Guard does. It does not call methods that the table declares public. A
// method looks guarded if the gateway calls its implementation past the server, and the implementation
// calls another guarded server and hands on its refusal. As [AssertGuarded] does, it fails the test for
// rules that are not enforced.
//
// The routes are the google.api.http options of the table's methods. Every route to a method that is not
// public must be mounted. A route counts as not mounted if the handler answers with 404 or 405, or as it
// answers an unknown route. A method without the option is called as POST /package.Service/Method, the
// route that grpc-gateway generates with generate_unbound_methods. Such a route need not be mounted, but
// at least one route of the table must be. Such a route also counts as not mounted if the handler answers
// with 415, as an RPC that takes no JSON does.
//
// AssertRESTGuarded does not know the routes that a configuration beside the .proto files adds, and does
// not call services that are not in the table: see [AssertGuarded] and grpcguardtest.AssertGuarded.
//
// AssertRESTGuarded makes its calls in process, one after the other, with an empty message. A call counts
// as refused if the status is 401 and the answer holds either the google.rpc.ErrorInfo of a Guard or the
// WWW-Authenticate of a Guard with this table. A call that fails before a Guard sees it is a fault. The
// causes are a stream behind vanguard, which serves no streams over REST, and a gateway's marshaler that
// does not read the JSON of runtime.JSONPb. If the method is open, its handler runs. A method that does
// not answer within five seconds is open; after three such methods, the rest is not called.
func AssertRESTGuarded(t testing.TB, handler http.Handler, table *policy.Table, options ...Option) {
	t.Helper()
	caller := restCaller{
		handler: handler, table: table, unknown: map[string]page{},
		guard: sync.OnceValue(func() *interceptor.Guard { return challenging(table) }),
	}
	unguarded.Server{
		Package:      "guardtest",
		What:         "handler",
		Given:        handler,
		Call:         caller.call,
		Remedy:       func(unguarded.Procedure) string { return restRemedy },
		Absent:       "the handler does not serve",
		Instead:      "give the handler that serves them, without the prefix or host that it is mounted under, and without what answers in front of it or hides the google.rpc.ErrorInfo; if this is that handler, the implementation has answered: " + restRemedy,
		NoProcedures: "the handler has no route to a method of the table that is not public: give the table of the files with REST routes; routes from a grpc_api_configuration cannot be tested",
	}.Assert(t, table, options...)
}

const restRemedy = "guard the handler of the method, or the server behind the gateway; for grpc-gateway, register it with RegisterXHandler and the connection of " +
	"grpcguard.InProcess(server), as RegisterXHandlerServer calls the implementation past all interceptors"

// challenging returns a guard with a table, for its challenges.
func challenging(table *policy.Table) *interceptor.Guard {
	silent := interceptor.WithObserver(func(context.Context, interceptor.Event) {}) // in place of the log
	return interceptor.New(uncalled{}, table, silent)
}

// An uncalled verifier is never called. Its issuers fit all rules.
type uncalled struct{ interceptor.Verifier }

// Traits implements [traits.Teller].
func (uncalled) Traits() []traits.Issuer { return []traits.Issuer{traits.Any("")} }

// A restCaller calls the routes of a REST API.
type restCaller struct {
	handler http.Handler
	table   *policy.Table
	guard   func() *interceptor.Guard // with the table, for its challenges; its verifier is never called
	unknown map[string]page           // the answers to an unknown route, by verb and number of tokens
}

// call calls a method by each of its routes. It returns the first answer that is not a refusal, or else
// the first answer of an absent route, or else a refusal.
func (c *restCaller) call(ctx context.Context, procedure unguarded.Procedure, authorization []string) unguarded.Answer {
	if _, ok := c.table.Lookup(procedure.Name); !ok {
		return unguarded.Answer{Kind: unguarded.Uncallable}
	}
	routes, err := routesOf(procedure.Method)
	if err != nil {
		return unguarded.Answer{Kind: unguarded.Unreachable, Text: "its google.api.http option: " + err.Error()}
	}
	if len(routes) == 0 {
		unbound := route{http.MethodPost, procedure.Name, emptyBody("*", procedure.Method), true}
		answer := c.by(ctx, procedure.Name, unbound, authorization)
		if answer.Kind != unguarded.Absent {
			return answer
		}
		answer = c.by(ctx, procedure.Name, unbound, unguarded.TwoTokens) // The route may seem absent without a token.
		if answer.Kind == unguarded.Absent || answer.Reason != "" {
			return unguarded.Answer{Kind: unguarded.Uncallable}
		}
		if answer.Kind == unguarded.Answered {
			return unguarded.Answer{Kind: unguarded.Faulty, Text: "has no guard: it answered a call with two tokens with " + answer.Text + ": " + restRemedy}
		}
		return answer
	}
	var whole unguarded.Answer
	for _, route := range routes {
		answer := c.by(ctx, procedure.Name, route, authorization)
		refused := answer.Reason == interceptor.ReasonTokenMissing || authorization != nil && answer.Reason != ""
		if answer.Kind != unguarded.Absent && !refused {
			return answer
		}
		if whole.Kind != unguarded.Absent {
			whole = answer
		}
	}
	return whole
}

// unknownPage returns the answer to a call by a route that is not served.
func (c *restCaller) unknownPage(ctx context.Context, verb string, authorization []string) page {
	key := fmt.Sprint(verb, len(authorization))
	if _, ok := c.unknown[key]; !ok {
		got, _ := exchange(ctx, c.handler, route{verb, unguarded.UnknownProcedure.Name, "{}", true}, authorization)
		c.unknown[key] = got.page(got.body, unguarded.UnknownProcedure.Name)
	}
	return c.unknown[key]
}

// by makes one call.
func (c *restCaller) by(ctx context.Context, procedure string, route route, authorization []string) unguarded.Answer {
	got, answer := exchange(ctx, c.handler, route, authorization)
	to := " to " + route.verb + " " + route.path
	if got.status == 0 {
		answer.Text += to
		if route.unbound && answer.Kind == unguarded.Faulty && got.page(got.body, route.path) == c.unknownPage(ctx, route.verb, authorization) {
			answer.Kind = unguarded.Absent
		}
		return answer
	}
	var body any
	_ = json.NewDecoder(strings.NewReader(got.body)).Decode(&body) // nil without JSON
	if answer.Reason = reasonIn(body); answer.Reason == "" {
		answer.Reason = reasonInStatus([]byte(got.body)) // of runtime.ProtoMarshaller
	}
	answer.OK = got.status/100 == 2
	answer.Text = fmt.Sprintf("HTTP status %d", got.status) + to
	_, denial := c.guard().Admit(ctx, procedure, http.Header{"Authorization": authorization})
	unauthorized, challenge := got.status == http.StatusUnauthorized, got.header.Get("WWW-Authenticate")
	if answer.Reason == "" && unauthorized && challenge == denial.Challenge() {
		answer.Reason = denial.Reason()
	}
	switch {
	case answer.Reason == interceptor.ReasonTokenMissing && !unauthorized:
		return unguarded.Answer{Kind: unguarded.Faulty, Text: fmt.Sprintf("is refused by a guard, but with HTTP status %d in place of 401%s: "+
			"send 401 from the error handler", got.status, to)}
	case answer.Reason != "":
		return answer
	case unauthorized && body == nil:
		answer.Text += ", and without JSON, as with another marshaler than runtime.JSONPb,"
	case unauthorized:
		answer.Text += ", and JSON without a google.rpc.ErrorInfo (if the error handler hides it, send grpcguard.Challenge(err) as WWW-Authenticate),"
	}
	fault, remedy := "", restRemedy
	switch {
	case got.unmounted(), route.unbound && got.status == http.StatusUnsupportedMediaType,
		got.page(got.body, route.path) == c.unknownPage(ctx, route.verb, authorization):
		answer.Kind, answer.Text = unguarded.Absent, route.verb+" "+route.path
		if got.status != http.StatusNotFound {
			answer.Text += fmt.Sprintf(" (HTTP status %d)", got.status)
		}
		return answer
	case got.status == http.StatusNotImplemented && unregistered(body):
		fault, remedy = "is not registered with the server behind the gateway", "register it before grpcguard.InProcess(server)"
	case got.status == http.StatusServiceUnavailable:
		fault, remedy = "cannot be called, or has no guard", "serve the server behind the gateway, and "+restRemedy
	case got.early():
		fault = "failed before a guard saw it, as with a marshaler that does not read the JSON of runtime.JSONPb, or has no guard"
	default:
		return answer
	}
	sent := "without a token"
	if authorization != nil {
		sent = "with two tokens"
	}
	return unguarded.Answer{Kind: unguarded.Faulty, Text: fault + ": it answered a call " + sent + " with " + answer.Text + ": " + remedy}
}

// exchange makes one call.
func exchange(ctx context.Context, handler http.Handler, route route, authorization []string) (reply, unguarded.Answer) {
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", strings.NewReader(route.body))
	request.Method, request.URL = route.verb, &url.URL{Path: route.path}
	request.RequestURI = request.URL.RequestURI()
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	return serve(handler, request, authorization)
}
