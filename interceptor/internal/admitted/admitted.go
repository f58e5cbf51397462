// Package admitted is how a guard says for which call it has found the claims in a context.
package admitted

// Call is the context's key of a func(http.Header) bool, which reports whether a header is that
// of the admitted call: the very map, not one that is equal.
type Call struct{}
