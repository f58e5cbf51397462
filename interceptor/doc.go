// Package interceptor guards RPC handlers with the rules that stand in their .proto
// files: those of connect-go, and with the packages grpcguard and connectv2 those of
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
// moment is finished first; with [Interruptible], it is cut off if the client does not
// read it within half a second. See [WithoutStreamExpiry].
//
// Two clients are out of an interceptor's reach: one that streams over HTTP/1.1 and
// sends nothing more, since only the connection can interrupt that read, and one that
// does not read what it is sent. Wrap the mux in [Interruptible] to end their streams
// too. No further message reaches the handler in any case.
//
// To end a stream on time, its handler runs on a goroutine of its own. One that is
// blocked in Receive and cannot be interrupted, or that does not return within half a
// second of its context's end, goes on after its call has ended, as with
// [http.TimeoutHandler]: interceptors and middleware around it have then returned. A
// panic is raised again where net/http expects it, or dropped once the call has ended.
//
// # Answers
//
// A refusal is a [connect.Error] that holds a [Denial]: a code, a fixed text
// without any secret, and a google.rpc.ErrorInfo of the domain "protoauthz" with
// the [Reason]. Every refusal with the code unauthenticated, and every one with
// permission_denied but RULE_MISSING, has a challenge of RFC 6750 section 3: see
// [Denial.Challenge]. Over the Connect protocol, unary calls carry the
// challenge as WWW-Authenticate. The ErrorInfo holds the challenge over every protocol,
// so that a gateway between HTTP and gRPC can send it. Handlers read the verified claims
// with [ClaimsFromContext].
//
// # Other frameworks
//
// [Guard.Admit] returns a [Call], with which an adapter to another RPC framework gives the
// same answers. Package grpcguard is made of nothing else.
package interceptor
