package main

import authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"

// A mode tells what the server adds to the requests of the suite's clients, in front of the guard.
type mode string

const (
	withTokens     mode = "with tokens"
	withoutTokens  mode = "without tokens"
	inOrganization mode = "with an organization in each message"                  // and tokens
	inSeveralWays  mode = "with a user in each message, and with several ways in" // and an organization
)

// rule is the rule of the service.
func (m mode) rule() *authzv1.ServiceRule {
	if m == inOrganization || m == inSeveralWays {
		return organizationRule
	}
	return globalRule
}

// ways gives the rule of a method several ways in: the message takes the first away, and the header the second. The last
// way is the rule as it was, for the user that the message names.
func (m mode) ways(rule *authzv1.MethodRule) *authzv1.MethodRule {
	if m != inSeveralWays {
		return rule
	}
	return &authzv1.MethodRule{
		Authenticated: true,
		Client:        &authzv1.Identifier{Field: clientField},
		Alternatives: []*authzv1.Alternative{
			{Scopes: []string{missingScope}},
			{Authenticated: rule.GetAuthenticated(), Scopes: rule.GetScopes(), AnyScopes: rule.GetAnyScopes(), Subject: &authzv1.Identifier{Field: userField}},
		},
	}
}

// claims are the claims of tokens in this mode, beside the claims of all tokens.
func (m mode) claims() map[string]any {
	switch m {
	case inOrganization:
		return map[string]any{"organization_id": organization}
	case inSeveralWays:
		return map[string]any{"organization_id": organization, "sub": user}
	case withTokens, withoutTokens:
	}
	return nil
}

// names are the fields that each request has in this mode, with what they name.
func (m mode) names() naming {
	switch m {
	case inOrganization:
		return naming{organizationField: organization}
	case inSeveralWays:
		return naming{organizationField: organization, userField: user, clientField: "another"}
	case withTokens, withoutTokens:
	}
	return nil
}
