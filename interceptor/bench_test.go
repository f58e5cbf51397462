package interceptor_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// believing is a guard whose verifier verifies nothing: package token has benchmarks of the
// verification.
func believing(b testing.TB, options ...interceptor.Option) *interceptor.Guard {
	b.Helper()
	claims := guardtest.Claims(b, token.Logto(issuerEndpoint),
		`{"sub":"s","aud":"`+api+`","scope":"read:data","organization_id":"`+acme+`","exp":4102444800}`)
	return interceptor.New(verifierFunc(func(context.Context, string) (*token.Claims, error) { return claims, nil }), rules(b), options...)
}

// BenchmarkUnary makes the same call with and without a guard, in memory.
func BenchmarkUnary(b *testing.B) {
	guard := believing(b)
	body, err := proto.Marshal(naming(acme))
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name          string
		options       []connect.HandlerOption
		authorization string
		want          int
	}{
		{"open", nil, "Bearer any", http.StatusOK},
		{"guarded", []connect.HandlerOption{guard.HandlerOption()}, "Bearer any", http.StatusOK},
		{"refused", []connect.HandlerOption{guard.HandlerOption()}, "Basic any", http.StatusUnauthorized},
	} {
		b.Run(bench.name, func(b *testing.B) {
			mux := handlers{}.mux(bench.options...)
			path := procedure("Field", connect.StreamTypeUnary)
			b.ReportAllocs()
			for b.Loop() {
				request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, path, bytes.NewReader(body))
				request.Header.Set("Content-Type", "application/proto")
				request.Header.Set("Authorization", bench.authorization)
				recorder := httptest.NewRecorder()
				mux.ServeHTTP(recorder, request)
				if recorder.Code != bench.want {
					b.Fatalf("%d: %s", recorder.Code, recorder.Body)
				}
			}
		})
	}
}

// BenchmarkShadow makes the same call with and without a second table, with a cached token.
func BenchmarkShadow(b *testing.B) {
	for name, options := range map[string][]interceptor.Option{"enforced": nil, "beside a second table": {interceptor.WithShadow(rules(b))}} {
		for _, service := range []string{"Field", "Token"} {
			b.Run(service+" "+name, func(b *testing.B) {
				guard := interceptor.New(shared(b).verifier, rules(b), options...)
				unary := guard.Interceptor().WrapUnary(func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) { return nil, nil })
				request := &unaryRequest{
					spec:   connect.Spec{Procedure: procedure(service, connect.StreamTypeUnary), StreamType: connect.StreamTypeUnary},
					header: bearer(b, resource(acme, "read:data")), message: naming(acme),
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := unary(b.Context(), request); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkMessage receives and sends on one stream, with and without a guard.
func BenchmarkMessage(b *testing.B) {
	echo := func(b *testing.B) connect.StreamingHandlerFunc {
		received, reply := new(message), text(acme)
		return func(_ context.Context, conn connect.StreamingHandlerConn) error {
			b.ReportAllocs()
			for b.Loop() {
				if err := conn.Receive(received); err != nil {
					return err
				}
				if err := conn.Send(reply); err != nil {
					return err
				}
			}
			return nil
		}
	}
	stream := func() *conn { return newConn("Field", connect.StreamTypeBidi, acme) }
	b.Run("open", func(b *testing.B) {
		if err := echo(b)(b.Context(), stream()); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("guarded", func(b *testing.B) {
		if err := believing(b).Interceptor().WrapStreamingHandler(echo(b))(b.Context(), stream()); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkStream opens and ends streams: the guard gives each a goroutine.
func BenchmarkStream(b *testing.B) {
	for _, bench := range []struct {
		name    string
		options []interceptor.Option
	}{{"with expiry", nil}, {"without expiry", []interceptor.Option{interceptor.WithoutStreamExpiry()}}} {
		b.Run(bench.name, func(b *testing.B) {
			guarded := believing(b, bench.options...).Interceptor().WrapStreamingHandler(func(_ context.Context, conn connect.StreamingHandlerConn) error {
				return conn.Receive(new(message))
			})
			stream := newConn("Field", connect.StreamTypeBidi, acme)
			b.ReportAllocs()
			for b.Loop() {
				if err := guarded(b.Context(), stream); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
