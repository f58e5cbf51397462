package token

import (
	"errors"
	"slices"
	"time"
)

// WithKeySetObserver calls a function after each attempt to fetch a key set. The function
// learns of a failing issuer before the issuer's keys are too old. It must be safe for
// concurrent use, and events may come out of order. No call waits for the function, but a
// function that does not return keeps a goroutine. Its panics are dropped. A file that is read
// again and has not changed is not an event. Given twice, both functions are called, the first
// one first. By default nobody observes. With an observer the default log is off: see [WithLogger].
func WithKeySetObserver(observer func(KeySetEvent)) Option {
	return func(o *options) {
		if observer == nil {
			o.faults = append(o.faults, errors.New("token: WithKeySetObserver: observer is nil"))
		}
		o.observers = append(o.observers, observer)
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
	// Duration is how long the attempt took.
	Duration time.Duration
}

// observe calls the observers, also if one of them panics or ends its goroutine. Observers decide nothing, so observe
// drops their panics.
func (s *source) observe(event KeySetEvent) {
	for _, observer := range slices.Backward(s.observers) { // the last deferred call is the first
		defer func() {
			defer func() { _ = recover() }()
			observer(event)
		}()
	}
}
