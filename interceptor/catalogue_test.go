package interceptor_test

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/rpctest"
)

// TestCatalogue makes every call over every wire, with a guard installed in both
// ways: the answer is the same, and tells nothing of the token.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	attacker := listen(t)
	trusts, err := rpctest.NewTrusts()
	if err != nil {
		t.Fatal(err)
	}
	fronts := map[string][]front{}
	for name, trust := range trusts {
		fronts[name] = newFronts(t, trust)
	}
	cases := rpctest.Catalogue(attacker.url)
	checkComplete(t, cases)
	rows := map[string][]rpctest.Case{}
	for _, c := range cases {
		rows[c.Row] = append(rows[c.Row], c)
	}
	var seen sighting
	// When all is over.
	t.Cleanup(func() {
		seen.checkSecrets(t, cases)
		if flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" {
			seen.checkCoverage(t, rows)
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
			for _, front := range fronts[name] {
				if log := front.served.logged(); log != "" {
					t.Errorf("%s, %s: net/http logged:\n%s", name, front.installed, log)
				}
			}
		}
		t.Logf("%d cases, %d calls, %d different answers", len(cases), seen.calls, len(seen.answers))
	})
	for id, row := range rows {
		if id == "" {
			id = "other"
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			for n, c := range row {
				t.Run(c.Name, func(t *testing.T) { seen.run(t, fronts[c.Trust], c, n) })
			}
		})
	}
}

// A front is a server of all services, with a guard.
type front struct {
	installed         string
	served, inProcess *server
}

func newFronts(t *testing.T, trust *rpctest.Trust) (fronts []front) {
	t.Helper()
	guard := interceptor.New(trust, rules(t), interceptor.WithObserver(observer))
	for _, installed := range []string{"HandlerOption", "WithInterceptors"} {
		option := guard.HandlerOption()
		if installed == "WithInterceptors" {
			option = connect.WithInterceptors(guard)
		}
		mux := handlers{}.mux(option)
		fronts = append(fronts, front{installed, serve(t, mux), serveInProcess(mux)})
	}
	return fronts
}

// An attacker is a server that nobody has any business with.
type attacker struct {
	url         string
	connections atomic.Int64
}

func listen(t *testing.T) *attacker {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{url: "http://" + listener.Addr().String()}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			a.connections.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
	})
	return a
}

// A sighting is what came out of all calls.
type sighting struct {
	mu      sync.Mutex
	cases   int
	calls   int
	answers map[string]string          // what came back to the client or went to the observer, with the call
	covered map[string]map[string]bool // by row, the ways in which it was called
}

// racing is set under the race detector, which makes each call six times as dear.
var racing = false

// inTurn is how many cases of a row share the ways to call, apart from those that go
// everywhere.
func inTurn() int {
	if racing || testing.Short() {
		return 7
	}
	return 1
}

// run makes all calls of the nth case of a row.
func (s *sighting) run(t *testing.T, fronts []front, c rpctest.Case, n int) {
	t.Helper()
	s.mu.Lock()
	s.cases++
	s.mu.Unlock()
	turn := n
	for _, front := range fronts {
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			for _, wire := range wires {
				if !wire.can(kind) || !c.Fits(methodOf(kind)) {
					continue
				}
				if turn++; !c.Everywhere && turn%inTurn() != 0 {
					continue
				}
				server := front.served
				if !c.Travels() {
					server = front.inProcess
				}
				call, err := testCall(t, server, c, wire, kind)
				way := front.installed + ", " + wire.name + ", " + kinds[kind]
				s.note(c, way, call, err)
				if t.Failed() {
					t.Fatal("called with " + way)
				}
			}
		}
	}
}

// testCall makes one call and compares all that comes of it.
func testCall(t *testing.T, server *server, c rpctest.Case, wire wire, kind connect.StreamType) (*call, error) {
	t.Helper()
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.Authorization != nil {
		header["Authorization"] = slices.Clone(c.Authorization)
	}
	call := server.record(header)
	call.swallow = c.Swallow
	var messages []*message
	for _, m := range c.Messages {
		messages = append(messages, newMessage(m))
	}
	texts, err := server.send(t.Context(), wire, c.Service, kind, header, messages...)

	wantAnswer, wantStatus := refusalOf(c.Want), http.StatusOK
	if wire.protocol == connect.ProtocolConnect && kind == connect.StreamTypeUnary {
		wantAnswer.challenge, wantStatus = c.Want.Challenge, c.Want.HTTPStatus()
	}
	if got := refused(err); got != wantAnswer {
		t.Errorf("the answer is\n     %+v\nwant %+v", got, wantAnswer)
	}
	if call.status != wantStatus {
		t.Errorf("the HTTP status is %d, want %d", call.status, wantStatus)
	}
	want := c.Outcome(methodOf(kind))
	var decisions []string
	for _, reason := range call.decisions() {
		decisions = append(decisions, string(reason))
	}
	times, messagesSeen := call.seen()
	got := rpctest.Outcome{Decisions: decisions, Handled: times, Seen: messagesSeen, Got: texts}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the outcome is\n     %#v\nwant %#v", got, want)
	}
	if denial := call.denial(); denial != nil {
		if cause := denial.Unwrap(); cause == nil || c.Cause != nil && !errors.Is(cause, c.Cause) {
			t.Errorf("the cause is %v, want %v", cause, c.Cause)
		}
	}
	return call, err
}

func newMessage(m rpctest.Message) *message {
	made := naming(m.Organization)
	if m.Document != nil {
		made.Document = &document{Name: *m.Document}
	}
	return made
}

// denial is the refusal that the observer saw last, or nil.
func (c *call) denial() *interceptor.Denial {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) == 0 {
		return nil
	}
	return c.events[len(c.events)-1].Denial
}

// note keeps what a refusal told: to the client, and by the observer to the log.
func (s *sighting) note(c rpctest.Case, way string, call *call, err error) {
	denial := call.denial()
	var told []string
	if _, seen := call.seen(); len(seen) == 0 { // else it is an echo of the request
		call.mu.Lock()
		told = append(told, call.received.String(), fmt.Sprint(err))
		call.mu.Unlock()
	}
	if denial != nil {
		told = append(told, fmt.Sprintf("%v %+v %q", denial, denial, denial))
		for err := error(denial); err != nil; err = errors.Unwrap(err) {
			told = append(told, err.Error())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.answers == nil {
		s.answers, s.covered = map[string]string{}, map[string]map[string]bool{}
	}
	if s.covered[c.Row] == nil {
		s.covered[c.Row] = map[string]bool{}
	}
	s.covered[c.Row][way] = true
	for _, text := range told {
		s.answers[text] = c.Row + "/" + c.Name + ", " + way
	}
}

var encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)

// decoded is a text with what is encoded in it.
func decoded(text string) string {
	whole := text
	for _, piece := range encoded.FindAllString(text, -1) {
		piece = strings.NewReplacer("-", "+", "_", "/").Replace(piece)
		if len(piece)%4 == 1 {
			piece = piece[:len(piece)-1]
		}
		if data, err := base64.RawStdEncoding.DecodeString(piece); err == nil {
			whole += "\n" + string(data)
		}
	}
	return whole
}

// checkSecrets looks for what is in the tokens in what was told.
func (s *sighting) checkSecrets(t *testing.T, cases []rpctest.Case) {
	t.Helper()
	texts, pieces := rpctest.Secrets(cases)
	if len(texts) < 100 || len(pieces) < 10_000 || len(s.answers) == 0 {
		t.Errorf("%d secrets and %d pieces of tokens looked for in %d answers", len(texts), len(pieces), len(s.answers))
	}
	for answer, call := range s.answers {
		answer = decoded(answer)
		for _, secret := range texts {
			if strings.Contains(answer, secret) {
				t.Errorf("D56: %s: %q is told: %q", call, secret, answer)
			}
		}
		for n := rpctest.Piece; n <= len(answer); n++ {
			if piece := answer[n-rpctest.Piece : n]; pieces[piece] {
				t.Errorf("D56: %s: %q is told: %q", call, piece, answer)
			}
		}
	}
}

// checkCoverage makes sure that each row was called in all ways.
func (s *sighting) checkCoverage(t *testing.T, rows map[string][]rpctest.Case) {
	t.Helper()
	for id, row := range rows {
		want := 0
		for kind := range kinds {
			for _, wire := range wires {
				if wire.can(kind) && slices.ContainsFunc(row, func(c rpctest.Case) bool { return c.Fits(methodOf(kind)) }) {
					want += 2
				}
			}
		}
		if got := len(s.covered[id]); got != want {
			t.Errorf("%s: called in %d ways of %d", id, got, want)
		}
	}
}

// elsewhere are the rows that are no calls of the table.
var elsewhere = map[string]func(*testing.T){
	"D54": TestBodiesWithoutToken, // a body is no message
}

// checkComplete makes sure that a row, a way to call or a reason that is taken away is
// missed.
func checkComplete(t *testing.T, cases []rpctest.Case) {
	t.Helper()
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
	for n := 1; n <= 56; n++ {
		id := fmt.Sprintf("D%02d", n)
		if _, ok := elsewhere[id]; ok == rows[id] {
			t.Errorf("%s: in the table is %t, elsewhere %t", id, rows[id], ok)
		}
		delete(rows, id)
	}
	if len(rows) > 0 {
		t.Errorf("there are no rows %v", rows)
	}
	if reasons := rpctest.Reasons(cases); len(reasons) != 16 { // with that of being let in
		t.Errorf("reasons %q", reasons)
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
