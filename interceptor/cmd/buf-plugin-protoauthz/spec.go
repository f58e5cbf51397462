package main

import (
	"context"
	"fmt"

	"buf.build/go/bufplugin/check"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
)

// Spec returns the plugin as bufplugin serves it.
func Spec() *check.Spec {
	spec := &check.Spec{
		Categories: []*check.CategorySpec{
			{ID: bufrules.CategoryLint, Purpose: "Checks that the rules of methods compile and are well kept."},
			{ID: bufrules.CategoryLooser, Purpose: "Checks that no call is let in that was refused."},
			{ID: bufrules.CategoryTighter, Purpose: "Checks that no call is refused that was let in."},
		},
		Before: before,
	}
	add := func(rules []bufrules.Rule, category string, kind check.RuleType, isDefault bool) {
		for _, r := range rules {
			spec.Rules = append(spec.Rules, &check.RuleSpec{
				ID: r.ID, CategoryIDs: []string{category}, Default: isDefault, Purpose: r.Purpose, Type: kind, Handler: handler(r.ID),
			})
		}
	}
	add(bufrules.Lint, bufrules.CategoryLint, check.RuleTypeLint, true)
	add(bufrules.Looser, bufrules.CategoryLooser, check.RuleTypeBreaking, true)
	add(bufrules.Tighter, bufrules.CategoryTighter, check.RuleTypeBreaking, false)
	spec.Rules = append(spec.Rules, &check.RuleSpec{
		ID: bufrules.Unannotated, Purpose: "Lists the methods that lack an annotation.", Type: check.RuleTypeLint, Handler: handler(bufrules.Unannotated),
	})
	return spec
}

// findingsKey is the key of the findings in the context of a request.
type findingsKey struct{}

// before compiles the rules once for all handlers.
func before(ctx context.Context, request check.Request) (context.Context, check.Request, error) {
	found, err := findingsOf(request)
	if err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, findingsKey{}, found), request, nil
}

// handler reports the findings of one rule.
func handler(id string) check.RuleHandler {
	return check.RuleHandlerFunc(func(ctx context.Context, response check.ResponseWriter, _ check.Request) error {
		found, ok := ctx.Value(findingsKey{}).(findings)
		if !ok {
			return fmt.Errorf("%s: the request was not prepared", id)
		}
		for _, f := range found[id] {
			response.AddAnnotation(f.annotation()...)
		}
		return nil
	})
}
