// Package harness holds the two suites that every adapter runs: [Catalogue] makes the calls of package
// catalogue over all transports and compares everything that comes of them, and [Streams] checks the
// behaviour of streams.
//
// # Where does a case go?
//
// A call whose answer is the same over every transport is a case of package catalogue:
//
//   - Append a [catalogue.Case] to a function of catalogue that returns similar cases: organization.go is about
//     organizations, permission.go about scopes and callers, carry.go about the Authorization field, stream.go
//     about several messages, subject.go about users and clients, way.go about several ways.
//     The rule of a case is the rule of its Service, in service.go or richservice.go. A token that is refused
//     under every rule is a tokens.Trial of package tokens instead.
//   - Run the case over every transport. The name of a test is the Row ("other" without a Row) and the Name,
//     with _ for each space.
//   - A new Row needs a line in SECURITY.md and its number in TestCatalogueComplete of package interceptor.
//
// The command for a case is:
//
//	go test -v -run 'TestCatalogue$/D40/request_A,_token_B$' ./interceptor ./interceptor/grpcguard ./interceptor/connectv2guard
//	go -C interceptor/cmd test -v -run 'TestCatalogue$/D40/request_A,_token_B$' ./protoauthz/internal/explain
//
// The last lines tell over how many combinations of transport and stream type the case was called. With -race or
// -short a case takes only some of them.
//
// A case whose claims decide is called with an opaque token too, by TestOpaqueCatalogue: see
// [catalogue.OpaqueCases].
//
// The behaviour of a stream's handler is a case of [Streams]: streams_judge.go is about messages,
// streams_release.go about header and trailer, streams_expiry.go about time, streams_renewal.go about tokens that are
// verified again, streams_verifier.go about the verifier meanwhile, streams_send.go about a Send at the end,
// streams_panic.go about panics, and streams_ways.go about subjects and several ways in. The test is TestStreams in the
// same packages; in package interceptor the installation stands before the name of the case, as in
// 'TestStreams/HandlerOption/Bidi'.
// Keep the state of a case inside of its function, since each run makes the cases anew.
//
// The behaviour of DeadlineHandler over HTTP/1.1 belongs in deadlines.go, and calls in process belong in
// inprocess.go. A behaviour of one framework alone belongs in the tests of its adapter.
package harness
