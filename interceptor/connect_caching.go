package interceptor

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"
)

const cacheControl = "Cache-Control"

// isGet reports whether a refused call may have come by GET, whose query names the codec.
func isGet(peer connect.Peer) bool { return peer.Query.Has("encoding") }

// keepFromCaches wraps the handler of a unary call. The wrapper limits caching of the answer if the
// call is a GET of a method that is not public: there are shared caches that go by the URL alone,
// against RFC 9111 section 3.5. An answer to a POST is not stored unless it says how long it is
// fresh (RFC 9110 section 9.3.3), and gRPC knows no other method.
func (a *admission) keepFromCaches(ctx context.Context, request connect.AnyRequest, next connect.UnaryFunc) connect.UnaryFunc {
	forwarded := request.Spec().IsClient // by an interceptor, whose client has made it a POST
	if a.rule.Public || !forwarded && request.HTTPMethod() != http.MethodGet {
		return next
	}
	info, ok := connect.CallInfoForHandlerContext(ctx) // unless an interceptor has replaced the context
	if forwarded && (!ok || info.HTTPMethod() != http.MethodGet) {
		return next
	}
	return func(ctx context.Context, request connect.AnyRequest) (response connect.AnyResponse, err error) {
		// Deferred for a panic, of which connect.WithRecover makes an error.
		defer func() {
			switch {
			case ok:
				limitCaching(info.ResponseHeader(), response, err)
			case err == nil && response != nil:
				limitCaching(response.Header(), response, nil)
			}
		}()
		return next(ctx, request)
	}
}

// limitCaching sets Cache-Control unless the handler has set it, also beside an error.
func limitCaching(header http.Header, response connect.AnyResponse, err error) {
	said, directive := []http.Header{header}, "no-store"
	if err == nil && response != nil {
		said, directive = append(said, response.Header()), "private"
	}
	if coded, ok := errors.AsType[*connect.Error](err); ok && !connect.IsWireError(err) {
		own := *coded // a copy: Meta creates a map in the error
		said = append(said, own.Meta())
	}
	if connect.IsNotModifiedError(err) {
		directive = "private"
	}
	if !slices.ContainsFunc(said, limitsCaching) {
		header.Set(cacheControl, directive)
	}
}

// limitsCaching reports whether a header says anything about caching. A Cache-Control without a
// directive does not.
func limitsCaching(header http.Header) bool {
	for name, values := range header {
		if strings.EqualFold(name, cacheControl) && strings.TrimSpace(strings.Join(values, "")) != "" {
			return true
		}
	}
	return false
}
