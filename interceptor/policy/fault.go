package policy

import (
	"fmt"
	"strings"
)

// A FaultKind tells faults apart. Its text is stable: tools may rely on it.
type FaultKind string

// The kinds of fault.
const (
	// FaultRuleMissing is a method without the option (protoauthz.v1.method).
	FaultRuleMissing FaultKind = "RULE_MISSING"
	// FaultRuleConflict is a rule that contradicts itself: not exactly one of
	// public, authenticated and scoped, or a field that would not be checked.
	FaultRuleConflict FaultKind = "RULE_CONFLICT"
	// FaultRuleUnreadable is an option that cannot be decoded, that says
	// something this version does not know, or that may be another package's: its
	// file sees a declaration that is not this version's, or lacks an import.
	FaultRuleUnreadable FaultKind = "RULE_UNREADABLE"
	// FaultScopeInvalid is a scope that breaks the grammar of scope-token (RFC 6749
	// section 3.3), or that is given twice.
	FaultScopeInvalid FaultKind = "SCOPE_INVALID"
	// FaultScopeShared is a scope that serves both a global and an
	// organization-level method of the same audience. Each of these methods has the
	// fault.
	FaultScopeShared FaultKind = "SCOPE_SHARED"
	// FaultModelMissing is a method without a permission model.
	FaultModelMissing FaultKind = "MODEL_MISSING"
	// FaultAudienceMissing is a method of an API without a resource indicator.
	FaultAudienceMissing FaultKind = "AUDIENCE_MISSING"
	// FaultAudienceInvalid is an audience with a space or a character that cannot be
	// printed, or one that Logto keeps for tokens of organizations.
	FaultAudienceInvalid FaultKind = "AUDIENCE_INVALID"
	// FaultOrganizationMissing is a method of an organization model that does
	// not say where its requests name the organization.
	FaultOrganizationMissing FaultKind = "ORGANIZATION_MISSING"
	// FaultOrganizationUnexpected is an organization on a global method.
	FaultOrganizationUnexpected FaultKind = "ORGANIZATION_UNEXPECTED"
	// FaultOrganizationField is a field path that does not lead to a string.
	FaultOrganizationField FaultKind = "ORGANIZATION_FIELD"
	// FaultOrganizationHeader is a header that cannot carry an organization.
	FaultOrganizationHeader FaultKind = "ORGANIZATION_HEADER"
	// FaultOrganizationPattern is a malformed or misplaced pattern.
	FaultOrganizationPattern FaultKind = "ORGANIZATION_PATTERN"
	// FaultOption is a bad argument to [Compile] or to one of its options.
	FaultOption FaultKind = "OPTION"
)

// A Fault is one thing that is wrong with the rules. The [Error] of [Compile]
// holds all of them.
type Fault struct {
	// Kind tells what sort of fault it is.
	Kind FaultKind
	// Subject is the full name of the method or service, as in
	// "pkg.Service.Method", the name of an option, or "Compile".
	Subject string
	// Detail says what is wrong and what to do.
	Detail string
	// Place is where the mistake is, for tools. It is zero if the Subject is an
	// option or "Compile".
	Place Place
}

// Error names the subject first.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s: %s (%s)", f.Subject, f.Detail, f.Kind)
}

// An Error is what [Compile] returns: [errors.As] finds it, and the first Fault.
type Error struct {
	// Faults are all that were found, at least one.
	Faults []*Fault
	// Rules are the rules of the methods that have no fault, or only faults that change
	// nothing in the rule: a missing audience, which may be one that only the server
	// is given, and is left empty, and a shared scope. They are sorted by procedure.
	// They are for tools, which compare what can be compared; no server may go by
	// them.
	Rules []*Rule
}

// Error gives each fault a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, fault := range e.Faults {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults.
func (e *Error) Unwrap() []error {
	faults := make([]error, len(e.Faults))
	for i, fault := range e.Faults {
		faults[i] = fault
	}
	return faults
}
