package main

// streamMutations are the checks of messages, and of the time that a call takes.
var streamMutations = []mutation{
	{"stream: nothing is proved yet", "interceptor/stream.go", "guarded.proved.Store(!c.admission.byMessage())", "guarded.proved.Store(true)"},
	{"stream: expiry", "interceptor/stream.go", "deadline := s.admission.claims.Deadline()", "deadline := s.admission.claims.Deadline().Add(3 * time.Second)"},
	{
		"stream: receive after a refusal", "interceptor/stream.go",
		`	if err := s.refused(); err != nil {
		return err
	}
	s.receiving.Store(true)`,
		`	s.receiving.Store(true)`,
	},
	{
		"stream: refused while receiving", "interceptor/stream.go",
		`if refused := s.refused(); refused != nil {
		forget(message)`,
		`if refused := s.refused(); false {
		forget(message)`,
	},
	{
		"stream: forget what came after a refusal", "interceptor/stream.go",
		`refused != nil {
		forget(message)
`,
		`refused != nil {
`,
	},
	{
		"stream: forget a part of a message", "interceptor/stream.go",
		`			forget(message) // what was decoded of it before the error
`,
		`			_ = message
`,
	},
	{"stream: end without a message", "interceptor/stream.go", "if atEnd && !s.proved.Load() {", "if false {"},
	{"stream: each message", "interceptor/stream.go", "if denial := judgeMessage(s.admission, message); denial != nil {", "if denial := judgeMessage(s.admission, message); denial != nil && !s.proved.Load() {"},
	{"stream: first message", "interceptor/stream.go", "if denial := judgeMessage(s.admission, message); denial != nil {", "if denial := judgeMessage(s.admission, message); denial != nil && s.proved.Load() {"},
	{
		"stream: forget a refused message", "interceptor/stream.go",
		`		forget(message)
		return s.refuse(denial)`,
		`		return s.refuse(denial)`,
	},
	{"stream: refused message is an error", "interceptor/stream.go", "return s.refuse(denial)", "_ = s.refuse(denial)"},
	{"stream: observer refuses", "interceptor/stream.go", "if denial := s.observe(nil); denial != nil {", "if denial := s.observe(nil); false {"},
	{
		"stream: forget what the observer refused", "interceptor/stream.go",
		`		forget(message)
		s.denial.CompareAndSwap`,
		`		s.denial.CompareAndSwap`,
	},
	{
		"stream: observer's refusal stands", "interceptor/stream.go",
		`		s.denial.CompareAndSwap(nil, denial)
		return s.refused()`,
		`		return denial`,
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
	{
		"stream: send after a refusal", "interceptor/stream.go",
		`	if err := s.refused(); err != nil {
		return err
	}
	if s.expires`,
		`	if s.expires`,
	},
	{"stream: send after the expiry", "interceptor/stream.go", "if s.expires && s.admission.expired() {", "if false {"},
	{"stream: send of a call that may outlive its token", "interceptor/stream.go", "if s.expires && s.admission.expired() {", "if s.admission.expired() {"},
	{
		"stream: send before the proof", "interceptor/stream.go",
		`	if !s.proved.Load() {
		return s.refuse(s.unproved(sentFirst))`,
		`	if false {
		return s.refuse(s.unproved(sentFirst))`,
	},
	{
		"stream: refusal is an error", "interceptor/stream.go",
		`	if denial := s.denial.Load(); denial != nil {
		return denial.own()
	}
	return nil
`,
		`	return nil
`,
	},
	{"stream: refusal that a handler overwrites", "interceptor/stream.go", "return denial.own()", "return denial"},
	{"stream: refusal locks", "interceptor/stream.go", "if s.denial.CompareAndSwap(nil, s.admission.inRealm(denial)) {", "if s.denial.Load() == nil {"},
	{"stream: return before the proof", "interceptor/stream.go", "if err == nil && !s.proved.Load() {", "if false {"},
	{
		"stream: swallowed refusal", "interceptor/stream.go",
		`	if refused := s.refused(); refused != nil {
		return refused
	}
	return s.admission.handlerError(err)
}

var`,
		`	return s.admission.handlerError(err)
}

var`,
	},
	{"stream: expired before its handler runs", "interceptor/stream.go", "	if s.admission.expired() {", "	if false {"},
	{"stream: context ends at the expiry", "interceptor/stream.go", "context.WithTimeoutCause(s.ctx, left, token.ErrExpired)", "context.WithTimeoutCause(s.ctx, left+3*time.Second, token.ErrExpired)"},
	{"stream: end at the expiry", "interceptor/stream.go", "timer := time.NewTimer(left)", "timer := time.NewTimer(left + 3*time.Second)"},
	{"stream: handler that returns after the expiry", "interceptor/stream.go", "if returned && time.Now().Before(deadline) && !errors.Is(context.Cause(ctx), token.ErrExpired) {", "if returned {"},
	{"stream: expired by the context alone", "interceptor/stream.go", " && !errors.Is(context.Cause(ctx), token.ErrExpired) {", " {"},
	{
		"stream: locked at the expiry", "interceptor/stream.go",
		`	_ = s.refuse(denyExpired())
	if interrupter`,
		`	_ = s.observe(denyExpired())
	if interrupter`,
	},
	{"stream: grace for the handler", "interceptor/stream.go", "!returned && !s.receiving.Load()", "false"},
	{"stream: late body of a unary call", "interceptor/stream.go", "(s.unary || s.expires) && s.admission", "s.expires && s.admission"},
	{"stream: late message of a stream", "interceptor/stream.go", "(s.unary || s.expires) && s.admission", "s.unary && s.admission"},
	{"stream: late message of a call that may outlive its token", "interceptor/stream.go", "err == nil && (s.unary || s.expires) && s.admission", "err == nil && s.admission"},
	{"stream: end that is wrapped", "interceptor/stream.go", "errors.Is(err, io.EOF)", "err == io.EOF"},
	{
		"stream: refusal is observed", "interceptor/stream.go",
		`		_ = s.observe(denial)
`,
		"",
	},
	{"stream: first message is observed", "interceptor/stream.go", "if denial := s.observe(nil); denial != nil {", "if denial := (*Denial)(nil); denial != nil {"},
	{
		"stream: proved once", "interceptor/stream.go",
		`	if s.proved.Load() {
		return nil
	}
`,
		"",
	},
	{"stream: exit of the handler", "interceptor/stream.go", "result := outcome{err: errExited}", "result := outcome{}"},
	{
		"stream: panic of the handler", "interceptor/stream.go",
		`			raise(result.panicked)
`,
		`			return nil
`,
	},
	{
		"stream: panic of the handler after the end", "interceptor/stream.go",
		`	if result.panicked != nil {
		raise(result.panicked)
	}
	return s.refused`,
		"\treturn s.refused",
	},
	{"panic: its stack is logged", "interceptor/panic.go", "if again || value", "if true || again || value"},
	{"panic: once", "interceptor/panic.go", "if again || value", "if again && false || value"},
	{"panic: not of a handler that aborts", "interceptor/panic.go", "again || value == http.ErrAbortHandler {", "again || value == http.ErrAbortHandler && false {"},
	{"panic: in the logger", "interceptor/panic.go", "defer func() { _ = recover() }() // a logger", "// a logger"},
	{"panic: value is not logged", "interceptor/panic.go", `fmt.Sprintf("%T", value)`, `fmt.Sprintf("%v", value)`},
	{"interrupt: length of a procedure in a log", "interceptor/internal/callctx/connection.go", "%+.200q", "%+q"},
	{"interrupt: escapes of a procedure in a log", "interceptor/internal/callctx/connection.go", "%+.200q", "%.200s"},
	{"stream: handler is woken", "interceptor/stream.go", "ok && !returned {", "ok && false {"},
	{"stream: handler that has returned is not woken", "interceptor/stream.go", "ok && !returned {", "ok {"},
	{"conn: nothing is proved yet", "interceptor/conn.go", "guarded.open.Store(!call.AwaitsMessage())", "guarded.open.Store(true)"},
	{
		"conn: message that cannot be read", "interceptor/conn.go",
		`	if err == nil {
		c.open.Store(true)
	}
`,
		`	c.open.Store(true)
`,
	},
	{"conn: header without the proof", "interceptor/conn.go", "if guarded.open.Load() {", "if true {"},
	{
		"conn: header of a refused call", "interceptor/conn.go",
		`		return guarded.refusal(denial)
`,
		`		defer guarded.trailer.handOn(conn.ResponseTrailer())
		guarded.handOnHeader()
		return guarded.refusal(denial)
`,
	},
	{
		"conn: refusal", "interceptor/conn.go",
		`		return guarded.refusal(denial)
`,
		"",
	},
	{
		"conn: refusal as the handler sees it", "interceptor/conn.go",
		`		return c.refusal(denial)
	}
	return err
`,
		`		return denial
	}
	return err
`,
	},
	{
		"conn: send holds the lock", "interceptor/conn.go",
		`	c.sending.Lock()
	defer c.sending.Unlock()
	return c.answer(`,
		"\treturn c.answer(",
	},
	{"conn: sends by way of the guard", "interceptor/conn.go", "return c.answer(c.stream.Send(message))", "return c.answer((*lowerConn)(c).Send(message))"},
	{"conn: receives by way of the guard", "interceptor/conn.go", "err := c.stream.Receive(message)", "err := (*lowerConn)(c).Receive(message)"},
	{"conn: the handler's own header", "interceptor/conn.go", "return c.header.Header }", "return c.StreamingHandlerConn.ResponseHeader() }"},
	{"conn: the handler's own trailer", "interceptor/conn.go", "return c.trailer.Header }", "return c.StreamingHandlerConn.ResponseTrailer() }"},
	{"conn: header is handed on once", "interceptor/conn.go", "if !c.sent {", "if true {"},
	{"conn: a copy of the header", "interceptor/conn.go", "ownHeader{Header: header.Clone(), before: header.Clone()}", "ownHeader{Header: header, before: header.Clone()}"},
	{
		"conn: a send under way ends first", "interceptor/conn.go",
		`	defer guarded.end()
`,
		"",
	},
	{
		"conn: a send under way is waited for", "interceptor/conn.go",
		`	c.interrupted = true
`,
		"",
	},
	{
		"conn: reads end at the expiry", "interceptor/conn.go",
		`	c.connection.EndReads(0)
`,
		"",
	},
	{"conn: a send that the handler has left behind is waited for", "interceptor/conn.go", "guarded.expired = denial.reason == ReasonTokenExpired", "guarded.expired = false"},
	{"conn: writes end after the expiry", "interceptor/conn.go", "c.connection.AwaitSend(&c.sending)", "(*callctx.Connection)(nil).AwaitSend(&c.sending)"},
	{
		"conn: reads of a stream that was refused later end", "interceptor/conn.go",
		`		if !guarded.interrupted {
			guarded.connection.EndReads(callctx.RefusedBody)
		}
`,
		"",
	},
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
