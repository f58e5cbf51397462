package harness

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/protoauthz/protoauthz/interceptor"
)

// A Record is the record of one call of a test. It is safe for concurrent use.
type Record struct {
	swallow bool // see catalogue.Case

	mu       sync.Mutex
	handled  int      // how often a handler was called
	messages []string // the texts of the messages that handlers saw
	told     []Told   // the way in, with each message
	events   []interceptor.Event
	received strings.Builder // everything that the client received
	status   int             // of HTTP
}

type recordKey struct{}

// NewContext returns a context in which Handled, Saw, Swallows and Observe find a record.
func NewContext(ctx context.Context, r *Record) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}

// Observe is an observer for the calls whose contexts have a record.
func Observe(ctx context.Context, event interceptor.Event) {
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, event)
	}
}

// Handled notes that a handler runs. A handler calls it first.
func Handled(ctx context.Context) {
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.handled++
	}
}

// Saw notes a message. A handler calls it with the text of each message.
func Saw(ctx context.Context, message string) {
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.messages = append(r.messages, message)
		way, ok := interceptor.WayFromContext(ctx)
		r.told = append(r.told, Told{way, ok})
	}
}

// Told is the way in that a handler is told, or is not told.
type Told struct {
	interceptor.Way

	OK bool
}

// Swallows reports whether the handler of a call must ignore the error of a Receive.
func Swallows(ctx context.Context) bool {
	r, ok := ctx.Value(recordKey{}).(*Record)
	return ok && r.swallow
}

// Decisions returns the reasons of all events of a kind of shadow, "" for an admission.
func (r *Record) Decisions(shadow interceptor.Shadow) []interceptor.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	var reasons []interceptor.Reason
	for _, event := range r.events {
		if event.Shadow != shadow {
			continue
		}
		if event.Denial == nil {
			reasons = append(reasons, "")
		} else {
			reasons = append(reasons, event.Denial.Reason())
		}
	}
	return reasons
}

// Events returns all events.
func (r *Record) Events() []interceptor.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Event returns the nth event.
func (r *Record) Event(n int) interceptor.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[n]
}

// Seen returns how often a handler was called, and what it saw.
func (r *Record) Seen() (times int, messages []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.handled, slices.Clone(r.messages)
}

// Told returns the way in that handlers were told with each message.
func (r *Record) Told() []Told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

// Denial returns the denial of the last event, or nil.
func (r *Record) Denial() *interceptor.Denial {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return nil
	}
	return r.events[len(r.events)-1].Denial
}

// Receive notes parts of an answer that the client has received.
func (r *Record) Receive(parts ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintln(&r.received, parts...)
}

// Received returns everything that the client has received.
func (r *Record) Received() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.received.String()
}

// Status returns the HTTP status of the answer, or 0.
func (r *Record) Status() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Field is the field of the header that names the record of a call.
const Field = "X-Test-Call"

// Records are the records of the calls to one server.
type Records struct {
	last  atomic.Int64
	calls sync.Map
}

// New returns a new record, and the value of Field for its call.
func (r *Records) New() (*Record, string) {
	record, id := new(Record), strconv.FormatInt(r.last.Add(1), 10)
	r.calls.Store(id, record)
	return record, id
}

// Find returns the record with an id, or nil.
func (r *Records) Find(id string) *Record {
	found, _ := r.calls.Load(id)
	record, _ := found.(*Record)
	return record
}
