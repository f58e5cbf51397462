package main

// policyMutations are the checks of package policy.
var policyMutations = []mutation{
	{
		"lookup: undeclared", "interceptor/policy/policy.go",
		`	if !ok {
		return nil, false
	}`,
		`	if !ok {
		return &Rule{Procedure: procedure, Public: true}, true
	}`,
	},
	{"lookup: a copy", "interceptor/policy/policy.go", "return rule.clone(), true", "return rule, true"},
	{"rules: copies", "interceptor/policy/policy.go", "rules[i] = rule.clone()", "rules[i] = rule"},
	{"rules: copies of scopes", "interceptor/policy/policy.go", "slices.Clone(r.Scopes), slices.Clone(r.AnyScopes)", "r.Scopes, r.AnyScopes"},
	{"rules: copies of organizations", "interceptor/policy/policy.go", "clone.Organization = &organization", "_ = &organization"},
	{"lookup: no slash before", "interceptor/policy/policy.go", `t.rules[procedure[:method]+"*"]`, `t.rules["/"+strings.TrimPrefix(procedure[:method], "/")+"*"]`},
	{"lookup: no method", "interceptor/policy/policy.go", "ok = ok && method < len(procedure)", ""},
	{"lookup: slash in the method", "interceptor/policy/policy.go", "method := strings.LastIndexByte(procedure, '/') + 1", "method := min(len(procedure), strings.IndexByte(strings.TrimPrefix(procedure, \"/\"), '/')+2)"},
	{"compile: WithAudience twice", "interceptor/policy/compile.go", `if c.audience != "" && c.audience != audience {`, "if false {"},
	{
		"compile: WithAudience invalid", "interceptor/policy/compile.go",
		`			c.fault("WithAudience", "%v", err)
`,
		"",
	},
	{
		"compile: option nil", "interceptor/policy/compile.go",
		`			c.fault("Compile", "option %d is nil", i)
			continue
`,
		`			_ = i
			continue
`,
	},
	{"compile: no files", "interceptor/policy/compile.go", "if len(files) == 0 {", "if false {"},
	{
		"compile: file nil", "interceptor/policy/compile.go",
		`			c.fault("Compile", "file %d is nil", i)
`,
		`			_ = i
`,
	},
	{"compile: service twice", "interceptor/policy/compile.go", "if seen[name] {", "if false {"},
	{"compile: no methods", "interceptor/policy/compile.go", "if len(c.table.rules) == 0 && len(c.faults) == 0 {", "if false {"},
	{"compile: no table with faults", "interceptor/policy/compile.go", "if len(c.faults) > 0 {", "if false {"},
	{
		"compile: service rule unreadable", "interceptor/policy/compile.go",
		`		c.faultAt(serviceOption(service), FaultRuleUnreadable, string(service.FullName()), "%v", err)
		return
`,
		`		option = nil
`,
	},
	{
		"compile: method rule unreadable", "interceptor/policy/compile.go",
		`		c.faultAt(methodOption(method), FaultRuleUnreadable, name, "%v", err)
`,
		`		return &Rule{Procedure: procedure(method), Public: true}
`,
	},
	{
		"compile: method rule missing", "interceptor/policy/compile.go",
		`		c.faultAt(methodPlace(method), FaultRuleMissing, name, "no rule: add option (protoauthz.v1.method)%s", seen.hint(method))
`,
		`		return &Rule{Procedure: procedure(method), Public: true}
`,
	},
	{
		"compile: model missing", "interceptor/policy/compile.go",
		`		c.faultAt(about, FaultModelMissing, name, "no permission model: set model in option (protoauthz.v1.service)")
`,
		`		rule.Public = true
`,
	},
	{"compile: one of public, authenticated and scopes", "interceptor/policy/compile.go", "if given != 1 {", "if false {"},
	{"compile: authenticated is said", "interceptor/policy/compile.go", "if given != 1 {", "if given > 1 {"},
	{"compile: public beside caller", "interceptor/policy/compile.go", "option.GetPublic() && (option.GetCaller() != authzv1.Caller_CALLER_ANY || option", "option.GetPublic() && (option"},
	{"compile: public beside organization", "interceptor/policy/compile.go", "option.GetOrganization() != nil ||", "false ||"},
	{"compile: public beside model", "interceptor/policy/compile.go", "option.GetModel() != authzv1.Model_MODEL_UNSPECIFIED || option", "option"},
	{"compile: public beside audience", "interceptor/policy/compile.go", ` || option.GetAudience() != "") {`, ") {"},
	{
		"compile: scope invalid", "interceptor/policy/compile.go",
		`				c.faultAt(rule.scopePlace(list.name, i), FaultScopeInvalid, name, "%v", err)
`,
		"",
	},
	{"compile: scope twice", "interceptor/policy/compile.go", "if seen[scope] {", "if false {"},
	{"compile: audience beside MODEL_ORGANIZATION", "interceptor/policy/compile.go", `if rule.Model == authzv1.Model_MODEL_ORGANIZATION && option.GetAudience() != "" {`, "if false {"},
	{
		"compile: audience invalid", "interceptor/policy/compile.go",
		`			c.faultAt(rule.Place("audience"), FaultAudienceInvalid, name, "%v", err)
`,
		"",
	},
	{"compile: audience missing", "interceptor/policy/compile.go", "case rule.Model != authzv1.Model_MODEL_ORGANIZATION && !c.audienceEmpty:", "case false:"},
	{"compile: organization of a global method", "interceptor/policy/compile.go", "case global && source != nil:", "case false:"},
	{
		"compile: organization missing", "interceptor/policy/compile.go",
		`	case source == nil:
		c.faultAt(about, FaultOrganizationMissing, name, "no organization: say where the request names it (field, header or token)")
`,
		`	case source == nil:
`,
	},
	{"compile: organization faulty", "interceptor/policy/compile.go", `c.faultAt(rule.organizationPlace(kind), kind, name, "%v", err)`, "_ = kind"},
	{
		"compile: audience empty", "interceptor/policy/compile.go",
		`			c.fault("WithAudience", "audience is empty: give the API's resource indicator; if a variable or a file should supply it, set the variable or fill the file")
`,
		"",
	},
	{"compile: audience with a space", "interceptor/policy/compile.go", "return c == ' ' || !unicode.IsPrint(c) }", "return !unicode.IsPrint(c) }"},
	{"compile: audience with a character that cannot be printed", "interceptor/policy/compile.go", "return c == ' ' || !unicode.IsPrint(c) }", "return c == ' ' || unicode.IsControl(c) }"},
	{"compile: audience that is no UTF-8", "interceptor/policy/compile.go", "!utf8.ValidString(audience) || ", "!utf8.ValidString(audience) && false || "},
	{"compile: method given twice", "interceptor/policy/compile.go", "if names[method.Name()] {", "if false {"},
	{"compile: audience of Logto", "interceptor/policy/compile.go", "strings.EqualFold(audience[:len(logtoNamespace)], logtoNamespace) {", "strings.EqualFold(audience, logtoNamespace) {"},
	{"compile: audience of Logto in another case", "interceptor/policy/compile.go", "strings.EqualFold(audience[:len(logtoNamespace)], logtoNamespace) {", "strings.HasPrefix(audience, logtoNamespace) {"},
	{"compile: audience of a service", "interceptor/policy/compile.go", `if audience := option.GetAudience(); audience != "" { //`, `if audience := option.GetAudience(); audience == "" { //`},
	{"declaration: number alone", "interceptor/policy/annotation.go", "return none, nil // whatever", "return decode[Rule](described.Options(), into, extension) // whatever"},
	{"declaration: old copy", "interceptor/policy/annotation.go", "		return none, d.fault\n", ""},
	{"declaration: number of two", "interceptor/policy/annotation.go", "case d.doubt == nil:", "case d.seen:"},
	{"declaration: missing import", "interceptor/policy/declaration.go", "case !d.seen && len(missing) > 0:", "case false:"},
	{"declaration: import of an import", "interceptor/policy/declaration.go", "i > 0 && !imported.IsPublic", "false"},
	{"annotation: undecodable", "interceptor/policy/annotation.go", `return none, fmt.Errorf("decode options: %w", err)`, "return none, nil"},
	{"annotation: uninterpreted", "interceptor/policy/annotation.go", `return none, errors.New("decode options: the compiler has left them uninterpreted")`, "return none, nil"},
	{"annotation: encoded otherwise", "interceptor/policy/annotation.go", "extension.TypeDescriptor().Number()) {", "-1) {"},
	{"annotation: field of a newer version", "interceptor/policy/annotation.go", "if len(message.GetUnknown()) > 0 {", "if false {"},
	{"annotation: enum of a newer version", "interceptor/policy/annotation.go", "if number := value.Enum(); field.Enum().Values().ByNumber(number) == nil {", "if number := value.Enum(); false {"},
	{"annotation: field of a newer version, nested", "interceptor/policy/annotation.go", "err = checkKnown(value.Message())", "err = nil"},
	{
		"scope: WithSharedScopes invalid", "interceptor/policy/scope.go",
		`				c.fault("WithSharedScopes", "%v", err)
`,
		"",
	},
	{"scope: shared", "interceptor/policy/scope.go", "if !shared || ", "if shared || "},
	{"scope: shared, accepted", "interceptor/policy/scope.go", "slices.Contains(c.sharedScopes, scope) ||", ""},
	{"scope: shared, once", "interceptor/policy/scope.go", "slices.Contains(scopes[:i], scope)", "slices.Contains(scopes[i:i], scope)"},
	{"scope: shared, a fault of global methods", "interceptor/policy/scope.go", "		authzv1.Model_MODEL_GLOBAL_RESOURCE:       authzv1.Model_MODEL_ORGANIZATION_RESOURCE,\n", ""},
	{"scope: shared, any of them", "interceptor/policy/scope.go", "scopes := slices.Concat(rule.Scopes, rule.AnyScopes)", "scopes := rule.Scopes"},
	{"scope: shared, any of the others", "interceptor/policy/scope.go", "for _, scope := range slices.Concat(rule.Scopes, rule.AnyScopes) {", "for _, scope := range rule.Scopes {"},
	{"scope: shared, of one audience", "interceptor/policy/scope.go", "key := use{rule.Model, rule.Audience, scope}", "key := use{rule.Model, \"\", scope}"},
	{"scope: empty", "interceptor/policy/scope.go", `if scope == "" {`, "if false {"},
	{"scope: space and control characters", "interceptor/policy/scope.go", "c < 0x21 || ", ""},
	{"scope: beyond ASCII", "interceptor/policy/scope.go", "c > 0x7e || ", ""},
	{"scope: quote", "interceptor/policy/scope.go", `c == '"' || `, ""},
	{"scope: backslash", "interceptor/policy/scope.go", ` || c == '\\' `, " "},
	{
		"public: name", "interceptor/policy/public.go",
		`		c.fault("WithPublic", "%q is not the full name of a service, such as grpc.health.v1.Health", name)
`,
		"",
	},
	{
		"public: not a service", "interceptor/policy/public.go",
		`		c.fault("WithPublic", "%s is not a service", name)
`,
		"",
	},
	{"public: annotated service", "interceptor/policy/public.go", "annotated := option != nil || err != nil", "annotated := option == nil && err != nil"},
	{"public: unreadable service", "interceptor/policy/public.go", "annotated := option != nil || err != nil", "annotated := option != nil && err == nil"},
	{"public: annotated method", "interceptor/policy/public.go", "annotated = annotated || option != nil || err != nil", "annotated = annotated || err != nil && option == nil"},
	{"public: unreadable method", "interceptor/policy/public.go", "annotated = annotated || option != nil || err != nil", "annotated = annotated || option != nil && err == nil"},
	{"public: each copy of a service", "interceptor/policy/public.go", "range copies {", "range copies[:1] {"},
	{"public: annotations are looked for in what is linked", "interceptor/policy/public.go", "copies = append(copies, service)\n\t}\n\treturn copies", "_ = service\n\t}\n\treturn copies"},
	{"declaration: files of one path are told apart", "interceptor/policy/declaration.go", "file.IsPlaceholder() || met[file] {", "file.IsPlaceholder() || met[file] || f.byPath[file.Path()] != nil {"},
	{"declaration: files are looked for in imports", "interceptor/policy/declaration.go", "range importsOf(file) {\n\t\t\ttodo", "range importsOf(file)[:0] {\n\t\t\ttodo"},
	{"declaration: each file of an import's path", "interceptor/policy/declaration.go", "return files, false", "return files[:1], false"},
	{"declaration: placeholders hide no file", "interceptor/policy/declaration.go", "file.IsPlaceholder() || met", "met"},
	{"pattern: strange characters", "interceptor/policy/pattern.go", "c == ' ' || !unicode.IsPrint(c)", "!unicode.IsPrint(c) && false"},
	{"pattern: space", "interceptor/policy/pattern.go", "c == ' ' || !unicode.IsPrint(c)", "!unicode.IsPrint(c)"},
	{
		"pattern: empty segment", "interceptor/policy/pattern.go",
		`		case segment == "":
			return fmt.Errorf("pattern %q has an empty segment", pattern)
`,
		"",
	},
	{"pattern: mixed segment", "interceptor/policy/pattern.go", `case segment != "*" && strings.ContainsAny(segment, "{}*"):`, "case false:"},
	{"pattern: organization once", "interceptor/policy/pattern.go", "if organizations != 1 {", "if false {"},
	{"match: empty segment", "interceptor/policy/pattern.go", `if got == "" || isDots(got) || got != want || morePattern != moreValue {`, "if isDots(got) || got != want || morePattern != moreValue {"},
	{"match: segment", "interceptor/policy/pattern.go", `if got == "" || isDots(got) || got != want || morePattern != moreValue {`, `if got == "" || isDots(got) || morePattern != moreValue {`},
	{"match: steps of a path", "interceptor/policy/pattern.go", `if got == "" || isDots(got) || got`, `if got == "" || got`},
	{"pattern: steps of a path", "interceptor/policy/pattern.go", "case isDots(segment):", "case false:"},
	{"match: number of segments", "interceptor/policy/pattern.go", `if got == "" || isDots(got) || got != want || morePattern != moreValue {`, `if got == "" || isDots(got) || got != want || morePattern && !moreValue {`},
	{"match: source is a field", "interceptor/policy/organization.go", `if o.Source != SourceField || len(o.path) == 0 || id == "" || message == nil {`, `if len(o.path) == 0 || id == "" || message == nil {`},
	{"match: no path", "interceptor/policy/organization.go", `if o.Source != SourceField || len(o.path) == 0 || id == "" || message == nil {`, `if o.Source != SourceField || id == "" || message == nil {`},
	{"match: no organization", "interceptor/policy/organization.go", `if o.Source != SourceField || len(o.path) == 0 || id == "" || message == nil {`, "if o.Source != SourceField || len(o.path) == 0 || message == nil {"},
	{"match: no message", "interceptor/policy/organization.go", `if o.Source != SourceField || len(o.path) == 0 || id == "" || message == nil {`, `if o.Source != SourceField || len(o.path) == 0 || id == "" {`},
	{
		"match: another message", "interceptor/policy/organization.go",
		`		return &mismatch{what: mismatchType, rule: o}
`,
		`		return nil
`,
	},
	{"match: field not set", "interceptor/policy/organization.go", "if field.HasPresence() && !message.Has(field) {", "if false {"},
	{"match: field", "interceptor/policy/organization.go", "return &mismatch{what: mismatchOther, rule: o}", "return nil"},
	{"match: field that is empty", "interceptor/policy/organization.go", "return &mismatch{what: mismatchEmpty, rule: o}", "return nil"},
	{"match: form of the pattern", "interceptor/policy/organization.go", "return &mismatch{what: mismatchForm, rule: o}", "return nil"},
	{"match: each element of a list", "interceptor/policy/organization.go", "if m := o.value(list.Get(i), rest, id); m != nil {", "if m := o.value(list.Get(i), rest, id); m != nil && i == 0 {"},
	{"match: empty list", "interceptor/policy/organization.go", "if list.Len() == 0 {", "if false {"},
	{"match: byte for byte", "interceptor/policy/organization.go", "text == id", "strings.EqualFold(text, id)"},
	{"match: pattern", "interceptor/policy/organization.go", "matchPattern(o.Pattern, text, id)", "text == id"},
	{"match: field number taken by another name", "interceptor/policy/organization.go", "field.FullName() != compiled.FullName() || ", ""},
	{"match: field of another kind", "interceptor/policy/organization.go", "field.Kind() != compiled.Kind() ||", "false ||"},
	{"match: field that is a list elsewhere", "interceptor/policy/organization.go", "field.IsList() != compiled.IsList() || ", ""},
	{"match: field that is a map elsewhere", "interceptor/policy/organization.go", " || field.IsMap() {", " {"},
	{
		"path: unknown field", "interceptor/policy/organization.go",
		`		case field == nil:
			return nil, fmt.Errorf("message %s has no field %q", message.FullName(), name)
`,
		`		case field == nil:
			return path, nil
`,
	},
	{"path: message that is missing", "interceptor/policy/organization.go", "case message.IsPlaceholder():", "case false:"},
	{"path: map", "interceptor/policy/organization.go", "case field.IsMap():", "case false:"},
	{"path: ends in a string", "interceptor/policy/organization.go", "case last && field.Kind() != protoreflect.StringKind:", "case false:"},
	{"path: goes through messages", "interceptor/policy/organization.go", "case !last && field.Message() == nil:", "case !last && field.Message() == nil && false:"},
	{"organization: field path", "interceptor/policy/organization.go", "return nil, FaultOrganizationField, err", `return organization, "", nil`},
	{"organization: header", "interceptor/policy/organization.go", "return nil, FaultOrganizationHeader, err", `return organization, "", nil`},
	{"organization: token is false", "interceptor/policy/organization.go", "if !source.Token {", "if false {"},
	{"organization: no source", "interceptor/policy/organization.go", `return nil, FaultOrganizationMissing, errors.New("organization names no source: give field, header or token")`, "organization.Source = SourceToken"},
	{"organization: pattern without a field", "interceptor/policy/organization.go", "if organization.Source != SourceField {", "if false {"},
	{"organization: pattern", "interceptor/policy/organization.go", "return nil, FaultOrganizationPattern, err", `return organization, "", nil`},
	{
		"header: empty", "interceptor/policy/organization.go",
		`	if name == "" {
		return errors.New("organization.header is empty")
	}
`,
		"",
	},
	{
		"header: characters", "interceptor/policy/organization.go",
		`			return fmt.Errorf("header %+q has a character outside of letters, digits, '-', '_' and '.'", name)
`,
		"",
	},
	{
		"header: -bin", "interceptor/policy/organization.go",
		`	case strings.HasSuffix(name, "-bin"):
		return fmt.Errorf("header %q ends in -bin: gRPC encodes such values", name)
`,
		"",
	},
	{"header: grpc-", "interceptor/policy/organization.go", `case strings.HasPrefix(name, "grpc-"), strings.HasPrefix(name, "connect-"):`, `case strings.HasPrefix(name, "connect-"):`},
	{"header: connect-", "interceptor/policy/organization.go", `case strings.HasPrefix(name, "grpc-"), strings.HasPrefix(name, "connect-"):`, `case strings.HasPrefix(name, "grpc-"):`},
	{"header: another meaning", "interceptor/policy/organization.go", `return fmt.Errorf("header %q has another meaning", name)`, "return nil"},
	{"public: rules of a service that is opened by name", "interceptor/policy/public.go", "c.service(service) // by its own rules", "_ = service // by its own rules"},
	{"place: nearest known", "interceptor/policy/place.go", "path = path[:len(path)-1] {", "path = nil {"},
	{"place: a part of it", "interceptor/policy/place.go", "for depth := range 3 {", "for depth := range 1 {"},
	{"place: at the service", "interceptor/policy/place.go", "return serviceOption(r.Method.Parent(), field)", "return methodOption(r.Method, field)"},
	{"place: field of the service that does not fit", "interceptor/policy/place.go", "return methodOption(r.Method)\n\t}\n\tfield", "return serviceOption(r.Method.Parent())\n\t}\n\tfield"},
	{"place: of what the model misses", "interceptor/policy/compile.go", "about = serviceOption(method.Parent()); service == nil {", "service == nil {"},
	{"place: of a scope given twice", "interceptor/policy/compile.go", "c.faultAt(rule.scopePlace(list.name, i), FaultScopeInvalid, name, \"scope %q", "c.faultAt(rule.ScopePlace(scope), FaultScopeInvalid, name, \"scope %q"},
	{"error: rules without a fault", "interceptor/policy/compile.go", "Rules: c.table.Rules()", "Rules: c.rules"},
	{"compare: made public", "interceptor/policydiff/compare.go", "case after.Public:", "case after.Public && false:"},
	{"compare: made authenticated", "interceptor/policydiff/compare.go", "if !authenticated(c.old) && authenticated(c.new) {", "if false {"},
	{"compare: model", "interceptor/policydiff/compare.go", "was != is {", "was != is && false {"},
	{"compare: audience", "interceptor/policydiff/compare.go", "c.old.Audience != c.new.Audience {", "false {"},
	{"compare: audience of organizations", "interceptor/policydiff/compare.go", `c.old.Audience != "" && c.old.Model != authzv1.Model_MODEL_ORGANIZATION && c.new.Model != authzv1.Model_MODEL_ORGANIZATION &&`, `c.old.Audience != "" &&`},
	{"compare: caller", "interceptor/policydiff/compare.go", "kind := ChangeCallerLoosened", "kind := ChangeCallerTightened"},
	{"compare: scope", "interceptor/policydiff/compare.go", "if !requires(other, s) {", "if false {"},
	{"compare: any of the scopes", "interceptor/policydiff/compare.go", "if len(rule.AnyScopes) == 0 || requires(other, rule.AnyScopes...) {", "if true {"},
	{"compare: one scope of several", "interceptor/policydiff/compare.go", "return len(rule.AnyScopes) > 0 && !slices", "return !slices"},
	{"compare: organization", "interceptor/policydiff/compare.go", "\tcase implies(is, was):\n\t\tc.add(ChangeOrganizationTightened, place, \"the organization is", "\tcase true:\n\t\tc.add(ChangeOrganizationTightened, place, \"the organization is"},
	{"compare: organization of the token", "interceptor/policydiff/compare.go", "case another.Source == policy.SourceToken:", "case one.Source == policy.SourceToken:"},
	{"compare: another field", "interceptor/policydiff/compare.go", "one.Source != another.Source || one.Name != another.Name || !reads(one, another):", "one.Source != another.Source || !reads(one, another):"},
	{"compare: field that is no list any more", "interceptor/policydiff/compare.go", "one.Name != another.Name || !reads(one, another):", "one.Name != another.Name:"},
	{"compare: field of another number", "interceptor/policydiff/compare.go", "a.Number() == b.Number() && ", ""},
	{"compare: audience that is not known", "interceptor/policydiff/compare.go", `if c.old.Audience != "" && `, "if "},
	{"error: rules that lack an audience", "interceptor/policy/compile.go", "return fault.Kind != FaultAudienceMissing", "return fault.Kind != \"\""},
	{"compare: pattern given", "interceptor/policydiff/compare.go", `return one.Pattern == "{organization}"`, "return true"},
	{"compare: pattern widened", "interceptor/policydiff/compare.go", `return narrow == wide || wide == "*"`, `return narrow == wide || wide == "*" || narrow == "*"`},
	{"compare: looser", "interceptor/policydiff/change.go", "ChangeOrganizationLoosened, ChangeCallerLoosened:\n\t\treturn true", "ChangeOrganizationLoosened:\n\t\treturn true"},
	{"compare: method removed", "interceptor/policydiff/compare.go", `c.add(ChangeMethodRemoved, policy.Place{}, "took %s", takes(rule))`, ""},
	{"compare: method added", "interceptor/policydiff/compare.go", `c.add(ChangeMethodAdded, policy.Place{}, "takes %s", takes(rule))`, ""},
	{"compare: opened by name", "interceptor/policydiff/compare.go", "case opened.Procedure != rule.Procedure:", "case false:"},
	{"compare: opened by name before", "interceptor/policydiff/compare.go", `return i[path.Dir(procedure)+"/*"]`, `return i[path.Dir(procedure)]`},
}
