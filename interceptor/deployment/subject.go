package deployment

import (
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const subjectMember = "subjectIssuer"

// issuerFaults returns the fault of a SubjectIssuer that is empty in the document, or that is the issuer of no token.
func (d *Deployment) issuerFaults() []*policy.Fault {
	fault := &policy.Fault{Kind: policy.FaultOption, Subject: d.subject(subjectMember), Argument: d.SubjectIssuer}
	switch {
	case d.SubjectIssuer == "" && (d.lines == nil || !d.lines.Has(subjectMember)):
		return nil
	case d.SubjectIssuer == "":
		fault.Detail = "it is empty: write the iss whose users and clients the requests name, or leave subjectIssuer out"
	case len(d.Issuers) == 0 || slices.ContainsFunc(d.Issuers, func(issuer token.Issuer) bool { return issues(&issuer, d.SubjectIssuer) }):
		return nil
	default:
		urls := make([]string, len(d.Issuers))
		for n, issuer := range d.Issuers {
			urls[n] = endpoint.DisplayURL(issuer.URL)
		}
		fault.Detail = "none of the issuers has the iss " + endpoint.DisplayURL(d.SubjectIssuer) + ", byte for byte: write one of " + strings.Join(urls, ", ") + ", with a tenant in place of a name in braces"
	}
	return []*policy.Fault{fault}
}

// subjectFault returns the fault of a missing SubjectIssuer, or nil: a rule has a subject or a client, and tokens of
// several issuers are accepted.
func (d *Deployment) subjectFault(rules []*policy.Rule) *policy.Fault {
	if len(d.Issuers) < 2 && !slices.ContainsFunc(d.Issuers, func(issuer token.Issuer) bool { return strings.Contains(issuer.URL, "{") }) {
		return nil
	}
	for _, rule := range rules {
		for _, way := range rule.Ways() {
			for _, identifier := range []*policy.Identifier{way.Subject, way.Client} {
				if identifier != nil && identifier.Issuer == "" {
					return &policy.Fault{
						Kind: policy.FaultOption, Subject: d.Place("issuers") + ": " + subjectMember,
						Detail: "it is missing, and requests of " + rule.Procedure + " name users or clients, which are unique within one issuer alone: write the iss whose users and clients the requests name",
					}
				}
			}
		}
	}
	return nil
}

// issues reports whether tokens of an issuer may have the given iss.
func issues(issuer *token.Issuer, iss string) bool {
	before, rest, isTemplate := strings.Cut(issuer.URL, "{")
	if !isTemplate {
		return issuer.URL == iss
	}
	placeholder, after, _ := strings.Cut(rest, "}")
	tenant, begins := strings.CutPrefix(iss, before)
	tenant, ends := strings.CutSuffix(tenant, after)
	if !begins || !ends || tenant == "" || strings.ContainsAny(tenant, "/{}") {
		return false
	}
	tenants := issuer.RequiredClaims[placeholder]
	return slices.Contains(tenants, tenant) || slices.Contains(tenants, token.AnyValue)
}
