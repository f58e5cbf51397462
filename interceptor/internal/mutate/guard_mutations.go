package main

// guardMutations are the decision, and the checks of the guard around it.
var guardMutations = []mutation{
	{
		"decide: model", "interceptor/decision.go",
		`	if denial != nil {
		return "", denial
	}
`,
		`	if denial != nil {
		denial = nil
	}
`,
	},
	{"decide: caller", "interceptor/decision.go", "if !callerAllowed(rule.Caller, claims.Caller()) {", "if false {"},
	{"decide: scopes", "interceptor/decision.go", "if !scopesGranted(rule, claims) {", "if false {"},
	{
		"decide: unknown model", "interceptor/decision.go",
		`	default:
		return "", deny(ReasonRuleMissing, "the rule's model is unknown")
	}
	switch {
`,
		`	default:
	}
	switch {
`,
	},
	{
		"decide: organization token for the API", "interceptor/decision.go",
		`	case claims.HasOrganizationAudience():
		return "", deny(ReasonModelMismatch, "aud names an organization: this is an organization token")
`,
		"",
	},
	{"decide: rule without audience", "interceptor/decision.go", `case rule.Audience == "" || !claims.HasAudience(rule.Audience):`, "case !claims.HasAudience(rule.Audience):"},
	{"decide: audience", "interceptor/decision.go", `case rule.Audience == "" || !claims.HasAudience(rule.Audience):`, `case rule.Audience == "":`},
	{"decide: organization claim in a global call", "interceptor/decision.go", "if present { // even if empty", "if present && false {"},
	{"decide: organization claim in a global call, empty", "interceptor/decision.go", "if present { // even if empty", `if present && organization != "" {`},
	{
		"decide: organization claim missing or empty", "interceptor/decision.go",
		`	if organization == "" {
		return`,
		`	if organization == "" && !present && false {
		return`,
	},
	{
		"decide: organization claim empty", "interceptor/decision.go",
		`	if organization == "" {
		return`,
		`	if !present {
		return`,
	},
	{"decide: aud is not exactly one organization", "interceptor/decision.go", "case ok && (!present || claimed == organization):", "case (ok || claims.HasOrganizationAudience()) && (!present || claimed == organization):"},
	{"decide: organization claim and aud agree", "interceptor/decision.go", "!present || claimed == organization", `!present || claimed != ""`},
	{
		"decide: organization token for another organization model", "interceptor/decision.go",
		`case claims.HasOrganizationAudience():
		return "", deny(ReasonModelMismatch, "aud is not`,
		`case false:
		return "", deny(ReasonModelMismatch, "aud is not`,
	},
	{
		"decide: token of the API for an organization method", "interceptor/decision.go",
		`		return "", deny(ReasonModelMismatch, "the token is for the API: this method takes an organization token")
`,
		`		return claimed, nil
`,
	},
	{"decide: aud is no organization", "interceptor/decision.go", `return "", deny(ReasonAudienceMismatch, "aud is not an organization")`, "return claimed, nil"},
	{"decide: caller is a user", "interceptor/decision.go", "return is == token.CallerUser", "return true"},
	{"decide: caller is a client", "interceptor/decision.go", "return is == token.CallerClient", "return true"},
	{"decide: caller unknown counts as a user", "interceptor/decision.go", "return is == token.CallerUser", "return is != token.CallerClient"},
	{"decide: caller unknown counts as a client", "interceptor/decision.go", "return is == token.CallerClient", "return is != token.CallerUser"},
	{
		"decide: caller of a newer version", "interceptor/decision.go",
		`	default:
		return false
	}
}

func scopesGranted`,
		`	default:
		return true
	}
}

func scopesGranted`,
	},
	{
		"decide: all of scopes", "interceptor/decision.go",
		`		if !claims.HasScope(scope) {
			return false
		}`,
		`		if claims.HasScope(scope) {
			break
		}`,
	},
	{"decide: all of scopes, each", "interceptor/decision.go", "if !claims.HasScope(scope) {", "if scope == rule.Scopes[0] && !claims.HasScope(scope) {"},
	{
		"decide: any of scopes", "interceptor/decision.go",
		`			return true
		}
	}
	return false
}
`,
		`			return true
		}
	}
	return true
}
`,
	},
	{"decide: any of scopes beside all of them", "interceptor/decision.go", "if len(rule.AnyScopes) == 0 {", "if len(rule.AnyScopes) == 0 || len(rule.Scopes) > 0 {"},
	{"names: organization without a source", "interceptor/decision.go", `return organization == ""`, "return true"},
	{
		"names: empty organization", "interceptor/decision.go",
		`	case organization == "": // empty never equals empty
		return false
`,
		"",
	},
	{"names: header once", "interceptor/decision.go", "len(values) == 1 && values[0] == organization", "len(values) > 0 && values[0] == organization"},
	{"names: header", "interceptor/decision.go", "len(values) == 1 && values[0] == organization", `len(values) == 1 && values[0] != ""`},
	{
		"names: unknown source", "interceptor/decision.go",
		`len(values) == 1 && values[0] == organization
	default:
		return false`,
		`len(values) == 1 && values[0] == organization
	default:
		return true`,
	},
	{"guard: verifier or table nil", "interceptor/guard.go", "if verifier == nil || ok && v == nil || table == nil {", "if false {"},
	{"guard: *token.Verifier nil", "interceptor/guard.go", " ok && v == nil ||", " ok && v == nil && false ||"},
	{
		"guard: verifier that embeds another", "interceptor/guard.go",
		`	if ok { // the type itself: what embeds it may have a Verify of its own
		g.authenticate, g.exact = v.Authenticate, true
	}
`,
		`	if v, ok := verifier.(interface {
		Authenticate(context.Context, []string) (*token.Claims, error)
	}); ok {
		g.authenticate = v.Authenticate
	}
`,
	},
	{
		"guard: option nil", "interceptor/guard.go",
		`		if option == nil {
			panic("interceptor: an option of New is nil")
		}
`,
		`		if option == nil {
			continue
		}
`,
	},
	{"guard: expiry of streams by default", "interceptor/guard.go", "options{streamExpiry: true}", "options{}"},
	{
		"guard: gate", "interceptor/guard.go",
		`		return nil, connectError(denial, spec, peer)
	}
	a.guard.Store(g)`,
		`		return ctx, nil
	}
	a.guard.Store(g)`,
	},
	{
		"guard: unary", "interceptor/guard.go",
		`		if denial != nil {
			return nil, connectError(denial, spec, peer())
		}
		return next(ctx, request)
	}
}`,
		`		if denial != nil {
			return next(ctx, request)
		}
		return next(ctx, request)
	}
}`,
	},
	{
		"guard: message of a unary call", "interceptor/guard.go",
		`		if denial == nil {
			denial = g.admitMessage(ctx, a, request.Any())
		}
`,
		`		_ = a
`,
	},
	{"guard: request sent on through a client", "interceptor/guard.go", "ok && (atHandler || sameMap(info.RequestHeader(), request.Header()))", "ok && atHandler"},
	{"guard: replaced request behind the gate", "interceptor/guard.go", "ok && (atHandler || sameMap(info.RequestHeader(), request.Header()))", "ok && sameMap(info.RequestHeader(), request.Header())"},
	{
		"guard: replaced request and context behind the gate", "interceptor/guard.go",
		`			case atHandler:
				return nil, connectError(failed(errors.New("an interceptor has lost the context of the call")), spec, peer())
`,
		"",
	},
	{"guard: HandlerOption's interceptor stands before a handler", "interceptor/guard.go", "return h.wrapUnary(next, true)", "return h.wrapUnary(next, false)"},
	{"guard: HandlerOption's gate", "interceptor/guard.go", "connect.WithRequestGate(g.gate), ", ""},
	{"guard: HandlerOption's interceptor", "interceptor/guard.go", ", connect.WithInterceptors(handlerSide{g})", ""},
	{
		"guard: stream", "interceptor/guard.go",
		`		case denial != nil:
			return connectError(denial, conn.Spec(), conn.Peer())
`,
		`		case denial != nil:
			return next(ctx, conn)
`,
	},
	{"guard: messages of a stream", "interceptor/guard.go", "return g.serveStream(ctx, a, conn, next)", "return next(ctx, conn)"},
	{
		"guard: own admission is used up", "interceptor/guard.go",
		`		ctx = a
`,
		`		ctx = a
		a.guard.Store(g)
`,
	},
	{"guard: admission is this call's", "interceptor/guard.go", "taken := a.take(g, procedure, header)", "taken := a.take(g, procedure, header) || a != nil && a.rule != nil"},
	{
		"guard: denial of the first step", "interceptor/guard.go",
		`Denial: denial}); denial != nil {
		return nil, denial
	}
	return a, nil`,
		`Denial: denial}); denial != nil && a.claims == nil {
		return nil, denial
	}
	return a, nil`,
	},
	{
		"guard: panic of the verifier", "interceptor/guard.go",
		`		if p := recover(); p != nil {
			denial = panicked("verifier", p)
		}
`,
		`		if p := recover(); p != nil {
			denial = nil
		}
`,
	},
	{
		"guard: panic of the verifier is caught", "interceptor/guard.go",
		`		if p := recover(); p != nil {
			denial = panicked("verifier", p)
		}
`,
		`		_ = panicked
`,
	},
	{"guard: no rule", "interceptor/guard.go", `return deny(ReasonRuleMissing, "the procedure was not compiled into the table")`, "rule = &policy.Rule{Public: true}"},
	{
		"guard: bearer", "interceptor/guard.go",
		`		if err != nil {
			return nil, err
		}
		return verifier.Verify(ctx, raw)`,
		`		if err != nil {
			raw = ""
		}
		return verifier.Verify(ctx, raw)`,
	},
	{
		"guard: error of the verifier", "interceptor/guard.go",
		`	case err != nil:
		return denyToken(err)
	case claims == nil:`,
		`	case err != nil && claims == nil:
		return denyToken(err)
	case claims == nil:`,
	},
	{
		"guard: neither claims nor error", "interceptor/guard.go",
		`	case claims == nil:
		return failed(errors.New("the verifier returned neither claims nor an error"))
`,
		"",
	},
	{
		"guard: decision", "interceptor/guard.go",
		`denial = decide(rule, claims); denial != nil {
		return denial
	}`,
		`denial = decide(rule, claims); denial != nil {
		denial = nil
	}`,
	},
	{"guard: organization in the header", "interceptor/guard.go", "if !namesOrganization(rule.Organization, a.organization, a.header.Values) {", "if false {"},
	{"guard: expiry of a unary call after its body", "interceptor/guard.go", "a.expired() && (kind == connect.StreamTypeUnary || g.streamExpiry) {", "a.expired() && kind != connect.StreamTypeUnary && g.streamExpiry {"},
	{"guard: organization in the message", "interceptor/guard.go", "Denial: judgeMessage(a, message)})", "Denial: nil})"},
	{"guard: message is a message", "interceptor/guard.go", "ok && a.rule.Organization.Match(m, a.organization)", "!ok || a.rule.Organization.Match(m, a.organization)"},
	{"guard: message names the organization", "interceptor/guard.go", "ok && a.rule.Organization.Match(m, a.organization)", "ok && m != nil"},
	{"guard: panic of the observer", "interceptor/guard.go", `denial = panicked("observer", p)`, "_ = p"},
	{"guard: panic of the observer at a refusal", "interceptor/guard.go", "if denial = event.Denial; denial == nil {", "if denial == nil && event.Denial == nil {"},
	{
		"guard: panic of the observer is caught", "interceptor/guard.go",
		`		if p := recover(); p != nil {
			if denial = event.Denial; denial == nil {
				denial = panicked("observer", p)
			}
		}
`,
		"",
	},
	{"guard: text of a panic is not told", "interceptor/guard.go", `fmt.Errorf("panic in the %s with a %T", who, p)`, `fmt.Errorf("panic in the %s with a %v", who, p)`},
	{"admission: message decides", "interceptor/context.go", "a.rule.Organization != nil && a.rule.Organization.Source == policy.SourceField", "a.rule.Organization != nil && a.rule.Organization.Source == policy.SourceField && false"},
	{"admission: expired", "interceptor/context.go", "!a.rule.Public && !time.Now().Before(a.claims.Deadline())", "false && time.Now().Before(a.claims.Deadline())"},
	{"admission: expired at the edge", "interceptor/context.go", "!time.Now().Before(a.claims.Deadline())", "time.Now().After(a.claims.Deadline())"},
	{"admission: rule of a public service", "interceptor/context.go", "return ok && rule == a.rule", "return ok && rule != nil"},
	{"admission: printed", "interceptor/context.go", `_, _ = io.WriteString(out, "interceptor.admission")`, `_, _ = io.WriteString(out, fmt.Sprint(a.organization, a.header))`},
	{
		"admission: same guard", "interceptor/context.go",
		`a.guard.Load() == guard && a.covers(procedure, guard.table) &&
		sameMap(a.header, header) && namesOrganization(a.rule.Organization, a.organization, header.Values) &&
		a.guard.CompareAndSwap(guard, nil)`,
		`a.guard.Load() != nil && a.covers(procedure, guard.table) &&
		sameMap(a.header, header) && namesOrganization(a.rule.Organization, a.organization, header.Values) &&
		a.guard.Swap(nil) != nil`,
	},
	{"admission: same procedure", "interceptor/context.go", " && a.covers(procedure, guard.table) &&", " &&"},
	{"admission: same header map", "interceptor/context.go", "sameMap(a.header, header) && ", ""},
	{"admission: header names the organization still", "interceptor/context.go", " && namesOrganization(a.rule.Organization, a.organization, header.Values) &&", " &&"},
	{"admission: taken once", "interceptor/context.go", "a.guard.CompareAndSwap(guard, nil)", "a.guard.Load() != nil"},
	{"admission: header that is nil", "interceptor/context.go", "return a != nil && reflect", "return reflect"},
	{"admission: one map, not an equal one", "interceptor/context.go", "reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()", "reflect.DeepEqual(a, b)"},
	{"stream: nothing is proved yet", "interceptor/stream.go", "guarded.proved.Store(!a.byMessage())", "guarded.proved.Store(true)"},
	{"stream: expired before it starts", "interceptor/guard.go", "a.expired() && (kind == connect.StreamTypeUnary || g.streamExpiry) {", "a.expired() && kind == connect.StreamTypeUnary {"},
	{"stream: expiry", "interceptor/stream.go", "guarded.finishBefore(a.claims.Deadline(), next)", "guarded.finishBefore(a.claims.Deadline().Add(3*time.Second), next)"},
	{
		"stream: receive after a refusal", "interceptor/stream.go",
		`	if err := c.refused(); err != nil {
		return err
	}
	c.receiving.Store(true)`,
		`	c.receiving.Store(true)`,
	},
	{
		"stream: refused while receiving", "interceptor/stream.go",
		`if refused := c.refused(); refused != nil {
		forget(message)`,
		`if refused := c.refused(); false {
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
	{"stream: end without a message", "interceptor/stream.go", "if atEnd && !c.proved.Load() {", "if false {"},
	{"stream: each message", "interceptor/stream.go", "if denial := judgeMessage(c.admission, message); denial != nil {", "if denial := judgeMessage(c.admission, message); denial != nil && !c.proved.Load() {"},
	{"stream: first message", "interceptor/stream.go", "if denial := judgeMessage(c.admission, message); denial != nil {", "if denial := judgeMessage(c.admission, message); denial != nil && c.proved.Load() {"},
	{
		"stream: forget a refused message", "interceptor/stream.go",
		`		forget(message)
		return c.refuse(denial)`,
		`		return c.refuse(denial)`,
	},
	{"stream: refused message is an error", "interceptor/stream.go", "return c.refuse(denial)", "_ = c.refuse(denial)"},
	{"stream: observer refuses", "interceptor/stream.go", "if denial := c.guard.observe(c.ctx, event); denial != nil {", "if denial := c.guard.observe(c.ctx, event); false {"},
	{
		"stream: forget what the observer refused", "interceptor/stream.go",
		`		forget(message)
		c.denial.CompareAndSwap`,
		`		c.denial.CompareAndSwap`,
	},
	{
		"stream: observer's refusal stands", "interceptor/stream.go",
		`		c.denial.CompareAndSwap(nil, denial)
		return c.refused()`,
		`		return connectError(denial, c.Spec(), c.Peer())`,
	},
	{
		"stream: forget empties", "interceptor/stream.go",
		`		proto.Reset(m)
`,
		`		_ = m
`,
	},
	{
		"stream: send after a refusal", "interceptor/stream.go",
		`	if err := c.refused(); err != nil {
		return err
	}
	if !c.proved.Load() {`,
		`	if !c.proved.Load() {`,
	},
	{
		"stream: send before the proof", "interceptor/stream.go",
		`	if !c.proved.Load() {
		return c.refuse(deny(ReasonOrganizationMismatch, "the handler sent`,
		`	if false {
		return c.refuse(deny(ReasonOrganizationMismatch, "the handler sent`,
	},
	{
		"stream: send holds the lock", "interceptor/stream.go",
		`	c.sending.Lock()
	defer c.sending.Unlock()
	if err`,
		`	if err`,
	},
	{"stream: the handler's own header", "interceptor/stream.go", "return c.header.Header }", "return c.StreamingHandlerConn.ResponseHeader() }"},
	{"stream: the handler's own trailer", "interceptor/stream.go", "return c.trailer.Header }", "return c.StreamingHandlerConn.ResponseTrailer() }"},
	{
		"stream: refusal is an error", "interceptor/stream.go",
		`return connectError(denial, c.Spec(), c.Peer())
	}
	return nil`,
		`_ = denial
	}
	return nil`,
	},
	{"stream: refusal locks", "interceptor/stream.go", "if c.denial.CompareAndSwap(nil, denial) {", "if c.denial.Load() == nil {"},
	{"stream: return before the proof", "interceptor/stream.go", "if err == nil && !c.proved.Load() {", "if false {"},
	{
		"stream: swallowed refusal", "interceptor/stream.go",
		`	if refused := c.refused(); refused != nil {
		return refused
	}
	if c.proved`,
		`	if c.proved`,
	},
	{
		"stream: header without the proof", "interceptor/stream.go",
		`	if c.proved.Load() {
		c.handOnHeader()`,
		`	if true {
		c.handOnHeader()`,
	},
	{"stream: context ends at the expiry", "interceptor/stream.go", "context.WithTimeoutCause(c.ctx, left, token.ErrExpired)", "context.WithTimeoutCause(c.ctx, left+3*time.Second, token.ErrExpired)"},
	{"stream: end at the expiry", "interceptor/stream.go", "timer := time.NewTimer(left)", "timer := time.NewTimer(left + 3*time.Second)"},
	{"stream: handler that returns after the expiry", "interceptor/stream.go", "if returned && time.Now().Before(deadline) && !errors.Is(context.Cause(ctx), token.ErrExpired) {", "if returned {"},
	{"stream: expired by the context alone", "interceptor/stream.go", " && !errors.Is(context.Cause(ctx), token.ErrExpired) {", " {"},
	{"stream: locked at the expiry", "interceptor/stream.go", "err := c.refuse(denyToken(token.ErrExpired))", "err := connectError(denyToken(token.ErrExpired), c.Spec(), c.Peer())"},
	{"stream: grace for the handler", "interceptor/stream.go", "!returned && !c.receiving.Load()", "false"},
	{
		"stream: a send under way ends first", "interceptor/stream.go",
		`	c.lockSending()
	defer c.sending.Unlock()
`,
		"",
	},
	{"interrupt: reads", "interceptor/interrupt.go", "_ = c.SetReadDeadline(time.Now().Add(in))", "_ = c"},
	{"interrupt: writes", "interceptor/interrupt.go", "_ = c.SetWriteDeadline(time.Now())", "_ = c"},
	{"interrupt: another call's connection", "interceptor/interrupt.go", "ok && sameMap(c.header, header)", "ok"},
	{"denial: detail of a missing scope", "interceptor/detail.go", "if reason == ReasonScopeInsufficient {", `if reason == "" {`},
}
