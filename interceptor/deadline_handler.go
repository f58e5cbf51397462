package interceptor

import (
	"net/http"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// DeadlineHandler returns a handler that lets the guards of connect-go, both versions, set read and
// write deadlines on the connection of a call. Wrap the whole mux in it, so that
//
//   - a stream ends with its token even if the client streams over HTTP/1.1 and sends
//     nothing more, or does not read what it is sent;
//   - a refused call over HTTP/1.1 is answered within a second if its body does not come, and
//     at once, without a 100 Continue, if the client expects one before it sends the body
//     (RFC 9110 section 10.1.1).
//
// A connection of HTTP/1.1 whose body was cut off is closed after the answer.
//
// Without DeadlineHandler, connect-go waits for the body of a refused call over HTTP/1.1 as long as the
// timeouts of [http.Server] allow. A guard that is installed by [Guard.Interceptor] alone refuses a
// unary call after its body was read, and net/http sends the 100 Continue for the body.
//
// Middleware between DeadlineHandler and the handlers may copy the request, its header and the
// [http.ResponseWriter], as [http.TimeoutHandler] does. Middleware must keep the context of the request:
// a call without the context is a call outside of DeadlineHandler, and no warning tells so. Middleware
// must also keep the Authorization header and the path, except for a prefix that [http.StripPrefix]
// removes. Put middleware that changes one of these on a copy outside of DeadlineHandler.
//
// The [http.ResponseWriter] of DeadlineHandler must support deadlines, as the ResponseWriter of
// [http.Server] does. Middleware outside that wraps the ResponseWriter needs an Unwrap method (see
// [http.ResponseController]).
//
// If DeadlineHandler cannot tell the connection of a call, or the connection does not support deadlines,
// a warning that names the procedure goes to [log/slog.Default], once for each result of
// DeadlineHandler. A call that a handler makes in process with its own context does not have the
// connection of the handler. Such a call draws the warning if the handler is neither guarded nor a
// handler of connect-go.
//
// Against a client that stops reading a whole HTTP/2 connection, set
// [http.HTTP2Config.WriteByteTimeout].
func DeadlineHandler(handler http.Handler) http.Handler {
	return callctx.Handler(handler)
}
