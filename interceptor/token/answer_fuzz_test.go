package token_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// grantable is an oracle: it reports whether an answer may be about a good token, by its members.
func grantable(answer string) bool {
	members, ok := tokens.ReadObject([]byte(strings.TrimPrefix(answer, "\ufeff")))
	if !ok || string(members["active"]) != "true" || members["cnf"] != nil {
		return false
	}
	for _, name := range []string{"at_hash", "c_hash", "nonce", "events", "token_introspection"} {
		if members[name] != nil {
			return false
		}
	}
	text := func(name string) string {
		var value string
		if json.Unmarshal(members[name], &value) != nil {
			return ""
		}
		return value
	}
	anyOf := func(name string, values ...string) bool {
		if members[name] == nil {
			return true
		}
		for _, value := range values {
			if text := strings.ToLower(text(name)); text == value || text == "application/"+value {
				return true
			}
		}
		return false
	}
	date := func(name string) *big.Rat {
		if number := string(members[name]); number != "" && !strings.ContainsAny(number[:1], `"tfn[{`) {
			if n, ok := new(big.Rat).SetString(number); ok && n.Sign() >= 0 {
				return n
			}
		}
		return nil
	}
	late := func(name string, than int64) bool { // absent, or a date that is later
		n := date(name)
		return members[name] == nil || n != nil && n.Cmp(new(big.Rat).SetInt64(than)) > 0
	}
	early := func(name string) bool {
		n := date(name)
		return members[name] == nil || n != nil && n.Cmp(new(big.Rat).SetInt64(epoch+30)) <= 0
	}
	return anyOf("iss", issuerURL) && text("iss") == strings.TrimPrefix(text("iss"), "application/") && members["token_type"] != nil && anyOf("token_type", "bearer") &&
		anyOf("token_use", "access", "access_token") && anyOf("typ", "bearer", "at+jwt") && late("exp", epoch-30) && early("nbf") && early("iat") &&
		text("sub") != "" && !strings.ContainsFunc(text("sub")+text("client_id")+text("jti"), unicode.IsControl)
}

// huge is a number whose exact value would take too much memory.
var huge = regexp.MustCompile(`[eE][+-]?\d{4,}`)

// FuzzAnswer makes sure that only an answer that says all that it must is accepted, that its claims are the answer's,
// and that errors hold nothing of the token.
func FuzzAnswer(f *testing.F) {
	var seeds []string
	for _, test := range badAnswers() {
		if len(test.answer) < 4<<10 {
			seeds = append(seeds, test.answer)
		}
	}
	tokens.CheckSeeds(f, seeds, grantable)
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		if huge.MatchString(answer) || tokens.Replaced.MatchString(answer) {
			t.Skip("the oracle cannot hold the number, or tell the character from one that encoding/json has replaced")
		}
		synctest.Test(t, func(t *testing.T) {
			claims, err := newIntrospector(t, &fakeIssuer{answer: says(answer)}, token.Introspection{}).Verify(t.Context(), opaqueToken)
			checkConfidential(t, fmt.Sprint(err), opaqueToken)
			if err != nil {
				return
			}
			if !grantable(answer) {
				t.Errorf("%q is accepted", answer)
			}
			var said struct{ Sub string }
			if claims.Decode(&said) == nil && said.Sub != claims.Subject() {
				t.Errorf("the subject is %q, and the answer says %q", claims.Subject(), said.Sub)
			}
			if claims.Issuer() != issuerURL || claims.Deadline().Unix() > epoch+60 || !claims.Expiry().IsZero() && claims.Deadline().After(claims.Expiry().Add(30_000_000_000)) {
				t.Errorf("the claims are %+v", viewOf(claims))
			}
		})
	})
}
