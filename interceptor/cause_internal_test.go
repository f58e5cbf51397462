package interceptor

import (
	"testing"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestRareCauses makes sure of the causes of rules that few services have, or that another version of the
// library has compiled.
func TestRareCauses(t *testing.T) {
	t.Parallel()
	const (
		remedy  = " from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer"
		noPlace = "the rule has no place where the request names its organization: give the rule organization.field, organization.header or organization.token"
	)
	for name, test := range map[string]struct{ got, want string }{
		"one scope, as the only alternative": {
			(&missingScopes{way: &policy.Way{AnyScopes: []string{"a"}}}).Error(), "the token lacks the scope a: the client must request it" + remedy,
		},
		"a scope, and an only alternative": {
			(&missingScopes{way: &policy.Way{Scopes: []string{"a"}, AnyScopes: []string{"b"}}}).Error(), "the token lacks the scope a and the scope b: the client must request them" + remedy,
		},
		"no organization, by claims without an issuer": {
			organizationAbsentCause(nil), "the token has no organization claim, and the method is for an organization: the client must request a token for an organization, and token.Issuer.OrganizationClaim must name the claim",
		},
		"an unknown kind of caller": {
			callerCause(99, token.CallerUser), "the rule asks for a kind of caller that this version of protoauthz does not know: the server must update protoauthz",
		},
		"an unknown kind of caller, of an unknown token": {
			callerCause(authzv1.Caller_CALLER_ANY, token.CallerUnknown), "the rule asks for a kind of caller that this version of protoauthz does not know: the server must update protoauthz",
		},
		"no place of the organization":         {headerCause(nil, nil), noPlace},
		"another place than a header":          {headerCause(&policy.Organization{Location: policy.LocationField}, nil), noPlace},
		"an unknown place of the organization": {headerCause(new(policy.Organization), nil), noPlace},
	} {
		if test.got != test.want {
			t.Errorf("%s:\n     %q\nwant %q", name, test.got, test.want)
		}
	}
}
