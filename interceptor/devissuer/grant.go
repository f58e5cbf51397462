package devissuer

import (
	"maps"
	"slices"
	"strings"
)

// A Request asks [Issuer.Grant] for a token. A Resource alone asks for a token for an API, an Organization
// alone for an organization token, and both for a token for the API in the organization.
type Request struct {
	// Subject is the id of the user whose token it is. The default is the client itself.
	Subject string

	// Client is the id of the client that asks. It is required without Subject. Without Client, the client_id of a
	// user's token is devissuer.
	Client string

	// Resource is the indicator of the API that the token is for.
	Resource string

	// Organization is the id of the organization that the token is for.
	Organization string

	// Scopes are the scopes to ask for. The token leaves out a scope that the user or client does not
	// hold. Without Scopes the token has none, and most methods refuse it.
	Scopes []string

	// Claims are added last, as described at [Config].
	Claims map[string]any
}

// Grant returns the token that the token endpoint gives to a client, or a token for a user in the same form, and
// the scopes that the token leaves out. Grant asks for no secret. The error is a [*Fault] that names the field of
// the request, unless a claim has no JSON form.
func (i *Issuer) Grant(request Request, options ...MintOption) (token string, leftOut []string, err error) {
	claims, scopes, err := i.grant(request)
	if err != nil {
		return "", nil, err
	}
	for _, scope := range request.Scopes {
		if !slices.Contains(scopes, scope) && !slices.Contains(leftOut, scope) {
			leftOut = append(leftOut, scope)
		}
	}
	token, err = i.make(claims, format{opaque: i.opaque}, options)
	return token, leftOut, err
}

// grant returns the claims of a token, and its scopes.
func (i *Issuer) grant(request Request) (claims map[string]any, scopes []string, err error) {
	holder, clientID, err := i.holder(request)
	if err != nil {
		return nil, nil, err
	}
	// The zero Membership is right without an organization.
	membership, member := holder.Organizations[request.Organization]
	if !member && request.Organization != "" {
		return nil, nil, fault("Organization", "%q is not a member: %s", holder.ID,
			known("the organizations of "+holder.ID, slices.Sorted(maps.Keys(holder.Organizations))))
	}
	if request.Resource == "" && request.Organization == "" {
		return nil, nil, fault("Resource", "%s", neitherGiven)
	}
	if _, ok := i.resources[request.Resource]; !ok && request.Resource != "" {
		return nil, nil, fault("Resource", "no such resource: %s", known("the resources", slices.Sorted(maps.Keys(i.resources))))
	}

	claims = i.stamp(clientID)
	claims["sub"] = holder.ID
	switch {
	case request.Resource == "":
		claims["aud"] = organizationURN + request.Organization
		scopes = common(membership.OrganizationScopes, request.Scopes)
	case request.Organization == "":
		claims["aud"] = request.Resource
		scopes = common(request.Scopes, holder.Scopes[request.Resource])
	default:
		claims["aud"] = request.Resource
		claims["organization_id"] = request.Organization
		scopes = common(request.Scopes, membership.Scopes[request.Resource])
	}
	// Logto leaves an empty scope out of a token for an API alone.
	if len(scopes) > 0 || request.Resource == "" {
		claims["scope"] = strings.Join(scopes, " ")
	}
	for _, more := range []map[string]any{i.claims, holder.Claims, membership.Claims, request.Claims} {
		claims = merge(claims, more)
	}
	return claims, scopes, nil
}

const neitherGiven = "give resource for an API token, organization_id for an organization token, or both for an API token of the organization"

// holder returns the user or client whose token is asked for, and the id of the client that asks.
func (i *Issuer) holder(request Request) (holder User, clientID string, err error) {
	client, ok := i.clients[request.Client]
	if !ok && (request.Client != "" || request.Subject == "") {
		return User{}, "", fault("Client", "no such client: %s", known("the clients", slices.Sorted(maps.Keys(i.clients))))
	}
	if request.Subject == "" {
		return client.held(), client.ID, nil
	}
	user, ok := i.users[request.Subject]
	if !ok {
		return User{}, "", fault("Subject", "no such user: %s", known("the users", slices.Sorted(maps.Keys(i.users))))
	}
	if request.Client == "" {
		return user, mintClientID, nil
	}
	return user, client.ID, nil
}

// common returns the scopes that are in both lists, each once, in the order of the first list.
func common(first, second []string) (scopes []string) {
	for _, scope := range first {
		if slices.Contains(second, scope) && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}
