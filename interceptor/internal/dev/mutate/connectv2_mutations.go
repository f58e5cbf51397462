package main

// connectv2Mutations are the checks of the guard for connect v2.
var connectv2Mutations = []mutation{
	{"v2: no guard", "interceptor/connectv2guard/connectv2guard.go", "if guard == nil {", "if false {"},
	{
		"v2: call without a server", "interceptor/connectv2guard/connectv2guard.go",
		`			if !ok {
`,
		`			if !ok {
				return next(ctx, spec, stream)
			}
			if !ok {
`,
	},
	{
		"v2: denial of the first step", "interceptor/connectv2guard/connectv2guard.go",
		`				return refuse(denial, spec, info)
			}
			guarded`,
		`				return next(ctx, spec, stream)
			}
			guarded`,
	},
	{
		"v2: reads of a refused call end", "interceptor/connectv2guard/connectv2guard.go",
		`				connection.Refuse(arrived)
`,
		"",
	},
	{"v2: nothing is proved yet", "interceptor/connectv2guard/connectv2guard.go", "guarded.open.Store(!call.AwaitsMessage())", "guarded.open.Store(true)"},
	{"v2: stream is served as one", "interceptor/connectv2guard/connectv2guard.go", "if spec.StreamType == connect.StreamTypeUnary && !call.AwaitsMessage() {", "if !call.AwaitsMessage() {"},
	{"v2: unary call that awaits its message has a CallInfo of its own", "interceptor/connectv2guard/connectv2guard.go", "if spec.StreamType == connect.StreamTypeUnary && !call.AwaitsMessage() {", "if spec.StreamType == connect.StreamTypeUnary {"},
	{"v2: unary call by way of the guard", "interceptor/connectv2guard/connectv2guard.go", "handlerError(next(ctx, spec, guarded))", "handlerError(next(ctx, spec, stream))"},
	{"v2: refusal of another unary call", "interceptor/connectv2guard/connectv2guard.go", "return handlerError(next(ctx, spec, guarded))", "return next(ctx, spec, guarded)"},
	{"v2: refusal of another call", "interceptor/connectv2guard/stream.go", "return handlerError(handler(ctx, s.guardedStream))", "return handler(ctx, s.guardedStream)"},
	{"v2: detail of another call's refusal", "interceptor/connectv2guard/connectv2guard.go", "if info, ok := message.(*errdetails.ErrorInfo); err == nil && (!ok || info.GetDomain() != denial.ErrorInfo().GetDomain()) {", `if info, ok := message.(*errdetails.ErrorInfo); err == nil && (!ok || info.GetDomain() != denial.Error()) {`},
	{"v2: refusal", "interceptor/connectv2guard/connectv2guard.go", "return guarded.answer(err)", "return err"},
	{"v2: code", "interceptor/connectv2guard/connectv2guard.go", "connect.Code(denial.Code())", "connect.CodeUnknown"},
	{
		"v2: details", "interceptor/connectv2guard/connectv2guard.go",
		`		err = err.WithDetail(detail)
`,
		`		_ = detail
`,
	},
	{"v2: denial in the refusal", "interceptor/connectv2guard/connectv2guard.go", ".WithCause(denial)", ""},
	{"v2: challenge in the Connect protocol alone", "interceptor/connectv2guard/connectv2guard.go", "if info.Protocol == connect.ProtocolNameConnect && spec.StreamType", "if spec.StreamType"},
	{
		"v2: challenge of unary calls alone", "interceptor/connectv2guard/connectv2guard.go",
		` && spec.StreamType == connect.StreamTypeUnary {
		if challenge`,
		` {
		if challenge`,
	},
	{"v2: caching of a refused GET", "interceptor/connectv2guard/connectv2guard.go", "	if isGet(info) {", "	if false {"},
	{"v2: caching of public methods", "interceptor/connectv2guard/connectv2guard.go", "isGet(info) && interceptor.ClaimsFromContext(call.Context()) != nil", "isGet(info)"},
	{"v2: caching of an answer", "interceptor/connectv2guard/stream.go", "	s.limitCaching(nil)\n", ""},
	{"v2: caching of an error", "interceptor/connectv2guard/connectv2guard.go", "guarded.limitCaching(err)", "_ = err"},
	{"v2: challenge", "interceptor/connectv2guard/connectv2guard.go", `info.ResponseHeader().Set("WWW-Authenticate", challenge)`, "_ = challenge"},
	{"v2: connection of a call in process", "interceptor/connectv2guard/connectv2guard.go", "\tif !ok {\n\t\treturn nil, callctx.Call{}", "\tif !ok && false {\n\t\treturn nil, callctx.Call{}"},
	{"v2: the call claims the connection", "interceptor/connectv2guard/connectv2guard.go", "connection: connection.Claim(arrived)}", "connection: connection}"},
	{"v2: ID of the call", "interceptor/connectv2guard/connectv2guard.go", "ID:            served,", "ID:            served.TLS(),"},
	{"v2: header that was changed in place", "interceptor/connectv2guard/connectv2guard.go", `Host:          header.Values("Host"),`, ""},
	{
		"v2: reads of a call that was refused later end", "interceptor/connectv2guard/connectv2guard.go",
		`				guarded.connection.EndReads(callctx.RefusedBody)
`,
		"",
	},
	{"v2: receives by way of the guard", "interceptor/connectv2guard/stream.go", "err := s.messages.Receive(message); err", "err := s.stream.Receive(message); err"},
	{"v2: sends by way of the guard", "interceptor/connectv2guard/stream.go", "return s.answer(s.messages.Send(message))", "return s.answer(s.stream.Send(message))"},
	{
		"v2: message that cannot be read opens nothing", "interceptor/connectv2guard/stream.go",
		`		return s.answer(err)
	}
`,
		`		s.open.Store(true)
		return s.answer(err)
	}
`,
	},
	{
		"v2: refusal as the handler sees it, receiving", "interceptor/connectv2guard/stream.go",
		`		return s.answer(err)
`,
		`		return err
`,
	},
	{"v2: refusal as the handler sees it, sending", "interceptor/connectv2guard/stream.go", "return s.answer(s.messages.Send(message))", "return s.messages.Send(message)"},
	{
		"v2: send holds the lock", "interceptor/connectv2guard/stream.go",
		`	s.sending.Lock()
	defer s.sending.Unlock()
	return s.answer`,
		"\treturn s.answer",
	},
	{
		"v2: headers are held back", "interceptor/connectv2guard/stream.go",
		`	if !s.open.Load() {
		return nil
	}
`,
		"",
	},
	{"v2: headers are released", "interceptor/connectv2guard/stream.go", "!s.open.Swap(true) && s.headersWanted.Load()", "!s.open.Swap(true) && false"},
	{
		"v2: headers by way of the guard", "interceptor/connectv2guard/stream.go",
		`		return nil
	}
	return s.Send(headers{})`,
		`		return nil
	}
	return lowerStream{s}.Send(headers{})`,
	},
	{
		"v2: reads end at the expiry", "interceptor/connectv2guard/stream.go",
		`	s.connection.EndReads(0)
`,
		"",
	},
	{"v2: writes end after the expiry", "interceptor/connectv2guard/stream.go", "s.connection.AwaitSend(&s.sending)", "(*callctx.Connection)(nil).AwaitSend(&s.sending)"},
	{
		"v2: unary call is served as one", "interceptor/connectv2guard/stream.go",
		`	if s.spec.StreamType == connect.StreamTypeUnary {
		run = call.ServeUnary`,
		`	if false {
		run = call.ServeUnary`,
	},
	{
		"v2: a send under way ends first", "interceptor/connectv2guard/stream.go",
		`	defer s.end()
`,
		"",
	},
	{
		"v2: a send under way is waited for", "interceptor/connectv2guard/stream.go",
		`	s.interrupted = true
`,
		"",
	},
	{"v2: a send that the handler has left behind is waited for", "interceptor/connectv2guard/stream.go", "s.expired = denial.Reason() == interceptor.ReasonTokenExpired", "s.expired = false"},
	{
		"v2: header of a refused call", "interceptor/connectv2guard/stream.go",
		`		return denial
	}
	if s.open.Load() {`,
		`	}
	if s.open.Load() {`,
	},
	{
		"v2: header of a call that panicked", "interceptor/connectv2guard/stream.go",
		`	defer s.end()
`,
		`	defer func() {
		s.end()
		if p := recover(); p != nil {
			s.handOnHeader()
			panic(p)
		}
	}()
`,
	},
	{
		"v2: header without the proof", "interceptor/connectv2guard/stream.go",
		`	if s.open.Load() {
		s.handOnHeader()`,
		`	if true {
		s.handOnHeader()`,
	},
	{"v2: header is handed on once", "interceptor/connectv2guard/stream.go", "if s.own == nil || s.sent {", "if s.own == nil {"},
	{
		"v2: trailer with the message of a unary call", "interceptor/connectv2guard/stream.go",
		`	if s.spec.StreamType == connect.StreamTypeUnary {
		s.own.trailer`,
		`	if false {
		s.own.trailer`,
	},
	{"v2: the handler's own CallInfo", "interceptor/connectv2guard/info.go", "return server.Call(ctx, stream.spec.Procedure, stream.own.info, stream)", "return server.Call(ctx, stream.spec.Procedure, stream.info, stream)"},
	{
		"v2: a copy of the header", "interceptor/connectv2guard/info.go",
		`into.SetValues(name, slices.Clone(values))
	}
}

// handOn`,
		`into.SetValues(name, values)
	}
}

// handOn`,
	},
}
