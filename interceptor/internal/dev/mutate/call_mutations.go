package main

// connectMutations are the checks of the guard for connect v1.
var connectMutations = []mutation{
	{
		"connect: gate", "interceptor/connect.go",
		`		return nil, connectError(denial, nil, spec, peer)
	}
	connection`,
		`		return ctx, nil
	}
	connection`,
	},
	{
		"connect: unary", "interceptor/connect.go",
		`		if denial != nil {
			return nil, connectError(denial, within, spec, peer())
		}
		response, err`,
		`		if denial != nil {
			_ = within
			return next(ctx, request)
		}
		response, err`,
	},
	{
		"connect: message of a unary call", "interceptor/connect.go",
		`		if denial == nil {
			denial = g.admitMessage(ctx, a, request.Any())
		}
`,
		`		_ = a
`,
	},
	{"connect: request sent on through a client", "interceptor/connect.go", "ok && (atHandler || callctx.SameHeader(info.RequestHeader(), request.Header()))", "ok && atHandler"},
	{"connect: replaced request behind the gate", "interceptor/connect.go", "ok && (atHandler || callctx.SameHeader(info.RequestHeader(), request.Header()))", "ok && callctx.SameHeader(info.RequestHeader(), request.Header())"},
	{
		"connect: replaced request and context behind the gate", "interceptor/connect.go",
		`			case atHandler:
				return nil, connectError(failed(errors.New("an interceptor before the guard has lost the context of the call: the interceptor must hand on the context that it is given, or one made from it")), nil, spec, peer())
`,
		`			case atHandler:
				_ = errors.New
				return next(ctx, request)
`,
	},
	{"connect: HandlerOption's interceptor stands before a handler", "interceptor/connect.go", "return h.wrapUnary(next, true)", "return h.wrapUnary(next, false)"},
	{"connect: HandlerOption's gate", "interceptor/connect.go", "connect.WithRequestGate(g.gate), ", ""},
	{"connect: HandlerOption's interceptor", "interceptor/connect.go", ", connect.WithInterceptors(handlerSide{g})", ""},
	{
		"connect: stream", "interceptor/connect.go",
		`		case denial != nil:
			connection.Refuse(call)
			return connectError(denial, within, spec, conn.Peer())
`,
		`		case denial != nil:
			return next(ctx, conn)
`,
	},
	{"connect: messages of a stream", "interceptor/connect.go", "return serveConn(&Call{g, a, ctx}, within, conn, connection.Claim(call), next)", "return next(ctx, conn)"},
	{"connect: refusal of another unary call", "interceptor/connect.go", "return response, a.handlerError(err)", "return response, err"},
	{"connect: refusal of another call in a public stream", "interceptor/connect.go", "return a.handlerError(next(ctx, conn))", "return next(ctx, conn)"},
	{
		"connect: own admission is used up", "interceptor/connect.go",
		`		ctx = a
`,
		`		ctx = a
		a.header = header
		a.guard.Store(g)
`,
	},
	{"connect: admission is this call's", "interceptor/connect.go", "taken := a.take(g, procedure, header)", "taken := a.take(g, procedure, header) || a != nil && a.rule != nil"},
	{"connect: expiry of a unary call after its body", "interceptor/connect.go", "kind == connect.StreamTypeUnary && a.expired() {", "kind == connect.StreamTypeUnary && false {"},
	{
		"connect: reads of a refused call end", "interceptor/connect.go",
		`		connection.Refuse(call)
		return nil, connectError(denial, nil, spec, peer)`,
		`		return nil, connectError(denial, nil, spec, peer)`,
	},
	{
		"connect: reads of a refused stream end", "interceptor/connect.go",
		`			connection.Refuse(call)
			return connectError(denial, within, spec, conn.Peer())`,
		`			return connectError(denial, within, spec, conn.Peer())`,
	},
	{
		"connect: the gate claims the connection", "interceptor/connect.go",
		`	connection.Claim(call)
	a.guard`,
		`	a.guard`,
	},
	{"connect: a handler's calls in process", "interceptor/connect.go", "; inHandler {", "; inHandler && false {"},
	{"connect: header replaced behind the gate", "interceptor/connect.go", "ok && gated && a.header != nil {", "ok && false && a.header != nil {"},
	{"connect: connection of another call's admission", "interceptor/connect.go", "ok && gated && a.header != nil {", "ok && a.header != nil {"},
}

// callMutations are those of calls as adapters use them.
var callMutations = []mutation{
	{
		"call: denial of the first step", "interceptor/call.go",
		`	if denial != nil {
		return nil, denial
	}
	return &Call{g, a, a}, nil`,
		`	_ = denial
	return &Call{g, a, a}, nil`,
	},
	{"call: context", "interceptor/call.go", "return &Call{g, a, a}, nil", "return &Call{g, a, ctx}, nil"},
	{"call: awaits a message", "interceptor/call.go", "return c.admission.byMessage() }", "return false }"},
	{
		"call: expired before its message", "interceptor/call.go",
		`	if a.expired() {
		return c.guard.observe(`,
		`	if false {
		return c.guard.observe(`,
	},
	{"call: expiry before its message is observed", "interceptor/call.go", "return c.guard.observe(c.ctx, a.event(a.inRealm(denyExpired())))", "return denyExpired()"},
	{"call: message", "interceptor/call.go", "return c.guard.admitMessage(c.ctx, a, message)", "return nil"},
	{
		"call: ServeUnary judges", "interceptor/call.go",
		`	return guarded.finish(handler(c.ctx, guarded))
}

// Serve is`,
		`	return guarded.finish(handler(c.ctx, stream))
}

// Serve is`,
	},
	{
		"call: refusal of ServeUnary", "interceptor/call.go",
		`	return guarded.finish(handler(c.ctx, guarded))
}

// Serve is`,
		`	return handler(c.ctx, guarded)
}

// Serve is`,
	},
	{"call: late body of ServeUnary", "interceptor/call.go", "guarded.unary = true", "guarded.unary = false"},
	{
		"call: public", "interceptor/call.go",
		`		return c.admission.handlerError(handler(c.ctx, stream))
	}
	guarded := c.newStream(stream)
	guarded.expires`,
		`		_ = handler
	}
	guarded := c.newStream(stream)
	guarded.expires`,
	},
	{"call: refusal of another call", "interceptor/connect_error.go", "denial.orZero().within == a {", "denial.orZero() != nil {"},
	{"call: refusal by another guard", "interceptor/connect_error.go", "denial.orZero().within == a {", "denial == nil {"},
	{"call: refusal of another guard's call", "interceptor/connect_error.go", "if !refused || denial.orZero().within == a {", "if !refused || denial.orZero().within != nil {"},
	{"call: detail of another call's refusal", "interceptor/connect_error.go", "if !isRefusal(detail) {", "if true {"},
	{"call: other details of the handler's", "interceptor/connect_error.go", "if !isRefusal(detail) {", "if false {"},
	{"call: challenge of another call's refusal", "interceptor/connect_error.go", `	ordinary.Meta().Del(wwwAuthenticate)
`, ""},
	{"call: another procedure in the same context", "interceptor/connect_error.go", "a.rule.Procedure == procedure && ", ""},
	{"call: another request in the same context", "interceptor/connect_error.go", " && callctx.SameHeader(a.header, header) {", " && callctx.SameHeader(header, header) {"},
	{"call: Serve until the token expires", "interceptor/call.go", "if !guarded.expires {", "if true {"},
	{"call: Serve without expiry", "interceptor/call.go", "if !guarded.expires {", "if false {"},
	{
		"call: Serve without expiry judges", "interceptor/call.go",
		`		return guarded.finish(handler(c.ctx, guarded))
`,
		`		return guarded.finish(handler(c.ctx, stream))
`,
	},
	{
		"call: refusal of Serve without expiry", "interceptor/call.go",
		`		return guarded.finish(handler(c.ctx, guarded))
`,
		`		return handler(c.ctx, guarded)
`,
	},
}
