package main

// grpcMutations are the checks of the guard for grpc-go.
var grpcMutations = []mutation{
	{
		"grpc: unary", "interceptor/grpcguard/grpcguard.go",
		`		call, denial := guard.Admit(ctx, info.FullMethod, incoming{ctx})
		if denial != nil {
			return nil, refuse(denial)
		}
`,
		`		call, denial := guard.Admit(ctx, info.FullMethod, incoming{ctx})
		if denial != nil {
			return handler(ctx, request)
		}
`,
	},
	{"grpc: message of a unary call", "interceptor/grpcguard/grpcguard.go", "if denial := call.AdmitMessage(request); denial != nil {", "if denial := call.AdmitMessage(request); false {"},
	{"grpc: context of a unary call", "interceptor/grpcguard/grpcguard.go", "handler(call.Context(), request)", "handler(ctx, request)"},
	{"grpc: refusal of another call, unary", "interceptor/grpcguard/grpcguard.go", "return response, handlerError(err)", "return response, err"},
	{"grpc: refusal of another call, stream", "interceptor/grpcguard/stream.go", "return handlerError(handler(server, guarded))", "return handler(server, guarded)"},
	{"grpc: detail of another call's refusal", "interceptor/grpcguard/grpcguard.go", "|| info.GetDomain() == denial", `|| "" == denial`},
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
	{
		"grpc: refusal of a stream", "interceptor/grpcguard/stream.go",
		`			return refuse(denial)
		}
		if endErr`,
		`			_ = denial
		}
		if endErr`,
	},
	{"grpc: context of a stream", "interceptor/grpcguard/stream.go", "return s.ctx }", "return s.ServerStream.Context() }"},
	{"grpc: header by way of the context", "interceptor/grpcguard/stream.go", "transport != nil && call.AwaitsMessage() {", "transport != nil && false {"},
	{"grpc: header by way of the context alone where a message has to name the organization", "interceptor/grpcguard/stream.go", "transport != nil && call.AwaitsMessage() {", "transport != nil {"},
	{"grpc: receives by way of the guard", "interceptor/grpcguard/stream.go", "s.messages.Receive(message); err", "s.ServerStream.RecvMsg(message); err"},
	{"grpc: sends by way of the guard", "interceptor/grpcguard/stream.go", "answer(s.messages.Send(message))", "answer(lowerStream{s}.Send(message))"},
	{"grpc: nothing is proved yet", "interceptor/grpcguard/stream.go", "guarded.open.Store(!call.AwaitsMessage())", "guarded.open.Store(true)"},
	{
		"grpc: message that cannot be read opens nothing", "interceptor/grpcguard/stream.go",
		`		return answer(err)
	}
	if !s.open`,
		`		s.open.Store(true)
		return answer(err)
	}
	if !s.open`,
	},
	{
		"grpc: refusal as the handler sees it, receiving", "interceptor/grpcguard/stream.go",
		`		return answer(err)
	}
	if !s.open`,
		`		return err
	}
	if !s.open`,
	},
	{"grpc: refusal as the handler sees it, sending", "interceptor/grpcguard/stream.go", "return answer(s.messages.Send(message))", "return s.messages.Send(message)"},
	{
		"grpc: header is held back", "interceptor/grpcguard/stream.go",
		`	if s.sent {
		return s.ServerStream.SetHeader(md)`,
		`	if true {
		return s.ServerStream.SetHeader(md)`,
	},
	{
		"grpc: sent header is held back", "interceptor/grpcguard/stream.go",
		`	if !s.open.Load() {
		return nil
	}
	return s.SendMsg`,
		"\treturn s.SendMsg",
	},
	{
		"grpc: sent header by way of the guard", "interceptor/grpcguard/stream.go",
		`		return nil
	}
	return s.SendMsg(ownHeader{})
}

// SetTrailer`,
		`		return nil
	}
	return lowerStream{s}.Send(ownHeader{})
}

// SetTrailer`,
	},
	{
		"grpc: trailer is held back", "interceptor/grpcguard/stream.go",
		`	s.trailer = metadata.Join(s.trailer, md)
}`,
		`	s.ServerStream.SetTrailer(md)
}`,
	},
	{"grpc: sent header is released", "interceptor/grpcguard/stream.go", "!s.open.Swap(true) && s.headerWanted.Load()", "!s.open.Swap(true) && false"},
	{
		"grpc: header is handed on once", "interceptor/grpcguard/stream.go",
		`	if s.sent {
		return false, nil
	}
`,
		"",
	},
	{
		"grpc: header is sent once", "interceptor/grpcguard/stream.go",
		`		if !first { // another goroutine's is on its way
			return nil
		}
`,
		`		_ = first
`,
	},
	{
		"grpc: header without the proof", "interceptor/grpcguard/stream.go",
		`	if !s.open.Load() {
		return nil
	}
	s.mu.Lock()`,
		"\ts.mu.Lock()",
	},
	{
		"grpc: header of a refused call", "interceptor/grpcguard/stream.go",
		`			return refuse(denial)
		}
		if endErr`,
		`			_ = guarded.end()
			return refuse(denial)
		}
		if endErr`,
	},
	{
		"grpc: header at the end", "interceptor/grpcguard/stream.go",
		`	_, err := s.handOnHeader()
	return err
}

func answer`,
		`	return nil
}

func answer`,
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
	{"grpc: challenge of another domain", "interceptor/grpcguard/challenge.go", `if !ok || info.GetDomain() != "protoauthz" {`, "if !ok {"},
	{"grpc: size of a challenge", "interceptor/grpcguard/challenge.go", "len(challenge) <= maxChallenge && ", ""},
	{"grpc: form of a challenge", "interceptor/grpcguard/challenge.go", " && bearer.MatchString(challenge)", ` && bearer != nil && challenge != ""`},
	{
		"grpc: listener that says first that it closes", "interceptor/grpcguard/inprocess.go",
		"	c.closed()\n	return c.Listener.Close()",
		"	defer c.closed()\n	return c.Listener.Close()",
	},
}
