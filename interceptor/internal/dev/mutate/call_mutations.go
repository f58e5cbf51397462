package main

// connectMutations are the checks of the guard for connect v1.
var connectMutations = []mutation{}

// callMutations are those of calls as adapters use them.
var callMutations = []mutation{
	{"call: detail of another call's refusal", "interceptor/connect_error.go", "(!ok || info.GetDomain() != domain) {", "(true || !ok || info.GetDomain() != domain) {"},
	{"call: other details of the handler's", "interceptor/connect_error.go", "(!ok || info.GetDomain() != domain) {", "(false && ok && info.GetDomain() != domain) {"},
	{"call: challenge of another call's refusal", "interceptor/connect_error.go", `	ordinary.Meta().Del(wwwAuthenticate)
`, ""},
}
