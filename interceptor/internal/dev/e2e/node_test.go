package e2e_test

import (
	"encoding/json"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// @connectrpc/connect-node.
func TestConnectNode(t *testing.T) {
	t.Parallel()
	modules, node := e2e.NodeModules(t, ".")
	script := bundle(t, modules, "node.js", "--platform=node")
	run := func(protocol string) func(*testing.T, *e2e.Sample, []call) []answer {
		return func(t *testing.T, s *e2e.Sample, calls []call) (answers []answer) {
			out := command(t, map[string]any{"url": s.URL, "protocol": protocol, "calls": calls}, node, script)
			if err := json.Unmarshal(out, &answers); err != nil {
				t.Fatal(err)
			}
			return answers
		}
	}
	check(t, []client{
		{name: "connect", can: all, challenged: true, run: run("connect")},
		{name: "connect_get", can: byGet, challenged: true, get: true, run: run("connect_get")},
		{name: "grpc", can: all, run: run("grpc")},
		{name: "grpcweb", can: all, run: run("grpcweb")},
	})
}
