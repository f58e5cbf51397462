package policy

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A Way is one complete set of what a caller must have. A call that meets all of one way of
// its rule is let in.
type Way struct {
	// Scopes must all be granted.
	Scopes []string
	// AnyScopes are scopes of which one must be granted, unless the list is empty. With
	// neither Scopes nor AnyScopes, any token of the model will do.
	AnyScopes []string
	// Caller is the kind of caller that the token must be for.
	Caller authzv1.Caller
	// Model is the permission model. It is MODEL_UNSPECIFIED only in a rule that is Public
	// or Unannotated.
	Model authzv1.Model
	// Audience is the resource indicator (RFC 8707) of the API. It may be empty
	// for MODEL_ORGANIZATION, whose audience is the organization.
	Audience string
	// Organization is where the request must name the organization of the token. It
	// is nil exactly if the way is of MODEL_GLOBAL_RESOURCE, or the rule is Public or
	// Unannotated.
	Organization *Organization
	// Subject is where the request must name the user of the token, or nil. A client's own
	// token does not meet a Subject, nor does a token of unknown kind (RFC 9068 section 5).
	Subject *Identifier
	// Client is where the request must name the client of the token, or nil.
	Client *Identifier

	method    protoreflect.MethodDescriptor
	number    int                 // the index in Rule.Ways
	option    Place               // of the fields: the option of the method, or an alternative in it
	inherited []protoreflect.Name // the fields that come from the service
}

// Ways returns the ways in, in the order in which the guard tries them: the rule's own, and
// its Alternatives. A change of a way changes the rule. The number of a way is the index: 0 for
// the rule's own, and 1 for the first alternative. A rule that is Public or Unannotated has no
// way.
func (r *Rule) Ways() []*Way {
	if r.Public || r.Unannotated {
		return nil
	}
	ways := make([]*Way, 0, 1+len(r.Alternatives))
	ways = append(ways, &r.Way)
	for i := range r.Alternatives {
		ways = append(ways, &r.Alternatives[i])
	}
	return ways
}

// clone returns a copy that shares no mutable memory with w.
func (w *Way) clone() Way {
	clone := *w
	clone.Scopes, clone.AnyScopes = slices.Clone(w.Scopes), slices.Clone(w.AnyScopes)
	clone.Organization, clone.Subject, clone.Client = copied(w.Organization), copied(w.Subject), copied(w.Client)
	return clone
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	clone := *p
	return &clone
}

// Needs returns the scopes that a token must have, as in "all of read:a write:a, any of
// read:b write:b", or "authenticated" if a token needs no scope.
func (w *Way) Needs() string {
	if len(w.Scopes)+len(w.AnyScopes) == 0 {
		return "authenticated"
	}
	needs := make([]string, 0, 2)
	if len(w.Scopes) > 0 {
		needs = append(needs, "all of "+strings.Join(w.Scopes, " "))
	}
	if len(w.AnyScopes) > 0 {
		needs = append(needs, "any of "+strings.Join(w.AnyScopes, " "))
	}
	return strings.Join(needs, ", ")
}

// String returns the way in one line, as [Table.String] does.
func (w *Way) String() string { return strings.Join(w.columns(), " ") }

// needsColumn is the index of the scopes in the columns.
const needsColumn = 2

func (w *Way) columns() []string {
	audience := w.Audience
	if w.Model == authzv1.Model_MODEL_ORGANIZATION {
		audience = "organization"
	}
	organization := "-"
	if w.Organization != nil {
		organization = w.Organization.String()
	}
	columns := []string{
		lowerName(w.Model.String(), "MODEL_"),
		"audience=" + audience,
		w.Needs(),
		"caller=" + lowerName(w.Caller.String(), "CALLER_"),
		"organization=" + organization,
	}
	if w.Subject != nil {
		columns = append(columns, "subject="+w.Subject.String())
	}
	if w.Client != nil {
		columns = append(columns, "client="+w.Client.String())
	}
	return columns
}

func lowerName(enum, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(enum, prefix))
}

// FieldPlace returns the place of a field of the way, by its name in
// protoauthz.v1.Alternative, such as "model". The place is at the service if the way has
// inherited the field, and has the position of the option if the annotation does not set the
// field. The place is zero for a way without a method. FieldPlace panics if no field has the
// name.
func (w *Way) FieldPlace(field protoreflect.Name) Place {
	switch {
	case w.method == nil:
		return Place{}
	case slices.Contains(w.inherited, field):
		return serviceOption(w.method.Parent(), field)
	default:
		return w.option.below(ruleField(field))
	}
}

// ScopePlace returns the place of a scope in the way. For a scope that the way does not
// have, it returns the place of the field "scopes".
func (w *Way) ScopePlace(scope string) Place {
	for _, list := range w.scopeLists() {
		if i := slices.Index(list.scopes, scope); i >= 0 {
			return w.scopePlace(list.name, i)
		}
	}
	return w.FieldPlace("scopes")
}

func (w *Way) scopePlace(list protoreflect.Name, i int) Place {
	return w.FieldPlace(list).below(int32(i)) //nolint:gosec // the index in a list
}

type scopeList struct {
	name   protoreflect.Name
	scopes []string
}

func (w *Way) scopeLists() []scopeList {
	return []scopeList{{"scopes", w.Scopes}, {"any_scopes", w.AnyScopes}}
}
