package e2e_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// grpcurl, which finds the methods by reflection.
func TestGRPCurl(t *testing.T) {
	t.Parallel()
	grpcurl := e2e.Tool(t, "grpcurl")
	check(t, []client{{name: "grpc", can: all, run: one(func(t *testing.T, s *e2e.Sample, c call) answer {
		t.Helper()
		args := []string{"-plaintext", "-format-error", "-max-time", seconds, "-d", c.documents()}
		for _, header := range c.headers() {
			args = append(args, "-H", header)
		}
		messages, exit, stderr := runClient(t, c.Take, grpcurl, append(args, strings.TrimPrefix(s.URL, "http://"), c.procedure())...)
		if exit == 0 {
			return answer{Messages: messages}
		}
		var parsed status.Status
		if err := protojson.Unmarshal([]byte(stderr), &parsed); err != nil {
			t.Fatalf("grpcurl: %v: %s", err, stderr)
		}
		if exit != 64+int(parsed.GetCode()) {
			t.Errorf("exit status %d with code %d", exit, parsed.GetCode())
		}
		refusal := answer{Code: connect.Code(parsed.GetCode()), Messages: messages}
		for _, detail := range parsed.GetDetails() {
			info := new(errdetails.ErrorInfo)
			if err := detail.UnmarshalTo(info); err != nil {
				t.Errorf("detail: %v", err)
			}
			refusal.explain(info)
		}
		return refusal
	})}})
}
