// Package harness holds the two suites that every adapter runs: [Catalogue] makes the calls of package
// catalogue in all ways and compares all that comes of them, and [Streams] holds what a stream does.
//
// # Where does a case go?
//
// One call whose answer is the same in every way goes into package catalogue. What a handler does on a
// stream goes into streams_judge.go (messages), streams_release.go (header and trailer),
// streams_expiry.go (time), streams_send.go (a Send at the end) or streams_panic.go. What DeadlineHandler
// does over HTTP/1.1 goes into deadlines.go, and calls in process into inprocess.go. What only one
// framework can do goes into the tests of its adapter. State of a case belongs inside of its function,
// since each run makes the cases anew.
package harness
