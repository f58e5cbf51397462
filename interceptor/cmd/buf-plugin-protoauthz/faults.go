package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// hints name the plugin's option for a fault. The text of the fault is for servers.
var hints = map[policy.FaultKind]string{
	policy.FaultRuleMissing: "; for a service that cannot be annotated, use the option " + optionPublic + " of this plugin in buf.yaml; for a service that is annotated in part, use " +
		optionUnannotatedRefused + " or " + optionUnannotatedOpen,
	policy.FaultAudienceMissing: "; for this plugin, use the option " + optionAudience + " in buf.yaml",
	policy.FaultScopeShared:     "; for this plugin, use the option " + optionSharedScopes + " in buf.yaml",
}

// faults adds the faults of the rules. The error holds the faults without a place in the
// module, or without a rule of the plugin.
func (f findings) faults(r ruleset) error {
	var errs []error
	for _, fault := range r.faults {
		id, subject := bufrules.ID(fault.Kind), fault.Subject
		if option, ok := optionOf[subject]; ok {
			subject = "option " + option
		}
		known := slices.ContainsFunc(bufrules.Lint, func(r bufrules.Rule) bool { return r.ID == id })
		if known && slices.Contains(r.files, fault.Place.File) {
			f.add(id, fault.Place, subject+": "+fault.Detail+hints[fault.Kind])
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %s", subject, fault.Detail))
	}
	return errors.Join(errs...)
}
