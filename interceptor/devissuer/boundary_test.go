package devissuer_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// TestBoundary makes sure that no other machine, and no web page of another site, gets an answer of
// any endpoint.
func TestBoundary(t *testing.T) {
	t.Parallel()
	const https = "https://dev.example.test/oidc"
	const local, remote = "127.0.0.1:5000", "192.0.2.7:5000"
	for name, test := range map[string]struct {
		url     string // of the issuer, issuerURL if empty
		hosts   []string
		allow   bool
		peer    string
		host    string
		origins []string
		refusal string // or "" if it is answered
	}{
		"loopback":                     {peer: local, host: "127.0.0.1:8080"},
		"loopback, another port":       {peer: local, host: "127.0.0.1:9090"},
		"loopback, no port":            {peer: local, host: "127.0.0.1"},
		"loopback, another address":    {peer: "127.8.9.1:5000", host: "127.1.2.3"},
		"loopback, IPv6":               {peer: "[::1]:5000", host: "[::1]:8080"},
		"loopback, IPv6 without port":  {peer: "[::1]:5000", host: "[::1]"},
		"loopback, IPv4 in IPv6":       {peer: "[::ffff:127.0.0.1]:5000", host: "localhost:8080"},
		"localhost":                    {peer: local, host: "localhost"},
		"LOCALHOST":                    {peer: local, host: "LOCALHOST:8080"},
		"in this process":              {peer: "", host: "127.0.0.1"},
		"the issuer's host":            {url: https, peer: local, host: "dev.example.test"},
		"the issuer's host and a port": {url: https, peer: local, host: "Dev.Example.Test:8443"},

		"another host":                 {peer: local, host: "evil.example", refusal: "Host"},
		"another host, port":           {peer: local, host: "evil.example:8080", refusal: "Host"},
		"another host, for all peers":  {allow: true, peer: remote, host: "evil.example", refusal: "Host"},
		"another host, in the process": {peer: "", host: "evil.example", refusal: "Host"},
		"an unreadable host":           {peer: local, host: "%zz", refusal: "Host"},
		"an unreadable origin":         {peer: local, host: "localhost", origins: []string{"http://%zz"}, refusal: "web page"},
		"no host":                      {peer: local, host: "", refusal: "Host"},
		"only a port":                  {peer: local, host: ":8080", refusal: "Host"},
		"starts with loopback":         {peer: local, host: "127.0.0.1.evil.example", refusal: "Host"},
		"ends with localhost":          {peer: local, host: "evil.localhost", refusal: "Host"},
		"starts with localhost":        {peer: local, host: "localhost.evil.example", refusal: "Host"},
		"root":                         {peer: local, host: "evil.example.", refusal: "Host"},
		"a user":                       {peer: local, host: "127.0.0.1@evil.example", refusal: "Host"},
		"a user after the port":        {peer: local, host: "evil.example@127.0.0.1", refusal: "Host"},
		"a path":                       {peer: local, host: "127.0.0.1/evil.example", refusal: "Host"},
		"two":                          {peer: local, host: "127.0.0.1,evil.example", refusal: "Host"},
		"all addresses":                {peer: local, host: "0.0.0.0:8080", refusal: "Host"},
		"another address":              {peer: local, host: "192.0.2.7", refusal: "Host"},
		"below the issuer's host":      {url: https, peer: local, host: "evil.dev.example.test", refusal: "Host"},
		"around the issuer's host":     {url: https, peer: local, host: "dev.example.test.evil.example", refusal: "Host"},
		"the host of another issuer":   {peer: local, host: "dev.example.test", refusal: "Host"},

		"a further host":              {hosts: []string{"Issuer"}, peer: local, host: "issuer:3001"},
		"a further host, upper case":  {hosts: []string{"issuer"}, peer: local, host: "ISSUER"},
		"a further address":           {hosts: []string{"[2001:db8::1]"}, peer: local, host: "[2001:db8::1]:3001"},
		"below a further host":        {hosts: []string{"issuer"}, peer: local, host: "evil.issuer", refusal: "Host"},
		"a container":                 {hosts: []string{"issuer"}, peer: remote, host: "issuer:3001", refusal: "this machine"},
		"a container that is let in":  {hosts: []string{"issuer"}, allow: true, peer: remote, host: "issuer:3001"},
		"a page of a further host":    {hosts: []string{"issuer"}, peer: local, host: "issuer", origins: []string{"http://issuer"}, refusal: "web page"},
		"a page, by the further host": {hosts: []string{"issuer"}, allow: true, peer: remote, host: "issuer", origins: []string{"https://evil.example"}, refusal: "web page"},

		"another machine":                  {peer: remote, host: "127.0.0.1:8080", refusal: "this machine"},
		"another machine, IPv6":            {peer: "[2001:db8::1]:5000", host: "127.0.0.1:8080", refusal: "this machine"},
		"another machine, link-local":      {peer: "[fe80::1%eth0]:5000", host: "127.0.0.1:8080", refusal: "this machine"},
		"another machine, private":         {peer: "10.0.0.1:5000", host: "localhost", refusal: "this machine"},
		"another machine, issuer's host":   {url: https, peer: remote, host: "dev.example.test", refusal: "this machine"},
		"another machine, without a port":  {peer: "192.0.2.7", host: "127.0.0.1:8080", refusal: "this machine"},
		"unknown":                          {peer: "unknown", host: "127.0.0.1:8080", refusal: "this machine"},
		"loopback in a name":               {peer: "127.0.0.1.evil.example:5000", host: "127.0.0.1:8080", refusal: "this machine"},
		"another machine that is let in":   {allow: true, peer: remote, host: "127.0.0.1:8080"},
		"another machine at issuer's host": {url: https, allow: true, peer: remote, host: "dev.example.test"},

		"a page of this machine":    {peer: local, host: "127.0.0.1", origins: []string{"http://localhost:5173"}},
		"a page of the issuer":      {url: https, peer: local, host: "dev.example.test", origins: []string{"https://dev.example.test"}},
		"a page":                    {peer: local, host: "127.0.0.1", origins: []string{"https://evil.example"}, refusal: "web page"},
		"a page, for all peers":     {allow: true, peer: remote, host: "127.0.0.1", origins: []string{"https://evil.example"}, refusal: "web page"},
		"a page without an origin":  {peer: local, host: "127.0.0.1", origins: []string{"null"}, refusal: "web page"},
		"a page and another":        {peer: local, host: "127.0.0.1", origins: []string{"http://localhost", "https://evil.example"}, refusal: "web page"},
		"a page with loopback name": {peer: local, host: "127.0.0.1", origins: []string{"https://127.0.0.1.evil.example"}, refusal: "web page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := logtoTenant()
			config.AllowRemote, config.Hosts = test.allow, test.hosts
			if test.url == "" {
				test.url = issuerURL
			}
			issuer, err := devissuer.New(test.url, config)
			if err != nil {
				t.Fatal(err)
			}
			for _, request := range []*http.Request{
				httptest.NewRequest(http.MethodGet, "/oidc/.well-known/openid-configuration", nil),
				httptest.NewRequest(http.MethodGet, "/oidc/jwks", nil),
				tokenRequest("grant_type=client_credentials&resource="+api, "full", "full-secret"),
				introspectionRequest("token=x", "full", "full-secret"),
			} {
				request = request.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}))
				request.RemoteAddr, request.Host = test.peer, test.host
				for _, origin := range test.origins {
					request.Header.Add("Origin", origin)
				}
				recorder := httptest.NewRecorder()
				issuer.ServeHTTP(recorder, request)
				field := ""
				if refusal := issuer.Refusal(request); refusal != nil {
					field = refusal.Field
				}
				if want := map[string]string{"": "", "this machine": "AllowRemote", "Host": "Hosts", "web page": "Origin"}[test.refusal]; field != want {
					t.Errorf("%s: the field is %q, want %q", request.URL.Path, field, want)
				}
				want := http.StatusOK
				if test.refusal != "" {
					want = http.StatusForbidden
				}
				body := recorder.Body.String()
				if recorder.Code != want || want == http.StatusForbidden && (!strings.HasPrefix(body, "devissuer: the ") || !strings.Contains(body, test.refusal)) {
					t.Errorf("%s: %d, %s", request.URL.Path, recorder.Code, body)
				}
				if strings.Contains(body, "evil.example") {
					t.Errorf("%s repeats the request: %s", request.URL.Path, body)
				}
			}
		})
	}
}

// TestBoundaryOfServers checks the boundary with the addresses that real servers set.
func TestBoundaryOfServers(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, logtoTenant())
	tcp, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unix, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	for name, listener := range map[string]net.Listener{"TCP": tcp, "Unix": unix, "pipe": newPipe()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &http.Server{Handler: issuer}
			var serving sync.WaitGroup
			serving.Go(func() { _ = server.Serve(listener) })
			t.Cleanup(func() {
				_ = server.Close()
				serving.Wait()
			})
			for host, want := range map[string]string{"127.0.0.1:8080": "200", "evil.example": "403"} {
				conn, err := connect(t.Context(), listener)
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.WriteString(conn, "GET /oidc/jwks HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
				line, readErr := bufio.NewReader(conn).ReadString('\n')
				if err != nil || readErr != nil || !strings.Contains(line, want) {
					t.Errorf("%s: %q, %v, %v, want %s", host, line, err, readErr, want)
				}
				_ = conn.Close()
			}
		})
	}
}

func connect(ctx context.Context, listener net.Listener) (net.Conn, error) {
	if pipe, ok := listener.(*pipeListener); ok {
		client, server := net.Pipe()
		pipe.conns <- server
		return client, nil
	}
	return new(net.Dialer).DialContext(ctx, listener.Addr().Network(), listener.Addr().String())
}

// A pipeListener listens in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipe() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr {
	conn, _ := net.Pipe()
	return conn.LocalAddr()
}
