package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// The member of a deployment, and the option of package policy, that name the issuer of users and clients.
const (
	subjectMember = "subjectIssuer"
	subjectOption = "WithSubjectIssuer"
)

// hasSeveral reports whether tokens of several issuers may be let in.
func hasSeveral(d *deployment.Deployment) bool {
	return len(d.Issuers) > 1 || slices.ContainsFunc(d.Issuers, isTemplate)
}

func isTemplate(issuer token.Issuer) bool { return strings.Contains(issuer.URL, "{") }

// lackingIssuer returns a procedure whose requests name users or clients of no chosen issuer, although a deployment has
// several issuers. A server with the deployment does not start. It returns "" without such a procedure.
func lackingIssuer(d *deployment.Deployment, rules []*policy.Rule) string {
	if d == nil || !hasSeveral(d) {
		return ""
	}
	lacks := func(identifier *policy.Identifier) bool { return identifier != nil && identifier.Issuer == "" }
	for _, rule := range rules {
		if slices.ContainsFunc(rule.Ways(), func(way *policy.Way) bool { return lacks(way.Subject) || lacks(way.Client) }) {
			return rule.Procedure
		}
	}
	return ""
}

// addLackingIssuer adds the fault of a document that lacks subjectIssuer, as a server has it.
func (a *compiled) addLackingIssuer() {
	if procedure := lackingIssuer(a.selection.document, a.rules); procedure != "" {
		a.faults = append(a.faults, &policy.Fault{Kind: policy.FaultOption, Subject: subjectOption, Detail: lackDetail(procedure)})
	}
}

// lackText tells what a deployment lacks, as the finding about the member subjectIssuer.
func lackText(procedure string) string { return subjectMember + ": " + lackDetail(procedure) }

func lackDetail(procedure string) string {
	return "it is missing, and requests of " + procedure + " name users or clients, which are unique within one issuer alone: write the iss whose users and clients the requests name"
}

// placeIn returns the place of a member in a document. If subjectIssuer is missing, it is the place of the issuers, of
// which one must be chosen.
func placeIn(document *deployment.Deployment, member string) string {
	if member == subjectMember && document.SubjectIssuer == "" {
		member = "issuers"
	}
	return document.Place(member)
}

// checkSubjectIssuer finds that the document lacks subjectIssuer. The rules of modules are not compiled.
func (f *findings) checkSubjectIssuer(b *bufFile, servers []*side, input *side) {
	if !hasSeveral(f.document) || f.document.SubjectIssuer != "" {
		return
	}
	lacks := func(procedure, see string) {
		f.add(placeIn(f.document, subjectMember), "%s: see %s", lackText(procedure), see)
	}
	if b != nil {
		for _, file := range b.files {
			if len(file.Naming) > 0 {
				lacks("/"+file.Naming[0].Value, lineOf(f.beside(file.Name), file.Naming[0].Line))
				return
			}
		}
	}
	for _, s := range append([]*side{input}, servers...) {
		if s == nil || s.compiled == nil {
			continue
		}
		if procedure := lackingIssuer(f.document, s.compiled.rules); procedure != "" {
			lacks(procedure, s.name)
			return
		}
	}
}

// onlyIssuer returns the issuer whose users and clients the requests name for a document without subjectIssuer: the iss
// of its only issuer. It returns "" if there are several or none.
func onlyIssuer(d *deployment.Deployment) string {
	if len(d.Issuers) != 1 || hasSeveral(d) {
		return ""
	}
	return d.Issuers[0].URL
}

// nameOnlyIssuers has a version with a single issuer name it if the other version names one by subjectIssuer: it may be
// the same. Where neither names one, the note about the issuers tells what differs.
func (v *versions) nameOnlyIssuers() {
	old, is := &v.old.deployment, &v.new.deployment
	switch {
	case old.SubjectIssuer == "" && is.SubjectIssuer != "":
		old.SubjectIssuer = onlyIssuer(v.old.document)
	case old.SubjectIssuer != "" && is.SubjectIssuer == "":
		is.SubjectIssuer = onlyIssuer(v.new.document)
	}
}

// byIssuer reports whether a change comes of the subjectIssuer of a document: rules that name the users and clients of no
// issuer do not have the change.
func (v *versions) byIssuer(change *policydiff.Change) bool {
	if v.old.deployment.SubjectIssuer == v.new.deployment.SubjectIssuer || change.Old == nil || change.New == nil {
		return false
	}
	changes := policydiff.Compare(asEnforced([]*policy.Rule{ofAnyIssuer(change.Old)}), asEnforced([]*policy.Rule{ofAnyIssuer(change.New)}))
	return !slices.ContainsFunc(changes, func(other *policydiff.Change) bool {
		return other.Kind == change.Kind && other.Place.String() == change.Place.String()
	})
}

// ofAnyIssuer returns a rule that names the users and clients of no issuer.
func ofAnyIssuer(rule *policy.Rule) *policy.Rule {
	of := func(identifier *policy.Identifier) *policy.Identifier {
		if identifier == nil {
			return nil
		}
		one := *identifier
		one.Issuer = ""
		return &one
	}
	one := *rule
	one.Alternatives = slices.Clone(rule.Alternatives)
	for _, way := range one.Ways() {
		way.Subject, way.Client = of(way.Subject), of(way.Client)
	}
	return &one
}

// issuerText returns whose users and clients the requests name.
func issuerText(issuer string) string {
	if issuer == "" {
		return "any issuer"
	}
	return strconv.Quote(issuer)
}
