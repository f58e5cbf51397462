package interceptor

import (
	"net/http"

	"github.com/protoauthz/protoauthz/interceptor/internal/interrupt"
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
		handler.ServeHTTP(w, interrupt.NewContext(w, r))
	})
}
