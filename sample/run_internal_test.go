package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
)

// A process is the program, run by its command line.
type process struct {
	url      string
	greeting string
	stop     context.CancelFunc
	status   chan int
	stderr   *buffer
}

// A buffer is a bytes.Buffer for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startProcess runs the program, and returns when it has greeted.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(stop)
	p := &process{stop: stop, status: make(chan int, 1), stderr: new(buffer)}
	read, written := io.Pipe()
	go func() {
		status := run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), written, p.stderr)
		_ = written.Close() // never fails
		p.status <- status
	}()
	greeting := make([]byte, 64<<10) // comes in one piece
	n, err := read.Read(greeting)
	if err != nil {
		t.Fatalf("%v: %s", err, p.stderr)
	}
	p.greeting = string(greeting[:n])
	p.url = regexp.MustCompile(`^Listening on (http://127\.0\.0\.1:\d+)\n`).FindStringSubmatch(p.greeting)[1]
	return p
}

// end stops the program and waits for it.
func (p *process) end(t testing.TB) {
	t.Helper()
	p.stop()
	select {
	case status := <-p.status:
		if status != exitOK {
			t.Errorf("exit status %d: %s", status, p.stderr)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}

// runOnce runs the program with a command line that does not serve.
func runOnce(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	// If the program serves after all, this ends it.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	status = run(ctx, args, &out, &errs)
	return status, out.String(), errs.String()
}

// The commands of the greeting do what their comments promise, here over HTTP/1.1.
func TestGreeting(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	defer p.end(t)
	type pasted struct {
		status int
		body   string
	}
	var got []pasted
	line := regexp.MustCompile(`(?m)^(?:buf )?curl .*-d '(.*)' (http\S+)$`)
	header := regexp.MustCompile(`"Authorization: (Bearer [^"]+)"`)
	for _, match := range line.FindAllStringSubmatch(p.greeting, -1) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, match[2], strings.NewReader(match[1]))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if found := header.FindStringSubmatch(match[0]); found != nil {
			request.Header.Set("Authorization", found[1])
		}
		response, err := new(http.Client).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, pasted{response.StatusCode, string(body)})
	}
	want := []pasted{
		{http.StatusOK, `{"products":[{"id":"coffee","title":"Coffee beans"},{"id":"tea","title":"Green tea"}]}`},
		{http.StatusForbidden, `"reason":"SCOPE_INSUFFICIENT"`},
		{http.StatusUnauthorized, `"reason":"TOKEN_MISSING"`},
		{http.StatusOK, `{"auth":{"sub":"acme-admin","clientId":"acme-admin","organizationId":"",` +
			`"scopes":["read:products"],"audience":["https://api.example.com"]}}`},
		{http.StatusOK, `{"account":{"userId":"alice","organizationId":"acme","email":"alice@acme.example"}}`},
		{http.StatusForbidden, `"reason":"SUBJECT_MISMATCH"`},
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines to paste, want %d:\n%s", len(got), len(want), p.greeting)
	}
	for i := range want {
		// protojson adds spaces at random.
		if got[i].status != want[i].status || !strings.Contains(strings.ReplaceAll(got[i].body, ", ", ","), want[i].body) {
			t.Errorf("line %d: got %v, want %v", i, got[i], want[i])
		}
	}

	another := regexp.MustCompile(`(?m)^go run \./sample (token .*)$`).FindStringSubmatch(p.greeting)
	if another == nil {
		t.Fatalf("no other token:\n%s", p.greeting)
	}
	status, stdout, stderr := runOnce(t, strings.Fields(another[1])...)
	if status != exitOK || payload(t, stdout).Scope != "invite:member" {
		t.Errorf("another token: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}

	if strings.Contains(p.stderr.String(), "eyJ") {
		t.Errorf("the log holds a token: %s", p.stderr)
	}
	for _, line := range []string{
		"level=WARN msg=\"protoauthz: refused\" procedure=/sample.v1.CatalogService/CreateOrder reason=SCOPE_INSUFFICIENT cause=",
		"level=WARN msg=\"protoauthz: refused\" procedure=/sample.v1.CatalogService/ListProducts reason=TOKEN_MISSING cause=",
	} {
		if !strings.Contains(p.stderr.String(), line) {
			t.Errorf("the log does not hold %q: %s", line, p.stderr)
		}
	}
}

// With another issuer, the greeting holds no token, and the server does not issue tokens.
func TestForeignIssuer(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-issuer", "https://tenant.logto.app"},
		{"-issuer", "https://tenant.eu.auth0.com/", "-provider", "auth0"},
		{"-issuer", "https://tenant.eu.authaction.com", "-provider", "authaction"},
		{"-issuer", "http://127.0.0.1:9/", "-provider", "auth0"},
	} {
		p := startProcess(t, args...)
		if strings.Count(p.greeting, "Bearer $TOKEN") != 3 || strings.Contains(p.greeting, "eyJ") {
			t.Errorf("%s: greeting:\n%s", args, p.greeting)
		}
		info, err := samplev1connect.NewCatalogServiceClient(new(http.Client), p.url).
			GetInfo(ending(t), connect.NewRequest(&samplev1.GetInfoRequest{}))
		if err != nil || !strings.HasPrefix(info.Msg.GetIssuer(), args[1]) {
			t.Errorf("%s: %v, %v", args, info, err)
		}
		response, err := http.Post(p.url+"/oidc/token", "application/x-www-form-urlencoded", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: the embedded issuer answers %d", args, response.StatusCode)
		}
		p.end(t)
	}
}

// The program ends its streams and itself, and leaves no goroutine behind.
//
//nolint:paralleltest // it counts goroutines
func TestStop(t *testing.T) {
	before := runtime.NumGoroutine()
	p := startProcess(t)
	client := http2Client()
	catalog := samplev1connect.NewCatalogServiceClient(client, p.url, connect.WithGRPC())
	_, stdout, _ := runOnce(t, "token", "-server", p.url, "-client", "acme-admin", "-scope", "read:products")
	watch, err := catalog.WatchProducts(ending(t),
		request("Bearer "+strings.TrimSpace(stdout), &samplev1.WatchProductsRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	if !watch.Receive() {
		t.Fatal(watch.Err())
	}
	p.stop()
	err = drain(watch)
	check(t, err, answer{code: connect.CodeUnavailable})
	// A stream that is cut off after the grace period ends with another error.
	if err == nil || !strings.Contains(err.Error(), errStopping.Error()) {
		t.Errorf("the client is told %v", err)
	}
	p.end(t)

	client.CloseIdleConnections()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; <-tick.C {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
