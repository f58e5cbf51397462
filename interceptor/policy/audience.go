package policy

import (
	"cmp"
	"fmt"
	"strings"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// WithAudience sets the resource indicator (RFC 8707) of all methods whose annotations
// have none. There is no default. An empty audience is a fault of the option, not of the
// methods.
func WithAudience(audience string) Option {
	return func(c *compiler) {
		if audience == "" {
			c.audienceEmpty = true
			c.argumentFault(Place{}, "WithAudience", "", "audience is empty: give the API's resource indicator; if a variable or a file should supply it, set the variable or fill the file")
			return
		}
		if c.audience != "" && c.audience != audience {
			c.argumentFault(Place{}, "WithAudience", c.audience, "given twice, as %q and %q: give one audience", c.audience, audience)
		}
		if err := checkAudience(audience); err != nil {
			c.argumentFault(Place{}, "WithAudience", audience, "%v", err)
		}
		c.audience = cmp.Or(c.audience, audience)
	}
}

func (c *compiler) audienceOf(way *Way, about Place, option wayOption, service *authzv1.ServiceRule) {
	way.Audience = cmp.Or(option.GetAudience(), service.GetAudience(), c.audience)
	if option.GetAudience() == "" && service.GetAudience() != "" {
		way.inherited = append(way.inherited, "audience")
	}
	if way.Model == authzv1.Model_MODEL_ORGANIZATION && option.GetAudience() != "" {
		c.wayFault(way, way.FieldPlace("audience"), FaultRuleConflict, "audience is set beside MODEL_ORGANIZATION, whose audience is the organization: remove audience")
	}
	switch {
	case way.Audience != "":
		// The audience of the service or of WithAudience is checked once, not for each method.
		if err := checkAudience(way.Audience); err != nil && option.GetAudience() != "" {
			c.wayFault(way, way.FieldPlace("audience"), FaultAudienceInvalid, "%v", err)
		}
	case way.Model != authzv1.Model_MODEL_ORGANIZATION && !c.audienceEmpty:
		c.wayFault(way, about, FaultAudienceMissing, "no audience: set it in the annotation or with WithAudience")
	}
}

// logtoNamespace is the namespace of urn:logto:organization:<id> and urn:logto:resource:organizations.
const logtoNamespace = "urn:logto:"

// checkAudience returns an error unless an audience, or the empty string, can belong to an API.
func checkAudience(audience string) error {
	if strange(audience) {
		return fmt.Errorf("audience %q has a space, or a character that cannot be printed: give the API's resource indicator as the issuer has it", audience)
	}
	// The scheme and the namespace of a URN have no case (RFC 8141 section 3.1).
	if len(audience) >= len(logtoNamespace) && strings.EqualFold(audience[:len(logtoNamespace)], logtoNamespace) {
		return fmt.Errorf("audience %q belongs to Logto, and a token for it has all scopes of an organization: "+
			"give the API's resource indicator; for permissions of organizations, use MODEL_ORGANIZATION without an audience", audience)
	}
	return nil
}
