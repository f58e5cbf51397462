package callctx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Connection is what a request came over, and the context of the request. At most one call claims
// the connection: the first call that a guard admits for the request. The methods are safe for
// concurrent use. The nil Connection cannot be interrupted.
type Connection struct {
	context.Context // of the request as it came

	writer  http.ResponseWriter
	request *http.Request // as it was handed on
	body    body
	told    *atomic.Bool // shared by all connections of a Handler

	// Of the request as it came: handlers and middleware may change the request.
	header        http.Header
	path          string
	authorization []string
	expects       bool // the client waits for a 100 Continue before it sends the body

	mu        sync.Mutex
	owner     any       // the ID of the call that has claimed the connection
	procedure string    // of the call that was found last
	cutoff    time.Time // after which the body of the request cannot be read, if not zero
	over      bool      // the request has been served

	hangup atomic.Pointer[hangup]
}

// Handler returns a handler that runs another handler with a context in which [FromContext] finds
// the connection of the request.
func Handler(handler http.Handler) http.Handler {
	told := new(atomic.Bool)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := newConnection(w, r, told)
		defer func() {
			r.Pattern = c.request.Pattern // for what stands outside, such as otelhttp
			c.end()
		}()
		handler.ServeHTTP(w, c.request)
	})
}

func newConnection(w http.ResponseWriter, r *http.Request, told *atomic.Bool) *Connection {
	c := &Connection{
		Context: r.Context(),
		writer:  w,
		told:    told,
		header:  r.Header,
		path:    r.URL.Path,
		// A copy: middleware may overwrite the values to keep secrets out of a log.
		authorization: slices.Clone(r.Header.Values("Authorization")),
		// net/http refuses all other expectations. A client of HTTP/1.0 does not wait.
		expects: r.ProtoAtLeast(1, 1) && r.Header.Get("Expect") != "",
	}
	c.request = r.WithContext(c)
	if r.Body == nil || r.Body == http.NoBody {
		c.body.ended.Store(true)
	} else {
		c.body.ReadCloser = r.Body
		c.request.Body = &c.body
	}
	return c
}

// end frees the connection for another request. A handler that still runs, as [http.TimeoutHandler]
// leaves handlers behind, no longer reaches the connection.
func (c *Connection) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	switch {
	case c.cutoff.IsZero():
	case c.body.ended.Load() && time.Now().Before(c.cutoff):
		_ = http.NewResponseController(c.writer).SetReadDeadline(time.Time{})
	default:
		// The rest of the body must not pass as another request. A read that has failed at the
		// cutoff has ended the contexts of all later requests, too.
		closeAfterReply(c.writer)
	}
	if h := c.hangup.Load(); h != nil {
		h.end()
	}
}

// closeAfterReply makes net/http close a connection of HTTP/1 after the answer.
func closeAfterReply(w http.ResponseWriter) {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = wrapper.Unwrap()
	}
	// Once the header is out, net/http closes a connection for one reason alone: the body was too long.
	tooLong := io.NopCloser(strings.NewReader("."))
	_, _ = http.MaxBytesReader(w, tooLong, 0).Read(make([]byte, 1))
}

// A body knows whether all of it has been read.
type body struct {
	io.ReadCloser

	ended atomic.Bool
}

// Read implements [io.Reader].
func (b *body) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if errors.Is(err, io.EOF) {
		b.ended.Store(true)
	}
	return n, err
}

// Close implements [io.Closer]. The body of net/http reads its rest when it is closed.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	if err == nil {
		b.ended.Store(true)
	}
	return err
}

// EndReads ends the reads of the request's body after a time. It does nothing once all of the body has
// been read.
func (c *Connection) EndReads(in time.Duration) {
	if c == nil || c.body.ended.Load() {
		return
	}
	at := time.Now().Add(in)
	c.set(http.NewResponseController(c.writer).SetReadDeadline, at, func() { c.cutoff = at })
}

// writeGrace is how long the last write of a call may take.
const writeGrace = 500 * time.Millisecond

// AwaitSend waits for the last write of a call, which holds the lock. If the client does not read in
// time, AwaitSend ends the write: the client then gets no answer.
func (c *Connection) AwaitSend(writing *sync.Mutex) {
	if writing.TryLock() {
		writing.Unlock()
		return
	}
	cut := make(chan struct{})
	timer := time.AfterFunc(writeGrace, func() {
		defer close(cut)
		if c != nil {
			c.set(http.NewResponseController(c.writer).SetWriteDeadline, time.Now(), func() {})
		}
	})
	writing.Lock()
	defer writing.Unlock()
	if !timer.Stop() {
		<-cut
	}
}

// set sets a deadline unless the request has been served. It calls done, with the lock held, once the
// deadline is set.
func (c *Connection) set(deadline func(time.Time) error, at time.Time, done func()) {
	c.mu.Lock()
	var err error
	if !c.over {
		if err = deadline(at); err == nil {
			done()
		}
	}
	procedure := c.procedure
	c.mu.Unlock()
	if errors.Is(err, errors.ErrUnsupported) {
		c.tell(procedure, "interceptor.DeadlineHandler cannot set deadlines: give an Unwrap method to the http.ResponseWriter "+
			"of the middleware around it, or put it outside of that middleware")
	}
}

// tell logs, once for each Handler, what keeps a call from being interrupted. The procedure may be text
// of the client, so tell cuts the procedure off after 200 characters and escapes the rest.
func (c *Connection) tell(procedure, what string) {
	if !c.told.Load() && !c.told.Swap(true) {
		quoted := fmt.Sprintf("%+.200q", procedure)
		slog.Warn(what, slog.String("procedure", quoted[1:len(quoted)-1]))
	}
}
