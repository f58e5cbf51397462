// Package interrupt lets whoever serves a call set deadlines on the connection that it came
// over.
package interrupt

import (
	"context"
	"net/http"
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

// Find returns the connection of a call. A handler may call another one in process, with
// the same context: the header of the request tells them apart.
func Find(ctx context.Context, isOf func(http.Header) bool) (*Connection, bool) {
	c, ok := ctx.Value(contextKey{}).(*Connection)
	if !ok || !isOf(c.header) {
		return nil, false
	}
	return c, true
}

// EndReads wakes a handler that waits for the client.
func (c *Connection) EndReads(in time.Duration) {
	if c != nil {
		_ = c.controller.SetReadDeadline(time.Now().Add(in))
	}
}

// EndWrites wakes a handler whose client does not read, at the price of the answer.
func (c *Connection) EndWrites() {
	if c != nil {
		_ = c.controller.SetWriteDeadline(time.Now())
	}
}
