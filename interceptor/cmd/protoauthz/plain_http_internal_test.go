package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"connectrpc.com/grpcreflect"
)

// A secret goes to another machine or a proxy only over https. Each case runs in a process of its
// own, which reads HTTP_PROXY.
func TestSecretOnPlainHTTP(t *testing.T) {
	t.Parallel()
	path, handler := grpcreflect.NewHandlerV1(grpcreflect.NewStaticReflector(sampleServices...))
	var got atomic.Pointer[http.Header]
	mux := http.NewServeMux()
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		got.Store(&r.Header)
		handler.ServeHTTP(w, r)
	})
	local := serve(t, mux).URL
	_, port, _ := strings.Cut(strings.TrimPrefix(local, "http://"), ":")
	proxied := new(atomic.Int64)
	proxy := "http://" + listen(t, proxied)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const key = "X-Api-Key: s3cret"
	for name, test := range map[string]struct {
		url, header string
		status      int
		says        string
	}{
		"another machine":           {"http://api.test", "Authorization: Bearer s3cret", exitFailed, "-reflect-header: http:// sends secrets in the clear to another machine: use https://"},
		"another header":            {"http://api.test:8080", key, exitFailed, "in the clear"},
		"an address":                {"http://192.0.2.1", key, exitFailed, "in the clear"},
		"an IPv6 address":           {"http://[2001:db8::1]:80", key, exitFailed, "in the clear"},
		"all addresses":             {"http://0.0.0.0:" + port, key, exitFailed, "in the clear"},
		"loopback as a user":        {"http://127.0.0.1@api.test", key, exitFailed, "in the clear"},
		"loopback as a password":    {"http://localhost:80@api.test", key, exitFailed, "in the clear"},
		"loopback as a part":        {"http://127.0.0.1.api.test", key, exitFailed, "in the clear"},
		"loopback as a domain":      {"http://localhost.api.test", key, exitFailed, "in the clear"},
		"loopback as a number":      {"http://2130706433", key, exitFailed, "in the clear"},
		"no host":                   {"http://", key, exitFailed, "in the clear"},
		"password in the URL":       {"http://user:s3cret@api.test", "", exitFailed, "the user and password in the URL: http:// sends secrets in the clear"},
		"loopback":                  {local, key, exitOK, ""},
		"localhost":                 {"http://localhost:" + port, key, exitOK, ""},
		"loopback with a password":  {strings.Replace(local, "http://", "http://user:s3cret@", 1), "", exitOK, ""},
		"loopback with a zone":      {"http://[::1%25lo]:" + port, key, exitFailed, ""},
		"nobody, without a secret":  {"http://api.test", "", exitFailed, ""}, // which the proxy gets
		"another machine, by https": {"https://api.test", key, exitFailed, ""},
	} {
		args := []string{"matrix", "-audience", audience, test.url}
		if test.header != "" {
			args = append(args, "-reflect-header", test.header)
		}
		proxied.Store(0)
		got.Store(nil)
		command := exec.CommandContext(t.Context(), self, args...)
		command.Env = append(os.Environ(), asCommand+"=1", "HTTP_PROXY="+proxy, "http_proxy="+proxy, "HTTPS_PROXY="+proxy, "ALL_PROXY="+proxy, "NO_PROXY=", "no_proxy=")
		stderr := new(strings.Builder)
		command.Stderr = stderr
		_ = command.Run()
		if status := command.ProcessState.ExitCode(); status != test.status || !strings.Contains(stderr.String(), test.says) || strings.Contains(stderr.String(), "s3cret") {
			t.Errorf("%s: status %d, %s", name, status, stderr)
		}
		asked := got.Load()
		if (asked != nil) != (test.status == exitOK) || asked != nil && asked.Get("X-Api-Key") == "" && asked.Get("Authorization") == "" {
			t.Errorf("%s: the server got %v", name, asked)
		}
		if secret := strings.HasPrefix(test.url, "http://") && (test.header != "" || strings.Contains(test.url, "@")); (proxied.Load() > 0) == secret {
			t.Errorf("%s: the proxy was asked %d times", name, proxied.Load())
		}
	}
}

// listen counts connections, and closes each.
func listen(t *testing.T, connections *atomic.Int64) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
	})
	return listener.Addr().String()
}
