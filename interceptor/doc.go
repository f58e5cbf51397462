// Package interceptor guards RPC handlers with the rules that stand in their .proto
// files: handlers of connect-go, and with the packages grpcguard and connectv2guard handlers of
// grpc-go and connect-go v2.
//
// A [Guard] joins a verifier of tokens with a table of rules:
//
//	verifier, err := token.NewVerifier(token.Logto("https://tenant.logto.app"))
//	if err != nil {
//		return err
//	}
//	table, err := policy.Compile(
//		policy.Files{orderv1.File_order_v1_order_proto},
//		policy.WithAudience("https://api.example.com"),
//	)
//	if err != nil {
//		return err
//	}
//	guard := interceptor.New(verifier, table)
//	mux.Handle(orderv1connect.NewOrderServiceHandler(svc, guard.HandlerOption()))
//
// Give [Guard.HandlerOption] to every handler: a handler that is registered
// without it is open, as with any interceptor. Packages guardtest and, for
// grpc-go, grpcguardtest prove in a test that none was forgotten.
//
// # What is checked, and when
//
// Before a byte of the request's body is read: the rule of the procedure, the
// bearer token, and by the rule its audience and permission model, the kind of
// caller, the scopes, and the organization where a header or the token itself
// names it. A procedure without a rule is refused. A public one is let through
// without a look at any token. (grpc-go reads the message of a unary call earlier: see
// package grpcguard.)
//
// Once a message has been read: the organization where a field names it. A unary
// call is checked before the handler runs. On a stream every message is checked
// before the handler sees it; until one has named the right organization no message
// can be sent, and after one that did not the call fails, whatever the handler
// returns. An error that the handler returns of its own goes out in any case.
//
// # Streams end when their token expires
//
// The context of a streaming handler has the token's expiry (`exp` and the leeway)
// as its deadline. When it is reached the call ends with TOKEN_EXPIRED, also if
// the handler is blocked in Receive; what the handler still sends is dropped and
// its Send and Receive return errors. A message that is being sent at that very
// moment is finished first; with [DeadlineHandler], it is cut off if the client does not
// read it within half a second. See [WithoutStreamExpiry].
//
// Some clients are out of an interceptor's reach: wrap the mux in [DeadlineHandler] to end their
// streams too. No further message reaches the handler in any case.
//
// To end a stream on time, its handler runs on a goroutine of its own. One that is
// blocked in Receive and cannot be interrupted, or that does not return within half a
// second of its context's end, goes on after its call has ended, as with
// [http.TimeoutHandler]: interceptors and middleware around it have then returned. See [Call.Serve]
// for a handler that panics.
//
// # Answers
//
// A refusal is a [connect.Error] that holds a [Denial]: a code, a fixed text without any secret, and a
// google.rpc.ErrorInfo with the [Reason]. Over the Connect protocol, unary calls carry the
// [Denial.Challenge] as WWW-Authenticate; the ErrorInfo holds the challenge over every protocol. The
// cause, which [Denial.Unwrap] returns, says more than the client is told: log the cause with
// [WithObserver]. Handlers read the verified claims with [ClaimsFromContext].
//
// # Caches
//
// Connect calls methods without side effects by GET (see [connect.WithHTTPGet]). A shared cache must
// not store the answer to a request with an Authorization header (RFC 9111 section 3.5), but there
// are content delivery networks that go by the URL alone and would give one caller's data to
// everybody. So answers to a GET of a method that is not public carry
//
//   - Cache-Control: private if the handler answers, also with [connect.NewNotModifiedError], and
//     no-store if the handler fails, unless the handler has set a Cache-Control itself. What the
//     handler sets goes out as it is: "public" gives the answer to everybody.
//   - Cache-Control: no-store if the call is refused.
//
// A private cache, such as a browser's, may serve several users: a handler that lets it keep
// answers for some time should add Vary: Authorization. Public methods are left alone, and so are
// calls by POST, whose answers no cache stores unless they say for how long (RFC 9110 section
// 9.3.3). What connect-go refuses before the guard or answers behind the guard, such as a query that it
// cannot decode, is an error without data and carries no Cache-Control. So is the error of a handler
// behind an interceptor that has replaced the context.
//
// # Other frameworks
//
// [Guard.Admit] returns a [Call], with which an adapter to another RPC framework gives the same
// answers. [Call.Judge] judges the message of a unary call that the framework has read, and
// [Call.HandlerError] the error of its handler. [Call.Serve] runs the handler of a stream over a
// [Transport], a table of functions, and [Call.ServeUnary] a unary handler that reads the message
// itself. The interceptors of packages grpcguard and connectv2guard stand on these. The adapter must
// dispatch the procedure that it gives to Admit. It sends the challenge of a [Denial] and
// Cache-Control, if it answers over HTTP. Packages guardtest and grpcguardtest call servers of
// Connect and gRPC alone.
package interceptor
