package token

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/traits"
)

// seen is what accepted tokens of an issuer were.
type seen struct{ users, clients, client, claimed, unclaimed bool }

// see returns what the accepted ones of some payloads are.
func see(t *testing.T, reader *reader, payloads []string) (s seen) {
	t.Helper()
	for _, payload := range payloads {
		index, err := jose.NewIndex(payload)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := reader.claims("", reader.URL, reader.payload(index), time.Time{}, 0)
		index.Release()
		if err != nil {
			continue
		}
		_, claimed := claims.OrganizationClaim()
		s.claimed, s.unclaimed = s.claimed || claimed, s.unclaimed || !claimed
		s.users, s.clients = s.users || claims.Caller() == CallerUser, s.clients || claims.Caller() == CallerClient
		s.client = s.client || claims.ClientID() != ""
	}
	return s
}

// payloads have each combination of values of the claims. An empty value stands for an absent claim.
func payloads(claims map[string][]string) []string {
	all := []string{`"iss": "https://a.test"`}
	for name, values := range claims {
		var next []string
		for _, before := range all {
			for _, value := range values {
				if value != "" {
					next = append(next, before+fmt.Sprintf(`, %q: %s`, name, value))
				} else {
					next = append(next, before)
				}
			}
		}
		all = next
	}
	for n, text := range all {
		all[n] = "{" + text + "}"
	}
	return all
}

// kindLists are settings of ClientTokens and UserTokens.
func kindLists() []map[string][]string {
	lists := []map[string][]string{nil}
	for _, name := range []string{"sub", "client_id", "sid"} {
		for _, value := range []string{AnyValue, NoValue, "x", "{client}"} {
			lists = append(lists, map[string][]string{name: {value}})
		}
	}
	return append(lists, map[string][]string{"sub": {AnyValue}, "sid": {AnyValue}}, map[string][]string{"sub": {AnyValue}, "client_id": {AnyValue}})
}

// TestTraits compares the traits of issuers with their tokens: for each combination of settings with all small tokens.
func TestTraits(t *testing.T) {
	t.Parallel()
	all := payloads(map[string][]string{
		"sub": {`"x"`, `"y"`}, "client_id": {"", `"x"`, `"z"`}, "sid": {"", `"x"`, `"y"`, `["x"]`}, "org": {"", `"acme"`},
	})
	required := []map[string][]string{nil}
	for _, name := range []string{"client_id", "sid", "org"} {
		required = append(required, map[string][]string{name: {AnyValue}}, map[string][]string{name: {NoValue}}, map[string][]string{name: {"x", "acme", ""}})
	}
	issuers := 0
	for _, clientTokens := range kindLists() {
		for _, userTokens := range kindLists() {
			for _, must := range required {
				issuer := Issuer{
					URL: "https://a.test", Algorithms: []string{"ES256"}, RequiredClaims: must, ClientTokens: clientTokens, UserTokens: userTokens, OrganizationClaim: "org",
				}
				reader, faults := issuer.compile(formJWT)
				if len(faults) > 0 {
					continue
				}
				issuers++
				compareTraits(t, issuer, reader.traits(), see(t, reader, all))
			}
		}
	}
	if issuers < 1000 {
		t.Errorf("%d issuers", issuers)
	}
}

// compareTraits makes sure that traits rule out nothing that a token is. They rule out all else, unless the values of
// two settings exclude each other.
func compareTraits(t *testing.T, issuer Issuer, traits traits.Issuer, is seen) {
	t.Helper()
	valued := strings.Contains(fmt.Sprint(issuer.ClientTokens, issuer.UserTokens), "x") || strings.Contains(fmt.Sprint(issuer.ClientTokens, issuer.UserTokens), "{client}")
	for name, trait := range map[string]struct{ can, is, exact bool }{
		"Users":                    {traits.Users, is.users, !valued && differs(issuer)},
		"Clients":                  {traits.Clients, is.clients, !valued && differs(issuer)},
		"Client":                   {traits.Client, is.client, true},
		"OrganizationClaim":        {traits.OrganizationClaim != "", is.claimed, true},
		"not OrganizationRequired": {!traits.OrganizationRequired, is.unclaimed, true},
	} {
		if trait.is && !trait.can || trait.exact && trait.is != trait.can {
			t.Errorf("%s: %t, and a token is: %t, for %v, %v, %v", name, trait.can, trait.is, issuer.RequiredClaims, issuer.ClientTokens, issuer.UserTokens)
		}
	}
}

// differs reports whether the fields of an issuer name different claims.
func differs(issuer Issuer) bool {
	for name := range issuer.ClientTokens {
		if issuer.UserTokens[name] != nil {
			return false
		}
	}
	return true
}

// TestTraitsIdentifiers makes sure that the traits tell which `iss` an issuer accepts.
func TestTraitsIdentifiers(t *testing.T) {
	t.Parallel()
	const tenant, other = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
	of := func(tenant string) string { return "https://login.microsoftonline.com/" + tenant + "/v2.0" }
	for name, test := range map[string]struct {
		issuer          Issuer
		accepts, denies string
	}{
		"a URL":       {Logto("https://a.test"), "https://a.test/oidc", "https://a.test/oidc/"},
		"a tenant":    {EntraTenants(tenant), of(tenant), of("{tid}")},
		"two tenants": {EntraTenants(tenant, other), of(other), of("00000000-0000-4000-8000-000000000003")},
		"any tenant":  {EntraAnyTenant(), of(other), of("{tid}")},
	} {
		v, err := NewVerifier(test.issuer)
		if err != nil {
			t.Fatal(err)
		}
		all, known := traits.Of(v)
		if !known || len(all) != 1 || !all[0].Accepts(test.accepts) || all[0].Accepts(test.denies) || all[0].URL != test.issuer.URL {
			t.Errorf("%s: %+v", name, all)
		}
	}
}
