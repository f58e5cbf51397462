package main

// guardMutations are the checks around the decision.
var guardMutations = []mutation{
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
		"guard: denial of the first step", "interceptor/guard.go",
		`a.event(denial)); denial != nil {
		return nil, denial
	}
	return a, nil`,
		`a.event(denial)); denial != nil && a.claims == nil {
		return nil, denial
	}
	return a, nil`,
	},
	{
		"guard: panic of the verifier", "interceptor/guard.go",
		`			denial = panicked("verifier", p)
`,
		`			denial = nil
`,
	},
	{
		"guard: panic of the verifier is caught", "interceptor/guard.go",
		`	defer func() {
		if p := recover(); p != nil {
			logPanic(a.Context, "the verifier", a.procedure(), p)
			denial = panicked("verifier", p)
		}
	}()
`,
		"",
	},
	{"guard: no rule", "interceptor/guard.go", `return deny(ReasonRuleMissing, ruleCause(procedure))`, "rule = &policy.Rule{Public: true}"},
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
		"	case err != nil:\n",
		"	case err != nil && claims == nil:\n",
	},
	{
		"guard: neither claims nor error", "interceptor/guard.go",
		`	case claims == nil:
		return failed(errors.New("the verifier returned neither claims nor an error: it must return one of them"))
`,
		`	case claims == nil:
		_ = errors.New
`,
	},
	{
		"guard: decision", "interceptor/guard.go",
		`denial = decide(rule.Rule, claims); denial != nil {
		return denial
	}`,
		`denial = decide(rule.Rule, claims); denial != nil {
		denial = nil
	}`,
	},
	{"guard: organization in the header", "interceptor/guard.go", "if !namesOrganization(rule.Organization, a.organization, header) {", "if false {"},
	{"guard: organization in the message", "interceptor/guard.go", "a.event(a.inRealm(judgeMessage(a, message)))", "a.event(nil)"},
	{"guard: message is a message", "interceptor/guard.go", "return deny(ReasonOrganizationMismatch, notProto)", "return nil"},
	{"guard: message names the organization", "interceptor/guard.go", "return &Denial{reason: ReasonOrganizationMismatch, cause: err}", "return nil"},
	{"guard: procedure that no rule knows", "interceptor/context.go", `	if a.rule == nil {
		return ""
	}
	return a.rule.Procedure`, `	if a.rule == nil {
		return "/pkg.Service/Method"
	}
	return a.rule.Procedure`},
	{"guard: length of a procedure in a cause", "interceptor/cause.go", "%+.200q", "%+q"},
	{"guard: escapes of a procedure in a cause", "interceptor/cause.go", "%+.200q", "%.200s"},
	{"guard: panic of the observer", "interceptor/guard.go", `denial = panicked("observer", p)`, "_ = p"},
	{"guard: panic of the observer at a refusal", "interceptor/guard.go", "if denial = event.Denial; denial == nil {", "if denial == nil && event.Denial == nil {"},
	{
		"guard: panic of the observer is caught", "interceptor/guard.go",
		`		if p := recover(); p != nil {
			logPanic(ctx, "the observer", event.Procedure, p)
			if denial = event.Denial; denial == nil {
				denial = panicked("observer", p)
			}
		}
`,
		"",
	},
	{"guard: text of a panic is not told", "interceptor/guard.go", `fmt.Errorf("panic in the %s with a %T: %s", who, p, remedy)`, `fmt.Errorf("panic in the %s with a %v: %s", who, p, remedy)`},
	{"admission: message decides", "interceptor/context.go", "a.rule.Organization != nil && a.rule.Organization.Source == policy.SourceField", "a.rule.Organization != nil && a.rule.Organization.Source == policy.SourceField && false"},
	{"admission: expired", "interceptor/context.go", "!a.rule.Public && !time.Now().Before(a.claims.Deadline())", "false && time.Now().Before(a.claims.Deadline())"},
	{"admission: expired at the edge", "interceptor/context.go", "!time.Now().Before(a.claims.Deadline())", "time.Now().After(a.claims.Deadline())"},
	{"admission: rule of a public service", "interceptor/context.go", "return ok && rule == a.rule", "return ok && rule != nil"},
	{"admission: printed", "interceptor/context.go", `_, _ = io.WriteString(out, "interceptor.admission")`, `_, _ = io.WriteString(out, fmt.Sprint(a.organization, a.header))`},
	{
		"admission: same guard", "interceptor/context.go",
		`a.guard.Load() == guard && a.covers(procedure, guard) &&
		callctx.SameHeader(a.header, header) && namesOrganization(a.rule.Organization, a.organization, header) &&
		a.guard.CompareAndSwap(guard, nil)`,
		`a.guard.Load() != nil && a.covers(procedure, guard) &&
		callctx.SameHeader(a.header, header) && namesOrganization(a.rule.Organization, a.organization, header) &&
		a.guard.Swap(nil) != nil`,
	},
	{"admission: same procedure", "interceptor/context.go", " && a.covers(procedure, guard) &&", " &&"},
	{"admission: same header map", "interceptor/context.go", "callctx.SameHeader(a.header, header) && ", ""},
	{"admission: header names the organization still", "interceptor/context.go", " && namesOrganization(a.rule.Organization, a.organization, header) &&", " &&"},
	{"admission: taken once", "interceptor/context.go", "a.guard.CompareAndSwap(guard, nil)", "a.guard.Load() != nil"},
	{"admission: header that is nil", "interceptor/internal/callctx/callctx.go", "return a != nil && reflect", "return reflect"},
	{"admission: one map, not an equal one", "interceptor/internal/callctx/callctx.go", "reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()", "reflect.DeepEqual(a, b)"},
	{"guard: rule of a service that is public as a whole", "interceptor/rules.go", "return rule, ok && method < len(procedure)", "return rule, ok"},
	{"guard: observer's own denial", "interceptor/guard.go", "told.Claims, told.Denial = ownClaims(event.Claims), event.Denial.own()", "told.Claims = ownClaims(event.Claims)"},
	{"guard: observer's own claims", "interceptor/guard.go", "told.Claims, told.Denial = ownClaims(event.Claims), event.Denial.own()", "told.Denial = event.Denial.own()"},
	{"guard: handler's own claims", "interceptor/context.go", "return ownClaims(a.claims)", "return a.claims"},
	{"denial: copy of scopes", "interceptor/denial.go", "return slices.Clone(d.orZero().scopes)", "return d.orZero().scopes"},
	{"denial: zero", "interceptor/denial.go", "return &meanings[last]", "return &meanings[0]"},
	{"denial: nil", "interceptor/denial.go", "return new(Denial)", "return d"},
	{"guard: expired token of another verifier", "interceptor/guard.go", "if !g.exact && a.expired() {", "if false {"},
}
