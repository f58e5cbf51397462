// Package guardtest proves in a test that every procedure of a server is guarded.
//
// A handler that is registered without Guard.HandlerOption is open, and nothing at run time can tell.
// One line in a test can:
//
//	guardtest.AssertGuarded(t, mux, table)
//
// For the REST API that grpc-gateway or vanguard makes of a server:
//
//	guardtest.AssertRESTGuarded(t, mux, table)
//
// [Deployment] reads the server's authz.json for such a test. For servers of grpc-go, use package grpcguardtest.
// [AssertAccess] shows a review who may call what. Tests of handlers get the claims of a caller from [User], [Client]
// and [Claims].
package guardtest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// AssertGuarded calls every procedure of a handler, usually a [http.ServeMux] of connect-go handlers,
// once without a token and once with two tokens. It fails the test for each procedure that does not
// refuse both calls as a Guard does. It does not call procedures that the table declares public. An open
// stream that calls another guarded server and hands on its refusal looks guarded.
//
// AssertGuarded also fails the test for each service with rules that are not enforced (see
// [policy.Rule.Enforced]), unless [NotEnforced] names the rules. AssertGuarded does not call the procedures of
// these rules, and proves nothing for them. A test of a table without other rules that need a token passes,
// with a line in the log of the test: no call can tell such a server from one without a Guard.
//
// The procedures come from the table, from all services that are linked into the test, and from
// well-known services of frameworks, such as health, reflection and channelz. So AssertGuarded also finds
// a service that was mounted, but whose file was not compiled into the table, unless the service is
// mounted under a prefix or for one host only. Name services that everybody may call in
// policy.WithPublic.
//
// A procedure counts as not mounted if the handler answers with 404, 405 or 415, or as it answers an
// unknown path, apart from the path itself. Every procedure of the table that is not public must be
// mounted for one protocol at least: a test of the wrong handler does not pass.
//
// AssertGuarded makes its calls in process, one after the other, as requests of HTTP/2: over gRPC,
// gRPC-Web and Connect, with GET as well as POST. The body is empty or garbage: an unguarded unary
// handler fails to read its request, and an unguarded client stream ends at once. A handler with
// Guard.Interceptor alone fails the test, since that interceptor decides on a unary call only after the
// request was read. Every server of grpc-go fails the test for the same reason: use
// grpcguardtest.AssertGuarded. A procedure that does not answer within five seconds is open; after three
// such procedures, the rest is not called.
//
// AssertGuarded does not compare the rules of the handler's Guard with the table. All protocols of a
// procedure must refuse a call without a token for the same reason.
func AssertGuarded(t testing.TB, handler http.Handler, table *policy.Table, options ...Option) {
	t.Helper()
	const otherwise = " (test grpc-go with grpcguardtest.AssertGuarded, and REST with guardtest.AssertRESTGuarded)"
	unguarded.Server{
		Package: "guardtest",
		What:    "handler",
		Given:   handler,
		Call:    (&caller{handler, map[string]page{}}).call,
		Remedy: func(unguarded.Procedure) string {
			return "give its handler guard.HandlerOption(), or its server of connect-go v2 connectv2guard.Interceptor(guard)" + otherwise
		},
		Absent:       "the handler does not serve",
		Instead:      "give the handler that serves them, without the prefix or host that it is mounted under, and without what answers in front of it; if another program serves them, leave their package out of policy.Linked" + otherwise,
		NoProcedures: "the table guards nothing: give a table with a method that is not public",
	}.Assert(t, table, options...)
}

// An Option changes what the assertions accept.
type Option = unguarded.Option

// NotEnforced names what the server does not enforce on purpose: a service that [policy.WithShadow] names, such as
// "shop.v1.OrderService", and each procedure without annotation that [policy.WithUnannotatedOpen] opens, such as
// "/shop.v1.CartService/Export". The name of a service does not cover its open procedures: a test that names all
// open procedures fails when one more loses its annotation. AssertGuarded does not call these procedures: nothing
// tells whether their handlers have a Guard. It is a fault to name a service that is not in shadow, or a procedure
// that is not open.
func NotEnforced(names ...string) Option { return unguarded.NotEnforced(names...) }

// serve calls the handler and waits for [unguarded.Patience]. Without a reply, the Answer holds the cause.
func serve(handler http.Handler, request *http.Request, authorization []string) (reply, unguarded.Answer) {
	ctx, cancel := context.WithTimeout(request.Context(), unguarded.Patience)
	defer cancel()
	request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/2.0", 2, 0
	if authorization != nil {
		request.Header["Authorization"] = authorization
	}
	recorder := recorder{httptest.NewRecorder()}
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		handler.ServeHTTP(recorder, request.WithContext(ctx))
	}()
	select {
	case panicked := <-done:
		if panicked != nil {
			return reply{}, unguarded.Answer{Kind: unguarded.Faulty, Text: fmt.Sprint("panicked when called: ", panicked)}
		}
		response := recorder.Result()
		return reply{response.StatusCode, response.Header, response.Trailer, recorder.Body.String()}, unguarded.Answer{}
	case <-ctx.Done():
		return reply{}, unguarded.Answer{Kind: unguarded.Hanging}
	}
}

// A recorder accepts deadlines, as a connection does.
type recorder struct{ *httptest.ResponseRecorder }

func (recorder) SetReadDeadline(time.Time) error  { return nil }
func (recorder) SetWriteDeadline(time.Time) error { return nil }
func (recorder) EnableFullDuplex() error          { return nil }
