// Package grpcguard is the guard for servers of google.golang.org/grpc:
//
//	server := grpc.NewServer(grpcguard.ServerOptions(guard)...)
//	orderv1.RegisterOrderServiceServer(server, orders)
//	if err := grpcguard.Check(server, table); err != nil {
//		log.Fatal(err)
//	}
//
// Rules, decisions and answers are the same as in package interceptor. A refusal is a status with a
// google.rpc.ErrorInfo. Handlers read the claims with [interceptor.ClaimsFromContext].
//
// In the server, [errors.As] finds the [interceptor.Denial] in a refusal: in what RecvMsg and SendMsg
// of a stream return to its handler, and in what [Unary] and [Stream] return to an interceptor before
// them. A client gets the status alone, also over the connection of [InProcess].
//
// # What grpc-go leaves open
//
// grpc-go calls no interceptor for a method that a [grpc.ServiceDesc] lists among its streams with
// neither ClientStreams nor ServerStreams. Generated code has no such method. Do not write one by hand.
//
// grpc-go reads, decompresses and decodes the message of a unary call before it calls an interceptor.
// [grpc.MaxRecvMsgSize], which is 4 MiB by default, and [grpc.MaxConcurrentStreams] bound that work.
// Do not refuse calls in [grpc.InTapHandle], although it runs before: it holds up its whole
// connection, and grpc-go 1.85 keeps the timer of a call that it refuses until the deadline that the
// client has chosen, which may be in a thousand years.
//
// # grpc-gateway
//
// WARNING: RegisterXHandlerServer calls the implementation past every interceptor. The REST API is
// then open, even if the server is guarded. Anything else that is given the implementation is open
// too. (protoc-gen-grpc-gateway generates the function for each service X.) Use RegisterXHandler with
// a connection. [InProcess] makes a connection without a network:
//
//	conn, err := grpcguard.InProcess(server) // after all services are registered
//	if err != nil {
//		log.Fatal(err)
//	}
//	mux := runtime.NewServeMux(runtime.WithErrorHandler(challenge))
//	if err := orderv1.RegisterOrderServiceHandler(ctx, mux, conn); err != nil {
//		log.Fatal(err)
//	}
//
// In a test, guardtest.AssertRESTGuarded(t, mux, table) tells one registration from the other.
//
// With buf's managed mode, generated code imports google/api from the user's own module, which does
// not have it. In buf.gen.yaml, add file_option: go_package with path: google/api to disable.
//
// The gateway's own error handler sends the text of a refusal as the WWW-Authenticate of a 401, and
// sends no WWW-Authenticate with a 403. [Challenge] returns the right one for both:
//
//	func challenge(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
//		runtime.DefaultHTTPErrorHandler(ctx, mux, m, challenger{w, grpcguard.Challenge(err)}, r, err)
//	}
//
//	type challenger struct {
//		http.ResponseWriter
//		challenge string
//	}
//
//	func (c challenger) WriteHeader(status int) {
//		c.Header().Del("WWW-Authenticate")
//		if c.challenge != "" {
//			c.Header().Set("WWW-Authenticate", c.challenge)
//		}
//		c.ResponseWriter.WriteHeader(status)
//	}
//
// The gateway sends the refusal of a server stream past every error handler. The status and the
// google.rpc.ErrorInfo are right. The challenge stands only in the metadata of the ErrorInfo.
// Answers carry no Cache-Control: set one for caches that ignore Authorization.
//
// The guard applies the rule of the procedure that the gateway calls, whatever X-HTTP-Method-Override has made of
// the request. The guard judges the message that the gateway makes of path, query and body, and the
// handler gets the same message. A field in the path overrides the same field in the query or the body.
//
// The gateway forwards Authorization. It forwards a header that names an organization only if
// runtime.WithIncomingHeaderMatcher matches the header. With runtime.LegacyHeaderMatcher, which older
// versions use by default, a client sends any metadata as Grpc-Metadata-…. The guard refuses two
// credentials, and two values of the header that names the organization.
package grpcguard
