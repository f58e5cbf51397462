package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/protoauthz/protoauthz/interceptor"
)

// A tally counts the requests of a server by outcome. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex
	// Requests came in. The guard let some of them in, and refused others, by reason. connect-go answered
	// the rest before the guard.
	Requests int
	Admitted int
	Refused  map[interceptor.Reason]int
	// Handled calls reached the handler. Strangers reached the handler without verified claims.
	Handled   int
	Strangers int
}

func newTally() *tally { return &tally{Refused: map[interceptor.Reason]int{}} }

// requested counts requests in front of the guard.
func (t *tally) requested(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		t.Requests++
		t.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// decided is the guard's observer.
func (t *tally) decided(_ context.Context, event interceptor.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if event.Denial == nil {
		t.Admitted++
	} else {
		t.Refused[event.Denial.Reason()]++
	}
}

// handled is called by handlers.
func (t *tally) handled(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Handled++
	if interceptor.ClaimsFromContext(ctx).Subject() == "" {
		t.Strangers++
	}
}

// write writes the tally as a line of JSON.
func (t *tally) write(out io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.NewEncoder(out).Encode(t)
}

func (t *tally) add(other *tally) {
	t.Requests += other.Requests
	t.Admitted += other.Admitted
	t.Handled += other.Handled
	t.Strangers += other.Strangers
	for reason, count := range other.Refused {
		t.Refused[reason] += count
	}
}

func (t *tally) refused() (count int) {
	for _, refused := range t.Refused {
		count += refused
	}
	return count
}

func (t *tally) String() string {
	s := fmt.Sprintf("%d requests, %d let in, %d handled", t.Requests, t.Admitted, t.Handled)
	if t.Strangers > 0 {
		s += fmt.Sprintf(" (%d without claims)", t.Strangers)
	}
	for _, reason := range slices.Sorted(maps.Keys(t.Refused)) {
		s += fmt.Sprintf(", %d refused with %s", t.Refused[reason], reason)
	}
	return s
}
