package main

// streamMutations are the checks of messages, and of the time that a call takes.
var streamMutations = []mutation{
	{
		"stream: forget what came after a refusal", "interceptor/stream.go",
		`refused != nil {
		forget(message)
`,
		`refused != nil {
`,
	},
	{
		"stream: forget what the observer refused", "interceptor/stream.go",
		`		forget(message)
		s.denial.CompareAndSwap`,
		`		s.denial.CompareAndSwap`,
	},
	{
		"stream: forget empties", "interceptor/stream.go",
		`		proto.Reset(m)
`,
		`		_ = m
`,
	},
	{"stream: forget what is no proto.Message", "interceptor/stream.go", "v.Elem().SetZero()", "_ = v"},
	{"stream: forget what is no pointer", "interceptor/stream.go", "v.Kind() == reflect.Pointer && !v.IsNil()", "!v.IsNil()"},
	{"stream: forget nil", "interceptor/stream.go", "v.Kind() == reflect.Pointer && !v.IsNil()", "v.Kind() == reflect.Pointer"},
	{"panic: its stack is logged", "interceptor/panic.go", "if again || value", "if true || again || value"},
	{"panic: once", "interceptor/panic.go", "if again || value", "if again && false || value"},
	{"panic: not of a handler that aborts", "interceptor/panic.go", "again || value == http.ErrAbortHandler {", "again || value == http.ErrAbortHandler && false {"},
	{"panic: in the logger", "interceptor/panic.go", "defer func() { _ = recover() }() // a logger", "// a logger"},
	{"panic: value is not logged", "interceptor/panic.go", `fmt.Sprintf("%T", value)`, `fmt.Sprintf("%v", value)`},
	{"interrupt: length of a procedure in a log", "interceptor/internal/callctx/connection.go", "%+.200q", "%+q"},
	{"interrupt: escapes of a procedure in a log", "interceptor/internal/callctx/connection.go", "%+.200q", "%.200s"},
	{"interrupt: deadlines", "interceptor/internal/callctx/connection.go", "if err = deadline(at); err == nil {", "if err == nil {"},
	{"interrupt: reads at once", "interceptor/internal/callctx/connection.go", "time.Now().Add(in)", "time.Time{}.Add(in)"},
	{"interrupt: a request that has been served", "interceptor/internal/callctx/connection.go", "if !c.over {", "if true {"},
	{
		"interrupt: the end of a request", "interceptor/internal/callctx/connection.go",
		`		defer c.end()
`,
		"",
	},
	{
		"interrupt: the end of a request waits for a deadline that is being set", "interceptor/internal/callctx/connection.go",
		`func (c *Connection) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
`,
		`func (c *Connection) end() {
`,
	},
	{
		"interrupt: a write is awaited", "interceptor/internal/callctx/connection.go",
		`	writing.Lock()
	defer writing.Unlock()
	if`,
		"\tif",
	},
	{"interrupt: a write has its time", "interceptor/internal/callctx/connection.go", "time.AfterFunc(writeGrace,", "time.AfterFunc(writeGrace/500,"},
	{
		"interrupt: the end of a write that takes too long is awaited", "interceptor/internal/callctx/connection.go",
		`		<-cut
`,
		`		_ = cut
`,
	},
	{"interrupt: a refused body has its time", "interceptor/internal/callctx/claim.go", "c.EndReads(RefusedBody)", "c.EndReads(0)"},
	{"interrupt: writes", "interceptor/internal/callctx/connection.go", "c.set(http.NewResponseController(c.writer).SetWriteDeadline, time.Now(), func() {})", "_ = c"},
	{
		"interrupt: reads of no connection", "interceptor/internal/callctx/connection.go",
		`	if c == nil || c.body`,
		`	if c.body`,
	},
	{
		"interrupt: writes of no connection", "interceptor/internal/callctx/connection.go",
		`		if c != nil {
			c.set(http.NewResponseController(c.writer).SetWriteDeadline`,
		`		if true {
			c.set(http.NewResponseController(c.writer).SetWriteDeadline`,
	},
	{"interrupt: a copy of the token", "interceptor/internal/callctx/connection.go", `slices.Clone(r.Header.Values("Authorization"))`, `slices.Clip(r.Header.Values("Authorization"))`},
	{"interrupt: a connection that was interrupted serves no other request", "interceptor/internal/callctx/connection.go", "\t\tcloseAfterReply(c.writer)\n", ""},
	{"interrupt: a connection whose body came in time serves others", "interceptor/internal/callctx/connection.go", "case c.body.ended.Load() && time.Now().Before(c.cutoff):", "case false:"},
	{"interrupt: a body that has been read", "interceptor/internal/callctx/connection.go", "if c == nil || c.body.ended.Load() {", "if c == nil {"},
	{"interrupt: a context goes on until the call is answered", "interceptor/internal/callctx/context.go", "case !c.cutoff.IsZero() && !time.Now().Before(c.cutoff):", "case time.Now().IsZero():"},
	{"interrupt: a context ends with its client", "interceptor/internal/callctx/context.go", "\t\th.cancel(context.Cause(c.Context))\n", "\t\t_ = h\n"},
	{"interrupt: printed", "interceptor/internal/callctx/context.go", `_, _ = io.WriteString(out, "callctx.Connection")`, `_, _ = io.WriteString(out, fmt.Sprint(c.authorization))`},
	{"interrupt: HTTP/1.0 expects nothing", "interceptor/internal/callctx/connection.go", "r.ProtoAtLeast(1, 1) && ", ""},
	{"interrupt: a body that is not sent yet", "interceptor/internal/callctx/claim.go", "case c.expects:", "case false:"},
	{"interrupt: somebody is told once", "interceptor/internal/callctx/connection.go", "if !c.told.Load() && !c.told.Swap(true) {", "if true {"},
	{"interrupt: somebody is told of a writer", "interceptor/internal/callctx/connection.go", "if errors.Is(err, errors.ErrUnsupported) {", "if errors.Is(err, errors.ErrUnsupported) && false {"},
	{"interrupt: somebody is told of a request", "interceptor/internal/callctx/claim.go", "if lost {", "if false {"},
	{"interrupt: a call without an ID", "interceptor/internal/callctx/claim.go", "if c == nil || call.ID == nil {", "if c == nil {"},
	{"interrupt: a request that has been served is given away", "interceptor/internal/callctx/claim.go", "found := !c.over && !lost", "found := !lost"},
	{"interrupt: another call's connection", "interceptor/internal/callctx/claim.go", "(c.owner == nil || c.owner == call.ID && c.procedure == call.Procedure)", "true"},
	{"interrupt: another guard of the same call", "interceptor/internal/callctx/claim.go", "(c.owner == nil || c.owner == call.ID && c.procedure == call.Procedure)", "c.owner == nil"},
	{"interrupt: another procedure with the header of the call", "interceptor/internal/callctx/claim.go", " && c.procedure == call.Procedure)", ")"},
	{"interrupt: a connection is claimed", "interceptor/internal/callctx/claim.go", "\t\t\tc.owner = call.ID\n", "\t\t\t_ = claim\n"},
	{"interrupt: a refused call claims nothing", "interceptor/internal/callctx/claim.go", "\t\tif claim {", "\t\tif true {"},
	{"interrupt: another procedure", "interceptor/internal/callctx/claim.go", "if named && slices.Equal", "if slices.Equal"},
	{"interrupt: another token", "interceptor/internal/callctx/claim.go", "if named && slices.Equal(c.authorization, call.Authorization) {", "if named && slices.Equal(c.authorization[:0], call.Authorization[:0]) {"},
	{"interrupt: another procedure with the very header", "interceptor/internal/callctx/claim.go", "return c.hasHeader(call) && (named ||", "return c.hasHeader(call) && (true ||"},
	{"interrupt: a path that was changed in place", "interceptor/internal/callctx/claim.go", " || strings.HasSuffix(c.request.URL.Path, call.Procedure))", ")"},
	{"interrupt: the very header", "interceptor/internal/callctx/claim.go", "if call.ID == HeaderID(c.header) {", "if false {"},
	{"interrupt: the very header, v2", "interceptor/internal/callctx/claim.go", "&host[0] == &call.Host[0]", "false"},
	{"interrupt: a header that is like it, v2", "interceptor/internal/callctx/claim.go", "&host[0] == &call.Host[0]", "host[0] == call.Host[0]"},
}
