package interceptor

import (
	"context"
	"net/http"
	"time"
)

// Interruptible returns a handler that lets guards set read and write deadlines on the
// connection of a call. Wrap the whole mux in it, so that
//
//   - a stream ends with its token even if the client streams over HTTP/1.1 and sends
//     nothing more, or does not read what it is sent;
//   - a refused call over HTTP/1.1 is answered within a second, where net/http would wait
//     for its body.
//
// The [http.ResponseWriter] must support deadlines, as that of [http.Server] does;
// middleware outside that wraps it needs an Unwrap method (see [http.ResponseController]).
// With others it does nothing. Against a client that stops reading a whole HTTP/2
// connection, set [http.HTTP2Config.WriteByteTimeout].
func Interruptible(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &connection{http.NewResponseController(w), r.Header}
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connectionKey{}, c)))
	})
}

type connectionKey struct{}

// A connection is what a call came over. A handler may call another one in process, with
// the same context: the header tells them apart.
type connection struct {
	*http.ResponseController
	header http.Header
}

func connectionOf(ctx context.Context, header http.Header) (*connection, bool) {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	return c, ok && sameMap(c.header, header)
}

// refusedBody is how long a refused call may still send its body. If all of it comes in
// time, net/http keeps the connection.
const refusedBody = time.Second

// endReads wakes a handler that waits for the client.
func endReads(ctx context.Context, header http.Header, in time.Duration) {
	if c, ok := connectionOf(ctx, header); ok {
		_ = c.SetReadDeadline(time.Now().Add(in))
	}
}

// endWrites wakes a handler whose client does not read, at the price of the answer.
func endWrites(ctx context.Context, header http.Header) {
	if c, ok := connectionOf(ctx, header); ok {
		_ = c.SetWriteDeadline(time.Now())
	}
}
