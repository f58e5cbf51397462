// Package guardtest proves in a test that no procedure of a server was left
// unguarded.
//
// A handler that is registered without Guard.HandlerOption is open, and nothing
// at run time can tell. One line in a test can:
//
//	guardtest.AssertGuarded(t, mux, table)
//
// For servers of grpc-go, package grpcguardtest does the same:
//
//	grpcguardtest.AssertGuarded(t, conn, table)
//
// For the REST API that grpc-gateway or vanguard makes of a server:
//
//	guardtest.AssertRESTGuarded(t, mux, table)
package guardtest

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// AssertGuarded calls every procedure of a handler, usually a [http.ServeMux] of
// connect-go handlers, without a token, and fails the test for each that is not
// refused as a Guard refuses it. Procedures that the table declares public are not
// called.
//
// The procedures are those of the table, those of all services that are linked into
// the test, and those of well-known services: health, reflection, channelz, and what else
// frameworks bring along. So a service is found, too, that was mounted, but whose file was
// never compiled into the table, unless it is mounted under a prefix or for one host only.
// Name services in policy.WithPublic that everybody may call.
//
// What the handler answers with 404 counts as not mounted, and every procedure of
// the table that is not public must be: a test of the wrong handler does not pass.
//
// Calls are made in process, over gRPC, with an empty body: an unguarded unary
// handler fails to read its request, and an unguarded client stream sees its end at
// once. A handler with a Guard that was given to connect.WithInterceptors alone fails
// the test too, as such a Guard decides on a unary call only once the request was
// read. Every server of grpc-go fails the test for the same reason: use
// grpcguardtest.AssertGuarded there. Each procedure that does not answer takes five
// seconds, one after the other.
func AssertGuarded(t testing.TB, handler http.Handler, table *policy.Table) {
	t.Helper()
	const otherwise = " (test grpc-go with grpcguardtest.AssertGuarded, and REST with guardtest.AssertRESTGuarded)"
	unguarded.Server{
		Package: "guardtest",
		What:    "handler",
		Given:   handler,
		Call: func(ctx context.Context, procedure unguarded.Procedure) unguarded.Answer {
			return call(ctx, handler, procedure.Name)
		},
		Remedy: func(unguarded.Procedure) string {
			return "give its handler guard.HandlerOption(), or its server of connect-go v2 connectv2.Interceptor(guard)" + otherwise
		},
		Absent:       "the handler answers 404 to",
		Instead:      "give the handler that serves them, without the prefix or host that it is mounted under" + otherwise,
		NoProcedures: "the table guards nothing: give a table with a method that is not public",
	}.Assert(t, table)
}

// call makes one call without a token.
func call(ctx context.Context, handler http.Handler, procedure string) unguarded.Answer {
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, procedure, http.NoBody)
	request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/2.0", 2, 0
	request.Header.Set("Content-Type", "application/grpc+proto")
	request.Header.Set("TE", "trailers")
	response, answer := serve(ctx, handler, request)
	if response == nil {
		return answer
	}
	defer func() { _ = response.Body.Close() }()
	code := response.Trailer.Get("Grpc-Status")
	answer.Text = fmt.Sprintf("HTTP status %d, gRPC status %q", response.StatusCode, code)
	answer.OK = response.StatusCode == http.StatusOK && (code == "" || code == "0")
	answer.Reason = reason(response)
	switch {
	case response.StatusCode == http.StatusNotFound:
		answer.Kind, answer.Text = unguarded.Absent, procedure
	case code == "" && response.Header.Get("Grpc-Status") == "" && !strings.HasPrefix(response.Header.Get("Content-Type"), "application/grpc"):
		answer.Kind = unguarded.NoRPC
	}
	return answer
}

// serve calls the handler and waits for [unguarded.Patience]. If no response came, the Answer says why.
func serve(ctx context.Context, handler http.Handler, request *http.Request) (*http.Response, unguarded.Answer) {
	ctx, cancel := context.WithTimeout(ctx, unguarded.Patience)
	defer cancel()
	recorder := httptest.NewRecorder()
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		handler.ServeHTTP(recorder, request.WithContext(ctx))
	}()
	select {
	case panicked := <-done:
		if panicked != nil {
			return nil, unguarded.Answer{Kind: unguarded.Faulty, Text: fmt.Sprint("panicked when called without a token: ", panicked)}
		}
		return recorder.Result(), unguarded.Answer{}
	case <-ctx.Done():
		return nil, unguarded.Answer{Kind: unguarded.Hanging}
	}
}

// reason finds a Guard's reason in the details of a gRPC status.
func reason(response *http.Response) interceptor.Reason {
	encoded := response.Trailer.Get("Grpc-Status-Details-Bin")
	wire, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil {
		return ""
	}
	decoded := new(status.Status)
	if proto.Unmarshal(wire, decoded) != nil {
		return ""
	}
	return unguarded.Reason(decoded.GetDetails())
}
