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

// A Record is what is known of one call of a test.
type Record struct {
	swallow bool // as catalogue.Case says

	mu       sync.Mutex
	handled  int      // how often a handler was called
	messages []string // what handlers saw of the messages
	events   []interceptor.Event
	received strings.Builder // by the client
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

// Handled is for handlers to call first.
func Handled(ctx context.Context) {
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.handled++
	}
}

// Saw is for handlers to call with each message.
func Saw(ctx context.Context, message string) {
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.messages = append(r.messages, message)
	}
}

// Swallows reports whether the handler of a call shall ignore that it cannot receive.
func Swallows(ctx context.Context) bool {
	r, ok := ctx.Value(recordKey{}).(*Record)
	return ok && r.swallow
}

// Decisions are the reasons of all events, "" for a call that was let in.
func (r *Record) Decisions() []interceptor.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	var reasons []interceptor.Reason
	for _, event := range r.events {
		if event.Denial == nil {
			reasons = append(reasons, "")
		} else {
			reasons = append(reasons, event.Denial.Reason())
		}
	}
	return reasons
}

// Event is the nth decision.
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

// Denial is the refusal that the observer saw last, or nil.
func (r *Record) Denial() *interceptor.Denial {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return nil
	}
	return r.events[len(r.events)-1].Denial
}

// Receive keeps what the client received.
func (r *Record) Receive(parts ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintln(&r.received, parts...)
}

// Received is all that the client received.
func (r *Record) Received() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.received.String()
}

// Status is that of HTTP.
func (r *Record) Status() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Field is the header by which a server knows a call.
const Field = "X-Test-Call"

// Records are those of the calls to one server.
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

// Find returns a record, or nil if there is none.
func (r *Records) Find(id string) *Record {
	found, _ := r.calls.Load(id)
	record, _ := found.(*Record)
	return record
}
