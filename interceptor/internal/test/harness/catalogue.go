package harness

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// A Route is a way to call all services of a guarded server.
type Route struct {
	// Name is the same for every trust.
	Name string
	// Carries reports whether the route can call a method. Nil means all methods.
	Carries func(catalogue.Method) bool
	// ShowsHTTP reports whether a client of the method sees the HTTP status of an answer and its challenge.
	// Nil means never: the status is 200, if the client sees a status.
	ShowsHTTP func(catalogue.Method) bool
	// Records are the records of the server.
	Records *Records
	// Call makes one call with a header. It returns the answer, and the texts in the answer's messages.
	Call func(ctx context.Context, c *catalogue.Case, method catalogue.Method, header http.Header) (Answer, []string)
	// Logged returns the server's log, which must be empty. Nil means that there is no log.
	Logged func() string
}

// An Answer is an answer as a client gets it. Error is nil if the call succeeded.
type Answer struct {
	catalogue.Answer

	Domain string
	More   int // the number of other details, metadata and challenges
	Status int // of HTTP, or 0 if the client cannot see it
	Error  error
}

// Transports returns the routes to the services behind a guard, whose verifier is the trust.
type Transports func(t *testing.T, trust *catalogue.Trust, guard *interceptor.Guard) []Route

// Catalogue makes all calls of the catalogue by the routes that a function returns for each trust.
func Catalogue(t *testing.T, transports Transports) {
	t.Helper()
	trusts, err := catalogue.NewTrusts()
	if err != nil {
		t.Fatal(err)
	}
	attacker := listen(t)
	cases := catalogue.Cases(attacker.url)
	calls(t, attacker, cases, cases, trusts, transports, enforced)
}

// OpaqueCatalogue is [Catalogue] for the cases that make sense for opaque tokens: see [catalogue.OpaqueCases].
func OpaqueCatalogue(t *testing.T, transports Transports) {
	t.Helper()
	attacker := listen(t)
	all := catalogue.Cases(attacker.url)
	cases, trust, err := catalogue.OpaqueCases(all)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 500 {
		t.Errorf("only %d cases", len(cases))
	}
	calls(t, attacker, cases, append(all, cases...), map[string]*catalogue.Trust{catalogue.Opaque: trust}, transports, enforced)
}

// calls makes the calls of cases. Nothing may hold a secret of the cases in secret.
func calls(t *testing.T, attacker *attacker, cases, secret []catalogue.Case, trusts map[string]*catalogue.Trust, transports Transports, m mode) {
	t.Helper()
	routes := map[string][]Route{}
	var some []Route
	for name, trust := range trusts {
		routes[name] = transports(t, trust, m.guard(t, trust))
		some = routes[name]
	}
	rows := map[string][]catalogue.Case{}
	for _, c := range cases {
		rows[c.Row] = append(rows[c.Row], c)
	}
	var seen sighting
	t.Cleanup(func() { // after all cases
		seen.checkSecrets(t, secret)
		if flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" {
			seen.checkVolume(t)
			seen.checkCoverage(t, rows, some)
			if seen.cases != len(cases) {
				t.Errorf("%d cases ran, want all %d", seen.cases, len(cases))
			}
		}
		if n := attacker.connections.Load(); n != 0 {
			t.Errorf("%d connections to the attacker's server", n)
		}
		for name, trust := range trusts {
			if strays := trust.Strays(); len(strays) > 0 {
				t.Errorf("%s: requests to %q, which are not the URLs of an issuer", name, strays)
			}
			for _, route := range routes[name] {
				if route.Logged == nil {
					continue
				}
				if log := route.Logged(); log != "" {
					t.Errorf("%s, %s: the server logged:\n%s", name, route.Name, log)
				}
			}
		}
		t.Logf("%d cases, %d calls of %d combinations with transport and stream type, %d without a token; %d different answers",
			len(cases), seen.calls, seen.combinations, seen.bare, len(seen.answers))
	})
	for id, row := range rows {
		if id == "" {
			id = "other"
		}
		t.Run(id, func(t *testing.T) {
			if !catalogue.Fleeting(id) { // A fleeting case must not wait for the others.
				t.Parallel()
			}
			for n := range row {
				t.Run(row[n].Name, func(t *testing.T) { seen.run(t, routes[row[n].Trust], &row[n], n, m) })
			}
		})
	}
}

// Racing is true under the race detector, which makes each call take six times as long.
var Racing = false

// casesPerCall is how many cases of a row take turns with the routes, apart from cases that go everywhere. Each
// case takes at least one route.
func casesPerCall() int {
	if Racing || testing.Short() {
		return 7
	}
	return 1
}

// fits reports whether the route can make the call of a case with a method.
func (r *Route) fits(c *catalogue.Case, method catalogue.Method) bool {
	return (r.Carries == nil || r.Carries(method)) && c.Fits(method)
}

// run makes all calls of the nth case of a row.
func (s *sighting) run(t *testing.T, routes []Route, c *catalogue.Case, n int, m mode) {
	t.Helper()
	s.mu.Lock()
	s.cases++
	s.mu.Unlock()
	type call struct {
		route  *Route
		method catalogue.Method
	}
	var calls []call
	for w := range routes {
		for _, method := range catalogue.Methods {
			if routes[w].fits(c, method) {
				calls = append(calls, call{&routes[w], method})
			}
		}
	}
	s.mu.Lock()
	s.combinations += len(calls)
	s.mu.Unlock()
	every := min(max(casesPerCall(), m.casesPerCall), len(calls)) // so that each case makes a call
	called := len(calls) == 0
	for i, call := range calls {
		if !c.Everywhere && (n+i+1)%every != 0 {
			continue
		}
		called = true
		record, answer := testCall(t, call.route, c, call.method, m)
		s.note(c, call.route.Name+", "+call.method.Name, record, answer.Error)
		if t.Failed() {
			t.FailNow() // The other routes would fail alike.
		}
	}
	if !called {
		t.Error("the case makes no call")
	}
}

// testCall makes one call and compares everything that comes of it.
func testCall(t *testing.T, route *Route, c *catalogue.Case, method catalogue.Method, m mode) (*Record, Answer) {
	t.Helper()
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.Authorization != nil {
		header["Authorization"] = slices.Clone(c.Authorization)
	}
	where := route.Name + ", " + method.Name
	record, answer, texts := route.make(t, c, method, header)
	for m.shadow != "" && record.late() {
		record, answer, texts = route.make(t, c, method, header)
	}
	want, shadow := m.want(c, method), []string(nil)
	wantAnswer, wantStatus := want.answer, http.StatusOK
	if route.ShowsHTTP != nil && route.ShowsHTTP(method) {
		wantStatus = want.answer.HTTPStatus()
	} else {
		wantAnswer.Challenge = ""
	}
	if answer.Answer != wantAnswer || answer.More != 0 || (answer.Error == nil) != (want.answer.Reason == "") {
		t.Errorf("%s: the answer is\n     %+v\nwant %+v", where, answer, wantAnswer)
	}
	if answer.Error != nil && answer.Domain != "protoauthz" {
		t.Errorf("%s: the domain is %q", where, answer.Domain)
	}
	if answer.Status != 0 && answer.Status != wantStatus {
		t.Errorf("%s: the HTTP status is %d, want %d", where, answer.Status, wantStatus)
	}
	times, messagesSeen := record.Seen()
	got := catalogue.Outcome{Decisions: textsOf(record.Decisions("")), Handled: times, Seen: messagesSeen, Got: texts}
	if !reflect.DeepEqual(got, want.outcome) {
		t.Errorf("%s: the outcome is\n     %#v\nwant %#v", where, got, want.outcome)
	}
	if m.shadow != "" {
		shadow = textsOf(record.Decisions(m.shadow))
	}
	if !slices.Equal(shadow, want.shadow) {
		t.Errorf("%s: the decisions in shadow are %q, want %q", where, shadow, want.shadow)
	}
	checkWays(t, where, c, record, want)
	for n, event := range record.Events() {
		checkEvent(t, where, event)
		if event.Shadow != "" && event.Denial != nil && event.RefusedAnyway != want.anyway {
			t.Errorf("%s: event %d says %t for refused anyway", where, n, event.RefusedAnyway)
		}
		if n > 0 && event.Verification > 0 {
			t.Errorf("%s: event %d tells the time of the verification again", where, n)
		}
	}
	if denial := record.Denial(); denial != nil {
		if cause := denial.Unwrap(); cause == nil || c.Cause != nil && !errors.Is(cause, c.Cause) {
			t.Errorf("%s: the cause is %v, want %v", where, cause, c.Cause)
		}
	}
	return record, answer
}

func textsOf(reasons []interceptor.Reason) (texts []string) {
	for _, reason := range reasons {
		texts = append(texts, string(reason))
	}
	return texts
}

// make makes one call.
func (r *Route) make(t *testing.T, c *catalogue.Case, method catalogue.Method, header http.Header) (*Record, Answer, []string) {
	t.Helper()
	record, id := r.Records.New()
	header.Set(Field, id)
	record.swallow = c.Swallow
	answer, texts := r.Call(t.Context(), c, method, header)
	return record, answer, texts
}

// checkEvent makes sure that the fields of an event fit together.
func checkEvent(t *testing.T, where string, event interceptor.Event) {
	t.Helper()
	rule, organization := event.Rule(), event.Claims.OrganizationID()
	outcome := interceptor.OutcomeAllowed
	if event.Denial != nil {
		outcome = interceptor.OutcomeRefused
		if event.Shadow != "" && event.Denial.Code() == connect.CodeUnavailable {
			outcome = interceptor.OutcomeNotJudged
		}
	}
	fault := ""
	switch {
	case !slices.Contains([]string{connect.ProtocolConnect, connect.ProtocolGRPC, connect.ProtocolGRPCWeb}, event.Protocol) && !strings.Contains(where, "in process"):
		fault = "no protocol"
	case (rule == nil) != (event.Procedure == interceptor.UnknownProcedure), rule != nil && rule.Procedure != event.Procedure:
		fault = "another rule"
	case event.Public != (rule != nil && rule.Public && event.Denial == nil), event.Public && event.Claims != nil:
		fault = "not public"
	case event.Outcome() != outcome:
		fault = "another outcome"
	case event.RefusedAnyway && (event.Denial == nil || event.Shadow != interceptor.ShadowTable):
		fault = "refused anyway"
	case event.Denial == nil && event.Organization != organization:
		fault = "another organization"
	case event.Denial != nil && event.Denial.Reason() == interceptor.ReasonOrganizationMismatch && event.Organization == organization:
		fault = "the same organization"
	case len(event.Organization) > 200 || strings.ContainsFunc(event.Organization, func(r rune) bool { return r < ' ' || r > '~' }):
		fault = "an organization that cannot be printed"
	}
	if fault != "" {
		t.Errorf("%s: %s: %+v", where, fault, event)
	}
}
