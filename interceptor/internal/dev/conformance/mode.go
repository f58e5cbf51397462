package main

import authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"

// A mode is what is added to the requests of the suite's clients, in front of the guard.
type mode string

const (
	withTokens     mode = "with tokens"
	withoutTokens  mode = "without tokens"
	inOrganization mode = "with an organization in each message" // and tokens
)

// rule is that of the service.
func (m mode) rule() *authzv1.ServiceRule {
	if m == inOrganization {
		return organizationRule
	}
	return globalRule
}

// claims are those that tokens have beside what all tokens have.
func (m mode) claims() map[string]any {
	if m == inOrganization {
		return map[string]any{"organization_id": organization}
	}
	return nil
}
