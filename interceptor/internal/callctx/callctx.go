// Package callctx tells which call a context belongs to: the call that a guard has admitted, and the
// call that came over the connection of an HTTP request. A handler may make other calls in the same
// process with its own context.
package callctx

import (
	"context"
	"net/http"
	"reflect"
)

// HeaderKey is the key under which the context of an admitted call holds the call's [http.Header],
// or nil.
type HeaderKey struct{}

// Admitted reports whether a context belongs to an admitted call with this very header.
func Admitted(ctx context.Context, header http.Header) bool {
	admitted, _ := ctx.Value(HeaderKey{}).(http.Header)
	return SameHeader(admitted, header)
}

// SameHeader reports whether two headers are one map. Equal headers are not enough, and a nil header
// is never the same.
func SameHeader(a, b http.Header) bool {
	return a != nil && reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}

// HeaderID returns the [Arrival.ID] of a call that is known by the map of its header: nil for a nil
// header.
func HeaderID(header http.Header) any {
	if header == nil {
		return nil
	}
	return reflect.ValueOf(header).UnsafePointer()
}
