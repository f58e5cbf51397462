package token

import (
	"errors"
	"time"
)

// WithKeySetObserver calls a function after each attempt to fetch a key set, which is
// how a failing issuer is seen before its keys are too old. The function must be safe for
// concurrent use; events may come out of order. Nothing waits for it, but each call of it
// that does not return holds a goroutine. A panic is dropped. The default is none.
func WithKeySetObserver(observer func(KeySetEvent)) Option {
	return func(o *options) {
		if observer == nil {
			o.faults = append(o.faults, errors.New("token: WithKeySetObserver: observer is nil"))
		}
		o.observer = observer
	}
}

// A KeySetEvent is the outcome of one attempt to fetch an issuer's key set.
type KeySetEvent struct {
	// Issuer is the URL of the issuer.
	Issuer string
	// Err is nil if the attempt succeeded. Otherwise it matches [ErrKeysUnavailable],
	// and the keys that were there before stay in use, for up to 24 hours after they
	// were fetched.
	Err error
	// Skipped holds, for each key of the set that is not used, its position and the
	// reason. Encryption keys are among them.
	Skipped []error
	// Keys is the number of keys in use after the attempt.
	Keys int
	// Fetched is when the last successful fetch began, the zero time if there was none.
	Fetched time.Time
}

// observe tells the observer, for whom no call waits. It decides nothing, so a panic
// changes nothing.
func (s *source) observe(event KeySetEvent) {
	defer func() { _ = recover() }()
	if s.observer != nil {
		s.observer(event)
	}
}
