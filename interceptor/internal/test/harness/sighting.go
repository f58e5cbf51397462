package harness

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// A sighting collects the texts of all calls, and counts the calls.
type sighting struct {
	mu           sync.Mutex
	cases        int
	combinations int                        // of case, route and method
	calls        int                        // the combinations that were called
	bare         int                        // the calls without a token
	answers      map[string]string          // the texts that a client or an observer got, each with its call
	covered      map[string]map[string]bool // the routes by which each row was called
}

// note keeps the texts of a call: to the client, and to the observer, which may log them.
func (s *sighting) note(c *catalogue.Case, route string, record *Record, err error) {
	denial := record.Denial()
	var told []string
	if _, seen := record.Seen(); len(seen) == 0 { // else it is an echo of the request
		told = append(told, record.Received(), fmt.Sprint(err))
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
	if len(c.Authorization) == 0 {
		s.bare++
	}
	if s.answers == nil {
		s.answers, s.covered = map[string]string{}, map[string]map[string]bool{}
	}
	if s.covered[c.Row] == nil {
		s.covered[c.Row] = map[string]bool{}
	}
	s.covered[c.Row][route] = true
	for _, text := range told {
		s.answers[text] = c.Row + "/" + c.Name + ", " + route
	}
}

var encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)

// decoded is a text, followed by the decoded form of its base64.
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

// checkVolume makes sure that there are texts to search: accepted calls alone have none.
func (s *sighting) checkVolume(t *testing.T) {
	t.Helper()
	if len(s.answers) == 0 {
		t.Errorf("no secrets were looked for: there are %d calls, and no texts", s.calls)
	}
}

// checkSecrets makes sure that the texts hold nothing of the content of the tokens.
func (s *sighting) checkSecrets(t *testing.T, cases []catalogue.Case) {
	t.Helper()
	texts, pieces := catalogue.Secrets(cases)
	if len(texts) < 100 || len(pieces) < 10_000 {
		t.Errorf("only %d secrets and %d pieces of tokens are looked for", len(texts), len(pieces))
	}
	for answer, call := range s.answers {
		answer = decoded(answer)
		for _, secret := range texts {
			if strings.Contains(answer, secret) {
				t.Errorf("D56: %s: the answer or the event holds %q: %q", call, secret, answer)
			}
		}
		for n := catalogue.Piece; n <= len(answer); n++ {
			if piece := answer[n-catalogue.Piece : n]; pieces[piece] {
				t.Errorf("D56: %s: the answer or the event holds %q: %q", call, piece, answer)
			}
		}
	}
}

// checkCoverage makes sure that each row was called by all routes.
func (s *sighting) checkCoverage(t *testing.T, rows map[string][]catalogue.Case, routes []Route) {
	t.Helper()
	for id, row := range rows {
		want := map[string]bool{}
		for n := range routes {
			for _, method := range catalogue.Methods {
				if slices.ContainsFunc(row, func(c catalogue.Case) bool { return routes[n].fits(&c, method) }) {
					want[routes[n].Name+", "+method.Name] = true
				}
			}
		}
		if got := s.covered[id]; !maps.Equal(got, want) {
			t.Errorf("%s: called by %d routes of %d", id, len(got), len(want))
		}
	}
}
