package main

// guardtestMutations are the checks of what users' tests call.
var guardtestMutations = []mutation{
	{"guardtest: reason of a guard", "interceptor/internal/unguarded/unguarded.go", "case answer.Reason != want:", `case answer.Reason == "":`},
	{"guardtest: domain of a guard", "interceptor/internal/unguarded/unguarded.go", " && info.GetDomain() == Domain {", " {"},
	{"guardtest: handler that waits", "interceptor/internal/unguarded/unguarded.go", "case answer.Kind == Hanging:", "case false:"},
	{"guardtest: procedures that are absent", "interceptor/internal/unguarded/unguarded.go", "case len(missing) > 0:", "case false:"},
	{"guardtest: nothing at all", "interceptor/internal/unguarded/unguarded.go", "case !found:", "case !found && false:"},
	{"guardtest: all that is unknown", "interceptor/internal/unguarded/unguarded.go", "case elsewhere.Kind == Absent, elsewhere.Kind == NoRPC,", "case elsewhere.Kind == Answered, elsewhere.Kind == Absent, elsewhere.Kind == NoRPC,"},
	{"guardtest: well-known services", "interceptor/internal/unguarded/procedure.go", "for _, method := range methods {", "for _, method := range methods[:0] {"},
	{"guardtest: status of REST", "interceptor/guardtest/rest.go", "case !unauthorized && answer.Reason == interceptor.ReasonTokenMissing:", "case false:"},
	{"guardtest: challenge of REST", "interceptor/guardtest/rest.go", ` && response.Header.Get("WWW-Authenticate") == challenge:`, ` && response.Header.Get("WWW-Authenticate") != "":`},
	{"guardtest: domain of REST", "interceptor/guardtest/rest.go", ` && value["domain"] == unguarded.Domain {`, " {"},
	{"guardtest: every route", "interceptor/guardtest/rest.go", "for _, route := range routes {", "for _, route := range routes[:min(len(routes), 1)] {"},
	{"guardtest: additional routes", "interceptor/guardtest/route.go", "more = append(more, additional...)", "_ = additional"},
	{"guardtest: methods that are not implemented", "interceptor/grpcguardtest/grpcguardtest.go", "got.Code() == codes.Unimplemented && unknown(got.Message(), procedure.Name):", "got.Code() == codes.Unimplemented:"},
	{"guardtest: server that is not there", "interceptor/grpcguardtest/grpcguardtest.go", `got.Code() == codes.Unavailable && answer.Reason == "":`, "false:"},
}
