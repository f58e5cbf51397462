package harness

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// A Way is a way to call all services of a server with a guard.
type Way struct {
	// Name is the same for whomever the server trusts.
	Name string
	// Carries tells whether there are such calls at all. Nil means all.
	Carries func(catalogue.Method) bool
	// ShowsHTTP tells whether a client sees the status of HTTP that goes with an answer, and its
	// challenge. Nil means never: then the status is 200, if the client sees one.
	ShowsHTTP func(catalogue.Method) bool
	// Records are those of the server.
	Records *Records
	// Call makes one call with a header, and returns the refusal, if it is one, and the
	// texts in the answers.
	Call func(ctx context.Context, c *catalogue.Case, method catalogue.Method, header http.Header) (Answer, []string)
	// Logged is what the server has logged. Nil means nothing.
	Logged func() string
}

// An Answer is what a client gets. Error is nil if the call succeeded.
type Answer struct {
	catalogue.Answer

	Domain string
	More   int // how many other details, metadata and challenges there are
	Status int // of HTTP, or 0 if the client cannot see it
	Error  error
}

// Catalogue makes every call of the catalogue over the transports that a function returns for
// each trust, with guards that call Observe.
func Catalogue(t *testing.T, transports func(t *testing.T, trust *catalogue.Trust) []Way) {
	t.Helper()
	attacker := listen(t)
	trusts, err := catalogue.NewTrusts()
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string][]Way{}
	for name, trust := range trusts {
		ways[name] = transports(t, trust)
	}
	cases := catalogue.Cases(attacker.url)
	rows := map[string][]catalogue.Case{}
	for _, c := range cases {
		rows[c.Row] = append(rows[c.Row], c)
	}
	var seen sighting
	// When all is over.
	t.Cleanup(func() {
		seen.checkSecrets(t, cases)
		if flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" {
			seen.checkCoverage(t, rows, ways[catalogue.Both])
			if seen.cases != len(cases) {
				t.Errorf("%d cases ran, want all %d", seen.cases, len(cases))
			}
		}
		if n := attacker.connections.Load(); n != 0 {
			t.Errorf("%d connections to the attacker's server", n)
		}
		for name, trust := range trusts {
			if strays := trust.Strays(); len(strays) > 0 {
				t.Errorf("%s: requests to %q, which nobody configured", name, strays)
			}
			for _, way := range ways[name] {
				if way.Logged == nil {
					continue
				}
				if log := way.Logged(); log != "" {
					t.Errorf("%s, %s: the server logged:\n%s", name, way.Name, log)
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
			if !catalogue.Fleeting(id) { // which come first, so that they are not kept waiting by all others
				t.Parallel()
			}
			for n := range row {
				t.Run(row[n].Name, func(t *testing.T) { seen.run(t, ways[row[n].Trust], &row[n], n) })
			}
		})
	}
}

// Racing is set under the race detector, which makes each call six times as dear.
var Racing = false

// casesPerCall is how many cases of a row share the ways to call, apart from those that go
// everywhere.
func casesPerCall() int {
	if Racing || testing.Short() {
		return 7
	}
	return 1
}

// fits reports whether a transport can carry a case as a call of the method.
func (w *Way) fits(c *catalogue.Case, method catalogue.Method) bool {
	return (w.Carries == nil || w.Carries(method)) && c.Fits(method)
}

// run makes all calls of the nth case of a row.
func (s *sighting) run(t *testing.T, ways []Way, c *catalogue.Case, n int) {
	t.Helper()
	s.mu.Lock()
	s.cases++
	s.mu.Unlock()
	turn := n
	for w := range ways {
		for _, method := range catalogue.Methods {
			if !ways[w].fits(c, method) {
				continue
			}
			s.mu.Lock()
			s.combinations++
			s.mu.Unlock()
			if turn++; !c.Everywhere && turn%casesPerCall() != 0 {
				continue
			}
			way := ways[w].Name + ", " + method.Name
			record, answer := testCall(t, &ways[w], c, method)
			s.note(c, way, record, answer.Error)
			if t.Failed() {
				t.Fatal("called with " + way)
			}
		}
	}
}

// testCall makes one call and compares all that comes of it.
func testCall(t *testing.T, way *Way, c *catalogue.Case, method catalogue.Method) (*Record, Answer) {
	t.Helper()
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.Authorization != nil {
		header["Authorization"] = slices.Clone(c.Authorization)
	}
	record, id := way.Records.New()
	header.Set(Field, id)
	record.swallow = c.Swallow
	answer, texts := way.Call(t.Context(), c, method, header)

	wantAnswer, wantStatus := c.Want, http.StatusOK
	if way.ShowsHTTP != nil && way.ShowsHTTP(method) {
		wantStatus = c.Want.HTTPStatus()
	} else {
		wantAnswer.Challenge = ""
	}
	if answer.Answer != wantAnswer || answer.More != 0 || (answer.Error == nil) != (c.Want.Reason == "") {
		t.Errorf("the answer is\n     %+v\nwant %+v", answer, wantAnswer)
	}
	if answer.Error != nil && answer.Domain != "protoauthz" {
		t.Errorf("the domain is %q", answer.Domain)
	}
	if answer.Status != 0 && answer.Status != wantStatus {
		t.Errorf("the HTTP status is %d, want %d", answer.Status, wantStatus)
	}
	want := c.Outcome(method)
	var decisions []string
	for _, reason := range record.Decisions() {
		decisions = append(decisions, string(reason))
	}
	times, messagesSeen := record.Seen()
	got := catalogue.Outcome{Decisions: decisions, Handled: times, Seen: messagesSeen, Got: texts}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the outcome is\n     %#v\nwant %#v", got, want)
	}
	if denial := record.Denial(); denial != nil {
		if cause := denial.Unwrap(); cause == nil || c.Cause != nil && !errors.Is(cause, c.Cause) {
			t.Errorf("the cause is %v, want %v", cause, c.Cause)
		}
	}
	return record, answer
}
