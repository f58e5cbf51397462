package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/tenant"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// people is the tenant of the tests.
const people = `{
  "resources": {"https://api.test": ["read:a", "write:a"]},
  "organizations": ["acme"],
  "hosts": ["issuer"],
  "users": [
    {"id": "alice", "scopes": {"https://api.test": ["read:a"]}, "organizations": {"acme": {}}}
  ],
  "clients": [{"id": "shop", "secret": "s3cret", "scopes": {"https://api.test": ["write:a"]}}]
}`

// A served dev-issuer runs until end.
type served struct {
	address string
	greeted string
	stderr  *bytes.Buffer // to read after end
	end     func() (status int)
}

// tenantOfPeople returns the tenant of people, and its issuer.
func tenantOfPeople(t *testing.T) (*tenant.Tenant, *devissuer.Issuer) {
	t.Helper()
	of, err := tenant.Parse("tenant.json", []byte(people))
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := devissuer.New(of.URL, of.Config)
	if err != nil {
		t.Fatal(err)
	}
	return of, issuer
}

// startIssuer starts dev-issuer on a free port, in this process.
func startIssuer(t *testing.T, args ...string) served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	stderr := new(bytes.Buffer)
	var status int
	var running sync.WaitGroup
	running.Go(func() {
		status = run(ctx, append([]string{"protoauthz", "dev-issuer", "-listen", "127.0.0.1:0"}, args...), nil, in, stderr)
		_ = in.Close()
	})
	end := func() int {
		cancel()
		_ = out.Close()
		running.Wait()
		return status
	}
	t.Cleanup(func() { end() })
	s := served{stderr: stderr, end: end}
	s.address, s.greeted = readGreeting(t, out)
	return s
}

var listensOn = regexp.MustCompile(`Listens on (127\.0\.0\.1:(\d+)),`)

// readGreeting reads what dev-issuer prints, up to the command for a token, and returns the address in it.
func readGreeting(t *testing.T, out io.Reader) (address, greeting string) {
	t.Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		greeting += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "   protoauthz token") {
			match := listensOn.FindStringSubmatch(greeting)
			if match == nil {
				break
			}
			return match[1], greeting
		}
	}
	t.Fatalf("dev-issuer has printed %s", greeting)
	return "", ""
}

// verifierAt returns a verifier that fetches the keys of the issuer at an address.
func verifierAt(t *testing.T, address string) *token.Verifier {
	t.Helper()
	issuer := token.Logto("http://127.0.0.1:3001")
	issuer.KeySetURL = "http://" + address + "/oidc/jwks"
	verifier, err := token.NewVerifier(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// mintedBy returns the token that the command token prints.
func mintedBy(t *testing.T, args ...string) string {
	t.Helper()
	got := execute(t, nil, append([]string{"token"}, args...)...)
	if got.status != exitOK || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("token %q: status %d: %s%s", args, got.status, got.stdout, got.stderr)
	}
	return strings.TrimSpace(got.stdout)
}

func TestDevIssuerGreeting(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.json", []byte(people))
	s := startIssuer(t, "-config", config)
	if status := s.end(); status != exitOK {
		t.Errorf("status %d", status)
	}
	folder := filepath.Dir(config) + string(filepath.Separator)
	_, port, _ := net.SplitHostPort(s.address)
	greeting := strings.NewReplacer(folder, "", port, "PORT").Replace(s.greeted)
	golden(t, "dev-issuer.text", greeting)
	if got, want := strings.ReplaceAll(s.stderr.String(), folder, ""), "protoauthz: note: the keys are new, in tenant.keys.json: do not commit the file\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	words := strings.Fields(greeting[strings.LastIndex(greeting, "protoauthz token"):])
	for n, word := range words {
		if word == "tenant.json" {
			words[n] = config
		}
	}
	if got := mintedBy(t, words[2:]...); strings.Count(got, ".") != 2 {
		t.Error("the command of the greeting prints no token")
	}
}

// TestDevIssuerRestart starts the real command, ends it by a signal and starts it again: a verifier that fetches the
// keys then accepts the token of before.
func TestDevIssuerRestart(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config := write(t, "tenant.json", []byte(people))
	var raw string
	for round, wantNote := range []string{"the keys are new", ""} {
		command := exec.CommandContext(t.Context(), self, "dev-issuer", "-config", config, "-listen", "127.0.0.1:0")
		command.Env = append(os.Environ(), asCommand+"=1")
		stderr := new(bytes.Buffer)
		command.Stderr = stderr
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		address, _ := readGreeting(t, out)
		if round == 0 {
			raw = mintedBy(t, "-config", config, "-sub", "alice", "-scope", "read:a")
		}
		claims, err := verifierAt(t, address).Verify(t.Context(), raw)
		if err != nil || claims.Subject() != "alice" || claims.Caller() != token.CallerUser || !claims.HasScope("read:a") {
			t.Errorf("round %d: %v, %v", round, claims, err)
		}
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		if got := stderr.String(); !strings.Contains(got, wantNote) || wantNote == "" && got != "" {
			t.Errorf("round %d: %q, want %q", round, got, wantNote)
		}
	}
}

// TestDevIssuerRotates makes sure that -rotate makes a new key, which signs, and that the key before still verifies.
func TestDevIssuerRotates(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.json", []byte(people))
	startIssuer(t, "-config", config).end()
	before := mintedBy(t, "-config", config, "-sub", "alice")
	s := startIssuer(t, "-config", config, "-rotate")
	if s.end(); !strings.Contains(s.stderr.String(), "note: the keys are rotated: a new key signs, and the key before still verifies\n") {
		t.Error(s.stderr)
	}
	s = startIssuer(t, "-config", config)
	after := mintedBy(t, "-config", config, "-sub", "alice")
	if kid(t, before) == kid(t, after) {
		t.Error("the key is the same")
	}
	for _, raw := range []string{before, after} {
		if _, err := verifierAt(t, s.address).Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
	}
}

// TestDevIssuerWithoutKeys makes sure that nothing is printed that needs a file of keys that cannot be written.
func TestDevIssuerWithoutKeys(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.json", []byte(people))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, stderr bytes.Buffer
	status := run(ctx, []string{"protoauthz", "dev-issuer", "-config", config, "-keys", filepath.Join(filepath.Dir(config), "none", "keys.json"), "-listen", "127.0.0.1:0"}, nil, &out, &stderr)
	if status != exitOK || !strings.Contains(out.String(), "Listens on") || strings.Contains(out.String(), "keys.json") || strings.Contains(out.String(), "protoauthz token") {
		t.Errorf("status %d: %s", status, out.String())
	}
	if !strings.Contains(stderr.String(), "keys.json cannot be written") {
		t.Error(stderr.String())
	}
}

// TestDevIssuerOpaque makes sure that what is printed for opaque tokens is whole, without a secret.
func TestDevIssuerOpaque(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, want string }{
		"a client": {"", "", "accepts its tokens with, in authz.json,\n   \"issuers\": [{\"preset\": [\"logto\", \"http://127.0.0.1:3001\"], \"keySetURL\": \"http://ADDRESS/oidc/jwks\", \"introspectionURL\": \"http://ADDRESS/oidc/introspect\"}]\n" +
			"and in Go, since authz.json alone accepts no opaque token,\n   d, err := deployment.Read(\"authz.json\")\n   client := token.ClientSecretBasic(\"shop\", os.Getenv(\"CLIENT_SECRET\"))\n"},
		"no client": {`"clients"`, `"$schema"`, "accepts its tokens as a client that introspects: add a client to CONFIG. In authz.json the server needs\n   \"issuers\""},
	} {
		config := write(t, "tenant.json", []byte(strings.Replace(strings.Replace(people, "{", `{"opaque": true, `, 1), test.from, test.to, 1)))
		s := startIssuer(t, "-config", config)
		if want := strings.NewReplacer("ADDRESS", s.address, "CONFIG", config).Replace(test.want); !strings.Contains(s.greeted, want) || strings.Contains(s.greeted, "s3cret") {
			t.Errorf("%s: %s\nwant %s", name, s.greeted, want)
		}
	}
}

// A pipes listener has the connections of a test.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (p pipes) Addr() net.Addr { return pipeAddress{} }

type pipeAddress struct{}

func (pipeAddress) Network() string { return "pipe" }
func (pipeAddress) String() string  { return "pipe" }

// TestDevIssuerRotatesByItself makes sure that rotateEvery makes a new key each time, and keeps the one before.
func TestDevIssuerRotatesByItself(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.json", []byte(people))
	synctest.Test(t, func(t *testing.T) {
		of, err := tenant.Parse(config, []byte(strings.Replace(people, "{", `{"rotateEvery": "1h", `, 1)))
		if err != nil {
			t.Fatal(err)
		}
		file := tenant.KeysFile(config)
		issuer, _, err := of.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		s := &issuerServer{tenant: of, issuer: issuer, file: file, note: func(text string) { t.Error(text) }}
		running.Go(func() {
			if err := s.serve(ctx, make(pipes)); err != nil {
				t.Error(err)
			}
		})
		ids := []string{kid(t, mintedBy(t, "-config", config, "-sub", "alice"))}
		for range 2 {
			time.Sleep(time.Hour) // the bubble's clock
			synctest.Wait()
			ids = append(ids, kid(t, mintedBy(t, "-config", config, "-sub", "alice")))
		}
		kept, err := os.ReadFile(file)
		if err != nil || ids[0] == ids[1] || ids[1] == ids[2] || !strings.Contains(string(kept), ids[1]) || strings.Contains(string(kept), ids[0]) {
			t.Errorf("keys %q, %v", ids, err)
		}
		cancel()
		running.Wait()
	})
}

// TestDevIssuerEnds makes sure that half a request does not keep dev-issuer from its end.
func TestDevIssuerEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		of, issuer := tenantOfPeople(t)
		ctx, cancel := context.WithCancel(t.Context())
		listener := make(pipes)
		var running sync.WaitGroup
		running.Go(func() {
			if err := (&issuerServer{tenant: of, issuer: issuer}).serve(ctx, listener); err != nil {
				t.Error(err)
			}
		})
		client, server := net.Pipe()
		listener <- server
		if _, err := io.WriteString(client, "POST /oidc/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begin := time.Now()
		cancel()
		running.Wait()
		if took := time.Since(begin); took != endsWithin {
			t.Errorf("it has ended after %v", took)
		}
		_ = client.Close()
	})
}

func kid(t *testing.T, raw string) string {
	t.Helper()
	first, _, _ := strings.Cut(raw, ".")
	var header struct{ Kid string }
	text, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil || json.Unmarshal(text, &header) != nil {
		t.Fatalf("%q is no header", first)
	}
	return header.Kid
}

// TestDevIssuerBoundary makes sure that no page and no foreign name gets an answer, and that -remote changes nothing
// about that.
func TestDevIssuerBoundary(t *testing.T) {
	t.Parallel()
	config := write(t, "tenant.json", []byte(people))
	for _, args := range [][]string{nil, {"-remote"}} {
		s := startIssuer(t, append(args, "-config", config)...)
		if isRemote := strings.Contains(s.greeted, "answers every machine"); isRemote != (args != nil) {
			t.Errorf("%q: %s", args, s.greeted)
		}
		client := &http.Client{Transport: new(http.Transport)}
		t.Cleanup(client.CloseIdleConnections)
		for _, test := range []struct {
			host, origin string
			status       int
		}{
			{"127.0.0.1", "", 200}, {"issuer:3001", "", 200}, {"evil.example", "", 403}, {"evil.example:80", "", 403}, {"me:s3cret@evil.example", "", 403}, {"127.0.0.1", "https://evil.example", 403}, {"127.0.0.1", "null", 403},
		} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+"/oidc/jwks", nil)
			if err != nil {
				t.Fatal(err)
			}
			if request.Host = test.host; test.origin != "" {
				request.Header.Set("Origin", test.origin)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != test.status {
				t.Errorf("%q: Host %s, Origin %s: %d, want %d", args, test.host, test.origin, response.StatusCode, test.status)
			}
		}
		s.end()
		const refused = "protoauthz: note: a request is refused, since it "
		const page = "ask without a browser, or from a page of this machine\n"
		notes := strings.ReplaceAll(strings.Replace(s.stderr.String(), "protoauthz: note: the keys are new, in "+tenant.KeysFile(config)+": do not commit the file\n", "", 1), config, "CONFIG")
		want := refused + `asks for the host "evil.example": address the issuer by http://127.0.0.1:3001/oidc, or add the name to hosts (CONFIG:4)` + "\n" +
			refused + "asks for the host of unknown name: address the issuer by http://127.0.0.1:3001/oidc, or add the name to hosts (CONFIG:4)\n" +
			refused + `comes from the web site "evil.example": ` + page + refused + "comes from the web site of unknown name: " + page
		if notes != want {
			t.Errorf("%q: notes\n%s\nwant\n%s", args, notes, want)
		}
	}
}

// TestDevIssuerRefusedPeer makes sure that another machine is named once, and that the notes have a bound.
func TestDevIssuerRefusedPeer(t *testing.T) {
	t.Parallel()
	of, issuer := tenantOfPeople(t)
	var notes []string
	s := &issuerServer{tenant: of, issuer: issuer, note: func(text string) { notes = append(notes, text) }}
	handler := s.handler()
	for n := range 2 * maxRefusals {
		for _, path := range []string{"/oidc/jwks", "/oidc/token"} {
			request := httptest.NewRequest(http.MethodGet, path, nil)
			request.RemoteAddr = fmt.Sprintf("192.0.2.%d:%d", n, 5000+len(path))
			handler.ServeHTTP(httptest.NewRecorder(), request)
		}
	}
	const want = "a request is refused, since it comes from another machine, 192.0.2.0: to answer other machines, such as containers, start with -remote"
	if len(notes) != maxRefusals || notes[0] != want || notes[1] == want {
		t.Errorf("%d notes, %q, want %q", len(notes), notes[:2], want)
	}
}

// TestDevIssuerBehindProxy makes sure that an issuer of an https URL serves at the address of -listen.
func TestDevIssuerBehindProxy(t *testing.T) {
	t.Parallel()
	s := startIssuer(t, "-config", write(t, "tenant.json", []byte(strings.Replace(people, "{", `{"url": "https://issuer.test/oidc", `, 1))))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+"/oidc/jwks", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "issuer.test"
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK || !strings.Contains(s.greeted, `token.Logto("https://issuer.test")`) {
		t.Errorf("%d, %s", response.StatusCode, s.greeted)
	}
}

func TestDevIssuerFaults(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	config := write(t, "tenant.json", []byte(people))
	atTaken := write(t, "tenant.json", []byte(`{"url": "http://`+taken.Addr().String()+`/oidc"}`))
	behindProxy := write(t, "tenant.json", []byte("{\n\"url\": \"https://issuer.test/oidc\"}"))
	other := write(t, "tenant.json", []byte(`{"signingAlgorithm": "RS256"}`))
	kept := filepath.Join(filepath.Dir(config), "tenant.keys.json")
	startIssuer(t, "-config", config).end()
	inYAML := write(t, "tenant.yaml", []byte("organizations: []"))
	broken := write(t, "keys.json", []byte(`{"keys": "s3cret"}`))
	missing := filepath.Join(t.TempDir(), "tenant.json")
	for name, test := range map[string]struct {
		args []string
		says []string
	}{
		"port of url":            {[]string{"-config", atTaken}, []string{taken.Addr().String(), "in use: end the process that has the port, or write another port into url of " + atTaken + " and into the issuers of authz.json"}},
		"port":                   {[]string{"-config", config, "-listen", taken.Addr().String()}, []string{taken.Addr().String(), "in use: end the process that has the port, or give -listen another port, and write the issuers that dev-issuer then prints into authz.json"}},
		"no own address":         {[]string{"-config", config, "-listen", "192.0.2.1:3001"}, []string{"192.0.2.1:3001", ": the address is not of this machine: give -listen one such as 127.0.0.1:3001, or :3001 for all addresses"}},
		"a large port":           {[]string{"-config", config, "-listen", "127.0.0.1:65536"}, []string{"-listen: the port is not a number up to 65535: write one such as 127.0.0.1:3001 or :3001"}},
		"a large port of url":    {[]string{"-config", write(t, "tenant.json", []byte(`{"url": "http://127.0.0.1:65536/oidc"}`))}, []string{"tenant.json:1: url: has a port above 65535: write one such as 3001"}},
		"a name of a host":       {[]string{"-config", write(t, "tenant.json", []byte(`{"url": "http://issuer:3001/oidc"}`))}, []string{"keep a host such as 127.0.0.1 and list the other name among the hosts"}},
		"https":                  {[]string{"-config", behindProxy}, []string{behindProxy + ":2: url is https", "give -listen the address to which a TLS proxy sends the requests"}},
		"algorithm":              {[]string{"-config", other, "-keys", kept, "-listen", "127.0.0.1:0"}, []string{other + ":1: signingAlgorithm: the first key is of ES384: write that algorithm, or remove the keys (the file " + kept + ")"}},
		"address":                {[]string{"-config", config, "-listen", "3001"}, []string{"-listen is not host:port: write one such as 127.0.0.1:3001 or :3001"}},
		"no config":              {[]string{"-config", missing}, []string{missing + " does not exist", "-config", tenant.Example}},
		"no config, YAML":        {[]string{"-config", strings.TrimSuffix(inYAML, ".yaml") + ".json"}, []string{".json does not exist, and " + inYAML + " does: give -config " + inYAML}},
		"empty config":           {[]string{"-config", ""}, []string{"-config is empty: name the file of a tenant, such as tenant.json; if a variable should supply the name, set the variable"}},
		"a folder":               {[]string{"-config", filepath.Dir(config)}, []string{"is a directory: name the file of a tenant in it, such as " + config}},
		"keys of tenant":         {[]string{"-config", config, "-keys", filepath.Dir(config) + "/../" + filepath.Base(filepath.Dir(config)) + "/tenant.json"}, []string{"protoauthz: -keys names the tenant: leave -keys out, and the keys are kept beside the tenant\n"}},
		"keys of another tenant": {[]string{"-config", config, "-listen", "127.0.0.1:0", "-keys", atTaken}, []string{atTaken + " holds no keys of protoauthz dev-issuer: name another file with -keys"}},
		"faults":                 {[]string{"-config", write(t, "t.yaml", []byte("users:\n- id: alice\n  secret: s3cret\n  claims: {x: null}\ntype: ü\n"))}, []string{"t.yaml:3: users[0].secret is unknown", "t.yaml:5: type"}},
		"YAML":                   {[]string{"-config", write(t, "t.yaml", []byte("users: [*s3cret]"))}, []string{"t.yaml", "neither"}},
		"deployment":             {[]string{"-config", write(t, "authz.json", []byte(`{"audience": "https://api.test", "issuers": []}`))}, []string{"authz.json:1: audience is unknown: the members are url, hosts, ", "authz.json:1: issuers is unknown"}},
		"broken keys":            {[]string{"-config", config, "-listen", "127.0.0.1:0", "-keys", broken}, []string{broken, "if nothing else needs the file, remove it"}},
		"an argument":            {[]string{config}, []string{"dev-issuer takes no argument"}},
		"unknown flag":           {[]string{"-port", "1"}, []string{"-port", "protoauthz dev-issuer -help"}},
	} {
		got := execute(t, nil, append([]string{"dev-issuer"}, test.args...)...)
		if got.status != exitFailed || got.stdout != "" || strings.Contains(got.stderr, "s3cret") {
			t.Errorf("%s: status %d: %s%s", name, got.status, got.stdout, got.stderr)
		}
		for _, want := range test.says {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("%s: %q is not in %s", name, want, got.stderr)
			}
		}
	}
}
