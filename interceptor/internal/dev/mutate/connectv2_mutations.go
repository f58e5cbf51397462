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
	{"v2: connection of a call in process", "interceptor/connectv2guard/connectv2guard.go", "if connection == nil || !ok {", "if connection == nil || !ok && false {"},
	{"v2: ID of the call", "interceptor/connectv2guard/connectv2guard.go", "ID:            served,", "ID:            served.TLS(),"},
	{"v2: header that was changed in place", "interceptor/connectv2guard/connectv2guard.go", `Host:          header.Values("Host"),`, ""},
	{"v2: the handler's own CallInfo", "interceptor/connectv2guard/info.go", "return server.Call(ctx, stream.spec.Procedure, stream.own.info, stream)", "return server.Call(ctx, stream.spec.Procedure, stream.info, stream)"},
}
