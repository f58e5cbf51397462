package interceptor_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestCatalogue makes every call over every wire, with a guard that is installed in both ways. The
// answer is the same everywhere, and holds nothing of the token.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	harness.Catalogue(t, routesTo)
}

// TestOpaqueCatalogue makes the calls whose claims decide with opaque tokens.
func TestOpaqueCatalogue(t *testing.T) {
	t.Parallel()
	harness.OpaqueCatalogue(t, routesTo)
}

// TestShadowCatalogue makes all calls while the rules are judged and not enforced.
func TestShadowCatalogue(t *testing.T) {
	t.Parallel()
	harness.ShadowCatalogue(t, routesTo)
}

func routesTo(t *testing.T, _ *catalogue.Trust, guard *interceptor.Guard) (routes []harness.Route) {
	t.Helper()
	for installed, option := range map[string]connect.HandlerOption{
		"HandlerOption": guard.HandlerOption(), "WithInterceptors": connect.WithInterceptors(guard.Interceptor()),
	} {
		mux := handlers{}.mux(option)
		served := serve(t, mux)
		inProcess := server{harness.ServeInProcess(mux, served.Records)}
		for _, wire := range wires {
			routes = append(routes, transport(wire, installed, served, inProcess))
		}
	}
	return routes
}

// transport is a wire to a server of all services.
func transport(wire wire, installed string, served, inProcess server) harness.Route {
	return harness.Route{
		Name:    installed + ", " + wire.name,
		Carries: func(method catalogue.Method) bool { return wire.can(kindOf(method)) },
		ShowsHTTP: func(method catalogue.Method) bool {
			return wire.protocol == connect.ProtocolConnect && method == catalogue.Unary
		},
		Records: served.Records,
		Logged:  served.Logged,
		Call: func(ctx context.Context, c *catalogue.Case, method catalogue.Method, header http.Header) (harness.Answer, []string) {
			server, call := served, sendCase[message]
			if !c.Travels() {
				server = inProcess
			}
			if catalogue.Rich(c.Service) {
				call = sendCase[catalogue.Request]
			}
			texts, err := call(ctx, server, wire, c, method, header)
			answer := answerOf(err)
			answer.Status = served.Find(header.Get(harness.Field)).Status()
			return answer, texts
		},
	}
}

// answerOf returns the answer that an error is.
func answerOf(err error) harness.Answer {
	got := refused(err)
	return harness.Answer{
		Answer: catalogue.Answer{
			Code: int(got.code), Reason: string(got.reason), Required: got.required, Any: got.any,
			Text: got.text, Challenge: got.challenge, Told: got.told,
		},
		Domain: got.domain, More: got.more, Error: err,
	}
}

// sendCase makes the call of a case, whose messages are of a type.
func sendCase[M any](ctx context.Context, s server, w wire, c *catalogue.Case, method catalogue.Method, header http.Header) ([]string, error) {
	messages := make([]*M, len(c.Messages))
	for n, m := range c.Messages {
		messages[n] = tokens.As[*M](m.Proto(c.Service))
	}
	return send(ctx, s, w, c.Service, kindOf(method), header, messages...)
}

// elsewhere are the rows that other tests cover.
var elsewhere = map[string]func(*testing.T){
	"D54": TestBodiesWithoutToken, // a body is no message
}

// TestCatalogueComplete makes sure that the catalogue has every row, every way to call and every reason.
func TestCatalogueComplete(t *testing.T) {
	t.Parallel()
	cases := catalogue.Cases("http://127.0.0.1:1")
	rows, names := map[string]bool{}, map[string]bool{}
	for _, c := range cases {
		rows[c.Row] = true
		if name := c.Row + "/" + c.Name; names[name] {
			t.Errorf("%s is there twice", name)
		} else {
			names[name] = true
		}
	}
	delete(rows, "")
	for n := 1; n <= 60; n++ {
		id := fmt.Sprintf("D%02d", n)
		if _, ok := elsewhere[id]; ok == rows[id] {
			t.Errorf("%s: in the table is %t, elsewhere %t", id, rows[id], ok)
		}
		delete(rows, id)
	}
	if len(rows) > 0 {
		t.Errorf("rows %v are not in D01 to D60: add the number here, and the row in SECURITY.md", rows)
	}
	source, err := os.ReadFile("denial.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := []string{""} // for a call that is let in
	for _, match := range regexp.MustCompile(`(?m)^\tReason\w+ +Reason += "(.*)"$`).FindAllSubmatch(source, -1) {
		constants = append(constants, string(match[1]))
	}
	slices.Sort(constants)
	if reasons := catalogue.Reasons(cases); len(constants) < 2 || !slices.Equal(reasons, constants) {
		t.Errorf("the cases have the reasons %q, and the constants are %q", reasons, constants)
	}
	ways := map[string]bool{}
	for kind, name := range kinds {
		for _, wire := range wires {
			if wire.can(kind) {
				ways[wire.protocol+" "+name] = true
			}
		}
	}
	if len(ways) != 12 {
		t.Errorf("the ways to call are %v", ways)
	}
	if len(cases) < 900 {
		t.Errorf("only %d cases", len(cases))
	}
}
