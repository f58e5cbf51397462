// Package interrupt lets whoever serves a call set deadlines on the connection that it came
// over.
package interrupt

import (
	"context"
	"net/http"
	"sync"
	"time"
)

type contextKey struct{}

// A Connection is what a call came over. The nil Connection cannot be interrupted.
type Connection struct {
	controller *http.ResponseController
	header     http.Header
}

// NewContext returns the request with a context in which Find finds its connection.
func NewContext(w http.ResponseWriter, r *http.Request) *http.Request {
	c := &Connection{http.NewResponseController(w), r.Header}
	return r.WithContext(context.WithValue(r.Context(), contextKey{}, c))
}

// Find returns the connection of a call, or nil. A handler may call another one in process,
// with the same context: the header of the request tells them apart.
func Find(ctx context.Context, isOf func(http.Header) bool) *Connection {
	c, ok := ctx.Value(contextKey{}).(*Connection)
	if !ok || !isOf(c.header) {
		return nil
	}
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
		_ = c.controller.SetReadDeadline(time.Now().Add(in))
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
			_ = c.controller.SetWriteDeadline(time.Now())
		}
	})
	writing.Lock()
	defer writing.Unlock()
	if !timer.Stop() {
		<-cut // the connection may serve another request after this one
	}
}
