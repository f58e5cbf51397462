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
// A connection of HTTP/1.1 whose body is cut off so is closed after the answer.
//
// Without it connect-go waits for the body of a refused call over HTTP/1.1, as long as the
// timeouts of [http.Server] let it. [Guard.Interceptor] alone has the body of a unary call read
// in any case, for which net/http sends the 100 Continue.
//
// Middleware between it and the handlers may copy the request, its header and the
// [http.ResponseWriter], as [http.TimeoutHandler] does. Middleware must keep the context of the request:
// without it the call looks like a call outside of DeadlineHandler, and nothing warns. Middleware must
// also keep the path, except for a prefix that [http.StripPrefix] removes, and the Authorization
// header: middleware that changes one of these on a copy belongs outside of DeadlineHandler.
//
// The [http.ResponseWriter] that DeadlineHandler is given must support deadlines, as that of
// [http.Server] does; middleware outside that wraps it needs an Unwrap method (see
// [http.ResponseController]).
//
// If the connection of a call cannot be told or does not support deadlines, a warning that
// names the procedure goes to [log/slog.Default], once for each handler that DeadlineHandler has
// returned. Calls that a handler makes in process, with its own context, do not have the
// handler's connection; handlers that are neither guarded nor connect-go's draw the warning
// with them.
//
// Against a client that stops reading a whole HTTP/2 connection, set
// [http.HTTP2Config.WriteByteTimeout].
func DeadlineHandler(handler http.Handler) http.Handler {
	return callctx.Handler(handler)
}

// Interruptible is [DeadlineHandler].
//
// Deprecated: use DeadlineHandler.
func Interruptible(handler http.Handler) http.Handler { return DeadlineHandler(handler) }
