package main

// guardMutations are the checks around the decision.
var guardMutations = []mutation{
	{"guard: verifier or table nil", "interceptor/guard.go", "if verifier == nil || ok && v == nil || table == nil {", "if false {"},
	{"guard: *token.Verifier nil", "interceptor/guard.go", " ok && v == nil ||", " ok && v == nil && false ||"},
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
		"guard: error of the verifier", "interceptor/guard.go",
		"	case err != nil:\n",
		"	case err != nil && claims == nil:\n",
	},
	{"guard: length of a procedure in a cause", "interceptor/cause.go", "%+.200q", "%+q"},
	{"guard: escapes of a procedure in a cause", "interceptor/cause.go", "%+.200q", "%.200s"},
	{"guard: panic of the observer", "interceptor/guard.go", `decided = panicked("observer", p)`, "_ = p"},
	{"guard: panic of the observer at a refusal", "interceptor/guard.go", "if decided = denial; denial == nil {", "if denial == nil {"},
	{
		"guard: panic of the observer is caught", "interceptor/guard.go",
		`		if p := recover(); p != nil {
			logPanic(ctx, "the observer", call.procedure(), p)
			if decided = denial; denial == nil {
				decided = panicked("observer", p)
			}
		}
`,
		"",
	},
	{"admission: header that is nil", "interceptor/internal/callctx/callctx.go", "return a != nil && reflect", "return reflect"},
	{"admission: one map, not an equal one", "interceptor/internal/callctx/callctx.go", "reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()", "reflect.DeepEqual(a, b)"},
	{"guard: rule of a service that is public as a whole", "interceptor/rules.go", "return rule, ok && !strings.HasSuffix(procedure, \"/\")", "return rule, ok"},
	{"guard: observer's own denial", "interceptor/guard.go", "Denial: own(denial)})", "Denial: denial})"},
	{"guard: observer's own claims", "interceptor/guard.go", "Claims: own(call.claims)", "Claims: call.claims"},
	{"denial: copy of scopes", "interceptor/denial.go", "return slices.Clone(d.orZero().scopes)", "return d.orZero().scopes"},
	{"denial: zero", "interceptor/denial.go", "return &meanings[last]", "return &meanings[0]"},
	{"denial: nil", "interceptor/denial.go", "return new(Denial)", "return d"},
}
