// Package troubleshooting_test holds docs/troubleshooting.md against servers and clients. It is apart from package
// interceptor, whose users would get the checksums of all modules that it imports.
package troubleshooting_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// A lockedText is a log that servers write.
type lockedText struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer].
func (l *lockedText) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, line...)
	return len(line), nil
}

// take returns the text, and empties the log.
func (l *lockedText) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text
	l.text = nil
	return text
}

// A symptom is a row of docs/troubleshooting.md: what the client sees, and what the log says.
type symptom struct{ client, log string }

// row is the place of a symptom: its section and its first cell.
type row struct{ section, name string }

func (r row) String() string { return r.section + ", " + r.name }

const guide = "interceptor/docs/troubleshooting.md"

var (
	guideHeading = regexp.MustCompile(`^##+ (.*)$`)
	guideClient  = regexp.MustCompile("^The client sees (`.*`|the answer)\\.$")
	guideRow     = regexp.MustCompile("^\\| (.*?) \\| (?:(`.*?`|the answer|nothing) \\| )?(`.*`|nothing) \\| (.+) \\|$")
)

// symptoms returns the rows of the document. In a section without a column for the client, all rows have the text of
// the section.
func symptoms(t *testing.T) map[row]symptom {
	t.Helper()
	document, err := os.ReadFile(root + "/" + guide)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[row]symptom{}
	section, client := "", ""
	for line := range strings.Lines(string(document)) {
		line = strings.TrimSuffix(line, "\n")
		if match := guideHeading.FindStringSubmatch(line); match != nil {
			section, client = match[1], ""
		}
		if match := guideClient.FindStringSubmatch(line); match != nil {
			client = match[1]
		}
		match := guideRow.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		place := row{section, match[1]}
		if _, twice := rows[place]; twice {
			t.Errorf("%s has two rows %q", guide, place)
		}
		rows[place] = symptom{strings.Trim(cmp.Or(match[2], client), "`"), strings.Trim(match[3], "`")}
	}
	return rows
}

// matches reports whether a cell of the document shows a text. In a cell … stands for any text, such as a port.
func matches(cell, text string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(cell), "…", ".*") + "$").MatchString(text)
}

var port = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// observe makes the call of a situation with a client of connect-go.
func (c callSituation) observe(t *testing.T, text *lockedText) symptom {
	t.Helper()
	in := c.setup(t)
	if in.table == nil {
		in.table = harness.PlainRules(t)
	}
	_ = text.take()
	server := harness.ServePiped(t, in.handlers.mux(interceptor.New(in.verifier, in.table, in.options...).HandlerOption()))
	method, called := cmp.Or(in.method, catalogue.Unary), c.called
	if !strings.HasPrefix(called, "/") {
		called = catalogue.Procedure(called, method)
	}
	var err error
	if method == catalogue.Unary {
		sent := &message{OrganizationId: strings.Join(in.named, ""), Document: &samplev1.Document{Name: in.owner}}
		err = sending(t.Context(), server.HTTP2, server.URL+called, in.header, sent)
	} else {
		err = streaming(t.Context(), server.HTTP2, server.URL+called, in.header, in.named...)
	}
	var line struct{ Procedure, Reason, Cause, Help string }
	for each := range bytes.Lines(text.take()) {
		if !bytes.Contains(each, []byte(`"protoauthz: refused"`)) {
			continue // a line about a panic
		}
		if line.Cause != "" {
			t.Errorf("a second line: %s", each)
		}
		if err := json.Unmarshal(each, &line); err != nil {
			t.Error(err)
		}
	}
	if reason := string(c.reason); line.Reason != reason || !strings.HasSuffix(line.Help, "/"+guide+"#"+strings.ToLower(reason)) {
		t.Errorf("the reason is %s, with %s", line.Reason, line.Help)
	}
	return symptom{printed(err), line.Cause}
}

// heldElsewhere are sections, and rows, that end-to-end tests hold.
var heldElsewhere = map[string]string{
	"`buf lint` says nothing":                                   "TestLintSaysNothing",
	"A tool is not found":                                       "TestPrintedByTools",
	notFound + ", `buf curl`: the server has no reflection":     "TestPrintedByTools",
	noAnswer + ", curl: nobody listens at the address":          "TestPrintedByTools",
	noAnswer + ", curl: https in the URL, a server without TLS": "TestPrintedByTools",
}

// TestTroubleshooting makes sure that each row of the document is what a client prints and what the default log tells,
// and that the line of a refused call leads to the section of its reason.
func TestTroubleshooting(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	_ = harness.Logged(t) // which puts the logger of the process back
	text := new(lockedText)
	slog.SetDefault(slog.New(slog.NewJSONHandler(text, nil)))
	_ = harness.PlainRules(t) // which belong to no bubble
	rows := symptoms(t)
	check := func(t *testing.T, place row, got symptom) {
		t.Helper()
		if want := rows[place]; !matches(want.client, got.client) || !matches(want.log, got.log) {
			got.client, got.log = port.ReplaceAllString(got.client, "127.0.0.1:…"), port.ReplaceAllString(got.log, "127.0.0.1:…")
			t.Errorf("%s, section %q, must have the row\n| %s | `%s` | `%s` | … |", guide, place.section, place.name, got.client, got.log)
		}
		delete(rows, place)
	}
	for _, situation := range slices.Concat(tokenSituations, ruleSituations, subjectSituations, keySituations) {
		place := row{string(situation.reason), situation.name}
		run := func(t *testing.T) { check(t, place, situation.observe(t, text)) }
		if reason := situation.reason; reason == interceptor.ReasonTokenExpired || reason == interceptor.ReasonTokenNotYetValid {
			bubble(t, place.String(), run) // for clocks
		} else {
			t.Run(place.String(), run)
		}
	}
	for _, situation := range programSituations {
		place := row{situation.section, situation.name}
		t.Run(place.String(), func(t *testing.T) {
			_ = text.take()
			check(t, place, situation.observe(t, text))
		})
	}
	for place := range rows {
		if heldElsewhere[place.section] == "" && heldElsewhere[place.String()] == "" {
			t.Errorf("%s has the row %q, and no situation of this test has it", guide, place)
		}
	}
}
