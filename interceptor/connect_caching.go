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

// isGet reports whether a refused call may have come by GET. The query of a GET names the codec.
func isGet(peer connect.Peer) bool { return peer.Query.Has("encoding") }

// keepFromCaches wraps the handler of a unary call, so that no shared cache stores the answer to a GET of
// a method that is not public: see the documentation of the package.
func (c *Call) keepFromCaches(ctx context.Context, request connect.AnyRequest, next connect.UnaryFunc) connect.UnaryFunc {
	forwarded := request.Spec().IsClient // by an interceptor, through a client that makes a POST of it
	if c.rule.Public && (c.hidesClaims() || c.claims == nil) || !forwarded && request.HTTPMethod() != http.MethodGet {
		return next
	}
	info, ok := connect.CallInfoForHandlerContext(ctx) // unless an interceptor has replaced the context
	if forwarded && (!ok || info.HTTPMethod() != http.MethodGet) {
		return next
	}
	return func(ctx context.Context, request connect.AnyRequest) (response connect.AnyResponse, err error) {
		// Deferred, since connect.WithRecover may make an error of a panic.
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

// limitCaching sets Cache-Control, unless the handler has set Cache-Control in its answer or its error.
func limitCaching(header http.Header, response connect.AnyResponse, err error) {
	headers, directive := []http.Header{header}, "no-store"
	if err == nil && response != nil {
		headers, directive = append(headers, response.Header()), "private"
	}
	if coded, ok := errors.AsType[*connect.Error](err); ok && !connect.IsWireError(err) {
		headers = append(headers, own(coded).Meta()) // a copy, since Meta creates a map in the error
	}
	if connect.IsNotModifiedError(err) {
		directive = "private"
	}
	if !slices.ContainsFunc(headers, hasCacheControl) {
		header.Set(cacheControl, directive)
	}
}

// hasCacheControl reports whether a header has a Cache-Control with a directive.
func hasCacheControl(header http.Header) bool {
	for name, values := range header {
		if strings.EqualFold(name, cacheControl) && strings.TrimSpace(strings.Join(values, "")) != "" {
			return true
		}
	}
	return false
}
