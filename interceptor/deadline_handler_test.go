package interceptor_test

import (
	"context"
	"net/http"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// A replacedConn has a header that an interceptor has made.
type replacedConn struct {
	connect.StreamingHandlerConn
	header http.Header
}

func (c replacedConn) RequestHeader() http.Header { return c.header }

// replacing copies the header of streams.
func replacing(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, replacedConn{conn, conn.RequestHeader().Clone()})
	}
}

// behindCopy installs a guard behind a copy of the header.
func behindCopy(install installing) harness.Mount {
	return mounting(func(guard *interceptor.Guard, outermost bool) connect.HandlerOption {
		return connect.WithHandlerOptions(connect.WithInterceptors(streamInterceptor(replacing)), install(guard, outermost))
	})
}

// TestRefusedBody is about refused calls whose body does not come. Without the gate the body of a unary call is read.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	harness.RefusedBodies(t, "", mounting(gate), catalogue.Unary, catalogue.Client)
	harness.RefusedBodies(t, ", interceptor only", mounting(interceptorOnly), catalogue.Client)
}

// TestOutsideIdle is about streams whose client sends nothing more.
func TestOutsideIdle(t *testing.T) {
	t.Parallel()
	harness.IdleStreams(t, map[string]harness.Mount{
		"gate":                     mounting(gate),
		"interceptor only":         mounting(interceptorOnly),
		"a copy of the header":     behindCopy(gate),
		"a copy, interceptor only": behindCopy(interceptorOnly),
	}, map[string]harness.Mount{
		"gates": mounting(gate),
		"an interceptor inside": mounting(func(guard *interceptor.Guard, outermost bool) connect.HandlerOption {
			if outermost {
				return gate(guard, true)
			}
			return interceptorOnly(guard, false)
		}),
		"an interceptor outside": mounting(func(guard *interceptor.Guard, outermost bool) connect.HandlerOption {
			if outermost {
				return interceptorOnly(guard, true)
			}
			return gate(guard, false)
		}),
	})
}

// TestUnreadStream is about clients that do not read.
func TestUnreadStream(t *testing.T) {
	t.Parallel()
	harness.UnreadStreams(t, mounting(gate))
}
