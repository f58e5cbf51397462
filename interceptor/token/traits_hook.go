package token

import (
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/internal/traits"
)

// init gives package interceptor what the public API of this package does not have.
func init() {
	traits.Of = func(verifier any) ([]traits.Issuer, bool) {
		switch v := verifier.(type) {
		case *Verifier:
			return v.traits(), true
		case *Introspector:
			return v.traits(), true
		default:
			return nil, false
		}
	}
}

func (v *Verifier) traits() (all []traits.Issuer) {
	for _, issuer := range v.all {
		all = append(all, issuer.traits())
	}
	return append(all, v.introspector.traits()...)
}

func (i *Introspector) traits() []traits.Issuer {
	if i == nil || i.reader == nil {
		return nil
	}
	return []traits.Issuer{i.reader.traits()}
}

// traits returns what a token of the issuer can be.
func (r *reader) traits() traits.Issuer {
	templates := r.templates()
	t := traits.Issuer{
		URL: r.URL,
		Accepts: func(iss string) bool {
			return slices.ContainsFunc(templates, func(t template) bool { return t.makes(iss) })
		},
		Kinds:                len(r.clientTokens)+len(r.userTokens) > 0,
		Client:               slices.ContainsFunc(r.clients, func(f field) bool { return r.presence(f.slot) != claimAbsent }),
		OrganizationAudience: r.OrganizationAudience != "",
	}
	if r.organization != nil && r.presence(r.organization.slot) != claimAbsent {
		t.OrganizationClaim, t.OrganizationRequired = r.organization.text, r.presence(r.organization.slot) == claimPresent
	}
	users, clients := r.outcomes(r.userTokens), r.outcomes(r.clientTokens)
	switch { // as in reader.caller
	case !t.Kinds, r.usesClient && !t.Client:
	case len(r.clientTokens) == 0:
		t.Users, t.Clients = users.some, users.others
	case len(r.userTokens) == 0:
		t.Users, t.Clients = clients.others, clients.some
	default:
		t.Users, t.Clients = users.some && clients.others, clients.some && users.others
	}
	t.Users = t.Users && slices.ContainsFunc(r.subjects, func(subject field) bool { return !r.namesClient(subject) })
	return t
}

// makes reports whether the template can make an issuer's identifier.
func (t *template) makes(iss string) bool {
	if t.placeholder == "" {
		return iss == t.before
	}
	_, ok := t.value(iss)
	return ok
}

// A presence says whether tokens have a claim.
type presence int

const (
	claimOptional presence = iota
	claimPresent           // in each token
	claimAbsent            // in no token
)

// presence tells whether the issuer's tokens have the claim of a slot.
func (r *reader) presence(slot int) presence {
	if len(r.subjects) == 1 && r.subjects[0].slot == slot {
		return claimPresent
	}
	for _, entry := range r.required {
		switch {
		case entry.slot != slot || entry.optional:
		case entry.absent:
			return claimAbsent
		default:
			return claimPresent
		}
	}
	return claimOptional
}

// outcomes tell whether some tokens can meet all requirements, and whether others can fail to.
type outcomes struct{ some, others bool }

// outcomes returns what requirements of a kind can come to. It knows the requirements that ask for a claim's presence,
// and takes any value for possible.
func (r *reader) outcomes(requirements []requirement) outcomes {
	o := outcomes{some: true}
	for n := range requirements {
		entry := &requirements[n]
		switch is := r.presence(entry.slot); {
		case entry.absent && is == claimPresent, is == claimAbsent && !entry.absent && !entry.optional:
			return outcomes{others: true}
		case entry.absent && is == claimAbsent, entry.any && is == claimPresent && len(entry.rest) == 0:
		default:
			o.others = true
		}
	}
	return o
}
