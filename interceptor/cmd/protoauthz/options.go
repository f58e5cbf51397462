package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// An option is an option of policy that takes a list, with its names elsewhere.
type option struct {
	name   string // of the function of package policy
	flag   string
	member string // of a deployment
	plugin string // the option of buf-plugin-protoauthz, or empty
	scopes bool   // the list has scopes in place of services
	with   func(...string) policy.Option
	list   func(*deployment.Deployment) *[]string
}

var options = []option{
	{"WithPublic", "public", "public", "public", false, policy.WithPublic, func(d *deployment.Deployment) *[]string { return &d.Public }},
	{"WithSharedScopes", "shared-scope", "sharedScopes", "shared_scopes", true, policy.WithSharedScopes, func(d *deployment.Deployment) *[]string { return &d.SharedScopes }},
	{"WithShadow", "shadow", "shadow", "", false, policy.WithShadow, func(d *deployment.Deployment) *[]string { return &d.Shadow }},
	{"WithUnannotatedRefused", "unannotated-refused", "unannotatedRefused", "unannotated_refused", false, policy.WithUnannotatedRefused, func(d *deployment.Deployment) *[]string { return &d.UnannotatedRefused }},
	{"WithUnannotatedOpen", "unannotated-open", "unannotatedOpen", "unannotated_open", false, policy.WithUnannotatedOpen, func(d *deployment.Deployment) *[]string { return &d.UnannotatedOpen }},
}

// element returns the path of an element of the option's list in a deployment.
func (o option) element(n int) string { return fmt.Sprintf("%s[%d]", o.member, n) }

// flagOf returns the flag for an option of policy, and another subject of a fault as it is.
func flagOf(subject string) string {
	for _, o := range options {
		if subject == o.name {
			return "-" + o.flag
		}
	}
	switch subject {
	case "WithAudience":
		return "-audience"
	case subjectOption:
		return "-subject-issuer"
	default:
		return subject
	}
}

// memberOf returns the member of a document that a fault of an option is about, or "" if the document does not have it.
func memberOf(document *deployment.Deployment, fault *policy.Fault) string {
	if fault.Subject == "WithAudience" && fault.Argument == document.Audience {
		return "audience"
	}
	if fault.Subject == subjectOption && fault.Argument == document.SubjectIssuer {
		return subjectMember
	}
	for _, o := range options {
		if n := slices.Index(*o.list(document), fault.Argument); n >= 0 && fault.Subject == o.name {
			return o.element(n)
		}
	}
	return ""
}

// inDocument replaces the names of policy's options by the members of a deployment.
var inDocument = func() *strings.Replacer {
	names := []string{"WithAudience", "audience", subjectOption, subjectMember}
	for _, o := range options {
		names = append(names, "policy."+o.name, o.member, o.name, o.member)
	}
	return strings.NewReplacer(names...)
}()

// detailOf returns the detail of a fault of a document's member.
func detailOf(document *deployment.Deployment, fault *policy.Fault) string {
	if fault.Subject == "WithAudience" && document.Audience == "" {
		return `it is empty or missing: write "audience": "https://…", with the resource indicator of the API`
	}
	return inDocument.Replace(fault.Detail)
}
