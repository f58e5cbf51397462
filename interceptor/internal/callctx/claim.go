package callctx

import (
	"slices"
	"strings"
	"time"
)

// A Call is what a guard knows of a call whose connection it asks for.
type Call struct {
	// ID is a pointer that is the same for all guards of the call, and for no other call.
	ID            any
	Procedure     string
	Authorization []string
	// Host are the values of this field, in the slice that the header of the request has, or nil.
	Host []string
}

// Claim returns the connection if the call came over it, and nil if not, as for a call that a
// handler makes in process. From then on the connection is the call's alone.
//
// A call came over the connection if no other call has it and the request has the call's
// procedure and Authorization. Others may have copied the request, its header and its context.
func (c *Connection) Claim(call Call) *Connection {
	if !c.find(call, true) {
		return nil
	}
	return c
}

// RefusedBody is how long a refused call may still send its body. If all of the body comes in
// time, net/http keeps the connection.
const RefusedBody = time.Second

// Refuse bounds the wait for the body of a refused call, if the call came over the connection: a
// client that waits to be told before it sends the body is not told. The connection stays free.
func (c *Connection) Refuse(call Call) {
	switch {
	case !c.find(call, false):
	case c.expects:
		c.EndReads(0)
	default:
		c.EndReads(RefusedBody)
	}
}

// find reports whether a call came over the connection. It logs a warning if middleware has hidden the
// connection.
func (c *Connection) find(call Call, claim bool) bool {
	if c == nil || call.ID == nil {
		return false
	}
	c.mu.Lock()
	lost := !c.over && c.owner == nil && !c.carries(call)
	found := !c.over && !lost && (c.owner == nil || c.owner == call.ID && c.procedure == call.Procedure)
	twice := !c.over && !found && !lost && c.owner != call.ID && c.carries(call)
	if found {
		c.procedure = call.Procedure
		if claim {
			c.owner = call.ID
		}
	}
	c.mu.Unlock()
	if lost {
		c.tell(call.Procedure, "interceptor.DeadlineHandler does not know the request of a call: middleware has changed its path or "+
			"Authorization on a copy; put DeadlineHandler inside of that middleware, unless a handler makes the call in process")
	}
	if twice {
		c.tell(call.Procedure, "interceptor.DeadlineHandler has served a request twice: of two calls with its path and Authorization the "+
			"first has the connection; put middleware that repeats requests outside of DeadlineHandler")
	}
	return found
}

// carries reports whether the request is a call's.
func (c *Connection) carries(call Call) bool {
	named := strings.HasSuffix(c.path, call.Procedure)
	if named && slices.Equal(c.authorization, call.Authorization) {
		return true
	}
	// Middleware may have changed the path or Authorization of the very request.
	return c.hasHeader(call) && (named || strings.HasSuffix(c.request.URL.Path, call.Procedure))
}

// hasHeader reports whether the header of the request is that of a call, and not a copy.
func (c *Connection) hasHeader(call Call) bool {
	if call.ID == HeaderID(c.header) {
		return true
	}
	if len(call.Host) == 0 {
		return false
	}
	host := c.header["Host"]
	return len(host) > 0 && &host[0] == &call.Host[0]
}
