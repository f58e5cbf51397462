package main

import (
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// lackingIssuer returns a procedure whose requests name users or clients of no chosen issuer, although a deployment has
// several issuers. A server with the deployment does not start. It returns "" without such a procedure.
func lackingIssuer(d *deployment.Deployment, rules []*policy.Rule) string {
	isTemplate := func(issuer token.Issuer) bool { return strings.Contains(issuer.URL, "{") }
	if d == nil || len(d.Issuers) < 2 && !slices.ContainsFunc(d.Issuers, isTemplate) {
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

// lackText tells what a deployment lacks, as the finding about the member subjectIssuer.
func lackText(procedure string) string {
	return "subjectIssuer: it is missing, and requests of " + procedure + " name users or clients, which are unique within one issuer alone: write the iss whose users and clients the requests name"
}
