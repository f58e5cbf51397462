package interceptor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A cause is for the log of the server. It names what is wrong and the remedy, in the words of the rule.

const (
	requestForAPI          = ": the client must request a token for that API, as its resource or audience"
	requestForOrganization = ": the client must request an organization token, for one organization and without an API (resource)"

	unknownModel         = "the rule has a model that this version of protoauthz does not know: the server must update protoauthz"
	organizationUnwanted = "the token has an organization claim, and the method is for no organization: the client must request a token without an organization"
	organizationEmpty    = "the organization claim of the token is empty, or names several organizations: the issuer must write one organization there, or the client must request a token for one"
	organizationsDiffer  = "the aud and the organization claim of the token do not name the same organization: the issuer must write the same organization into both"
	organizationsMany    = "the aud of the token names more than one organization, or an API beside it" + requestForOrganization
	organizationNone     = "the aud of the token names no organization, and the method is for one" + requestForOrganization

	clientNone = "the token names no client, and the request must name the client of the token: the issuer must write the client into the token, or the server must name the claim in token.Issuer.ClientClaims"

	// Each of these texts takes what a message must name, and the field in which the message names it.
	endedFirst    = "the request names no %s: the stream ended without a message: the client must send a message that sets the field %q"
	sentFirst     = "the handler sends before it has received a message that names the %s, in the field %q: the handler must receive such a message first"
	returnedFirst = "the handler has returned before it received a message that names the %s, in the field %q: the handler must receive such a message first"

	notProto = "the message is not a proto.Message, so its fields cannot be read: the server's code must give the guard messages of Protobuf"
)

func audienceCause(way *policy.Way) string {
	return "the token is for another API, or for none: its aud does not hold the audience of the rule, " + strconv.Quote(way.Audience) + ", byte for byte" +
		requestForAPI + ", or the server must name its API right in policy.WithAudience, or by audience in authz.json"
}

func organizationTokenCause(way *policy.Way) string {
	return "the token is an organization token (its aud names an organization), and the method is for the API " +
		strconv.Quote(way.Audience) + requestForAPI
}

func apiTokenCause(way *policy.Way) string {
	return "the token is for the API " + strconv.Quote(way.Audience) + ", and the method is for an organization without an API" +
		requestForOrganization
}

// organizationAbsentCause names the claim that the token lacks.
func organizationAbsentCause(claims *token.Claims) string {
	const request = ", and the method is for an organization: the client must request a token for an organization"
	if _, name := claims.ClaimNames(); name != "" {
		return "the token has no organization claim (" + name + ")" + request + "; if the issuer writes the organization into another claim, the server must name that claim in token.Issuer.OrganizationClaim"
	}
	return "the token has no organization claim" + request + ", and token.Issuer.OrganizationClaim must name the claim"
}

// missingScopes names the scopes that a token lacks. They are found only if a log asks for them: each
// call by another way makes a denial that nobody reads.
type missingScopes struct {
	way    *policy.Way
	claims *token.Claims
}

// find returns the scopes that the way requires, and the scopes of which one would do.
func (m *missingScopes) find() (all, anyOf []string) {
	all = slices.DeleteFunc(slices.Clone(m.way.Scopes), m.claims.HasScope)
	if !slices.ContainsFunc(m.way.AnyScopes, m.claims.HasScope) {
		anyOf = slices.Clone(m.way.AnyScopes)
	}
	return all, anyOf
}

// Error names the scopes.
func (m *missingScopes) Error() string {
	all, anyOf := m.find()
	var missing []string
	if len(all) > 0 {
		missing = append(missing, "the "+scopeList(all))
	}
	switch len(anyOf) {
	case 0:
	case 1:
		missing = append(missing, "the "+scopeList(anyOf))
	default:
		missing = append(missing, "each of the "+scopeList(anyOf)+", of which one is enough")
	}
	request := "it"
	switch {
	case len(anyOf) > 1 && len(all) > 0:
		request = strings.Join(all, " ") + " and one of " + strings.Join(anyOf, " ")
	case len(anyOf) > 1:
		request = "one of them"
	case len(anyOf)+len(all) > 1:
		request = "them"
	}
	return "the token lacks " + strings.Join(missing, " and ") +
		": the client must request " + request + " from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer" +
		m.without()
}

// without returns the end of the text for a token that has no scope at all.
func (m *missingScopes) without() string {
	names, _ := m.claims.ClaimNames()
	if len(names) == 0 || len(m.claims.Scopes()) > 0 {
		return ""
	}
	return fmt.Sprintf("; the token has no scope at all, in none of the claims %q: if the issuer writes scopes into another claim, the server must name that claim in token.Issuer.ScopeClaims", names)
}

func scopeList(scopes []string) string {
	if len(scopes) == 1 {
		return "scope " + scopes[0]
	}
	return "scopes " + strings.Join(scopes, " ")
}

// callerCause tells why the caller's kind does not satisfy the rule.
func callerCause(want authzv1.Caller, is token.Caller) string {
	method := "the method is for users only"
	if want == authzv1.Caller_CALLER_CLIENT {
		method = "the method is for clients only"
	}
	switch {
	case want != authzv1.Caller_CALLER_USER && want != authzv1.Caller_CALLER_CLIENT:
		return "the rule asks for a kind of caller that this version of protoauthz does not know: the server must update protoauthz"
	case is == token.CallerUnknown:
		return method + ", and the token does not tell a user from a client: the server must set ClientTokens or UserTokens of its token.Issuer, or the rule must have CALLER_ANY"
	case want == authzv1.Caller_CALLER_USER:
		return method + ", and the token is a client's own: the client must use the token of a user who has signed in"
	default:
		return method + ", and the token is a user's: the client must use a token of its own (client credentials)"
	}
}

// subjectCause tells why a token has no user whom the request could name.
func subjectCause(is token.Caller) string {
	const user = "the request must name the user of the token"
	if is == token.CallerUnknown {
		return user + ", and the token does not tell a user from a client: the server must set ClientTokens or UserTokens of its token.Issuer"
	}
	return user + ", and the token is a client's own: the client must use the token of a user who has signed in"
}

// issuerCause tells why the subject or the client of a token does not count.
func issuerCause(identifier *policy.Identifier) string {
	return "the request names users and clients of the issuer " + strconv.Quote(identifier.Issuer) + ", and the token is of another issuer: " +
		"the client must use a token of that issuer, or the server must name another issuer in policy.WithSubjectIssuer, or by subjectIssuer in authz.json"
}

// headerCause tells why a header does not name the organization of the token once.
func headerCause(organization *policy.Organization, header Header) string {
	if organization == nil || organization.Location != policy.LocationHeader {
		return "the rule has no place where the request names its organization: give the rule organization.field, organization.header or organization.token"
	}
	name := "the header " + organization.Name
	once := ": the client must send it once, with the organization of its token"
	switch values := header.Values(organization.Name); {
	case len(values) == 0:
		return "the request names no organization: " + name + " is absent" + once
	case len(values) > 1:
		return "the request does not name one organization: " + name + " has more than one value" + once
	case values[0] == "":
		return "the request names no organization: " + name + " is empty" + once
	case strings.Contains(values[0], ","):
		return "the request does not name the organization of the token alone: " + name + " holds a comma, perhaps of a proxy that has joined two of them" + once
	default:
		return "the request names another organization than the token, in " + name + once + ", byte for byte, or use another token"
	}
}

// ruleCause names a procedure without a rule. The name may be text of the client, so ruleCause cuts the
// name off after 200 characters and escapes the rest: the name cannot pass for lines of a log.
func ruleCause(procedure string) string {
	return fmt.Sprintf("no rule was compiled for the procedure %+.200q: give policy.Compile the .proto file of its service, "+
		"or make the service public with policy.WithPublic, or by public in authz.json; if the server does not have this procedure, the client must call another", procedure)
}

const unannotated = "the method has no annotation, and policy.WithUnannotatedRefused, or unannotatedRefused in authz.json, names its service: add option (protoauthz.v1.method) to the method"
