package policydiff

import "github.com/protoauthz/protoauthz/interceptor/policy"

// A ChangeKind is the kind of a [Change]. Its text is stable: tools may rely on the text.
type ChangeKind string

// The kinds of change that let in a call that was refused before.
const (
	// ChangeMadePublic means that a method needs no token any more, or that everybody may
	// call a method that had no annotation and was refused.
	ChangeMadePublic ChangeKind = "MADE_PUBLIC"
	// ChangeEnforcementDropped means that a rule is in shadow now: every call is let in (see
	// [policy.WithShadow]).
	ChangeEnforcementDropped ChangeKind = "ENFORCEMENT_DROPPED"
	// ChangeMadeAuthenticated means that a method needs no scope any more.
	ChangeMadeAuthenticated ChangeKind = "MADE_AUTHENTICATED"
	// ChangeScopeRemoved means that a scope, or a choice of scopes, is not required any
	// more.
	ChangeScopeRemoved ChangeKind = "SCOPE_REMOVED"
	// ChangeAnyScopeAdded means that one more scope is enough.
	ChangeAnyScopeAdded ChangeKind = "ANY_SCOPE_ADDED"
	// ChangeModel means that a method takes tokens of another permission model.
	ChangeModel ChangeKind = "MODEL_CHANGED"
	// ChangeAudience means that a method takes tokens of another audience.
	ChangeAudience ChangeKind = "AUDIENCE_CHANGED"
	// ChangeOrganizationLoosened means that an organization is not checked any more where
	// it was checked before. It may be checked elsewhere.
	ChangeOrganizationLoosened ChangeKind = "ORGANIZATION_LOOSENED"
	// ChangeCallerLoosened means that a kind of caller may call that could not before.
	ChangeCallerLoosened ChangeKind = "CALLER_LOOSENED"
	// ChangeSubjectLoosened means that the user is not checked any more where the user was
	// checked before. The user may be checked elsewhere.
	ChangeSubjectLoosened ChangeKind = "SUBJECT_LOOSENED"
	// ChangeClientLoosened means that the client is not checked any more where the client was
	// checked before. The client may be checked elsewhere.
	ChangeClientLoosened ChangeKind = "CLIENT_LOOSENED"
	// ChangeAlternativeAdded means that a method has one more way in.
	ChangeAlternativeAdded ChangeKind = "ALTERNATIVE_ADDED"
)

// The kinds of change that only refuse calls that were let in before.
const (
	// ChangePublicDropped means that a method needs a token now.
	ChangePublicDropped ChangeKind = "PUBLIC_DROPPED"
	// ChangeEnforcementAdded means that a rule is not in shadow any more.
	ChangeEnforcementAdded ChangeKind = "ENFORCEMENT_ADDED"
	// ChangeScopeAdded means that a scope, or a choice of scopes, is required now.
	ChangeScopeAdded ChangeKind = "SCOPE_ADDED"
	// ChangeAnyScopeRemoved means that a scope is not enough any more.
	ChangeAnyScopeRemoved ChangeKind = "ANY_SCOPE_REMOVED"
	// ChangeOrganizationTightened means that an organization is checked in one more place,
	// or in a narrower form.
	ChangeOrganizationTightened ChangeKind = "ORGANIZATION_TIGHTENED"
	// ChangeCallerTightened means that a kind of caller may not call any more.
	ChangeCallerTightened ChangeKind = "CALLER_TIGHTENED"
	// ChangeSubjectTightened means that the user is checked in one more place, or in a
	// narrower form.
	ChangeSubjectTightened ChangeKind = "SUBJECT_TIGHTENED"
	// ChangeClientTightened means that the client is checked in one more place, or in a
	// narrower form.
	ChangeClientTightened ChangeKind = "CLIENT_TIGHTENED"
	// ChangeAlternativeRemoved means that a method has one way in less.
	ChangeAlternativeRemoved ChangeKind = "ALTERNATIVE_REMOVED"
	// ChangeMethodRemoved means that a procedure has no rule any more, or that its method
	// has no annotation any more and is refused (see [policy.WithUnannotatedRefused]).
	ChangeMethodRemoved ChangeKind = "METHOD_REMOVED"
)

// ChangeMethodAdded means that a procedure had no rule before, or that its method had no
// annotation, was refused, and needs a token now. It is not looser: no protection has gone.
const ChangeMethodAdded ChangeKind = "METHOD_ADDED"

// Looser reports whether a change of the kind may let in a call that was refused before.
func (k ChangeKind) Looser() bool {
	switch k {
	case ChangeMadePublic, ChangeEnforcementDropped, ChangeMadeAuthenticated, ChangeScopeRemoved, ChangeAnyScopeAdded, ChangeModel,
		ChangeAudience, ChangeOrganizationLoosened, ChangeCallerLoosened, ChangeSubjectLoosened, ChangeClientLoosened, ChangeAlternativeAdded:
		return true
	default:
		return false
	}
}

// A Change is one difference between two versions of a rule.
type Change struct {
	// Kind is the kind of change.
	Kind ChangeKind
	// Old and New are the rules. Old is nil for ChangeMethodAdded, and New is nil for
	// ChangeMethodRemoved.
	Old, New *policy.Rule
	// Detail is what has changed, in one line, for people.
	Detail string
	// Place is the place of the change in the new version. For ChangeMethodRemoved, it is
	// the place of the method in the old version.
	Place policy.Place
}

// Procedure returns the procedure, as in "/pkg.Service/Method". It returns
// "/pkg.Service/*" for a service whose methods neither version knows.
func (c *Change) Procedure() string {
	if c.New == nil || c.Old != nil && c.New.Method == nil {
		return c.Old.Procedure
	}
	return c.New.Procedure
}
