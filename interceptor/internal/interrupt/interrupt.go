// Package interrupt lets guards set deadlines on the connection that a call came over.
package interrupt

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

type contextKey struct{}

// A Connection is what a request came over. One call at most has it: the first that a guard
// admits for the request. Its methods are safe for concurrent use. The nil Connection cannot be
// interrupted.
type Connection struct {
	controller *http.ResponseController
	request    *http.Request // as it was handed on
	told       *atomic.Bool  // shared by all connections of a Handler

	// As they came. While handlers make calls in process, the request may change.
	header        http.Header
	path          string
	authorization []string
	expects       bool // the client waits to be told before it sends the body

	mu        sync.Mutex
	owner     any    // the ID of the call that has the connection
	procedure string // of the call that was found last
	over      bool   // the connection may serve another request
}

// Handler returns a handler that runs another one with a context in which FromContext finds the
// connection of the request.
func Handler(handler http.Handler) http.Handler {
	told := new(atomic.Bool)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := newConnection(w, r, told)
		defer c.end()
		handler.ServeHTTP(w, c.request)
	})
}

func newConnection(w http.ResponseWriter, r *http.Request, told *atomic.Bool) *Connection {
	c := &Connection{
		controller: http.NewResponseController(w),
		told:       told,
		header:     r.Header,
		// A copy: somebody may write into the values to keep secrets out of a log.
		authorization: append([]string(nil), r.Header.Values("Authorization")...),
		// net/http refuses all other expectations. A client of HTTP/1.0 does not wait.
		expects: r.ProtoAtLeast(1, 1) && r.Header.Get("Expect") != "",
	}
	if r.URL != nil {
		c.path = r.URL.Path
	}
	c.request = r.WithContext(context.WithValue(r.Context(), contextKey{}, c))
	return c
}

// end keeps handlers that still run, as [http.TimeoutHandler] leaves them, off the connection.
func (c *Connection) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// FromContext returns the connection of the request from whose context another one is made, or
// nil. Whether a call with that context came over the connection, Claim tells.
func FromContext(ctx context.Context) *Connection {
	c, _ := ctx.Value(contextKey{}).(*Connection)
	return c
}

// EndReads wakes a handler that waits for the client.
func (c *Connection) EndReads() { c.endReads(0) }

// refusedBody is how long a refused call may still send its body. If all of it comes in
// time, net/http keeps the connection.
const refusedBody = time.Second

// EndBody bounds the wait for the body of a refused call.
func (c *Connection) EndBody() { c.endReads(refusedBody) }

func (c *Connection) endReads(in time.Duration) {
	if c != nil {
		c.set(c.controller.SetReadDeadline, in)
	}
}

// writeGrace is how long the last write of a call may take.
const writeGrace = 500 * time.Millisecond

// AwaitWrite waits for the write that is under way, which holds the lock and is the last. If
// the client takes too long to read it and can be interrupted, it is, at the price of the
// answer.
func (c *Connection) AwaitWrite(writing *sync.Mutex) {
	if writing.TryLock() {
		writing.Unlock()
		return
	}
	cut := make(chan struct{})
	timer := time.AfterFunc(writeGrace, func() {
		defer close(cut)
		if c != nil {
			c.set(c.controller.SetWriteDeadline, 0)
		}
	})
	writing.Lock()
	defer writing.Unlock()
	if !timer.Stop() {
		<-cut
	}
}

// set sets a deadline unless the connection may serve another request.
func (c *Connection) set(deadline func(time.Time) error, in time.Duration) {
	c.mu.Lock()
	var err error
	if !c.over {
		err = deadline(time.Now().Add(in))
	}
	procedure := c.procedure
	c.mu.Unlock()
	if errors.Is(err, errors.ErrUnsupported) {
		c.tell(procedure, "interceptor.Interruptible cannot set deadlines: give an Unwrap method to the http.ResponseWriter "+
			"of the middleware around it, or put it outside of that middleware")
	}
}

// tell logs once per Handler what keeps a call from being interrupted.
func (c *Connection) tell(procedure, what string) {
	if !c.told.Load() && !c.told.Swap(true) {
		slog.Warn(what, slog.String("procedure", procedure))
	}
}
