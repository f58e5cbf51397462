// Package interceptor guards RPC handlers with the rules that stand in their .proto files. This package
// guards handlers of connect-go; packages grpcguard and connectv2guard guard handlers of grpc-go and
// connect-go v2.
//
// A [Guard] joins a verifier of tokens with a table of rules:
//
//	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
//	verifier, verifierErr := token.NewVerifier(issuer)
//	table, tableErr := policy.Compile(
//		policy.Files{orderv1.File_order_v1_order_proto}, policy.WithAudience("https://api.example.com"))
//	if err := errors.Join(verifierErr, tableErr); err != nil {
//		return err
//	}
//	guard := interceptor.New(verifier, table)
//	mux.Handle(orderv1connect.NewOrderServiceHandler(svc, guard.HandlerOption()))
//
// Give [Guard.HandlerOption] to every handler: a handler that is registered without the option lets
// everybody in. A test with package guardtest, or for grpc-go grpcguardtest, finds every handler that
// was forgotten.
//
// # Configuration
//
// Package deployment reads what differs between installations (audience, public services, issuers) from authz.json, and
// [policy.Linked] finds the files of a program's services. The command "protoauthz dev-issuer" serves an issuer for
// development, and package devissuer serves one for tests. The page interceptor/docs/production.md shows a whole program.
//
// # What is checked, and when
//
// The guard admits a call before a byte of the request's body is read. It looks up the rule of the
// procedure and verifies the bearer token. By the rule it checks the permission model and the audience
// of the token, the kind of caller, the scopes, and the organization if a header or the token itself
// names the organization. A procedure without a rule is refused. A call of a public method is
// admitted, and its token is not read unless a second table asks for it. (grpc-go reads the message of
// a unary call earlier: see package grpcguard.)
//
// The guard judges a message as soon as the message has been read: the fields that the rule names must
// hold the organization, the user or the client of the token. The message of a unary call is judged
// before the handler runs. On a stream every message is judged before the handler sees it. Until one
// message has named what the rule asks for, the handler can send nothing. After a message that names
// another organization, user or client the call fails, whatever the handler returns. An error that the
// handler itself returns goes out in any case.
//
// # Several ways
//
// A rule has one or more ways (see [policy.Rule.Ways]), and a call must meet all of one way. The header
// leaves ways, and each message takes away the ways that it does not meet: no message gives a way back.
// The handler can send as soon as a message meets a way, or at once if a way that is left needs no
// message. A call without a way left is refused with the denial of the way that came furthest in the
// order of the checks (model, audience, caller, scopes, organization, subject and client), the first of
// equals. [WayFromContext] tells the handler the way, and [Event.Ways] an observer. The page
// interceptor/docs/rules.md has ten rules, and who gets in by them.
//
// # Streams end when their token expires
//
// The context of a streaming handler has the token's expiry (`exp` and the leeway) as its deadline.
// At the deadline the call ends with TOKEN_EXPIRED, also if the handler is blocked in Receive. From
// then on Send and Receive of the handler return errors, and no message passes. A message that is
// being sent at that moment is finished first. With [DeadlineHandler] such a message is cut off if
// the client does not read it within half a second. See [WithoutStreamExpiry].
//
// Claims may end before their token: what an issuer has said about an opaque token is good for some time
// only (see [token.Introspector]), and so are the claims of some verifiers (see [token.NewClaims]). The
// guard then verifies the token again and judges the claims by the rule. The stream goes on while the
// token grants the call, and ends with the reason of the refusal otherwise. The context has no deadline
// then. The handler keeps the claims with which the call began.
//
// An interceptor alone cannot end the streams of some clients: wrap the mux in [DeadlineHandler] to
// end these streams, too. No further message reaches the handler in any case.
//
// A streaming handler runs on a goroutine of its own, so that its call ends on time. A handler that is
// blocked in a Receive which nothing can interrupt, or that does not return within half a second of
// its context's end, goes on after its call has ended, as with [http.TimeoutHandler]: interceptors
// and middleware around the handler have then returned. See [Call.Serve] for a handler that panics.
//
// # Answers
//
// A refusal is a [connect.Error] that holds a [Denial]: a code, a fixed text without any secret, and a
// google.rpc.ErrorInfo with the [Reason]. Over the Connect protocol, unary calls carry the
// [Denial.Challenge] as WWW-Authenticate. The ErrorInfo holds the challenge over every protocol. The
// cause, which [Denial.Unwrap] returns, tells more than the client reads. Handlers read the verified
// claims with [ClaimsFromContext].
//
// # What is logged and observed
//
// By default, refusals go to [log/slog.Default]: the procedure, the reason, the cause and the URL of the
// documentation about the reason, in at most one line for each reason in a second. [WithLogger] logs the
// caller, too. [WithObserver] sees every decision, for metrics and for an audit, and turns the default log
// off: see [WithDefaultLog]. Package otelguard, a module of its own, observes for OpenTelemetry.
//
// # Step by step
//
// Rules can be tried before they are enforced. A rule in shadow is judged and observed, and the call goes
// on: [policy.WithShadow] names services of the table, and [WithShadow] adds a second table beside the
// enforced one. [policy.WithUnannotatedRefused] and [policy.WithUnannotatedOpen] say what happens to the
// methods of a service that have no annotation yet. These choices are facts of a deployment, and stand in no
// .proto file.
//
// # Caches
//
// Connect calls methods without side effects by GET (see [connect.WithHTTPGet]). A shared cache must
// not store the answer to a request with an Authorization header (RFC 9111 section 3.5), but some
// content delivery networks go by the URL alone and would give one caller's data to everybody. So
// answers to a GET of a method that is not public, and of a method in shadow with a verified token, carry
//
//   - Cache-Control: private if the handler answers, also with [connect.NewNotModifiedError], and
//     no-store if the handler fails, unless the handler has set a Cache-Control itself. What the
//     handler sets goes out as it is: "public" gives the answer to everybody.
//   - Cache-Control: no-store if the call is refused.
//
// A private cache, such as a browser's, may serve several users: a handler that lets a cache keep
// answers for some time should add Vary: Authorization. Answers of public methods stay as they are.
// So do answers to calls by POST, which no cache stores unless the answer tells for how long (RFC 9110
// section 9.3.3). What connect-go refuses before the guard or answers behind the guard, such as a
// query that connect-go cannot decode, is an error without data and carries no Cache-Control. The
// error of a handler carries none either, if an interceptor has replaced the context.
//
// # Other frameworks
//
// [Guard.Admit] returns a [Call], with which an adapter to another RPC framework gives the same
// answers. [Call.Judge] judges the message of a unary call that the framework has read, and
// [Call.HandlerError] converts the error of its handler. [Call.Serve] runs the handler of a stream
// over a [Transport], a table of functions, and [Call.ServeUnary] a unary handler that reads the
// message itself. Every message must be judged, also if [Call.AwaitsMessage] reports false: a message
// may take away a way. Packages grpcguard and connectv2guard do nothing else. The adapter must dispatch
// the procedure that it gives to Admit. If it answers over HTTP, it sends the challenge of a
// [Denial] and Cache-Control. Packages guardtest and grpcguardtest call servers of Connect and gRPC
// alone.
package interceptor
