package callctx

import (
	"slices"
	"strings"
	"time"
)

// An Arrival is a call as it has reached a guard, which asks for the connection of the call.
type Arrival struct {
	// ID is a pointer that all guards of the call have, and no other call. A nil ID belongs to no call.
	ID            any
	Procedure     string
	Authorization []string
	// Host is the slice of this field in the header of the request, or nil.
	Host []string
}

// Claim gives the connection to a call that came over it. Claim returns nil for any other call, such
// as a call that a handler makes in process.
//
// A call came over the connection if no other call has claimed it and the request has the procedure
// and the Authorization of the call. Middleware may have copied the request, its header and its
// context.
func (c *Connection) Claim(arrival Arrival) *Connection {
	if !c.find(arrival, true) {
		return nil
	}
	return c
}

// RefusedBody is how long the client of a refused call may go on sending the body. If all of the body
// comes in time, net/http keeps the connection.
const RefusedBody = time.Second

// Refuse bounds the wait for the body of a refused call that came over the connection. A client that
// expects a 100 Continue before it sends the body gets none. Any call may still claim the connection.
func (c *Connection) Refuse(arrival Arrival) {
	switch {
	case !c.find(arrival, false):
	case c.expects:
		c.EndReads(0)
	default:
		c.EndReads(RefusedBody)
	}
}

// find reports whether a call came over the connection. It logs a warning if the call should have come
// over the connection and middleware has hidden that.
func (c *Connection) find(arrival Arrival, claim bool) bool {
	if c == nil || arrival.ID == nil {
		return false
	}
	c.mu.Lock()
	lost := !c.over && c.owner == nil && !c.carries(arrival)
	found := !c.over && !lost && (c.owner == nil || c.owner == arrival.ID && c.procedure == arrival.Procedure)
	twice := !c.over && !found && c.owner != arrival.ID && c.carries(arrival)
	if found {
		c.procedure = arrival.Procedure
		if claim {
			c.owner = arrival.ID
		}
	}
	c.mu.Unlock()
	if lost {
		c.tell(arrival.Procedure, "interceptor.DeadlineHandler does not know the request of a call: middleware has changed its path or "+
			"Authorization on a copy; put DeadlineHandler inside of that middleware, unless a handler makes the call in process")
	}
	if twice {
		c.tell(arrival.Procedure, "interceptor.DeadlineHandler has served a request twice: of two calls with its path and Authorization the "+
			"first has the connection; put middleware that repeats requests outside of DeadlineHandler")
	}
	return found
}

// carries reports whether the request of the connection is the call.
func (c *Connection) carries(arrival Arrival) bool {
	named := strings.HasSuffix(c.path, arrival.Procedure)
	if named && slices.Equal(c.authorization, arrival.Authorization) {
		return true
	}
	// Middleware may have changed the path or Authorization of the very request.
	return c.hasHeader(arrival) && (named || strings.HasSuffix(c.request.URL.Path, arrival.Procedure))
}

// hasHeader reports whether the call has the very header of the request, and not a copy.
func (c *Connection) hasHeader(arrival Arrival) bool {
	if arrival.ID == HeaderID(c.header) {
		return true
	}
	if len(arrival.Host) == 0 {
		return false
	}
	host := c.header["Host"]
	return len(host) > 0 && &host[0] == &arrival.Host[0]
}
