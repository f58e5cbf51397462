package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	askTime    = 2500 * time.Millisecond // for Ready, which waits for keys for 2 seconds
	answerTime = 3 * time.Second         // for a probe
)

var (
	errLate  = fmt.Errorf("the verifier has not answered within %v: its Ready must return soon after its context ends", answerTime)
	errEnded = errors.New("the verifier has not answered: its Ready must not call runtime.Goexit")
)

// A probe asks a verifier whether it is ready.
type probe struct {
	options
	verifier Readier

	mu     sync.Mutex
	flight *flight // under way, or nil
	told   string  // what the log has told: an error, or "" for ready
	toldAt time.Time
}

// A flight asks for all issuers at once. All probes share the flight that is under way.
type flight struct {
	done  chan struct{}
	found answer // set before done is closed
}

// An answer is what a verifier has said.
type answer struct {
	err  error
	each []error // for each of probe.issuers, or nil
}

// await returns the answer of a flight, or an error if the flight takes too long, or if the context ends.
func (p *probe) await(ctx context.Context) answer {
	late := time.After(answerTime)
	f := p.join()
	found := answer{err: errLate}
	select {
	case <-f.done:
		found = f.found
	case <-late:
	case <-ctx.Done():
		return answer{err: ctx.Err()} // of this probe alone
	}
	p.tell(found.err)
	return found
}

// join returns the flight that is under way, or begins one. The flight has a context of its own, so that a probe that
// is called off does not spoil the flight for others.
func (p *probe) join() *flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flight == nil {
		f := &flight{done: make(chan struct{}), found: answer{err: errEnded}}
		p.flight = f
		go p.run(f)
	}
	return p.flight
}

func (p *probe) run(f *flight) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.flight = nil
		close(f.done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	if len(p.issuers) == 0 { // only the verifier knows all of them
		f.found = answer{err: p.ready(ctx)}
		return
	}
	each := make([]error, len(p.issuers))
	var asking sync.WaitGroup
	for n, issuer := range p.issuers {
		each[n] = errEnded
		asking.Go(func() { each[n] = p.ready(ctx, issuer) })
	}
	asking.Wait()
	f.found = answer{errors.Join(each...), each}
}

// ready asks the verifier. A panic is an error.
func (p *probe) ready(ctx context.Context, issuers ...string) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("the verifier panicked with a value of type %T: repair its Ready", value)
		}
	}()
	return p.verifier.Ready(ctx, issuers...)
}
