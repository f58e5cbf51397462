package main

import (
	"fmt"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
)

// unannotated adds the methods without annotation that an option covers, as a list of what is left to do.
func (f findings) unannotated(r ruleset) {
	for _, rule := range r.rules {
		if !rule.Unannotated {
			continue
		}
		outcome, option := "every call is refused", optionUnannotatedRefused
		if rule.Public {
			outcome, option = "everybody may call", optionUnannotatedOpen
		}
		f.add(bufrules.Unannotated, rule.Place(), fmt.Sprintf("%s: %s by the option %s of this plugin in buf.yaml: add option (protoauthz.v1.method)",
			rule.Method.FullName(), outcome, option))
	}
}
