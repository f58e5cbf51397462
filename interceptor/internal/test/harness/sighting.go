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

// A sighting is what came out of all calls.
type sighting struct {
	mu           sync.Mutex
	cases        int
	combinations int                        // of case, transport and method
	calls        int                        // that were made of them
	bare         int                        // without a token
	answers      map[string]string          // what came back to the client or went to the observer, with the call
	covered      map[string]map[string]bool // by row, the ways in which it was called
}

// note keeps what a refusal told: to the client, and by the observer to the log.
func (s *sighting) note(c *catalogue.Case, way string, record *Record, err error) {
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
func (s *sighting) checkSecrets(t *testing.T, cases []catalogue.Case) {
	t.Helper()
	texts, pieces := catalogue.Secrets(cases)
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
		for n := catalogue.Piece; n <= len(answer); n++ {
			if piece := answer[n-catalogue.Piece : n]; pieces[piece] {
				t.Errorf("D56: %s: %q is told: %q", call, piece, answer)
			}
		}
	}
}

// checkCoverage makes sure that each row was called in all ways.
func (s *sighting) checkCoverage(t *testing.T, rows map[string][]catalogue.Case, ways []Way) {
	t.Helper()
	for id, row := range rows {
		want := map[string]bool{}
		for w := range ways {
			for _, method := range catalogue.Methods {
				if slices.ContainsFunc(row, func(c catalogue.Case) bool { return ways[w].fits(&c, method) }) {
					want[ways[w].Name+", "+method.Name] = true
				}
			}
		}
		if got := s.covered[id]; !maps.Equal(got, want) {
			t.Errorf("%s: called in %d ways of %d", id, len(got), len(want))
		}
	}
}
