package devissuer_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// A program is a [devissuer.TB] outside of a test.
type program struct {
	helped   int
	fault    string
	atTheEnd []func()
}

func (p *program) Helper() { p.helped++ }

func (p *program) Fatalf(format string, args ...any) {
	p.fault = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (p *program) Cleanup(end func()) { p.atTheEnd = append(p.atTheEnd, end) }

// run runs a function on a goroutine that Fatalf ends, and what is to be done at the end.
func (p *program) run(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	<-done
	for _, end := range slices.Backward(p.atTheEnd) {
		end()
	}
}

// TestStart makes sure that an issuer answers at its URL until the end of the test, and that the port is then free,
// even if a client keeps a connection or has sent half a request. TestMain finds goroutines that are left.
func TestStart(t *testing.T) {
	t.Parallel()
	var address string
	p := new(program)
	p.run(func() {
		issuer := devissuer.Start(p, logtoTenant())
		at, err := url.Parse(issuer.URL())
		if err != nil || at.Scheme != "http" || at.Hostname() != "127.0.0.1" || at.Port() == "0" || at.Path != "/oidc" {
			t.Errorf("%s, %v", issuer.URL(), err)
		}
		address = at.Host
		for range 100 {
			half, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = half.Close() })
			if _, err := io.WriteString(half, "GET /oidc/jwks HTTP/1.1\r\n"); err != nil {
				t.Error(err)
			}
		}
		client := &http.Client{Transport: new(http.Transport)} // which keeps its connection
		t.Cleanup(client.CloseIdleConnections)
		form := url.Values{"grant_type": {"client_credentials"}, "resource": {api}, "client_id": {"full"}, "client_secret": {"full-secret"}}
		response, err := client.PostForm(issuer.TokenURL(), form)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%v, %v", response, err)
			return
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		_ = response.Body.Close()

		keys := fetchKeys(t, issuer)
		raw := issuer.Token(p, map[string]any{"sub": "alice", "scope": "read:orders"}, devissuer.WithHeader("typ", "JWT"))
		if err := verify(t, keys, raw); err != nil {
			t.Error(err)
		}
		if header, claims := decode(t, raw); header["typ"] != "JWT" || claims["iss"] != issuer.URL() || claims["sub"] != "alice" || claims["scope"] != "read:orders" {
			t.Error(header, claims)
		}
	})
	if p.fault != "" || p.helped < 2 {
		t.Errorf("%q, Helper was called %d times", p.fault, p.helped)
	}
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = conn.Close()
		t.Error("the port is still served")
	}
}

// TestStartFaults makes sure that a fault ends the test, with all faults of the configuration.
func TestStartFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(devissuer.TB)
		want string
	}{
		"configuration": {
			func(t devissuer.TB) {
				devissuer.Start(t, devissuer.Config{SigningAlgorithm: "HS256", TokenLifetime: -1})
			},
			"devissuer: SigningAlgorithm: \"HS256\" is not supported: write ES384, ES256 or RS256\ndevissuer: TokenLifetime: is not a positive whole number of seconds: write a duration such as \"1h\"",
		},
		"token": {
			func(t devissuer.TB) {
				devissuer.Start(t, devissuer.Config{}).Token(t, map[string]any{"aud": make(chan int)})
			},
			"devissuer: sign token: json: unsupported type: chan int",
		},
	} {
		p, went := new(program), false
		p.run(func() {
			test.do(p)
			went = true
		})
		if went || p.fault != test.want {
			t.Errorf("%s: the test goes on: %t, with %q", name, went, p.fault)
		}
	}
}
