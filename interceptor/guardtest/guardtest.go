// Package guardtest proves in a test that no procedure of a server was left
// unguarded.
//
// A handler that is registered without Guard.HandlerOption is open, and nothing
// at run time can tell. One line in a test can:
//
//	guardtest.AssertGuarded(t, mux, table)
package guardtest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// AssertGuarded calls every procedure of a handler, usually a [http.ServeMux] of
// connect-go handlers, without a token, and fails the test for each that is not
// refused as a Guard refuses it. Procedures that the table declares public are not
// called.
//
// The procedures are those of the table and of all services that are linked into
// the test: a service that was mounted, but whose file was never compiled into the
// table, is found too, unless it is mounted under a prefix or for one host only.
// What the handler answers with 404 counts as not mounted, and every procedure of
// the table that is not public must be: a test of the wrong handler does not pass.
//
// Calls are made in process, over gRPC, with an empty body: an unguarded unary
// handler fails to read its request, and an unguarded client stream sees its end at
// once. So does a handler with a Guard that was given to connect.WithInterceptors
// alone, which decides on a unary call only once its request was read: it fails the
// test too. And so does every server of grpc-go, for the same reason: there, the
// interceptors stand before all handlers, and grpcguard.Check is about the rules.
func AssertGuarded(t testing.TB, handler http.Handler, table *policy.Table) {
	t.Helper()
	var missing []string
	found := false
	for _, procedure := range procedures(table) {
		rule, ok := table.Lookup(procedure)
		if ok && rule.Public {
			continue
		}
		mounted, err := probe(t.Context(), handler, procedure, ok)
		switch {
		case err != nil:
			t.Errorf("guardtest: %s %v", procedure, err)
			found = true
		case mounted:
			found = true
		case ok:
			missing = append(missing, procedure)
		}
	}
	switch {
	case len(missing) > 0:
		t.Errorf("guardtest: the handler answers 404 to %s: give the one that serves them, without the prefix or host that it is mounted under",
			strings.Join(missing, ", "))
	case !found:
		t.Errorf("guardtest: the table guards nothing")
	}
}

// procedures returns those of the table and of all linked services, sorted.
func procedures(table *policy.Table) []string {
	var all []string
	for _, rule := range table.Rules() {
		if !strings.HasSuffix(rule.Procedure, "/*") {
			all = append(all, rule.Procedure)
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				all = append(all, "/"+string(service.FullName())+"/"+string(service.Methods().Get(j).Name()))
			}
		}
		return true
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// patience bounds a call that an unguarded handler does not answer.
const patience = 5 * time.Second

// probe makes one call without a token.
func probe(ctx context.Context, handler http.Handler, procedure string, known bool) (mounted bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, procedure, http.NoBody)
	request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/2.0", 2, 0
	request.Header.Set("Content-Type", "application/grpc+proto")
	request.Header.Set("TE", "trailers")
	recorder := httptest.NewRecorder()
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		handler.ServeHTTP(recorder, request)
	}()
	select {
	case panicked := <-done:
		if panicked != nil {
			return true, fmt.Errorf("panicked when called without a token: %v", panicked)
		}
	case <-ctx.Done():
		return true, fmt.Errorf("is open: it has not refused a call without a token within %v: "+
			"give its handler guard.HandlerOption(), or its server of connect-go v2 connectv2.Interceptor(guard)", patience)
	}
	response := recorder.Result()
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotFound {
		return false, nil
	}
	want := interceptor.ReasonTokenMissing
	if !known {
		want = interceptor.ReasonRuleMissing
	}
	got := reason(response)
	switch {
	case !known && got == interceptor.ReasonTokenMissing:
		return true, errors.New("is guarded by another table than the given one")
	case got != want:
		return true, fmt.Errorf("is open: it answered a call without a token with HTTP status %d, gRPC status %q and reason %q, not with %q: "+
			"give its handler guard.HandlerOption(), or its server of connect-go v2 connectv2.Interceptor(guard), and compile its file",
			response.StatusCode, response.Trailer.Get("Grpc-Status"), got, want)
	}
	if !known {
		return true, errors.New("is refused to everybody: compile its file into the table, or name its service in policy.WithPublic")
	}
	return true, nil
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
	for _, detail := range decoded.GetDetails() {
		info := new(errdetails.ErrorInfo)
		if detail.UnmarshalTo(info) == nil && info.GetDomain() == "protoauthz" {
			return interceptor.Reason(info.GetReason())
		}
	}
	return ""
}
