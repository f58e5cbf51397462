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
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// carriers are the forms of a request.
var carriers = []struct {
	name, contentType, encodingHeader string
	kind                              connect.StreamType
}{
	{"Connect", "application/proto", "Content-Encoding", connect.StreamTypeUnary},
	{"Connect JSON", "application/json", "Content-Encoding", connect.StreamTypeUnary},
	{"gRPC", "application/grpc", "Grpc-Encoding", connect.StreamTypeUnary},
	{"gRPC-Web", "application/grpc-web", "Grpc-Encoding", connect.StreamTypeUnary},
	{"Connect stream", "application/connect+proto", "Connect-Content-Encoding", connect.StreamTypeServer},
}

// allocated is how many bytes all goroutines allocate during a function.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// checkUnauthenticated makes sure of the code, wherever the protocol has its place.
func checkUnauthenticated(t *testing.T, recorder *httptest.ResponseRecorder) {
	t.Helper()
	response := recorder.Result()
	_ = response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized && response.Trailer.Get("Grpc-Status") != "16" &&
		response.Header.Get("Grpc-Status") != "16" && !strings.Contains(recorder.Body.String(), `"unauthenticated"`) {
		t.Errorf("%d %v %v %.100q", response.StatusCode, response.Header, response.Trailer, recorder.Body)
	}
}

// TestBodiesWithoutToken makes sure that a caller without a token costs the server no work: the server
// reads no byte of the body. The test is not parallel: the allocations of other tests would count.
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
		for _, carrier := range carriers {
			t.Run("D54/"+body.name+", "+carrier.name, func(t *testing.T) {
				data := body.data
				if carrier.encodingHeader != "Content-Encoding" {
					data = enveloped(data, body.compressed)
				}
				unread := bytes.NewReader(data)
				request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure("Field", carrier.kind), struct{ io.Reader }{unread})
				request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/2.0", 2, 0
				request.Header.Set("Content-Type", carrier.contentType)
				if body.compressed {
					request.Header.Set(carrier.encodingHeader, "gzip")
				}
				recorder := httptest.NewRecorder()
				if n := allocated(func() { mux.ServeHTTP(recorder, request) }); n >= 100<<10 {
					t.Errorf("%d bytes allocated", n)
				}
				if unread.Len() != len(data) {
					t.Errorf("%d bytes read", len(data)-unread.Len())
				}
				checkUnauthenticated(t, recorder)
			})
		}
	}
}

// TestHugeTokens makes sure that a token which is too large is refused at next to no cost. The test is
// not parallel either.
func TestHugeTokens(t *testing.T) { //nolint:paralleltest // memory is counted for the whole process
	mux := handlers{}.mux(interceptor.New(shared(t).verifier, rules(t)).HandlerOption())
	scene, key := tokens.Scene{Now: time.Now().Unix()}, tokens.I1.ES256
	for _, token := range []struct{ name, raw string }{
		{"D08/a million dots", strings.Repeat(".", 1_000_000)},
		{"D09/a claim of 64 KiB", scene.Token(key, "pad", strings.Repeat("x", 64<<10))},
		{"D09/1 MiB", scene.Token(key, "pad", strings.Repeat("x", 1<<20*3/4))},
	} {
		for _, carrier := range carriers {
			t.Run(token.name+", "+carrier.name, func(t *testing.T) {
				request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure("Read", carrier.kind), http.NoBody)
				request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/2.0", 2, 0
				request.Header = http.Header{"Content-Type": {carrier.contentType}, "Authorization": {"Bearer " + token.raw}}
				recorder := httptest.NewRecorder()
				if n := allocated(func() { mux.ServeHTTP(recorder, request) }); n >= 64<<10 {
					t.Errorf("%d bytes allocated", n)
				}
				checkUnauthenticated(t, recorder)
			})
		}
	}
}

// gzipped returns a number of zeros, compressed.
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

// TestBodiesBehindInterceptor shows why there is a gate: the interceptor alone sees a unary call only
// after its message was decoded.
func TestBodiesBehindInterceptor(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	for option, want := range map[string]int{"HandlerOption": http.StatusUnauthorized, "WithInterceptors": http.StatusBadRequest} {
		mux := handlers{}.mux(guard.HandlerOption())
		if option == "WithInterceptors" {
			mux = handlers{}.mux(connect.WithInterceptors(guard.Interceptor()))
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
