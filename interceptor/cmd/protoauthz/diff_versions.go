package main

import (
	"errors"
	"fmt"
	"io"
	goreflect "reflect"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func newOldAuthzFlag() cli.Flag {
	return &cli.StringFlag{Name: "old-authz", Usage: "the `FILE` of the deployment of OLD: -authz is then the deployment of NEW alone"}
}

// versions are the selections of OLD and NEW: one and the same without -old-authz.
type versions struct{ old, new *selection }

func newVersions(c *cli.Command) (*versions, error) {
	if c.IsSet("old-authz") && !c.IsSet("authz") {
		return nil, errors.New("-old-authz without -authz: name the deployment of NEW with -authz, or give -authz alone if both versions have the same deployment")
	}
	s, err := newSelection(c, "authz")
	if err != nil || !c.IsSet("old-authz") {
		return &versions{s, s}, err
	}
	old, err := newSelection(c, "old-authz")
	if err != nil {
		return nil, err
	}
	old.met, old.other, s.other = s.met, s, old
	v := &versions{old, s}
	v.nameOnlyIssuers()
	return v, nil
}

// readable returns the rules of OLD that have no fault, or only lack an audience or share a scope.
func (v *versions) readable(c *cli.Command, in *input) ([]*policy.Rule, error) {
	a, err := compileAll(in, v.old)
	if err != nil {
		return nil, err
	}
	a.faults = slices.DeleteFunc(a.faults, v.staleChoice)
	a.addLackingIssuer()
	unreadable := func(fault *policy.Fault) bool { return fault.Kind == policy.FaultRuleUnreadable }
	if len(a.unknown) > 0 || slices.ContainsFunc(a.faults, unreadable) { // these rules may be stricter
		title := "OLD cannot be read, so nothing was compared"
		if len(a.unknown) > 0 {
			title += ": leave out " + some(services(a.unknown), ", ") + " with -skip, or give -public"
		}
		return nil, a.describe(title, all)
	}
	title := "only " + count(len(a.rules), "rule", "rules") + " can be compared: the others do not compile"
	if !slices.ContainsFunc(a.faults, func(fault *policy.Fault) bool { return fault.Kind != policy.FaultOption }) {
		title = "options do not fit the services"
	}
	if err := a.describe(title, all); err != nil {
		complain(c.Root().ErrWriter, "warning: "+err.Error())
	}
	return a.rules, nil
}

// compileNew is compileSome for NEW. A service of -shadow, -unannotated-refused or -unannotated-open that only OLD needs
// is left out. A service that neither version needs stays, and is a fault. A service that the document of NEW alone
// names stays, too.
func (v *versions) compileNew(in *input, old []*policy.Rule) (*compiled, error) {
	a, err := compileAll(in, v.new)
	if err != nil {
		return nil, err
	}
	own := new(deployment.Deployment)
	if v.old != v.new {
		own = v.new.document
	}
	needed := func(services, own []string, covers func(*policy.Rule) bool) []string {
		return slices.DeleteFunc(slices.Clone(services), func(service string) bool {
			covered := func(rule *policy.Rule) bool {
				return strings.HasPrefix(rule.Procedure, "/"+service+"/") && covers(rule)
			}
			return !slices.Contains(own, service) && slices.ContainsFunc(old, covered) && !slices.ContainsFunc(a.rules, covered)
		})
	}
	of := *v.new
	of.deployment.Shadow = needed(of.deployment.Shadow, own.Shadow, func(rule *policy.Rule) bool { return rule.Shadow })
	of.deployment.UnannotatedRefused = needed(of.deployment.UnannotatedRefused, own.UnannotatedRefused, func(rule *policy.Rule) bool { return rule.Unannotated && !rule.Public })
	of.deployment.UnannotatedOpen = needed(of.deployment.UnannotatedOpen, own.UnannotatedOpen, func(rule *policy.Rule) bool { return rule.Unannotated && rule.Public })
	return compileSome(in, &of)
}

// staleChoice reports whether a fault is about a service of -shadow, -unannotated-refused or -unannotated-open that NEW
// has too. In OLD, the service may be missing, or annotated otherwise.
func (v *versions) staleChoice(fault *policy.Fault) bool {
	if v.old != v.new && v.old.subject(fault) != "" {
		return false
	}
	return slices.Contains([]string{"WithShadow", "WithUnannotatedRefused", "WithUnannotatedOpen"}, fault.Subject)
}

// place returns the place of a change: the member of NEW's document that made it, or else the place in the .proto file.
func (v *versions) place(change *policydiff.Change) string {
	if member := v.member(change); member != "" {
		return placeIn(v.new.document, member) + ": " + member
	}
	return change.Place.String()
}

// member returns the member of NEW's document that opens a method, or gives it another audience or another issuer of
// users and clients, if OLD's document does not have the same, or "".
func (v *versions) member(change *policydiff.Change) string {
	rule := change.New
	if v.old == v.new || rule == nil {
		return ""
	}
	was, is := v.old.document, v.new.document
	var member string
	var olds, news []string
	switch {
	case change.Kind == policydiff.ChangeEnforcementDropped:
		member, olds, news = "shadow", was.Shadow, is.Shadow
	case rule.Public && rule.Unannotated:
		member, olds, news = "unannotatedOpen", was.UnannotatedOpen, is.UnannotatedOpen
	case rule.Public:
		member, olds, news = "public", was.Public, is.Public
	case change.Kind == policydiff.ChangeAudience && was.Audience != is.Audience && hasAudience(change.Old, was.Audience) && hasAudience(rule, is.Audience):
		return "audience"
	case v.byIssuer(change):
		return subjectMember
	}
	service, _, _ := strings.Cut(rule.Procedure[1:], "/")
	if n := slices.Index(news, service); n >= 0 && !slices.Contains(olds, service) {
		return fmt.Sprintf("%s[%d]", member, n)
	}
	return ""
}

// hasAudience reports whether a way of a rule has an audience.
func hasAudience(rule *policy.Rule, audience string) bool {
	return slices.ContainsFunc(rule.Ways(), func(way *policy.Way) bool { return way.Audience == audience })
}

// note tells what differs between the documents and is not in the rules.
func (v *versions) note(stderr io.Writer) {
	if v.old == v.new {
		return
	}
	was, is := v.old.document, v.new.document
	for n, scope := range is.SharedScopes {
		if path := fmt.Sprintf("sharedScopes[%d]", n); !slices.Contains(v.old.deployment.SharedScopes, scope) {
			complain(stderr, fmt.Sprintf("note: %s: %s: %s does not share scope %q: a user's global token may carry the scope from any organization", is.Place(path), path, v.old.file, scope))
		}
	}
	if by, before := v.new.deployment.SubjectIssuer, v.old.deployment.SubjectIssuer; by != before {
		complain(stderr, fmt.Sprintf("note: %s: %s: the requests name the users and clients of %s, and of %s by %s", placeIn(is, subjectMember), subjectMember, issuerText(by), issuerText(before), v.old.file))
	}
	if differences := issuerDifferences(was.Issuers, is.Issuers); len(differences) > 0 {
		complain(stderr, fmt.Sprintf("note: %s: issuers: the issuers of %s are others, and so are the tokens that are let in: %s", is.Place("issuers"), v.old.file, strings.Join(differences, ", ")))
	}
}

// issuerDifferences returns the issuers that were added, removed and changed. No two issuers of a deployment have the
// same URL.
func issuerDifferences(before, after []token.Issuer) (all []string) {
	find := func(issuers []token.Issuer, url string) *token.Issuer {
		if n := slices.IndexFunc(issuers, func(issuer token.Issuer) bool { return issuer.URL == url }); n >= 0 {
			return &issuers[n]
		}
		return nil
	}
	for _, issuer := range after {
		switch old := find(before, issuer.URL); {
		case old == nil:
			all = append(all, "added "+endpoint.DisplayURL(issuer.URL))
		case !goreflect.DeepEqual(*old, issuer):
			all = append(all, "changed "+endpoint.DisplayURL(issuer.URL))
		}
	}
	for _, issuer := range before {
		if find(after, issuer.URL) == nil {
			all = append(all, "removed "+endpoint.DisplayURL(issuer.URL))
		}
	}
	return all
}
