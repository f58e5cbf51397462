package token

import (
	"errors"
	"time"
)

// WithKeySetObserver calls a function after each attempt to fetch a key set. The function
// learns of a failing issuer before the issuer's keys are too old. It must be safe for
// concurrent use, and events may come out of order. No call waits for the function, but a
// function that does not return keeps a goroutine. Its panics are dropped. A file that is read
// again and has not changed is not an event. The default is no observer.
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
	// and the keys before stay in use for up to 24 hours after they were fetched.
	Err error
	// Skipped has an error for each key of the set that is not used, with the position
	// of the key and the reason. Encryption keys are among the skipped keys.
	Skipped []error
	// Keys is the number of keys in use after the attempt.
	Keys int
	// Fetched is the time at which the last successful fetch began, or the zero time.
	Fetched time.Time
}

// observe calls the observer. The observer decides nothing, so observe drops its panics.
func (s *source) observe(event KeySetEvent) {
	defer func() { _ = recover() }()
	s.observer(event)
}
