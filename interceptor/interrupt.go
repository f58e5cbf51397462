package interceptor

import (
	"context"
	"net/http"
	"time"
)

type connectionKey struct{}

// Interruptible lets a guard interrupt what a handler reads and writes. Wrap the mux in
// it, so that streams end with their token whatever the client does: without it, a client
// that streams over HTTP/1.1 is told only once it sends something, and one that does not
// read keeps its stream for as long as it likes.
//
// It needs a [http.ResponseWriter] that [http.ResponseController] can set deadlines on, as
// that of [http.Server] is, and does nothing with others.
func Interruptible(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), connectionKey{}, http.NewResponseController(w))
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// interrupted is a deadline that has passed.
var interrupted = time.Unix(1, 0)

// interruptReads wakes a handler that waits for the client.
func interruptReads(ctx context.Context) {
	if connection, ok := ctx.Value(connectionKey{}).(*http.ResponseController); ok {
		_ = connection.SetReadDeadline(interrupted)
	}
}

// interruptWrites wakes a handler whose client does not read, at the price of the answer.
func interruptWrites(ctx context.Context) {
	if connection, ok := ctx.Value(connectionKey{}).(*http.ResponseController); ok {
		_ = connection.SetWriteDeadline(interrupted)
	}
}
