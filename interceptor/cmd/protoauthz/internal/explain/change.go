package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// change returns what would have to change so that the check that refuses by a way passes.
func (q *Question) change(d *outcomes, way *outcome, check Check) string {
	switch way.denial.Reason() {
	case interceptor.ReasonRuleMissing:
		return "annotate the method with (protoauthz.v1.method), or name its service with -public"
	case interceptor.ReasonTokenMissing:
		return "send a token: " + d.requests()
	case interceptor.ReasonSchemeUnsupported:
		return `send the token as "Authorization: Bearer TOKEN"`
	case interceptor.ReasonTokenMalformed:
		if check == CheckAuthorization {
			return `send one header "Authorization: Bearer TOKEN", with nothing but the access token in it`
		}
		return "send an access token that is a JWT: " + d.requests()
	case interceptor.ReasonTokenInvalid:
		return d.invalid(check)
	case interceptor.ReasonTokenExpired:
		return "ask the issuer for a new token; if this one is new, set the clocks right"
	case interceptor.ReasonTokenNotYetValid:
		return "wait until the time that the claim names; if it has passed, set the clocks right"
	case interceptor.ReasonAudienceMismatch, interceptor.ReasonModelMismatch:
		return request(way.Way)
	case interceptor.ReasonCallerNotAllowed:
		if way.Caller == authzv1.Caller_CALLER_CLIENT {
			return "use the client's own token (client_credentials): the " + way.noun() + " is for clients alone"
		}
		return "use the token of a user who has signed in: the " + way.noun() + " is for users alone"
	case interceptor.ReasonScopeInsufficient:
		return missing(way.answer)
	case interceptor.ReasonOrganizationMismatch:
		return way.naming()
	case interceptor.ReasonSubjectMismatch:
		return cmp.Or(way.another(), way.naming())
	case interceptor.ReasonKeysUnavailable:
		return "make the issuer's key set reachable, and try again"
	case interceptor.ReasonVerifierUnavailable:
		return "make the issuer's introspection endpoint reachable, and try again"
	case interceptor.ReasonVerifierBusy:
		return "try again"
	case interceptor.ReasonGuardFailed:
		return "correct the verifier"
	default:
		return ""
	}
}

func (d *outcomes) invalid(check Check) string {
	switch check {
	case CheckSignature:
		return "ask the issuer for a new token: this one was changed, was signed by somebody else, or its key is no longer in use"
	case CheckTime:
		return "have the issuer write that claim as it should be"
	case CheckClaims:
		return "use an access token; if the token is one, have the issuer write that claim as it should be, or correct the Issuer"
	default:
		return "use an access token of the issuer that the server trusts: " + d.requests()
	}
}

// request returns what token to ask for.
func request(way *policy.Way) string {
	switch {
	case isOrganization(way):
		return "ask the issuer for an organization token: for the organization, and without any resource (audience)"
	case way.Model == authzv1.Model_MODEL_ORGANIZATION_RESOURCE:
		return fmt.Sprintf("ask the issuer for a token with the resource (audience) %s, for the organization", way.Audience)
	default:
		return fmt.Sprintf("ask the issuer for a token with the resource (audience) %s, without an organization", way.Audience)
	}
}

func isOrganization(way *policy.Way) bool { return way.Model == authzv1.Model_MODEL_ORGANIZATION }

// missing returns what to do about missing scopes.
func missing(a answer) string {
	var ask []string
	switch all := slices.DeleteFunc(slices.Clone(a.denial.Scopes()), a.claims.HasScope); len(all) {
	case 0:
	case 1:
		ask = append(ask, "the scope "+all[0])
	default:
		ask = append(ask, "the scopes "+strings.Join(all, " "))
	}
	if alternatives := a.denial.AnyScopes(); len(alternatives) > 0 && !slices.ContainsFunc(alternatives, a.claims.HasScope) {
		ask = append(ask, "one of the scopes "+strings.Join(alternatives, " "))
	}
	return "ask the issuer for " + strings.Join(ask, " and ") + ": it grants only what the roles of the caller hold"
}

// naming returns what of the token the request must name, and where.
func (o *outcome) naming() string {
	var names, others []string
	if o.Organization != nil && o.needsNaming(CheckOrganization) {
		organization := o.claims.OrganizationID()
		where := ""
		switch o.Organization.Location {
		case policy.LocationHeader:
			where = "once in the header " + o.Organization.Name
		case policy.LocationField:
			where = o.field(o.Organization.Name, o.Organization.Path(), strings.ReplaceAll(o.Organization.Pattern, "{organization}", organization))
		case policy.LocationToken:
		}
		names, others = append(names, strings.TrimSpace("the organization "+organization+" "+where)), append(others, "for the organization")
	}
	if o.needsNaming(CheckSubject) {
		if subject := o.claims.Subject(); o.Subject != nil {
			names = append(names, "the user "+subject+" "+o.field(o.Subject.Name, o.Subject.Path(), strings.ReplaceAll(o.Subject.Pattern, "{subject}", subject)))
			others = append(others, "of the user")
		}
		if client := o.claims.ClientID(); o.Client != nil {
			names = append(names, "the client "+client+" "+o.field(o.Client.Name, o.Client.Path(), strings.ReplaceAll(o.Client.Pattern, "{client}", client)))
			others = append(others, "of the client")
		}
	}
	verb := "is"
	if len(others) > 1 {
		verb = "are"
	}
	return "name " + strings.Join(names, ", and ") + ", or use a token " + strings.Join(others, " and ") + " that " + verb + " meant"
}

// needsNaming reports whether the request must name something for a check: for the check that refuses, or for all
// checks of the messages if the messages are not known.
func (o *outcome) needsNaming(check Check) bool {
	if o.denial == nil {
		return check == CheckSubject || o.byField()
	}
	return (check == CheckSubject) == (o.denial.Reason() == interceptor.ReasonSubjectMismatch)
}

// field returns where messages have a value: in a field, as the value itself or as a resource name.
func (o *outcome) field(name string, path []protoreflect.FieldDescriptor, resource string) string {
	message := "the message"
	if o.rule.Method.IsStreamingClient() {
		message = "every message"
	}
	where := "in the field " + name + " of " + message
	if slices.ContainsFunc(path, protoreflect.FieldDescriptor.IsList) {
		where = "in each " + name + " of " + message
	}
	if resource != "" {
		where += ", as " + resource
	}
	return where
}

// another returns what other token to use if no message can name the caller of this one, or else "".
func (o *outcome) another() string {
	switch {
	case o.Subject != nil && o.claims.Caller() == token.CallerUnknown:
		return "set ClientTokens or UserTokens of the issuer, so that its tokens tell a user from a client"
	case o.Subject != nil && o.claims.Caller() != token.CallerUser:
		return "use the token of a user who has signed in: the request names the user of the token"
	case o.Subject != nil && o.Subject.Issuer != "" && o.claims.Issuer() != o.Subject.Issuer:
		return "use a token of the issuer " + o.Subject.Issuer + ", whose users the request names"
	case o.Client != nil && o.claims.ClientID() == "":
		return "use a token that names its client: the request names the client of the token"
	case o.Client != nil && o.Client.Issuer != "" && o.claims.Issuer() != o.Client.Issuer:
		return "use a token of the issuer " + o.Client.Issuer + ", whose clients the request names"
	default:
		return ""
	}
}

// byField reports whether messages name the organization.
func (o *outcome) byField() bool {
	return o.Organization != nil && o.Organization.Location == policy.LocationField
}

// noun returns what a rule with one way, or with several, is for.
func (o *outcome) noun() string {
	if o.several {
		return "way"
	}
	return "method"
}
