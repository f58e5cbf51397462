package interceptor

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/help"
	"github.com/protoauthz/protoauthz/interceptor/internal/traits"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Check returns every way of a rule that no token of the verifier can meet, whatever the token holds: the settings of
// each [token.Issuer] rule out its kind of caller, its model, its subject or its client. Each fault names the
// procedure, the way if the rule has several, and what to change. A way is a fault also if the rule has other ways.
//
// A subject or a client is unique within its issuer alone. If a rule names one and the verifier accepts several issuers,
// or a template of issuers as in [token.EntraTenants], [policy.WithSubjectIssuer] must name one of them, whose tokens
// alone can then meet such a way. [New] panics if the option is absent, and logs the other faults.
//
// The issuers of a verifier of your own are not known: if a rule names a subject or a client, the option must name the
// issuer of the verifier's claims, and Check finds nothing else.
func Check(verifier Verifier, table *policy.Table) error {
	if isNil(verifier) || table == nil {
		return errors.New("interceptor: Check needs a verifier and a table: check the errors of NewVerifier and Compile")
	}
	return errors.Join(append([]error{untold(verifier, table)}, unmet(verifier, table)...)...)
}

// isNil reports whether a verifier is missing.
func isNil(verifier Verifier) bool {
	v, ok := verifier.(*token.Verifier)
	introspector, isIntrospector := verifier.(*token.Introspector)
	return verifier == nil || ok && v == nil || isIntrospector && introspector == nil
}

// issuersOf returns the issuers of a verifier. It reports false for a verifier of the user's own.
func issuersOf(verifier Verifier) (issuers []traits.Issuer, known bool) {
	if teller, ok := verifier.(traits.Teller); ok {
		return teller.Traits(), true
	}
	return traits.Of(verifier)
}

// untold returns a fault if rules name a subject or a client, and nobody has told whose they are.
func untold(verifier Verifier, table *policy.Table) error {
	var procedures []string
	for _, rule := range table.Rules() {
		if slices.ContainsFunc(rule.Ways(), identifies) {
			procedures = append(procedures, rule.Procedure)
		}
	}
	if len(procedures) == 0 || table.SubjectIssuer() != "" {
		return nil
	}
	issuers, known := issuersOf(verifier)
	urls := urlsOf(issuers)
	why := ""
	switch {
	case !known:
		why = "the issuers of a verifier of your own are not known"
	case len(urls) > 1:
		why = fmt.Sprintf("the verifier accepts the issuers %q", urls)
	case len(urls) == 1 && strings.Contains(urls[0], "{"):
		why = fmt.Sprintf("the issuer %q is a template, in which the tenant must be named", urls[0])
	default:
		return nil
	}
	named := procedures[0]
	if more := len(procedures) - 1; more > 0 {
		named += fmt.Sprintf(", and of %d more,", more)
	}
	return fmt.Errorf("interceptor: the rule of %s names a subject or a client, which is unique within its issuer alone, and %s: "+
		"name the issuer whose users and clients the requests name in policy.WithSubjectIssuer, or by subjectIssuer in authz.json", named, why)
}

// identifies reports whether a way has a subject or a client.
func identifies(way *policy.Way) bool { return way.Subject != nil || way.Client != nil }

// urlsOf returns the URLs of issuers, each once.
func urlsOf(issuers []traits.Issuer) (urls []string) {
	for _, issuer := range issuers {
		if !slices.Contains(urls, issuer.URL) {
			urls = append(urls, issuer.URL)
		}
	}
	return urls
}

// unmet returns a fault for each way that no issuer can satisfy.
func unmet(verifier Verifier, table *policy.Table) (faults []error) {
	issuers, known := issuersOf(verifier)
	switch {
	case !known:
		return nil
	case len(issuers) == 0:
		return []error{errors.New("interceptor: the verifier has no issuer: make it with NewVerifier or NewIntrospector")}
	}
	named := issuers // whose users and clients the requests name
	if iss := table.SubjectIssuer(); iss != "" {
		if named = slices.DeleteFunc(slices.Clone(issuers), func(issuer traits.Issuer) bool { return !issuer.Accepts(iss) }); len(named) == 0 {
			faults = append(faults, fmt.Errorf("interceptor: policy.WithSubjectIssuer, or subjectIssuer in authz.json, names %q, which is none of the verifier's issuers %q: "+
				"name one of them as iss has it, byte for byte", iss, urlsOf(issuers)))
		}
	}
	for _, rule := range table.Rules() {
		ways := rule.Ways()
		for number, way := range ways {
			by := issuers
			if identifies(way) {
				by = named
			}
			lacks := lacksOf(way, by)
			if lacks == "" {
				continue
			}
			what := "the rule"
			if len(ways) > 1 {
				what = fmt.Sprintf("way %d of the rule", number)
			}
			faults = append(faults, fmt.Errorf("interceptor: %s: no token can meet %s: %s", rule.Procedure, what, lacks))
		}
	}
	return faults
}

// lacksOf returns why no token of the issuers can meet a way, or "" if a token can.
func lacksOf(way *policy.Way, issuers []traits.Issuer) string {
	var lacks []string
	by := map[string][]string{} // the issuers by what they lack
	for _, issuer := range issuers {
		lack := lackOf(way, &issuer)
		if lack == "" {
			return ""
		}
		if by[lack] == nil {
			lacks = append(lacks, lack)
		}
		if url := fmt.Sprintf("%q", issuer.URL); !slices.Contains(by[lack], url) {
			by[lack] = append(by[lack], url)
		}
	}
	for n, lack := range lacks {
		lacks[n] = strings.Join(by[lack], ", ") + ": " + lack
	}
	return strings.Join(lacks, "; ")
}

// lackOf returns why no token of an issuer can meet a way, or "" if a token can. The order is the order in which the
// guard checks a token.
func lackOf(way *policy.Way, issuer *traits.Issuer) string {
	switch {
	case way.Model == authzv1.Model_MODEL_GLOBAL_RESOURCE && issuer.OrganizationRequired:
		return fmt.Sprintf("each token has the organization claim (%s), and MODEL_GLOBAL_RESOURCE is for no organization: give the rule MODEL_ORGANIZATION_RESOURCE", issuer.OrganizationClaim)
	case way.Model == authzv1.Model_MODEL_ORGANIZATION && !issuer.OrganizationAudience:
		return "the aud of a token never names an organization, and MODEL_ORGANIZATION needs that: set OrganizationAudience of the token.Issuer, or give the rule MODEL_ORGANIZATION_RESOURCE"
	case way.Model == authzv1.Model_MODEL_ORGANIZATION_RESOURCE && issuer.OrganizationClaim == "":
		return "no token has an organization claim, and MODEL_ORGANIZATION_RESOURCE needs one: set OrganizationClaim of the token.Issuer"
	}
	if lack := callerLack(way, issuer); lack != "" {
		return lack
	}
	if way.Client != nil && !issuer.Client {
		return "no token names its client, and the request must name the client: name its claim in ClientClaims of the token.Issuer"
	}
	return ""
}

// callerLack returns why no token of an issuer is of the kind of caller that a way asks for, or "" if a token is.
func callerLack(way *policy.Way, issuer *traits.Issuer) string {
	kind := ""
	switch {
	case way.Caller == authzv1.Caller_CALLER_CLIENT && !issuer.Clients:
		kind = "a client's own"
	case (way.Caller == authzv1.Caller_CALLER_USER || way.Subject != nil) && !issuer.Users:
		kind = "a user's"
	default:
		return ""
	}
	if !issuer.Kinds {
		return fmt.Sprintf("no token tells a user from a client, and the token must be %s: set ClientTokens or UserTokens of the token.Issuer", kind)
	}
	return fmt.Sprintf("by ClientTokens and UserTokens of the token.Issuer no token is %s, and the token must be: correct these fields, accept another issuer, or change the rule", kind)
}

// logUnmet says once, at start, which rules no token can meet.
func (g *Guard) logUnmet(verifier Verifier, tables ...*policy.Table) {
	var faults []error
	for _, table := range tables {
		if table != nil {
			faults = append(faults, unmet(verifier, table)...)
		}
	}
	if len(faults) > 0 {
		g.logAtStart(slog.LevelWarn, "protoauthz: no token can meet a rule: interceptor.Check names every such rule",
			slog.String("cause", strings.TrimPrefix(faults[0].Error(), "interceptor: ")), slog.Int("rules", len(faults)), help.Attr(help.NoTokenCanMeet))
	}
}
