package main

import authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"

// A mode tells what the server adds to the requests of the suite's clients, in front of the guard.
type mode string

const (
	withTokens     mode = "with tokens"
	withoutTokens  mode = "without tokens"
	inOrganization mode = "with an organization in each message" // and tokens
)

// rule is the rule of the service.
func (m mode) rule() *authzv1.ServiceRule {
	if m == inOrganization {
		return organizationRule
	}
	return globalRule
}

// claims are the claims of tokens in this mode, beside the claims of all tokens.
func (m mode) claims() map[string]any {
	if m == inOrganization {
		return map[string]any{"organization_id": organization}
	}
	return nil
}
