package interceptor

import (
	"context"
	"net/http"
	"time"
)

type connectionKey struct{}

// Interruptible lets a guard interrupt what is read and written. Wrap the mux in it:
//
//   - Streams end with their token also if the client streams over HTTP/1.1 and sends
//     nothing more, or does not read what it is sent.
//   - A call over HTTP/1.1 that is refused gets its answer within a second, where net/http
//     would wait for its body.
//
// It needs a [http.ResponseWriter] that [http.ResponseController] can set deadlines on, as
// that of [http.Server] is, and does nothing with others. A client that stops reading the
// HTTP/2 connection as a whole is for [http.HTTP2Config.WriteByteTimeout].
func Interruptible(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), connectionKey{}, http.NewResponseController(w))
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// refusedBody is for how long a refused call may send what is left of its body. Within that
// time net/http can keep the connection.
const refusedBody = time.Second

// endReads wakes a handler that waits for the client.
func endReads(ctx context.Context, in time.Duration) {
	if connection, ok := ctx.Value(connectionKey{}).(*http.ResponseController); ok {
		_ = connection.SetReadDeadline(time.Now().Add(in))
	}
}

// endWrites wakes a handler whose client does not read, at the price of the answer.
func endWrites(ctx context.Context) {
	if connection, ok := ctx.Value(connectionKey{}).(*http.ResponseController); ok {
		_ = connection.SetWriteDeadline(time.Now())
	}
}
