package explain_test

import (
	"encoding/base64"
	"flag"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/explain"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

var codes = []connect.Code{connect.CodePermissionDenied, connect.CodeInternal, connect.CodeUnavailable, connect.CodeUnauthenticated}

// whole reports whether all tests run.
func whole() bool {
	return !testing.Short() && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
}

func decodeSegment(segment string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(segment)
}

// piece is the size of the pieces that checkSilent looks for.
const piece = 8

// checkSilent makes sure that an explanation does not hold the signature of a token, nor a piece of a
// malformed token.
func checkSilent(t *testing.T, name string, c *catalogue.Case, q explain.Question, text string) {
	t.Helper()
	told := func(secret string, public string) {
		for n := piece; n <= min(len(secret), 4<<10); n++ {
			if part := secret[n-piece : n]; strings.Contains(text, part) && !strings.Contains(public, part) {
				t.Errorf("%s: %q is told: %q", name, part, text)
				return
			}
		}
	}
	fixed := ""
	if c.Want == catalogue.Malformed || c.Want == catalogue.Unsupported {
		for _, authorization := range [][]string{{"Bearer ~"}, {"~"}, {"Bearer ~ ~"}} {
			q.Authorization = authorization
			_, same := explained(t, q)
			fixed += same
		}
	}
	for _, value := range c.Authorization {
		if c.Want == catalogue.Malformed || c.Want == catalogue.Unsupported {
			told(value, fixed)
		}
		if raw, err := token.Bearer([]string{value}); err == nil && strings.Count(raw, ".") == 2 {
			told(raw[strings.LastIndexByte(raw, '.')+1:], "")
		}
	}
}

// steps holds all steps that refuse a call of the table, with the reasons.
var steps = func() map[string]bool {
	steps := map[string]bool{}
	for check, reasons := range map[explain.Check][]catalogue.Answer{
		explain.CheckRule:          {catalogue.Ruleless},
		explain.CheckAuthorization: {catalogue.Missing, catalogue.Unsupported, catalogue.Malformed},
		explain.CheckForm:          {catalogue.Malformed},
		explain.CheckHeader:        {catalogue.Invalid},
		explain.CheckTime:          {catalogue.Invalid, catalogue.Expired, catalogue.NotYetValid},
		explain.CheckSignature:     {catalogue.Invalid, catalogue.Unavailable, catalogue.Unanswered, catalogue.Busy, catalogue.Failed},
		explain.CheckClaims:        {catalogue.Invalid},
		explain.CheckModel:         {catalogue.Audience, catalogue.Model},
		explain.CheckCaller:        {catalogue.Caller},
		explain.CheckScopes:        {catalogue.Insufficient("")},
		explain.CheckOrganization:  {catalogue.Organization},
		explain.CheckSubject:       {catalogue.Subject},
	} {
		for _, answer := range reasons {
			steps[string(check)+" "+answer.Reason] = true
		}
	}
	return steps
}()
