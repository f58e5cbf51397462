package e2e_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// buf curl, which finds the methods by reflection.
func TestBufCurl(t *testing.T) {
	t.Parallel()
	buf := e2e.Tool(t, "buf")
	var clients []client
	for _, protocol := range []string{"connect", "grpc", "grpcweb"} {
		clients = append(clients, client{name: protocol, can: all, run: one(func(t *testing.T, s *e2e.Sample, c call) answer {
			t.Helper()
			args := []string{"curl", "--http2-prior-knowledge", "--protocol", protocol, "--data", c.documents()}
			for _, header := range c.headers() {
				args = append(args, "--header", header)
			}
			messages, status, stderr := runClient(t, c.Take, buf, append(args, s.URL+"/"+c.procedure())...)
			if status == 0 {
				return answer{Messages: messages}
			}
			refusal := parseConnectError(t, []byte(stderr))
			if refusal.Messages = messages; status != 8*int(refusal.Code) {
				t.Errorf("exit status %d with code %v", status, refusal.Code)
			}
			return refusal
		})})
	}
	check(t, clients)
}
