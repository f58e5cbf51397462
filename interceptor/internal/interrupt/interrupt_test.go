package interrupt_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/interrupt"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A writer keeps the deadlines that are set.
type writer struct {
	http.ResponseWriter
	read, write time.Time
	cutting     func() // while writes are being ended, if not nil
}

func (w *writer) SetReadDeadline(at time.Time) error {
	w.read = at
	return nil
}

func (w *writer) SetWriteDeadline(at time.Time) error {
	if w.cutting != nil {
		w.cutting()
	}
	w.write = at
	return nil
}

// TestConnection makes sure that who finds the connection of a call can end its reads and
// its writes, each alone.
func TestConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // whose clock stands still
		w := &writer{ResponseWriter: httptest.NewRecorder()}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
		ctx := interrupt.NewContext(w, request).Context()
		if interrupt.Find(ctx, func(http.Header) bool { return false }) != nil {
			t.Error("another call's connection is found")
		}
		if interrupt.Find(request.Context(), func(http.Header) bool { return true }) != nil {
			t.Error("a connection is found where none was put")
		}
		var header http.Header
		c := interrupt.Find(ctx, func(of http.Header) bool { header = of; return true })
		if c == nil {
			t.Fatal("the connection is not found")
		}
		if header.Set("Same", "1"); request.Header.Get("Same") == "" {
			t.Error("the header is a copy: nobody can tell the call by it")
		}
		if c.EndBody(); !w.read.Equal(time.Now().Add(time.Second)) || !w.write.IsZero() {
			t.Errorf("a body ends at %v, writes at %v", w.read, w.write)
		}
		if c.EndReads(); !w.read.Equal(time.Now()) || !w.write.IsZero() {
			t.Errorf("reads end at %v, writes at %v", w.read, w.write)
		}
		if c.AwaitWrite(new(sync.Mutex)); !w.write.IsZero() {
			t.Errorf("writes end at %v though there are none", w.write)
		}
	})
}

// patience is how long a test waits for what must come before it fails.
const patience = 10 * time.Second

// TestAwaitWrite makes sure that a write has half a second, is ended then, and that neither it
// nor its end is under way after that. It is in no bubble, since who waits for the write waits
// for a lock.
func TestAwaitWrite(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"in time": true, "too late": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var writing sync.Mutex
			var returned atomic.Bool
			turns := func() {
				for range 100_000 {
					if returned.Load() {
						t.Error("a write, or its end, is not waited for")
						return
					}
					runtime.Gosched()
				}
			}
			end := sync.OnceFunc(writing.Unlock)
			w := &writer{ResponseWriter: httptest.NewRecorder(), cutting: func() {
				end() // the write fails
				turns()
			}}
			ctx := interrupt.NewContext(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)).Context()
			c := interrupt.Find(ctx, func(http.Header) bool { return true })
			writing.Lock()
			if ends {
				go func() {
					turns()
					end()
				}()
			}
			defer time.AfterFunc(patience, end).Stop()
			start := time.Now()
			c.AwaitWrite(&writing)
			returned.Store(true)
			if cut := !w.write.IsZero(); !cut && !ends || cut && w.write.Sub(start) < time.Second/2 {
				t.Errorf("writes are ended: %t, after %v", cut, w.write.Sub(start))
			}
		})
	}
}

// TestNoConnection makes sure that what cannot be interrupted is left alone.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	var none *interrupt.Connection
	none.EndReads()
	none.EndBody()
	none.AwaitWrite(new(sync.Mutex))
	var writing sync.Mutex
	writing.Lock()
	time.AfterFunc(time.Second, writing.Unlock) // longer than a last write has
	none.AwaitWrite(&writing)
	unable := interrupt.NewContext(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody))
	c := interrupt.Find(unable.Context(), func(http.Header) bool { return true })
	if c == nil {
		t.Fatal("the connection is not found")
	}
	c.EndReads()
	c.EndBody()
}
