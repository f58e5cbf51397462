package connectv2guard_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestBodyWithoutToken makes sure that nothing of a body is read for a call without a token,
// however it is compressed.
func TestBodyWithoutToken(t *testing.T) {
	t.Parallel()
	handler := mount(newServer(harness.Expiring(t, time.Hour), echo))
	for _, contentType := range []string{"application/proto", "application/json", "application/grpc", "application/grpc-web", "application/connect+proto"} {
		method := catalogue.Unary
		if strings.HasPrefix(contentType, "application/connect") {
			method = catalogue.Client
		}
		var read atomic.Int64
		body := readerFunc(func(into []byte) (int, error) {
			read.Add(int64(len(into)))
			return copy(into, bytes.Repeat([]byte{1}, len(into))), nil
		})
		served := harness.ServeInProcess(handler, new(harness.Records))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, served.URL+catalogue.Procedure("Field", method), io.LimitReader(body, 10<<20))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", contentType)
		response, err := served.HTTP2.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		told := string(text) + response.Header.Get("Grpc-Message") + response.Trailer.Get("Grpc-Message")
		if err := errors.Join(err, response.Body.Close()); err != nil || read.Load() != 0 || !strings.Contains(told, catalogue.Missing.Text) {
			t.Errorf("%s: %d bytes were read, %q, %v", contentType, read.Load(), told, err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(into []byte) (int, error) { return f(into) }

// TestDenial makes sure that interceptors around the guard's find out why a call was refused,
// and that a handler that is called without a server is not open.
func TestDenial(t *testing.T) {
	t.Parallel()
	guarded := connectv2guard.Interceptor(harness.Expiring(t, time.Hour))(func(context.Context, connect.Spec, connect.ServerStream) error {
		t.Error("the handler ran")
		return nil
	})
	for _, method := range catalogue.Methods {
		err := guarded(t.Context(), specOf("Field", method), nil)
		denial, ok := errors.AsType[*interceptor.Denial](err)
		if !ok || denial.Reason() != interceptor.ReasonTokenMissing || connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s: %v", method.Name, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("accepts no guard")
		}
	}()
	connectv2guard.Interceptor(nil)
}
