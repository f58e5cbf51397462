package connectv2guard_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestCallInfo makes sure that the CallInfo of a stream's handler is a copy of the transport's CallInfo.
func TestCallInfo(t *testing.T) {
	t.Parallel()
	var got, want *connect.CallInfo
	outer := func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			want, _ = connect.CallInfoForServerContext(ctx)
			want.ResponseHeader().Set("X-Outer", "yes")
			want.RequestEncoding, want.ResponseEncoding = "in", "out" // a transport sets them, and again with each message
			want.SendStats.Size, want.ReceiveStats.Size = 1, 2
			return next(ctx, spec, stream)
		}
	}
	compare := func(when string) {
		for _, same := range []struct{ got, want any }{
			{got.Spec.Procedure, want.Spec.Procedure}, {got.PeerAddr, want.PeerAddr}, {got.Protocol, want.Protocol}, {got.Codec, want.Codec},
			{got.RequestEncoding, want.RequestEncoding}, {got.ResponseEncoding, want.ResponseEncoding},
			{got.SendStats, want.SendStats}, {got.ReceiveStats, want.ReceiveStats},
			{got.RequestHeader().Get("Authorization"), "Bearer any"}, {got.ResponseHeader().Get("X-Outer"), "yes"},
		} {
			if same.got != same.want {
				t.Errorf("%s: %v, want %v", when, same.got, same.want)
			}
		}
	}
	server := connect.NewServer(outer, connectv2guard.Interceptor(harness.Expiring(t, time.Hour)))
	server.Register(connect.Method{Spec: specOf("Token", catalogue.Bidi), Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		got, _ = connect.CallInfoForServerContext(ctx)
		compare("before a message")
		want.RequestEncoding, want.ResponseEncoding = "in a message", "out in a message"
		err := errors.Join(stream.Receive(new(message)), stream.Send(text("a")))
		if got == want {
			t.Error("the handler has the transport's CallInfo")
		}
		if _, ok := connecthttp.ServerInfoForContext(ctx); !ok {
			t.Error("the transport's information is lost")
		}
		compare("after a message")
		if got.SendStats.Size <= 0 || got.ReceiveStats.Size <= 0 {
			t.Errorf("the sizes are %d and %d", got.SendStats.Size, got.ReceiveStats.Size)
		}
		got.ResponseHeader().Delete("X-Outer") // too late for this call
		return err
	}})
	client := connect.NewClient(overHTTP(t, server))
	ctx, info := authorized(t.Context())
	stream, err := client.CallClientStream(ctx, specOf("Token", catalogue.Bidi))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(stream.Send(&message{OrganizationId: "a"}), stream.CloseSend(), stream.Receive(new(answer)))
	if end := stream.Receive(new(answer)); err != nil || !errors.Is(end, io.EOF) || info.ResponseHeader().Get("X-Outer") != "yes" {
		t.Errorf("%v, %v", err, end)
	}
}

// TestOwnCallInfo makes sure that a handler has a CallInfo of its own only if it may outlive its call, or may set a header
// before the organization is proved.
func TestOwnCallInfo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		service string
		method  catalogue.Method
		own     bool
	}{
		{"Token", catalogue.Unary, false}, {"Public", catalogue.Unary, false}, {"Field", catalogue.Unary, true},
		{"Token", catalogue.Server, true}, {"Field", catalogue.Bidi, true},
	} {
		var got *connect.CallInfo
		info, err := callHandler(t.Context(), test.service, test.method, &fakeStream{in: []string{acme}}, func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			got, _ = connect.CallInfoForServerContext(ctx)
			return stream.Receive(new(message))
		}, connectv2guard.Interceptor(harness.Expiring(t, time.Hour)))
		if err != nil || (got != info) != test.own {
			t.Errorf("%s, %s: %v, its own: %t", test.service, test.method.Name, err, got != info)
		}
	}
}

// TestHeaderOfOthers makes sure that a handler changes the fields that other interceptors have set only after a message has
// named the organization, and not after the call, even if the handler writes into the values.
func TestHeaderOfOthers(t *testing.T) {
	t.Parallel()
	var transports *connect.CallInfo
	outer := func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			info, _ := connect.CallInfoForServerContext(ctx)
			info.ResponseHeader().Set("X-Outer", "kept")
			info.ResponseHeader().Set("X-Removed", "kept")
			info.ResponseHeader().Set("X-Meanwhile", "before")
			transports = info
			return next(ctx, spec, stream)
		}
	}
	own := errors.New("the handler's own")
	for service, want := range map[string]string{"Field": "kept", "Token": "changed"} {
		var handlers *connect.CallInfo
		info, err := callHandler(t.Context(), service, catalogue.Bidi, new(fakeStream), func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
			handlers, _ = connect.CallInfoForServerContext(ctx)
			handlers.ResponseHeader().Values("X-Outer")[0] = "changed"
			handlers.ResponseHeader().Delete("X-Removed")
			handlers.ResponseHeader().SetValues("X-Empty", []string{})
			transports.ResponseHeader().Set("X-Meanwhile", "after")
			return own
		}, outer, connectv2guard.Interceptor(harness.Expiring(t, time.Hour)))
		handlers.ResponseHeader().Values("X-Outer")[0] = "too late"
		got := info.ResponseHeader()
		if !errors.Is(err, own) || got.Get("X-Outer") != want || got.Has("X-Removed") != (want == "kept") || got.Get("X-Meanwhile") != "after" || got.Has("X-Empty") != (want == "changed") {
			t.Errorf("%s: %v, %q, %q, %t", service, err, got.Get("X-Outer"), got.Get("X-Removed"), got.Has("X-Empty"))
		}
	}
}
