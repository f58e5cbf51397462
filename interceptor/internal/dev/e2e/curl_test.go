package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// TestCurl calls with plain curl, as somebody who knows only HTTP and JSON.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl := e2e.Tool(t, "curl")
	post := func(c call) []string {
		return []string{"--data", c.documents(), "--header", "Content-Type: application/json"}
	}
	get := func(c call) []string {
		return []string{"--get", "--data", "connect=v1", "--data", "encoding=json", "--data-urlencode", "message=" + c.documents()}
	}
	run := func(parameters func(call) []string) func(*testing.T, *e2e.Sample, []call) []answer {
		return one(func(t *testing.T, s *e2e.Sample, c call) answer {
			t.Helper()
			args := []string{"--silent", "--show-error", "--max-time", seconds, "--write-out", `\n%{http_code} %{method} %{header_json}`}
			for _, header := range c.headers() {
				args = append(args, "--header", header)
			}
			args = append(append(args, parameters(c)...), s.URL+"/"+c.procedure())
			out, err := exec.CommandContext(t.Context(), curl, args...).Output()
			if err != nil {
				t.Fatalf("curl: %v: %s", err, stderrOf(err))
			}
			return parseCurl(t, out)
		})
	}
	check(t, []client{
		{name: "post", can: unaryOnly, challenged: true, run: run(post)},
		{name: "get", can: byGet, challenged: true, get: true, run: run(get)},
	})
}

func parseCurl(t *testing.T, out []byte) answer {
	t.Helper()
	body, rest, _ := bytes.Cut(out, []byte("\n"))
	status, rest, _ := bytes.Cut(rest, []byte(" "))
	method, rest, _ := bytes.Cut(rest, []byte(" "))
	var header map[string][]string
	if err := json.Unmarshal(rest, &header); err != nil {
		t.Fatalf("curl: %v: %q", err, out)
	}
	got := answer{Messages: []json.RawMessage{body}}
	if string(status) != "200" {
		got = parseConnectError(t, body)
	}
	want := map[connect.Code]string{0: "200", connect.CodeUnauthenticated: "401", connect.CodePermissionDenied: "403"}[got.Code]
	if string(status) != want {
		t.Errorf("status %s, want %s: %s", status, want, body)
	}
	got.Get = string(method) == http.MethodGet
	got.Challenge = strings.Join(header["www-authenticate"], "; ")
	return got
}
