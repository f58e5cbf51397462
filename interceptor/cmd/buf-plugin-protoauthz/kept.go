package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// kept reports what compiles and is not well kept. Services that are opened by
// name say nothing that could be.
func (f findings) kept(v version, c config) error {
	seen := map[protoreflect.FullName]bool{} // fields
	validator := sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })
	for _, rule := range v.rules {
		if rule.Method == nil || slices.Contains(c.public, string(rule.Method.Parent().FullName())) {
			continue
		}
		name := rule.Method.FullName()
		for _, scope := range slices.Concat(rule.Scopes, rule.AnyScopes) {
			if !c.scope.MatchString(scope) {
				f.add(ruleScopeNaming, rule.ScopePlace(scope), fmt.Sprintf("%s: scope %q has not the form %s", name, scope, c.scopePattern))
			}
		}
		if place := rule.Place("public"); rule.Public && !saysWhy(rule.Method, place) {
			f.add(rulePublicComment, place, fmt.Sprintf("%s: say in the method's comment why anybody may call, after the word public, "+
				"as in \"Public: a client needs it before it has a token.\"", name))
		}
		if rule.Organization == nil || rule.Organization.Field() == nil {
			continue
		}
		if field := rule.Organization.Field(); !seen[field.FullName()] && usesProtovalidate(field.ParentFile()) {
			seen[field.FullName()] = true
			validator, err := validator()
			if err != nil {
				return err
			}
			if !refusesEmpty(validator, field) {
				f.add(ruleOrganizationRequired, v.fieldPlace(field, rule), fmt.Sprintf("%s: protovalidate lets pass a request that leaves out %s: "+
					"set (buf.validate.field).required", name, field.FullName()))
			}
		}
	}
	return nil
}

// fieldPlace is where a field stands, or the rule that names it if the field
// belongs to another module.
func (v version) fieldPlace(field protoreflect.FieldDescriptor, rule *policy.Rule) policy.Place {
	file := field.ParentFile()
	if !slices.Contains(v.own, file) {
		return rule.Place("organization")
	}
	return policy.Place{File: file, Path: file.SourceLocations().ByDescriptor(field).Path}
}

// because is the word, and something after it.
var because = regexp.MustCompile(`(?i)\bpublic\b\W*\w`)

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
			if because.MatchString(strings.Join(lines, "\n")) {
				return true
			}
		}
	}
	return false
}

func usesProtovalidate(file protoreflect.FileDescriptor) bool {
	for i := range file.Imports().Len() {
		if file.Imports().Get(i).Path() == "buf/validate/validate.proto" {
			return true
		}
	}
	return false
}

// refusesEmpty asks protovalidate itself for its verdict on a message without the
// field. Whatever else is wrong with the message does not matter; rules of the
// field that protovalidate cannot apply refuse nothing.
func refusesEmpty(validator protovalidate.Validator, field protoreflect.FieldDescriptor) bool {
	only := protovalidate.FilterFunc(func(_ protoreflect.Message, d protoreflect.Descriptor) bool { return d == field })
	_, refused := errors.AsType[*protovalidate.ValidationError](
		validator.Validate(dynamicpb.NewMessage(field.ContainingMessage()), protovalidate.WithFilter(only)))
	return refused
}
