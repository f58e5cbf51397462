package endpoint_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// proxyURL is a proxy that refuses to connect, with the status that the host's name begins with. HTTPS_PROXY names
// the proxy, which net/http reads once for a process.
var proxyURL *url.URL

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		if _, err := fmt.Sscanf(r.Host, "s%d.", &status); err != nil {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
	}))
	proxyURL = &url.URL{Scheme: "http", User: url.UserPassword("user", "secret"), Host: proxy.Listener.Addr().String()}
	if err := os.Setenv("HTTPS_PROXY", proxyURL.String()); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(leaks.Patient(closing{m, proxy}))
}

// closing closes the proxy after the tests.
type closing struct {
	goleak.TestingM

	proxy *httptest.Server
}

func (c closing) Run() int {
	defer c.proxy.Close()
	return c.TestingM.Run()
}
