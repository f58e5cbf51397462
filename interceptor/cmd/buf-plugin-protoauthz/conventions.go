package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// conventions reports names of scopes that do not follow the pattern, and public methods
// whose comment gives no reason. Services that are opened by name have neither.
func (f findings) conventions(v version, c config) {
	for _, rule := range v.rules {
		if rule.Method == nil || slices.Contains(c.public, string(rule.Method.Parent().FullName())) {
			continue
		}
		name := rule.Method.FullName()
		for _, scope := range slices.Concat(rule.Scopes, rule.AnyScopes) {
			if !c.scope.MatchString(scope) {
				f.add(ruleScopeNaming, rule.ScopePlace(scope), fmt.Sprintf("%s: scope %q does not match %s: that is the option %s of this plugin in buf.yaml, by default for verb:noun", name, scope, c.scopePattern, optionScopePattern))
			}
		}
		if place := rule.FieldPlace("public"); rule.Public && !saysWhy(rule.Method, place) {
			f.add(rulePublicComment, place, fmt.Sprintf("%s: say in the method's comment why anybody may call, after the word public, "+
				"as in \"Public: a client needs it before it has a token.\"", name))
		}
	}
}

// publicReason is the word public, and something after it.
var publicReason = regexp.MustCompile(`(?i)\bpublic\b\W*\w`)

// saysWhy looks for the reason in the comments at the method, and in those at its
// option's field public, which has some only if it is set by itself.
func saysWhy(method protoreflect.MethodDescriptor, place policy.Place) bool {
	locations := method.ParentFile().SourceLocations()
	for _, path := range []protoreflect.SourcePath{locations.ByDescriptor(method).Path, place.Path} {
		at := locations.ByPath(path)
		for _, comment := range []string{at.LeadingComments, at.TrailingComments} {
			// Not what is said to buf.
			lines := slices.DeleteFunc(strings.Split(comment, "\n"), func(line string) bool {
				return strings.HasPrefix(strings.TrimSpace(line), "buf:lint:ignore ")
			})
			if publicReason.MatchString(strings.Join(lines, "\n")) {
				return true
			}
		}
	}
	return false
}
