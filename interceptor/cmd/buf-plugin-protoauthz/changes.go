package main

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// changes reports what differs. Methods of the old version that do not compile
// count as not there: nothing was protected that is less so.
func (f findings) changes(old, now version) {
	for _, change := range policy.Compare(old.rules, now.rules) {
		id, message := ruleID(change.Kind), subject(change.Procedure())+": "+change.Detail
		switch change.Kind {
		case policy.ChangeMethodAdded:
			// Nothing was protected that is less so.
		case policy.ChangeMethodRemoved:
			if place, why, ok := now.lost(change.Old.Method); ok {
				f[ruleLost] = append(f[ruleLost], finding{place, change.Old.Method, message + ", and cannot be compared: " + why})
			}
		default:
			place := change.Place
			if !slices.Contains(now.own, place.File) {
				place = policy.Place{} // it is opened by name, and was in a file that is gone
			}
			f[id] = append(f[id], finding{place, change.Old.Method, message})
		}
	}
}

// lost finds a method of the old version that is there without a rule, and the
// fault that has cost it.
func (v version) lost(method protoreflect.MethodDescriptor) (policy.Place, string, bool) {
	for _, fault := range v.faults {
		if name := protoreflect.FullName(fault.Subject); name == method.FullName() || name == method.Parent().FullName() && v.declares(method) {
			return fault.Place, fault.Detail, true
		}
	}
	return policy.Place{}, "", false
}

func (v version) declares(method protoreflect.MethodDescriptor) bool {
	for _, file := range v.files {
		if service := file.Services().ByName(method.Parent().Name()); service != nil && service.FullName() == method.Parent().FullName() {
			return service.Methods().ByName(method.Name()) != nil
		}
	}
	return false
}

// subject is the name of a method as faults have it.
func subject(procedure string) string {
	return strings.ReplaceAll(strings.TrimPrefix(procedure, "/"), "/", ".")
}
