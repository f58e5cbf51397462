package main

// grpcMutations are the checks of the guard for grpc-go.
var grpcMutations = []mutation{
	{"grpc: context of a unary call", "interceptor/grpcguard/grpcguard.go", "handler(call.Context(), request)", "handler(ctx, request)"},
	{
		"grpc: no guard, unary", "interceptor/grpcguard/grpcguard.go",
		`	mustGuard(guard)
	return func(ctx context.Context, request any`,
		"\treturn func(ctx context.Context, request any",
	},
	{
		"grpc: every Authorization", "interceptor/grpcguard/grpcguard.go",
		"return metadata.ValueFromIncomingContext(i.Context, name)",
		`values := metadata.ValueFromIncomingContext(i.Context, name)
	return values[:min(len(values), 1)]`,
	},
	{"grpc: code", "interceptor/grpcguard/grpcguard.go", "codes.Code(denial.Code())", "codes.Unknown"},
	{
		"grpc: details", "interceptor/grpcguard/grpcguard.go",
		`		r.status = detailed
`,
		`		_ = detailed
`,
	},
	{"grpc: denial in the refusal", "interceptor/grpcguard/grpcguard.go", "return r.denial }", "return nil }"},
	{"grpc: status of the refusal", "interceptor/grpcguard/grpcguard.go", "GRPCStatus() *status.Status { return r.status }", "GRPCStatus() *status.Status { return nil }"},
	{
		"grpc: no guard, stream", "interceptor/grpcguard/stream.go",
		`	mustGuard(guard)
`,
		"",
	},
	{
		"grpc: stream", "interceptor/grpcguard/stream.go",
		`		if denial != nil {
			return refuse(denial)
		}
		guarded :=`,
		`		if denial != nil {
			return handler(server, stream)
		}
		guarded :=`,
	},
	{"grpc: context of a stream", "interceptor/grpcguard/stream.go", "return s.ctx }", "return s.ServerStream.Context() }"},
	{"grpc: header by way of the context", "interceptor/grpcguard/stream.go", "transport != nil && call.AwaitsMessage() {", "transport != nil && false {"},
	{"grpc: header by way of the context alone where a message has to name the organization", "interceptor/grpcguard/stream.go", "transport != nil && call.AwaitsMessage() {", "transport != nil {"},
	{
		"grpc: trailer is held back", "interceptor/grpcguard/stream.go",
		`	s.trailer = metadata.Join(s.trailer, md)
}`,
		`	s.ServerStream.SetTrailer(md)
}`,
	},
	{"grpc: ServerOptions, unary calls", "interceptor/grpcguard/grpcguard.go", "grpc.UnaryInterceptor(Unary(guard)), ", ""},
	{"grpc: ServerOptions, streams", "interceptor/grpcguard/grpcguard.go", ", grpc.StreamInterceptor(Stream(guard))", ""},
	{"grpc: ServerOptions before chained interceptors of unary calls", "interceptor/grpcguard/grpcguard.go", "grpc.UnaryInterceptor(Unary(guard))", "grpc.ChainUnaryInterceptor(Unary(guard))"},
	{"grpc: ServerOptions before chained interceptors of streams", "interceptor/grpcguard/grpcguard.go", "grpc.StreamInterceptor(Stream(guard))", "grpc.ChainStreamInterceptor(Stream(guard))"},
	{"grpc: Check", "interceptor/grpcguard/check.go", "if _, ok := table.Lookup(procedure); !ok {", "if _, ok := table.Lookup(procedure); !ok && false {"},
	{"grpc: Check of all procedures", "interceptor/grpcguard/check.go", "for _, method := range info.Methods {", "for _, method := range info.Methods[:min(len(info.Methods), 1)] {"},
	{
		"grpc: challenge with another code", "interceptor/grpcguard/challenge.go",
		"if !ok || refused.Code() != codes.Unauthenticated && refused.Code() != codes.PermissionDenied {", "if !ok || refused.Code() == codes.OK {",
	},
	{"grpc: size of a challenge", "interceptor/grpcguard/challenge.go", "len(challenge) <= maxChallenge && ", ""},
	{"grpc: form of a challenge", "interceptor/grpcguard/challenge.go", " && bearer.MatchString(challenge)", ` && bearer != nil && challenge != ""`},
	{
		"grpc: listener that says first that it closes", "interceptor/grpcguard/inprocess.go",
		"	c.closed()\n	return c.Listener.Close()",
		"	defer c.closed()\n	return c.Listener.Close()",
	},
}
