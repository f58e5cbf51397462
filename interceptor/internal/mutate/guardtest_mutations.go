package main

// guardtestMutations are the checks of what users' tests call.
var guardtestMutations = []mutation{
	{"guardtest: reason of a guard", "interceptor/internal/unguarded/unguarded.go", "case answer.Reason != want:", "case false:"},
	{"guardtest: domain of a guard", "interceptor/internal/unguarded/unguarded.go", " && info.GetDomain() == Domain {", " {"},
	{"guardtest: handler that waits", "interceptor/internal/unguarded/unguarded.go", "case answer.Kind == Hanging:", "case false:"},
	{"guardtest: procedures that are absent", "interceptor/internal/unguarded/unguarded.go", "case len(missing) > 0:", "case false:"},
	{"guardtest: nothing at all", "interceptor/internal/unguarded/unguarded.go", "case !found:", "case !found && false:"},
	{"guardtest: all that is unknown", "interceptor/internal/unguarded/unguarded.go", "case unknown.Kind == Absent, unknown.Kind == NoRPC,", "case unknown.Kind == Answered, unknown.Kind == Absent, unknown.Kind == NoRPC,"},
	{"guardtest: well-known services", "interceptor/internal/unguarded/procedure.go", "for name, stream := range wellKnown {", "for name, stream := range map[string]bool{} {"},
	{"guardtest: token that came along", "interceptor/internal/unguarded/unguarded.go", `case answer.Reason != "" && answer.Reason != interceptor.ReasonTokenMissing`, "case false && answer.Reason != interceptor.ReasonTokenMissing"},
	{"guardtest: guard with a smaller table", "interceptor/internal/unguarded/unguarded.go", "case rule != nil && answer.Reason == interceptor.ReasonRuleMissing:", "case false:"},
	{"guardtest: test that is over", "interceptor/internal/unguarded/unguarded.go", "case ctx.Err() != nil:", "case false:"},
	{"guardtest: routes without an option", "interceptor/guardtest/rest.go", "if len(routes) == 0 {", "if false {"},
	{"guardtest: routes without an option that are not known", "interceptor/guardtest/rest.go", "if reply == unknown ||", "if reply.status == unknown.status ||"},
	{"guardtest: failure before the guard", "interceptor/guardtest/rest.go", `case answer.Reason == "" && got.early():`, "case false:"},
	{"guardtest: body that is no object", "interceptor/guardtest/route.go", "if err != nil { // a google.protobuf.Value", "if err != nil || true { // a google.protobuf.Value"},
	{"guardtest: value of a wrapper alone", "interceptor/guardtest/route.go", `case rest == "" && field`, "case field"},
	{"guardtest: connection that is closed", "interceptor/grpcguardtest/grpcguardtest.go", `case got.Code() == codes.Canceled && got.Message() == "grpc: the client connection is closing":`, "case false:"},
	{"guardtest: status of REST", "interceptor/guardtest/rest.go", "case !unauthorized && answer.Reason == interceptor.ReasonTokenMissing:", "case false:"},
	{"guardtest: challenge of REST", "interceptor/guardtest/rest.go", ` && response.Header.Get("WWW-Authenticate") == challenge:`, ` && response.Header.Get("WWW-Authenticate") != "":`},
	{"guardtest: domain of REST", "interceptor/guardtest/rest.go", ` && value["domain"] == unguarded.Domain {`, " {"},
	{"guardtest: every route", "interceptor/guardtest/rest.go", "for _, route := range routes {", "for _, route := range routes[:min(len(routes), 1)] {"},
	{"guardtest: additional routes", "interceptor/guardtest/route.go", "more = append(more, additional...)", "_ = additional"},
	{"guardtest: methods that are not implemented", "interceptor/grpcguardtest/grpcguardtest.go", "got.Code() == codes.Unimplemented && unknown(got.Message(), procedure.Name):", "got.Code() == codes.Unimplemented:"},
	{"guardtest: server that is not there", "interceptor/grpcguardtest/grpcguardtest.go", `got.Code() == codes.Unavailable && answer.Reason == "":`, "false:"},
}
