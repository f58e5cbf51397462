package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// visit is the input of browser.js.
type visit struct {
	Chromium string `json:"chromium"`
	Page     string `json:"page"`
	URL      string `json:"url"`
	Protocol string `json:"protocol"`
	Calls    []call `json:"calls"`
}

// visited is the output of browser.js.
type visited struct {
	Answers    []answer
	Preflights []struct {
		URL     string
		Headers map[string]string
	}
}

// @connectrpc/connect-web in Chromium, on a page of another origin.
func TestConnectWeb(t *testing.T) {
	t.Parallel()
	modules, node := e2e.NodeModules(t, ".")
	chromium := e2e.Tool(t, "chromium")
	script := bundle(t, modules, "page.js")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page.js" {
			w.Header().Set("Content-Type", "text/javascript")
			http.ServeFile(w, r, script)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><title>e2e</title><script type="module" src="/page.js"></script>`)
	}))
	t.Cleanup(server.Close)
	// The same page at two origins, of which the sample knows one.
	stranger := server.URL
	page := strings.Replace(stranger, "127.0.0.1", "localhost", 1)

	open := func(t *testing.T, s *e2e.Sample, page, protocol string, calls []call) (seen visited) {
		t.Helper()
		out := command(t, visit{chromium, page, s.URL, protocol, calls}, node, "js/browser.js")
		if err := json.Unmarshal(out, &seen); err != nil {
			t.Fatal(err)
		}
		return seen
	}
	run := func(protocol string) func(*testing.T, *e2e.Sample, []call) []answer {
		return func(t *testing.T, s *e2e.Sample, calls []call) []answer {
			seen := open(t, s, page, protocol, calls)
			procedures := map[string]bool{}
			for _, c := range calls {
				procedures[c.procedure()] = true
			}
			// A browser may cache a preflight, so there may be fewer preflights than calls.
			if len(seen.Preflights) < len(procedures) {
				t.Errorf("%d preflights for %d procedures", len(seen.Preflights), len(procedures))
			}
			for _, preflight := range seen.Preflights {
				for name := range preflight.Headers {
					if strings.EqualFold(name, "Authorization") {
						t.Errorf("a preflight with a token: %s", preflight.URL)
					}
				}
			}
			return seen.Answers
		}
	}
	check(t, []client{
		{name: "connect", can: serverStreams, challenged: true, run: run("connect")},
		{name: "connect_get", can: byGet, challenged: true, get: true, run: run("connect_get")},
		{name: "grpcweb", can: serverStreams, run: run("grpcweb")},
	}, "-origins", page)

	t.Run("another origin", func(t *testing.T) {
		t.Parallel()
		s := e2e.Start(t, "-origins", page)
		good := call{catalog, "ListProducts", bearer(s.Token(t, "-client", "acme-viewer", "-scope", "read:products")), raw(`{}`), 0}
		seen := open(t, s, stranger, "connect", []call{good})
		// The text of the library for "failed to fetch".
		if len(seen.Answers) != 1 || seen.Answers[0].Code != connect.CodeUnknown || len(seen.Preflights) == 0 {
			t.Errorf("got %+v", seen)
		}
	})
}

func serverStreams(method protoreflect.MethodDescriptor) bool { return !method.IsStreamingClient() }
