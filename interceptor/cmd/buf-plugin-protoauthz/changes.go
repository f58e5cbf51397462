package main

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// changes adds the changes of the rules. A method without a rule in the old version was not
// protected, and is not compared.
func (f findings) changes(old, now ruleset) {
	for _, change := range policydiff.Compare(old.rules, now.rules) {
		if change.Kind == policydiff.ChangeMethodAdded {
			continue
		}
		method := change.Old.Method
		id, place, message := bufrules.ID(change.Kind), change.Place, fmt.Sprintf("%s: %s", method.FullName(), change.Detail)
		if !slices.Contains(now.own, place.File) {
			place = policy.Place{} // the file was deleted, and the service is named by the option public
		}
		if change.Kind == policydiff.ChangeMethodRemoved {
			fault := now.faultOf(method)
			switch id = bufrules.Lost; {
			case fault != nil:
				place, message = fault.Place, message+", and cannot be compared: "+fault.Detail
			case !now.declares(method):
				continue // buf reports deleted methods
			}
		}
		f[id] = append(f[id], finding{place, method, message})
	}
	f.unreadable(old, now)
}

// unreadable adds rules of the old version that cannot be read, such as rules of a newer version
// of the annotations: the rules may be looser now.
func (f findings) unreadable(old, now ruleset) {
	for _, fault := range old.faults {
		if fault.Kind != policy.FaultRuleUnreadable {
			continue
		}
		subject := protoreflect.FullName(fault.Subject)
		for _, rule := range now.rules {
			if rule.Method == nil { // the option public names a service that was deleted
				if slices.Contains([]string{"/" + string(subject) + "/*", "/" + string(subject.Parent()) + "/*"}, rule.Procedure) {
					f.add(bufrules.Lost, policy.Place{}, fmt.Sprintf("%s: anybody may call, and the old rule cannot be compared: %s", subject, fault.Detail))
				}
				continue
			}
			name := rule.Method.FullName()
			if subject == name || subject == rule.Method.Parent().FullName() && old.declares(rule.Method) {
				f.add(bufrules.Lost, rule.FieldPlace("public"), fmt.Sprintf("%s: the old rule cannot be compared: %s", name, fault.Detail))
			}
		}
	}
}
