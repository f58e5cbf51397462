package interceptor_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
)

// TestBodiesWithoutToken makes sure that who has no token cannot make the server
// work: not a byte of the body is read, however it is made.
//
// It is not parallel: what others allocate at the same time would count.
func TestBodiesWithoutToken(t *testing.T) { //nolint:paralleltest // memory is counted for the whole process
	mux := handlers{}.mux(interceptor.New(shared(t).verifier, rules(t)).HandlerOption(), connect.WithCompressMinBytes(1<<20))
	bomb := bytes.Repeat(gzipped(t, 8<<20), 32) // 256 MiB: gzip files can be put in a row
	if len(bomb) > 300<<10 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	large := bytes.Repeat([]byte{'x'}, 10<<20)
	for _, body := range []struct {
		name       string
		data       []byte
		compressed bool
	}{
		{"10 MiB", large, false},
		{"bomb", bomb, true},
		{"garbage", []byte("\xff\xff\xff\xff garbage"), false},
		{"nothing", nil, false},
	} {
		for _, wire := range []struct{ name, contentType, encodingHeader string }{
			{"Connect", "application/proto", "Content-Encoding"},
			{"Connect JSON", "application/json", "Content-Encoding"},
			{"gRPC", "application/grpc", "Grpc-Encoding"},
			{"gRPC-Web", "application/grpc-web", "Grpc-Encoding"},
			{"Connect stream", "application/connect+proto", "Connect-Content-Encoding"},
		} {
			data, kind := body.data, connect.StreamTypeUnary
			if wire.encodingHeader != "Content-Encoding" {
				data = enveloped(data, body.compressed)
			}
			if wire.name == "Connect stream" {
				kind = connect.StreamTypeServer
			}
			unread := bytes.NewReader(data)
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure("Field", kind), struct{ io.Reader }{unread})
			request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/2.0", 2, 0
			request.Header.Set("Content-Type", wire.contentType)
			if body.compressed {
				request.Header.Set(wire.encodingHeader, "gzip")
			}
			recorder := httptest.NewRecorder()

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			mux.ServeHTTP(recorder, request)
			runtime.ReadMemStats(&after)

			if got := after.TotalAlloc - before.TotalAlloc; got >= 1<<20 {
				t.Errorf("%s, %s: %d bytes allocated", wire.name, body.name, got)
			}
			if unread.Len() != len(data) {
				t.Errorf("%s, %s: %d bytes read", wire.name, body.name, len(data)-unread.Len())
			}
			response := recorder.Result()
			_ = response.Body.Close()
			// Each protocol says "unauthenticated" in a place of its own.
			if response.StatusCode != http.StatusUnauthorized && response.Trailer.Get("Grpc-Status") != "16" &&
				response.Header.Get("Grpc-Status") != "16" && !strings.Contains(recorder.Body.String(), `"unauthenticated"`) {
				t.Errorf("%s, %s: %d %v %v %.100q", wire.name, body.name, response.StatusCode, response.Header, response.Trailer, recorder.Body)
			}
		}
	}
}

// gzipped returns so many zeros, compressed.
func gzipped(t *testing.T, size int64) []byte {
	t.Helper()
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	if _, err := io.Copy(writer, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

type zeros struct{}

func (zeros) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}

// enveloped returns the one message of a stream.
func enveloped(data []byte, compressed bool) []byte {
	flags := byte(0)
	if compressed {
		flags = 1
	}
	prefix := binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(data)))
	return append(prefix, data...)
}

// TestBodiesBehindInterceptor shows what HandlerOption is for: alone, the
// interceptor sees a unary call only after its message was decoded.
func TestBodiesBehindInterceptor(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	for option, want := range map[string]int{"HandlerOption": http.StatusUnauthorized, "WithInterceptors": http.StatusBadRequest} {
		mux := handlers{}.mux(guard.HandlerOption())
		if option == "WithInterceptors" {
			mux = handlers{}.mux(connect.WithInterceptors(guard))
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure("Field", connect.StreamTypeUnary), strings.NewReader("garbage"))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		mux.ServeHTTP(recorder, request)
		if recorder.Code != want {
			t.Errorf("%s: %d, want %d", option, recorder.Code, want)
		}
	}
}
