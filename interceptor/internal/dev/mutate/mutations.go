package main

import "slices"

// mutations are the checks, in the order of the files and of the code. Each is removed
// alone: where two checks stand behind one another, the change also takes what is left
// of the other, or else it could not be told from the original.
var mutations = slices.Concat(tokenMutations, cacheMutations, policyMutations, decisionMutations, guardMutations, connectMutations,
	callMutations, streamMutations, grpcMutations, connectv2Mutations, guardtestMutations, clientauthMutations)

// users are the packages that use a package, the quickest first. What the tests of both let
// pass is not checked.
var users = map[string][]string{
	"interceptor":                    {"interceptor/grpcguard", "interceptor/connectv2guard", "interceptor/clientauth"},
	"interceptor/internal/cache":     {"interceptor/token", "interceptor"},
	"interceptor/internal/callctx":   {"interceptor", "interceptor/connectv2guard"},
	"interceptor/internal/jose":      {"interceptor/token", "interceptor"},
	"interceptor/internal/unguarded": {"interceptor/guardtest", "interceptor/grpcguardtest"},
	"interceptor/policy":             {"interceptor", "interceptor/policydiff"},
	"interceptor/policydiff":         {"interceptor"},
	"interceptor/token":              {"interceptor", "interceptor/grpcguard"},
}
