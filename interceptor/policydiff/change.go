package policydiff

import "github.com/protoauthz/protoauthz/interceptor/policy"

// A ChangeKind tells changes apart. Its text is stable: tools may rely on it.
type ChangeKind string

// The kinds of change that let in a call which was refused before.
const (
	// ChangeMadePublic is a method that needs no token any more.
	ChangeMadePublic ChangeKind = "MADE_PUBLIC"
	// ChangeMadeAuthenticated is a method that needs no scope any more.
	ChangeMadeAuthenticated ChangeKind = "MADE_AUTHENTICATED"
	// ChangeScopeRemoved is a scope, or a choice of scopes, that is not required any
	// more.
	ChangeScopeRemoved ChangeKind = "SCOPE_REMOVED"
	// ChangeAlternativeAdded is one more scope of which one is enough.
	ChangeAlternativeAdded ChangeKind = "ALTERNATIVE_ADDED"
	// ChangeModel is another permission model: tokens that were refused are let in.
	ChangeModel ChangeKind = "MODEL_CHANGED"
	// ChangeAudience is another audience: tokens that were refused are let in.
	ChangeAudience ChangeKind = "AUDIENCE_CHANGED"
	// ChangeOrganizationLoosened is an organization that is not checked any more
	// where it was, even if it is checked elsewhere.
	ChangeOrganizationLoosened ChangeKind = "ORGANIZATION_LOOSENED"
	// ChangeCallerLoosened is a kind of caller that was not allowed.
	ChangeCallerLoosened ChangeKind = "CALLER_LOOSENED"
)

// The kinds of change that only refuse calls that were let in before.
const (
	// ChangePublicDropped is a method that needs a token now.
	ChangePublicDropped ChangeKind = "PUBLIC_DROPPED"
	// ChangeScopeAdded is a scope, or a choice of scopes, that is required now.
	ChangeScopeAdded ChangeKind = "SCOPE_ADDED"
	// ChangeAlternativeRemoved is a scope that is not enough any more.
	ChangeAlternativeRemoved ChangeKind = "ALTERNATIVE_REMOVED"
	// ChangeOrganizationTightened is an organization that is checked in one more
	// place, or in a narrower form.
	ChangeOrganizationTightened ChangeKind = "ORGANIZATION_TIGHTENED"
	// ChangeCallerTightened is a kind of caller that is not allowed any more.
	ChangeCallerTightened ChangeKind = "CALLER_TIGHTENED"
	// ChangeMethodRemoved is a procedure without a rule any more.
	ChangeMethodRemoved ChangeKind = "METHOD_REMOVED"
)

// ChangeMethodAdded is a procedure that had no rule before: nothing that was
// protected is less so.
const ChangeMethodAdded ChangeKind = "METHOD_ADDED"

// Looser reports whether there is a call that is let in only after the change.
func (k ChangeKind) Looser() bool {
	switch k {
	case ChangeMadePublic, ChangeMadeAuthenticated, ChangeScopeRemoved, ChangeAlternativeAdded, ChangeModel, ChangeAudience,
		ChangeOrganizationLoosened, ChangeCallerLoosened:
		return true
	default:
		return false
	}
}

// A Change is one difference between two versions of a rule.
type Change struct {
	// Kind tells what sort of change it is.
	Kind ChangeKind
	// Old and New are the rules. Old is nil with ChangeMethodAdded, New with
	// ChangeMethodRemoved.
	Old, New *policy.Rule
	// Detail says what has changed, in one line.
	Detail string
	// Place is where the change is in the new version, or where the method was in
	// the old one with ChangeMethodRemoved.
	Place policy.Place
}

// Procedure is the method, as in "/pkg.Service/Method". It is "/pkg.Service/*" only
// if nothing is known of the service but its name, before and after.
func (c *Change) Procedure() string {
	if c.New == nil || c.Old != nil && c.New.Method == nil {
		return c.Old.Procedure
	}
	return c.New.Procedure
}
