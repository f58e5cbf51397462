package policy

import (
	"fmt"
	"strings"
)

// A FaultKind is the kind of a [Fault]. Its text is stable: tools may rely on the text.
type FaultKind string

// The kinds of fault.
const (
	// FaultRuleMissing means that a method has no option (protoauthz.v1.method), and that neither
	// [WithUnannotatedRefused] nor [WithUnannotatedOpen] names its service.
	FaultRuleMissing FaultKind = "RULE_MISSING"
	// FaultRuleConflict means that a rule contradicts itself: it is not exactly one of
	// public, authenticated and scoped, it has a field that would not be checked, or it has a
	// way that nobody can meet, or that is there twice.
	FaultRuleConflict FaultKind = "RULE_CONFLICT"
	// FaultRuleUnreadable means that an option cannot be decoded, has a field or a value
	// that this version does not know, or may belong to another package: its file sees
	// another declaration of the option, or lacks an import.
	FaultRuleUnreadable FaultKind = "RULE_UNREADABLE"
	// FaultScopeInvalid means that a scope is not a scope-token (RFC 6749 section 3.3), or
	// is given twice.
	FaultScopeInvalid FaultKind = "SCOPE_INVALID"
	// FaultScopeShared means that a global way and a way of an organization, with the same audience,
	// need the same scope. The method of each of these ways has the fault.
	FaultScopeShared FaultKind = "SCOPE_SHARED"
	// FaultModelMissing means that a method has no permission model.
	FaultModelMissing FaultKind = "MODEL_MISSING"
	// FaultAudienceMissing means that a method of an API has no resource indicator.
	FaultAudienceMissing FaultKind = "AUDIENCE_MISSING"
	// FaultAudienceInvalid means that an audience has a space or a character that cannot be
	// printed, or that Logto keeps the audience for tokens of organizations.
	FaultAudienceInvalid FaultKind = "AUDIENCE_INVALID"
	// FaultOrganizationMissing means that a method of an organization model has no
	// [Organization].
	FaultOrganizationMissing FaultKind = "ORGANIZATION_MISSING"
	// FaultOrganizationUnexpected means that a global method has an [Organization].
	FaultOrganizationUnexpected FaultKind = "ORGANIZATION_UNEXPECTED"
	// FaultOrganizationField means that a field path does not lead to a string.
	FaultOrganizationField FaultKind = "ORGANIZATION_FIELD"
	// FaultOrganizationHeader means that a header cannot carry an organization.
	FaultOrganizationHeader FaultKind = "ORGANIZATION_HEADER"
	// FaultOrganizationPattern means that a pattern is malformed, or stands without a field.
	FaultOrganizationPattern FaultKind = "ORGANIZATION_PATTERN"
	// FaultOrganizationOptional means that one way takes the organization from the token, that
	// another way has none, and that the rule does not set organization_optional.
	FaultOrganizationOptional FaultKind = "ORGANIZATION_OPTIONAL"
	// FaultSubjectField means that the field of a subject or client is not set, or does not
	// lead to a string.
	FaultSubjectField FaultKind = "SUBJECT_FIELD"
	// FaultSubjectPattern means that the pattern of a subject or client is malformed.
	FaultSubjectPattern FaultKind = "SUBJECT_PATTERN"
	// FaultOption means that [Compile] or one of its options has a bad argument.
	FaultOption FaultKind = "OPTION"
)

// A Fault is one mistake in the rules. The [Error] of [Compile] holds all faults.
type Fault struct {
	// Kind is the kind of fault.
	Kind FaultKind
	// Subject is the full name of the method or service, as in "pkg.Service.Method", the
	// name of an option, or "Compile".
	Subject string
	// Argument is the service, scope, audience or issuer that the fault is about, as it was given to
	// the option of the Subject. It is empty for any other Subject.
	Argument string
	// Detail is what is wrong and what to write instead, for people. The Detail of an alternative begins with the
	// number of the way, as in "way 1: ": see [Rule.Ways].
	Detail string
	// Place is where the mistake is, for tools. It may be zero if the Subject is an option or
	// "Compile".
	Place Place
}

// Error returns the subject, the detail and the kind in one line.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s: %s (%s)", f.Subject, f.Detail, f.Kind)
}

// An Error is the error of [Compile]. [errors.As] finds the Error and its first Fault.
type Error struct {
	// Faults are all faults, at least one.
	Faults []*Fault
	// Rules are the rules that can be compared in spite of the faults, sorted by procedure.
	// Their methods have no fault, or only a missing audience or a shared scope. A missing
	// audience is left empty: perhaps only the server has it. Rules are for tools. A server
	// must not use them.
	Rules []*Rule
}

// Error returns one line for each fault.
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
