package e2e_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	docs "github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestCompose runs the processes of the compose file in docs/local-development.md without Docker: with the flags and
// files of the document, and with a verifier that finds the host "issuer" where a container would.
func TestCompose(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	folder := t.TempDir()
	for name, module := range map[string]string{"./protoauthz": "interceptor/cmd", ".": docs.StartModule} {
		build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join(protoauthz, module), "-o", folder, name)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", build, err, out)
		}
	}
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	ours := strings.NewReplacer("/etc/shop/tenant.json", folder+"/tenant.compose.json", "/etc/shop/authz.json", folder+"/authz.compose.json",
		"/keys/", folder+"/", " -remote", " -remote -listen 0.0.0.0:"+port, "0.0.0.0:8080", "127.0.0.1:0")
	var serve []string // the commands of the services
	var grant string
	for _, block := range docs.At(all, "interceptor/docs/local-development.md") {
		if name := block.File(); strings.HasSuffix(name, ".compose.json") {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(block.Text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.Lines(strings.ReplaceAll(block.Text, "\\\n", "")) {
			if command, ok := strings.CutPrefix(strings.TrimSpace(line), "command: "); ok {
				serve = append(serve, ours.Replace(folder+"/"+command))
			}
			if command, ok := strings.CutPrefix(line, "docker compose exec issuer "); ok {
				grant = ours.Replace(folder + "/" + command)
			}
		}
	}
	var greetings []string
	for _, command := range serve {
		greetings = append(greetings, start(t, command))
	}
	if len(greetings) != 2 || !strings.Contains(greetings[0], "the keys are new") || !strings.Contains(greetings[1], "the shop serves") {
		t.Fatalf("the services print %q", greetings)
	}
	raw, err := exec.CommandContext(t.Context(), "sh", "-c", grant).Output()
	if err != nil {
		t.Fatalf("%s: %v", grant, err)
	}

	d, err := deployment.Read(filepath.Join(folder, "authz.compose.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dialed []string
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed = append(dialed, address)
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(address4(t), port))
	}}
	verifier, err := d.NewVerifier(token.WithTransport(transport))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := verifier.Verify(t.Context(), strings.TrimSpace(string(raw)))
	if err != nil || claims.Subject() != "alice" || claims.OrganizationID() != "acme" || !slices.Equal(dialed, []string{"issuer:3001"}) {
		t.Errorf("%v, %v, dialed %q", claims, err, dialed)
	}
}

// start runs a command until the test ends, and returns the first line that it prints.
func start(t *testing.T, command string) string {
	t.Helper()
	process := exec.CommandContext(t.Context(), "sh", "-c", "exec "+command)
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process.Stderr = process.Stdout
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = process.Process.Kill(), process.Wait() })
	line, _ := bufio.NewReader(output).ReadString('\n') // "" if it ends before
	return line
}

// address4 returns an address of this machine. It is a loopback address only if the machine has no other: containers
// have others.
func address4(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Error(err)
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil && !network.IP.IsLoopback() {
			return network.IP.String()
		}
	}
	return "127.0.0.1"
}
