package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// conventions adds scopes that do not match the pattern, and public methods whose comments
// give no reason. Services of the option public and methods without annotation have neither.
func (f findings) conventions(r ruleset, c config) {
	for _, rule := range r.rules {
		if rule.Method == nil || rule.Unannotated || slices.Contains(c.services.public, string(rule.Method.Parent().FullName())) {
			continue
		}
		name := rule.Method.FullName()
		for _, way := range rule.Ways() {
			for _, scope := range slices.Concat(way.Scopes, way.AnyScopes) {
				if !c.scope.MatchString(scope) {
					f.add(bufrules.ScopeNaming, way.ScopePlace(scope), fmt.Sprintf("%s: scope %q does not match %s, the option %s of this plugin in buf.yaml, whose default is the form verb:noun", name, scope, c.scopePattern, optionScopePattern))
				}
			}
		}
		if place := rule.FieldPlace("public"); rule.Public && !saysWhy(rule.Method, place) {
			f.add(bufrules.PublicComment, place, fmt.Sprintf("%s: write in the method's comment why anybody may call, after the word public, "+
				"as in \"Public: a client needs it before it has a token.\"", name))
		}
	}
}

// publicReason is the word public, and something after it.
var publicReason = regexp.MustCompile(`(?i)\bpublic\b\W*\w`)

// saysWhy reports whether a comment at the method, or at the option's field public, gives a
// reason. Only a field that is set by itself has comments.
func saysWhy(method protoreflect.MethodDescriptor, place policy.Place) bool {
	locations := method.ParentFile().SourceLocations()
	for _, path := range []protoreflect.SourcePath{locations.ByDescriptor(method).Path, place.Path} {
		at := locations.ByPath(path)
		for _, comment := range []string{at.LeadingComments, at.TrailingComments} {
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
