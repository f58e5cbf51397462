package interceptor_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// perCall counts the allocations of a call, and their bytes. Tests that use perCall are not parallel:
// the allocations of other tests would count.
func perCall(call func()) (allocations, size uint64) {
	const calls = 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	call() // allocates everything that is made once
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		call()
	}
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / calls, (after.TotalAlloc - before.TotalAlloc) / calls
}

// A unaryRequest is a request of a handler without a network.
type unaryRequest struct {
	connect.AnyRequest

	spec    connect.Spec
	header  http.Header
	message *message
}

func (*unaryRequest) HTTPMethod() string    { return http.MethodPost }
func (r *unaryRequest) Spec() connect.Spec  { return r.spec }
func (r *unaryRequest) Peer() connect.Peer  { return connect.Peer{Protocol: connect.ProtocolConnect} }
func (r *unaryRequest) Header() http.Header { return r.header }
func (r *unaryRequest) Any() any            { return r.message }

// TestAllocations bounds what the guard itself allocates for a call whose token is cached.
func TestAllocations(t *testing.T) { //nolint:paralleltest // memory is counted for the whole process
	handler := func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) { return nil, nil }
	guards := map[string]connect.UnaryFunc{
		"":                     interceptor.New(shared(t).verifier, rules(t)).Interceptor().WrapUnary(handler),
		", beside a 2nd table": interceptor.New(shared(t).verifier, rules(t), interceptor.WithShadow(rules(t))).Interceptor().WrapUnary(handler),
	}
	for _, test := range []struct {
		service string
		claims  claims
	}{
		{opened, nil},
		{"Read", global("read:a")},
		{"Any", global("read:a buy")},
		{"Token", resource(acme, "read:data")},
		{"Field", resource(acme, "read:data")},
	} {
		header := http.Header{}
		if test.claims != nil {
			header = bearer(t, test.claims)
		}
		for name, unary := range guards {
			request := &unaryRequest{
				spec:   connect.Spec{Procedure: procedure(test.service, connect.StreamTypeUnary), StreamType: connect.StreamTypeUnary},
				header: header, message: naming(acme),
			}
			allocations, size := perCall(func() {
				if _, err := unary(t.Context(), request); err != nil {
					t.Fatal(err)
				}
			})
			if allocations > 1 || size > 80 {
				t.Errorf("%s%s: %d allocations of %d bytes in all", test.service, name, allocations, size)
			}
		}
	}
	t.Run("message", func(t *testing.T) {
		received, reply := new(message), text(acme)
		stream := newConn("Field", connect.StreamTypeBidi, acme)
		err := believing(t).Interceptor().WrapStreamingHandler(func(_ context.Context, conn connect.StreamingHandlerConn) error {
			allocations, size := perCall(func() {
				if err := conn.Receive(received); err != nil {
					t.Error(err)
				}
				if err := conn.Send(reply); err != nil {
					t.Error(err)
				}
			})
			if allocations > 0 || size > 0 {
				t.Errorf("%d allocations of %d bytes in all", allocations, size)
			}
			return nil
		})(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A drain is a response that nobody reads.
type drain struct {
	header http.Header
	code   int
}

func (d *drain) Header() http.Header         { return d.header }
func (d *drain) Write(b []byte) (int, error) { return len(b), nil }
func (d *drain) WriteHeader(code int)        { d.code = code }

// TestAllocationsOfRefusals bounds what a refused call of a handler allocates, with the allocations of
// connect-go.
func TestAllocationsOfRefusals(t *testing.T) { //nolint:paralleltest // memory is counted for the whole process
	if harness.Racing {
		t.Skip("connect-go's pools forget at random under the race detector")
	}
	guard := interceptor.New(shared(t).verifier, rules(t))
	good := resource(acme, "read:data")
	own, other := shared(t).good, tokens.Must(newTenant())
	body := tokens.Must(proto.Marshal(naming(acme)))
	call := func(authorization string, want int, options ...connect.HandlerOption) func() {
		mux := handlers{}.mux(options...)
		reader := bytes.NewReader(nil)
		request := tokens.Must(http.NewRequestWithContext(t.Context(), http.MethodPost, procedure("Field", connect.StreamTypeUnary), io.NopCloser(reader)))
		request.Header.Set("Content-Type", "application/proto")
		request.Header.Set("Authorization", authorization)
		request.ContentLength = int64(len(body))
		unread := request.Body
		response := &drain{header: http.Header{}}
		return func() {
			reader.Reset(body)
			request.Body, response.code = unread, http.StatusOK
			clear(response.header)
			if mux.ServeHTTP(response, request); response.code != want {
				t.Fatalf("%d, want %d", response.code, want)
			}
		}
	}
	open, _ := perCall(call("Bearer any", http.StatusOK))
	guarded, _ := perCall(call("Bearer "+mint(t, own, good), http.StatusOK, guard.HandlerOption()))
	if guarded > open+1 {
		t.Errorf("%d allocations with the guard, %d without", guarded, open)
	}
	for name, authorization := range map[string]string{
		"no token":       "Basic any",
		"two tokens":     "Bearer a.b.c, Bearer a.b.c",
		"two schemes":    "DPoP a.b.c, Bearer a.b.c",
		"garbage":        "Bearer " + string(bytes.Repeat([]byte("x"), 700)),
		"another issuer": "Bearer " + mint(t, own, with(resource(acme, "read:data"), "iss", "https://other.test")),
		"another type":   "Bearer " + mint(t, own, good, devissuer.WithHeader("typ", "JWT")),
		"expired":        "Bearer " + mint(t, own, with(resource(acme, "read:data"), "exp", time.Now().Add(-time.Hour).Unix())),
		"unknown kid":    "Bearer " + mint(t, other.good, with(resource(acme, "read:data"), "iss", own.URL())),
	} {
		allocations, _ := perCall(call(authorization, http.StatusUnauthorized, guard.HandlerOption()))
		if allocations > 38 {
			t.Errorf("%s: %d allocations", name, allocations)
		}
	}
}
