package main

// decisionMutations are the checks of the decision.
var decisionMutations = []mutation{
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
		return "", deny(ReasonRuleMissing, unknownModel)
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
		return "", deny(ReasonModelMismatch, organizationTokenCause(rule))
`,
		"",
	},
	{"decide: rule without audience", "interceptor/decision.go", `case rule.Audience == "" || !claims.HasAudience(rule.Audience):`, "case !claims.HasAudience(rule.Audience):"},
	{"decide: audience", "interceptor/decision.go", `case rule.Audience == "" || !claims.HasAudience(rule.Audience):`, `case rule.Audience == "":`},
	{"decide: organization claim in a global call", "interceptor/decision.go", "if present { // even if empty", "if present && false {"},
	{"decide: organization claim in a global call, empty", "interceptor/decision.go", "if present { // even if empty", `if present && organization != "" {`},
	{"decide: organization claim missing", "interceptor/decision.go", "case !present:", "case false:"},
	{"decide: organization claim missing or empty", "interceptor/decision.go", `return "", deny(ReasonModelMismatch, organizationAbsent)`, `return "", nil`},
	{"decide: organization claim empty", "interceptor/decision.go", `case organization == "":
		return "", deny(ReasonModelMismatch, organizationEmpty)`, `case false:
		return "", deny(ReasonModelMismatch, organizationEmpty)`},
	{"decide: organization claim and aud differ", "interceptor/decision.go", `return "", deny(ReasonModelMismatch, organizationsDiffer)`, `return organization, nil`},
	{"decide: aud is not exactly one organization", "interceptor/decision.go", "case ok && (!present || claimed == organization):", "case (ok || claims.HasOrganizationAudience()) && (!present || claimed == organization):"},
	{"decide: organization claim and aud agree", "interceptor/decision.go", "!present || claimed == organization", `!present || claimed != ""`},
	{
		"decide: organization token for another organization model", "interceptor/decision.go",
		`case claims.HasOrganizationAudience():
		return "", deny(ReasonModelMismatch, organizationsMany`,
		`case false:
		return "", deny(ReasonModelMismatch, organizationsMany`,
	},
	{
		"decide: token of the API for an organization method", "interceptor/decision.go",
		`		return "", deny(ReasonModelMismatch, apiTokenCause(rule))
`,
		`		return claimed, nil
`,
	},
	{"decide: aud is no organization", "interceptor/decision.go", `return "", deny(ReasonAudienceMismatch, organizationNone)`, "return claimed, nil"},
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
	{"denial: detail of a missing scope", "interceptor/connect_error.go", "if known.reason != ReasonScopeInsufficient {", "if true {"},
	{"caching: refused GET", "interceptor/connect_error.go", "if isGet(peer) {", "if false {"},
	{"caching: calls by POST", "interceptor/connect_caching.go", "!forwarded && request.HTTPMethod() != http.MethodGet", "false"},
	{"caching: request forwarded", "interceptor/connect_caching.go", "request.Spec().IsClient // by", "false // by"},
	{"caching: context replaced", "interceptor/connect_caching.go", "case err == nil && response != nil:", "case false:"},
	{"caching: handler's own", "interceptor/connect_caching.go", "if !slices.ContainsFunc(headers, hasCacheControl) {", "if !slices.ContainsFunc(headers, hasCacheControl) || true {"},
	{"caching: not modified", "interceptor/connect_caching.go", "if connect.IsNotModifiedError(err) {", "if false {"},
	{"caching: another server's error", "interceptor/connect_caching.go", "ok && !connect.IsWireError(err)", "ok"},
	{"challenge: realm of MODEL_ORGANIZATION", "interceptor/challenge.go", "audience = table.Audience()", "_ = table"},
	{"challenge: realm without an audience", "interceptor/challenge.go", "cmp.Or(audience, domain)", `cmp.Or(audience, "")`},
	{"challenge: realm is escaped", "interceptor/challenge.go", `case c == '"' || c == '\\':`, `case c == '"':`},
	{"challenge: realm in ASCII", "interceptor/challenge.go", "c < ' ' || c > '~'", "c < ' '"},
	{"challenge: two credentials", "interceptor/denial.go", "denial.severalCredentials = formless && severalCredentials(values)", "denial.severalCredentials = formless && false"},
	{"challenge: a token behind another scheme", "interceptor/denial.go", "denial.reason == ReasonTokenMalformed || denial.reason == ReasonSchemeUnsupported", "denial.reason == ReasonTokenMalformed"},
	{"challenge: JSON is one credential", "interceptor/challenge.go", `"Bearer") && strings.Trim(first, b64Token) == ""`, `"Bearer")`},
	{"challenge: quotes", "interceptor/challenge.go", "quoted = !quoted", "quoted = false"},
	{"challenge: a scheme without a comma", "interceptor/challenge.go", `(joined || strings.EqualFold(word, "Bearer"))`, "joined"},
	{"challenge: a token broken by a space", "interceptor/challenge.go", `strings.Count(first, ".") >= 2 && dots >= 2`, "dots >= 2"},
	{"challenge: comma behind one credential", "interceptor/challenge.go", "strings.TrimRight(values[0], separators)", "values[0]"},
}
