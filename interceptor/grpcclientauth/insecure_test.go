package grpcclientauth_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor/grpcclientauth"
)

// TestInsecureHosts makes sure that a token goes without TLS to the listed hosts alone.
func TestInsecureHosts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		target, authority string
		hosts             []string
		want              codes.Code
	}{
		{"passthrough:///orders:8080", "", []string{"orders"}, codes.OK},
		{"passthrough:///orders:443", "", []string{"other", "ORDERS"}, codes.OK},
		{"passthrough:///orders", "", []string{"orders"}, codes.OK},
		{"passthrough:///[fd00::7]:8080", "", []string{"fd00::7"}, codes.OK},
		{"passthrough:///orders:8080", "", []string{"order"}, codes.Internal},
		{"passthrough:///localhost:8080", "", []string{"orders"}, codes.Internal},
		{"passthrough:///orders.evil.test:8080", "", []string{"orders"}, codes.Internal},
		{"passthrough:///orders:8080", "evil.test", []string{"orders"}, codes.Internal},
		{"passthrough:///10.0.0.7:8080", "orders", []string{"orders"}, codes.OK},
	} {
		w := newWorld(t)
		listener := listen(t, "tcp", "127.0.0.1:0")
		w.serve(t, listener)
		options, err := grpcclientauth.InsecureDialOptions(w.source, test.hosts...)
		if err != nil {
			t.Fatal(err)
		}
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
		}))
		if test.authority != "" {
			options = append(options, grpc.WithAuthority(test.authority))
		}
		conn := connect(t, test.target, options...)
		if test.want == codes.OK {
			w.check(t, call(t.Context(), conn), codes.OK, first)
			w.check(t, stream(t.Context(), conn), codes.OK, first)
			continue
		}
		for _, ctx := range []context.Context{t.Context(), metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer own")} {
			w.check(t, call(ctx, conn), test.want)
			w.check(t, stream(ctx, conn), test.want)
		}
		if n := w.fetches.Load(); n != 0 {
			t.Errorf("%s: %d fetches", test.target, n)
		}
	}
}

// TestInsecureProxy makes sure that a connection without TLS uses no proxy: the proxy of the environment answers
// nothing.
func TestInsecureProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listener := listen(t, "tcp", "127.0.0.1:0")
	w.serve(t, listener)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	options, err := grpcclientauth.InsecureDialOptions(w.source, "0.0.0.0")
	if err != nil {
		t.Fatal(err)
	}
	w.check(t, call(t.Context(), connect(t, "0.0.0.0:"+port, options...)), codes.OK, first)
}

// TestInsecureFaults has lists that are not a list of hosts.
func TestInsecureFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hosts := []string{"*", "orders:8080", "orders"}
	options, err := grpcclientauth.InsecureDialOptions(w.source, hosts...)
	const notHost = ` is not the name of a host: write the host as the URL has it, without scheme, port, path and wildcards, such as "logto"`
	if want := `grpcclientauth: InsecureDialOptions: "*"` + notHost + "\n" + `grpcclientauth: InsecureDialOptions: "orders:8080"` + notHost; options != nil || err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := grpcclientauth.InsecureDialOptions(w.source); err == nil || !strings.HasPrefix(err.Error(), "grpcclientauth: InsecureDialOptions: no host is listed: use DialOptions") {
		t.Error(err)
	}
	if !slices.Equal(hosts, []string{"*", "orders:8080", "orders"}) {
		t.Error("the list has changed")
	}
	defer func() {
		if got := recover(); got != "grpcclientauth: InsecureDialOptions needs a source" {
			t.Errorf("without a source: %v", got)
		}
	}()
	_, _ = grpcclientauth.InsecureDialOptions(nil, "orders")
}
