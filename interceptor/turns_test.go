package interceptor_test

import "runtime"

// Turns for what must not come to show itself, and more than what must come ever takes.
const few, many = 100_000, 30_000_000

// soon reports whether something comes true while the others have so many turns. A bubble's
// clock is no help where one of them waits for a lock: it stands still.
func soon(turns int, condition func() bool) bool {
	for range turns {
		if condition() {
			return true
		}
		runtime.Gosched()
	}
	return condition()
}
