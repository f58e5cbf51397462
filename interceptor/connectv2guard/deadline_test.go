package connectv2guard_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectinprocess"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestRefusedBody makes sure that a refused call is answered although its body does not come.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	harness.RefusedBodies(t, "", mounted, catalogue.Unary, catalogue.Client)
}

// TestOutsideIdle makes sure that a stream ends although its client sends nothing more.
func TestOutsideIdle(t *testing.T) {
	t.Parallel()
	mounts := map[string]harness.Mount{"interceptor": mounted}
	harness.IdleStreams(t, mounts, mounts)
}

// TestUnreadStream makes sure that a stream ends although its client does not read.
func TestUnreadStream(t *testing.T) {
	t.Parallel()
	harness.UnreadStreams(t, mounted)
}

// TestOutsideInProcess makes sure that a call that a handler makes in process, over HTTP or by a transport in process,
// is not taken for the handler's own call.
func TestOutsideInProcess(t *testing.T) {
	t.Parallel()
	refusing := newServer(harness.Expiring(t, -time.Hour), echo)
	transport := func(_ http.ResponseWriter, r *http.Request) {
		ctx, info := connect.NewClientContext(r.Context())
		for name, values := range r.Header { // as a proxy does
			info.RequestHeader().SetValues(name, values)
		}
		stream, err := connect.NewClient(connectinprocess.New(refusing)).CallClientStream(ctx, specOf("Token", catalogue.Client))
		if err == nil {
			err = errors.Join(stream.CloseSend(), stream.Receive(new(answer)), stream.Close())
		}
		if connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("the call in process ends with %v", err)
		}
	}
	harness.CallsInProcess(t, map[string]harness.Outer{
		"guarded": {Handler: func(call func(context.Context, http.Header)) http.Handler {
			return mount(newServer(harness.Expiring(t, time.Hour), func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
				info, _ := connect.CallInfoForServerContext(ctx)
				header := http.Header{}
				for name, values := range info.RequestHeader().All() {
					header[name] = values
				}
				call(ctx, header)
				return nil
			}))
		}, Forwarded: []string{harness.SameToken, harness.VeryHeader}},
		"not guarded": {Handler: harness.Unguarded},
	}, map[string]harness.Inner{
		"HTTP":                   {Handler: mount(refusing)},
		"HTTP, let in":           {Handler: mount(newServer(harness.Expiring(t, time.Hour), echo))},
		"a transport in process": {Handler: http.HandlerFunc(transport), Apart: true},
	})
}
