package main

import (
	"context"
	"fmt"

	"buf.build/go/bufplugin/check"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// The categories of rules.
const (
	categoryLint    = "PROTOAUTHZ"
	categoryLooser  = "PROTOAUTHZ_LOOSER"
	categoryTighter = "PROTOAUTHZ_TIGHTER"
)

// The rules that do not stand for a kind of fault or change.
const (
	ruleScopeNaming          = "PROTOAUTHZ_SCOPE_NAMING"
	rulePublicComment        = "PROTOAUTHZ_PUBLIC_COMMENT"
	ruleOrganizationRequired = "PROTOAUTHZ_ORGANIZATION_REQUIRED"
	ruleUnannotated          = "PROTOAUTHZ_UNANNOTATED"
	ruleLost                 = "PROTOAUTHZ_RULE_LOST"
)

// ruleID returns the rule of a kind of fault or change.
func ruleID[Kind policy.FaultKind | policydiff.ChangeKind](kind Kind) string {
	return "PROTOAUTHZ_" + string(kind)
}

// A rule is a line of the table in the package's documentation.
type rule struct{ id, purpose string }

var lintRules = []rule{
	{ruleID(policy.FaultRuleMissing), "Checks that every method has a rule."},
	{ruleID(policy.FaultRuleConflict), "Checks that no rule contradicts itself."},
	{ruleID(policy.FaultRuleUnreadable), "Checks that this version can read every rule."},
	{ruleID(policy.FaultScopeInvalid), "Checks that scopes are scope-tokens of RFC 6749, each given once."},
	{ruleID(policy.FaultScopeShared), "Checks that a scope serves one permission model per audience."},
	{ruleID(policy.FaultModelMissing), "Checks that every method has a permission model."},
	{ruleID(policy.FaultAudienceMissing), "Checks that every method of an API has an audience."},
	{ruleID(policy.FaultAudienceInvalid), "Checks that every audience can be the audience of an API."},
	{ruleID(policy.FaultOrganizationMissing), "Checks that a method of an organization model has an organization."},
	{ruleID(policy.FaultOrganizationUnexpected), "Checks that no global method has an organization."},
	{ruleID(policy.FaultOrganizationField), "Checks that an organization's field path leads to a string."},
	{ruleID(policy.FaultOrganizationHeader), "Checks that an organization's header can carry it."},
	{ruleID(policy.FaultOrganizationPattern), "Checks that an organization's pattern is well formed."},
	{ruleID(policy.FaultOption), "Checks that the options fit the services that they name."},
	{ruleScopeNaming, "Checks that scopes follow the pattern of the option scope_pattern."},
	{rulePublicComment, "Checks that a comment gives the reason why a method is public."},
	{ruleOrganizationRequired, "Checks that protovalidate refuses a request whose organization is empty."},
}

var looserRules = []rule{
	{ruleID(policydiff.ChangeMadePublic), "Checks that no method stops asking for a token."},
	{ruleID(policydiff.ChangeMadeAuthenticated), "Checks that no method stops asking for scopes."},
	{ruleID(policydiff.ChangeScopeRemoved), "Checks that no scope stops being required."},
	{ruleID(policydiff.ChangeAlternativeAdded), "Checks that no further scope becomes enough."},
	{ruleID(policydiff.ChangeModel), "Checks that no method takes tokens of another permission model."},
	{ruleID(policydiff.ChangeAudience), "Checks that no method takes tokens of another audience."},
	{ruleID(policydiff.ChangeOrganizationLoosened), "Checks that an organization is still checked where it was."},
	{ruleID(policydiff.ChangeCallerLoosened), "Checks that no further kind of caller is let in."},
	{ruleLost, "Checks that no method loses its rule, or has one that cannot be compared."},
}

var tighterRules = []rule{
	{ruleID(policydiff.ChangePublicDropped), "Checks that no method starts asking for a token."},
	{ruleID(policydiff.ChangeScopeAdded), "Checks that no further scope becomes required."},
	{ruleID(policydiff.ChangeAlternativeRemoved), "Checks that no scope stops being enough."},
	{ruleID(policydiff.ChangeOrganizationTightened), "Checks that an organization is checked in no further place."},
	{ruleID(policydiff.ChangeCallerTightened), "Checks that no kind of caller is locked out."},
}

// Spec returns the plugin as bufplugin serves it.
func Spec() *check.Spec {
	spec := &check.Spec{
		Categories: []*check.CategorySpec{
			{ID: categoryLint, Purpose: "Checks that the rules of methods compile and are well kept."},
			{ID: categoryLooser, Purpose: "Checks that no call is let in that was refused."},
			{ID: categoryTighter, Purpose: "Checks that no call is refused that was let in."},
		},
		Before: before,
	}
	add := func(rules []rule, category string, kind check.RuleType, isDefault bool) {
		for _, r := range rules {
			spec.Rules = append(spec.Rules, &check.RuleSpec{
				ID: r.id, CategoryIDs: []string{category}, Default: isDefault, Purpose: r.purpose, Type: kind, Handler: handler(r.id),
			})
		}
	}
	add(lintRules, categoryLint, check.RuleTypeLint, true)
	add(looserRules, categoryLooser, check.RuleTypeBreaking, true)
	add(tighterRules, categoryTighter, check.RuleTypeBreaking, false)
	spec.Rules = append(spec.Rules, &check.RuleSpec{
		ID: ruleUnannotated, Purpose: "Lists the methods that lack an annotation.", Type: check.RuleTypeLint, Handler: handler(ruleUnannotated),
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
