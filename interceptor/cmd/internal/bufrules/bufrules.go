// Package bufrules lists the rules of buf-plugin-protoauthz, for the plugin and for what checks a buf.yaml.
package bufrules

import (
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// The categories of rules.
const (
	CategoryLint    = "PROTOAUTHZ"
	CategoryLooser  = "PROTOAUTHZ_LOOSER"
	CategoryTighter = "PROTOAUTHZ_TIGHTER"
)

// The rules that do not stand for a kind of fault or change.
const (
	ScopeNaming          = "PROTOAUTHZ_SCOPE_NAMING"
	PublicComment        = "PROTOAUTHZ_PUBLIC_COMMENT"
	WayCovered           = "PROTOAUTHZ_WAY_COVERED"
	OrganizationPlaces   = "PROTOAUTHZ_ORGANIZATION_PLACES"
	OrganizationRequired = "PROTOAUTHZ_ORGANIZATION_REQUIRED"
	SubjectRequired      = "PROTOAUTHZ_SUBJECT_REQUIRED"
	Unannotated          = "PROTOAUTHZ_UNANNOTATED"
	Lost                 = "PROTOAUTHZ_RULE_LOST"
)

// ID returns the ID of the rule for a kind of fault or change.
func ID[Kind policy.FaultKind | policydiff.ChangeKind](kind Kind) string {
	return "PROTOAUTHZ_" + string(kind)
}

// A Rule is a line of the table in the plugin's documentation.
type Rule struct{ ID, Purpose string }

// Lint are the rules of [CategoryLint], which check that the rules of methods compile and are well kept.
var Lint = []Rule{
	{ID(policy.FaultRuleMissing), "Checks that every method has a rule."},
	{ID(policy.FaultRuleConflict), "Checks that no rule contradicts itself."},
	{ID(policy.FaultRuleUnreadable), "Checks that this version can read every rule."},
	{ID(policy.FaultScopeInvalid), "Checks that scopes are scope-tokens of RFC 6749, each given once."},
	{ID(policy.FaultScopeShared), "Checks that a scope serves one permission model per audience."},
	{ID(policy.FaultModelMissing), "Checks that every method has a permission model."},
	{ID(policy.FaultAudienceMissing), "Checks that every method of an API has an audience."},
	{ID(policy.FaultAudienceInvalid), "Checks that every audience can be the audience of an API."},
	{ID(policy.FaultOrganizationMissing), "Checks that a method of an organization model has an organization."},
	{ID(policy.FaultOrganizationUnexpected), "Checks that no global method has an organization."},
	{ID(policy.FaultOrganizationField), "Checks that an organization's field path leads to a string."},
	{ID(policy.FaultOrganizationHeader), "Checks that an organization's header can carry it."},
	{ID(policy.FaultOrganizationPattern), "Checks that an organization's pattern is well formed."},
	{ID(policy.FaultOrganizationOptional), "Checks that no caller lacks an organization that a handler may expect."},
	{ID(policy.FaultSubjectField), "Checks that the field path of a subject or client leads to a string."},
	{ID(policy.FaultSubjectPattern), "Checks that the pattern of a subject or client is well formed."},
	{ID(policy.FaultOption), "Checks that the options fit the services that they name."},
	{ScopeNaming, "Checks that scopes follow the pattern of the option scope_pattern."},
	{PublicComment, "Checks that a comment gives the reason why a method is public."},
	{WayCovered, "Checks that the ways before a way do not let in all its calls."},
	{OrganizationPlaces, "Checks that all ways in find the organization in one place."},
	{OrganizationRequired, "Checks that protovalidate refuses a request whose organization is empty."},
	{SubjectRequired, "Checks that protovalidate refuses a request whose subject or client is empty."},
}

// Looser are the rules of [CategoryLooser], which check that no call is let in that was refused.
var Looser = []Rule{
	{ID(policydiff.ChangeMadePublic), "Checks that no method stops asking for a token."},
	{ID(policydiff.ChangeMadeAuthenticated), "Checks that no method stops asking for scopes."},
	{ID(policydiff.ChangeScopeRemoved), "Checks that no scope stops being required."},
	{ID(policydiff.ChangeAnyScopeAdded), "Checks that no further scope becomes enough."},
	{ID(policydiff.ChangeModel), "Checks that no method takes tokens of another permission model."},
	{ID(policydiff.ChangeAudience), "Checks that no method takes tokens of another audience."},
	{ID(policydiff.ChangeOrganizationLoosened), "Checks that an organization is still checked where it was."},
	{ID(policydiff.ChangeCallerLoosened), "Checks that no further kind of caller is let in."},
	{ID(policydiff.ChangeSubjectLoosened), "Checks that a user is still checked where it was."},
	{ID(policydiff.ChangeClientLoosened), "Checks that a client is still checked where it was."},
	{ID(policydiff.ChangeAlternativeAdded), "Checks that no further way in is added."},
	{Lost, "Checks that no method loses its rule, or has one that cannot be compared."},
}

// Tighter are the rules of [CategoryTighter], which check that no call is refused that was let in.
var Tighter = []Rule{
	{ID(policydiff.ChangePublicDropped), "Checks that no method starts asking for a token."},
	{ID(policydiff.ChangeScopeAdded), "Checks that no further scope becomes required."},
	{ID(policydiff.ChangeAnyScopeRemoved), "Checks that no scope stops being enough."},
	{ID(policydiff.ChangeOrganizationTightened), "Checks that an organization is checked in no further place."},
	{ID(policydiff.ChangeCallerTightened), "Checks that no kind of caller is locked out."},
	{ID(policydiff.ChangeSubjectTightened), "Checks that a user is checked in no further place."},
	{ID(policydiff.ChangeClientTightened), "Checks that a client is checked in no further place."},
	{ID(policydiff.ChangeAlternativeRemoved), "Checks that no way in is removed."},
}
