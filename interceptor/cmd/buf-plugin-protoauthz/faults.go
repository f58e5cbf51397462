package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// hints say what a fault's own words, made for the server, do not.
var hints = map[policy.FaultKind]string{
	policy.FaultRuleMissing:     "; a service that cannot be annotated is opened by the option " + optionPublic + " of this plugin in buf.yaml",
	policy.FaultAudienceMissing: "; here it comes from the option " + optionAudience + " of this plugin in buf.yaml",
	policy.FaultScopeShared:     "; here that is the option " + optionSharedScopes + " of this plugin in buf.yaml",
}

// faults reports what does not compile. What has no place in the module, or no
// rule, is the error: no fault may get lost.
func (f findings) faults(v version) error {
	var errs []error
	for _, fault := range v.faults {
		id, subject := ruleID(fault.Kind), fault.Subject
		if option, ok := optionOf[subject]; ok {
			subject = "option " + option
		}
		known := slices.ContainsFunc(lintRules, func(r rule) bool { return r.id == id })
		if known && slices.Contains(v.files, fault.Place.File) {
			f.add(id, fault.Place, subject+": "+fault.Detail+hints[fault.Kind])
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %s", subject, fault.Detail))
	}
	return errors.Join(errs...)
}
