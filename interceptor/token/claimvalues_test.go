package token_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// values are the values of a good credential, with a change.
func values(change func(*token.ClaimValues)) token.ClaimValues {
	v := token.ClaimValues{
		Issuer: "https://api.test/keys", Subject: "user_1", ClientID: "app_1", ID: "key_1", Caller: token.CallerUser,
		Audience: []string{api}, Scopes: []string{"read:a", "write:b"}, Expiry: time.Unix(epoch+100, 0), Deadline: time.Unix(epoch+10, 0),
	}
	if change != nil {
		change(&v)
	}
	return v
}

// TestNewClaims makes sure that claims have the values that they were made of.
func TestNewClaims(t *testing.T) {
	t.Parallel()
	good := view{
		Issuer: "https://api.test/keys", Subject: "user_1", Client: "app_1", ID: "key_1", Caller: token.CallerUser,
		Audience: []string{api}, Scopes: []string{"read:a", "write:b"}, Expiry: epoch + 100, Deadline: epoch + 10,
	}
	const forOrganization = "urn:logto:organization:o"
	for name, test := range map[string]struct {
		change func(*token.ClaimValues)
		want   func(*view)
	}{
		"all":                      {nil, func(*view) {}},
		"no deadline":              {func(v *token.ClaimValues) { v.Deadline = time.Time{} }, func(v *view) { v.Deadline = epoch + 100 }},
		"no expiry":                {func(v *token.ClaimValues) { v.Expiry = time.Time{} }, func(v *view) { v.Expiry = time.Time{}.Unix() }},
		"a deadline at the expiry": {func(v *token.ClaimValues) { v.Deadline = v.Expiry }, func(v *view) { v.Deadline = epoch + 100 }},
		"only what is required": {func(v *token.ClaimValues) {
			*v = token.ClaimValues{Issuer: v.Issuer, Subject: v.Subject, Expiry: v.Expiry}
		}, func(v *view) {
			*v = view{Issuer: v.Issuer, Subject: v.Subject, Expiry: epoch + 100, Deadline: epoch + 100}
		}},
		"an organization": {func(v *token.ClaimValues) { v.OrganizationID = "o" }, func(v *view) { v.Organization, v.Claim, v.HasClaim = "o", "o", true }},
		"an organization in aud": {func(v *token.ClaimValues) { v.Audience = []string{forOrganization} }, func(v *view) {
			v.Audience, v.Organization, v.Meant, v.HasMeant, v.HasAnyOrganizationIn = []string{forOrganization}, "o", "o", true, true
		}},
		"an organization in aud beside another": {func(v *token.ClaimValues) { v.Audience = []string{api, forOrganization} }, func(v *view) {
			v.Audience, v.Organization, v.HasAnyOrganizationIn = []string{api, forOrganization}, "", true
		}},
		"two organizations": {func(v *token.ClaimValues) { v.Audience, v.OrganizationID = []string{forOrganization}, "p" }, func(v *view) {
			v.Audience, v.Claim, v.HasClaim, v.Meant, v.HasMeant, v.HasAnyOrganizationIn = []string{forOrganization}, "p", true, "o", true, true
		}},
		"a client":         {func(v *token.ClaimValues) { v.Caller = token.CallerClient }, func(v *view) { v.Caller = token.CallerClient }},
		"an issuer's name": {func(v *token.ClaimValues) { v.Issuer = "keys" }, func(v *view) { v.Issuer = "keys" }},
		"odd scopes": {func(v *token.ClaimValues) { v.Scopes = []string{"!#[]~", "https://api.test/read?a=b"} }, func(v *view) {
			v.Scopes = []string{"!#[]~", "https://api.test/read?a=b"}
		}},
		"many scopes": {func(v *token.ClaimValues) { v.Scopes = slices.Repeat([]string{"s", "r"}, 20) }, func(v *view) {
			v.Scopes = slices.Repeat([]string{"s", "r"}, 20)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := values(test.change)
			claims, err := token.NewClaims(given)
			if err != nil {
				t.Fatal(err)
			}
			want := good
			test.want(&want)
			if got := viewOf(claims); !reflect.DeepEqual(got, want) {
				t.Errorf("claims are\n%+v, want\n%+v", got, want)
			}
			for _, scope := range want.Scopes {
				if !claims.HasScope(scope) || claims.HasScope(scope+"x") {
					t.Errorf("HasScope(%q)", scope)
				}
			}
			var decoded struct {
				Iss, Sub, Scope, Jti string
				Aud                  []string
				Client               string  `json:"client_id"`
				Organization         *string `json:"organization_id"`
			}
			if err := claims.Decode(&decoded); err != nil || decoded.Iss != want.Issuer || decoded.Sub != want.Subject || decoded.Client != want.Client || decoded.Jti != want.ID ||
				decoded.Scope != strings.Join(want.Scopes, " ") || !slices.Equal(decoded.Aud, want.Audience) || (decoded.Organization != nil) != want.HasClaim {
				t.Errorf("Decode: %+v, %v", decoded, err)
			}
			// Nobody changes claims.
			for _, list := range [][]string{given.Scopes, given.Audience, claims.Scopes(), claims.Audience()} {
				for n := range list {
					list[n] = "changed"
				}
			}
			given.OrganizationID = "changed"
			if got := viewOf(claims); !reflect.DeepEqual(got, want) || claims.HasScope("changed") || claims.HasAudience("changed") {
				t.Errorf("claims have changed: %+v", got)
			}
		})
	}
}

// TestNewClaimsFaults makes sure that one error names every fault, and holds no value.
func TestNewClaimsFaults(t *testing.T) {
	t.Parallel()
	const prefix, unset, spaced, control = "token: NewClaims: ", " is empty", " has white space around it", " has a control character"
	const aScope = "Scopes has a value that is not a scope (RFC 6749 section 3.3)"
	for name, test := range map[string]struct {
		change func(*token.ClaimValues)
		want   []string
	}{
		"nothing": {func(v *token.ClaimValues) { *v = token.ClaimValues{} }, []string{"Issuer" + unset, "Subject" + unset, "Deadline is not set"}},
		"blank": {func(v *token.ClaimValues) {
			v.Issuer, v.Subject, v.ClientID, v.ID, v.OrganizationID = " ", "\t", " ", " ", " "
		}, []string{"Issuer" + unset, "Subject" + unset, "ClientID" + unset, "ID" + unset, "OrganizationID" + unset}},
		"spaces": {func(v *token.ClaimValues) {
			v.Issuer, v.Subject, v.ClientID, v.ID, v.OrganizationID = "zebra99 ", "zebra99\n", " zebra99", "zebra99\t", "zebra99 "
		}, []string{"Issuer" + spaced, "Subject" + spaced, "ClientID" + spaced, "ID" + spaced, "OrganizationID" + spaced}},
		"control characters": {func(v *token.ClaimValues) {
			v.Issuer, v.Subject, v.ClientID, v.ID, v.OrganizationID = "zebra99\x00a", "zebra99\x7fa", "zebra99\u0085a", "zebra99\na", "zebra99\x1ba"
		}, []string{"Issuer" + control, "Subject" + control, "ClientID" + control, "ID" + control, "OrganizationID" + control}},
		"not UTF-8": {func(v *token.ClaimValues) {
			v.Issuer, v.Subject, v.ClientID, v.Audience = "zebra99\xff", "zebra99\xff", "zebra99\xc3", []string{"zebra99\xff"}
		}, []string{
			"Issuer is not UTF-8", "Subject is not UTF-8", "ClientID is not UTF-8", "Audience has a value that is not UTF-8",
		}},
		"audiences":       {func(v *token.ClaimValues) { v.Audience = []string{"zebra99", ""} }, []string{"Audience has an empty value"}},
		"scopes":          {func(v *token.ClaimValues) { v.Scopes = []string{"read:a", "zebra99 zebra99", ""} }, []string{aScope}},
		"a scope's space": {func(v *token.ClaimValues) { v.Scopes = []string{"zebra99 zebra99"} }, []string{aScope}},
		"a scope's line":  {func(v *token.ClaimValues) { v.Scopes = []string{"zebra99\nzebra99"} }, []string{aScope}},
		"a scope's quote": {func(v *token.ClaimValues) { v.Scopes = []string{`"zebra99"`} }, []string{aScope}},
		"a scope beyond":  {func(v *token.ClaimValues) { v.Scopes = []string{"zebra99é"} }, []string{aScope}},
		"a backslash":     {func(v *token.ClaimValues) { v.Scopes = []string{`zebra99\`} }, []string{aScope}},
		"DEL":             {func(v *token.ClaimValues) { v.Scopes = []string{"zebra99\x7f"} }, []string{aScope}},
		"an organization in aud": {func(v *token.ClaimValues) { v.Audience = []string{"urn:logto:organization:zebra99\n"} }, []string{
			"Audience names an organization that has a control character",
		}},
		"a caller below":  {func(v *token.ClaimValues) { v.Caller = -1 }, []string{"Caller is none of"}},
		"a caller beyond": {func(v *token.ClaimValues) { v.Caller = token.CallerClient + 1 }, []string{"Caller is none of"}},
		"no dates":        {func(v *token.ClaimValues) { v.Expiry, v.Deadline = time.Time{}, time.Time{} }, []string{"Deadline is not set"}},
		"a late deadline": {func(v *token.ClaimValues) { v.Deadline = v.Expiry.Add(1) }, []string{"Deadline is after Expiry"}},
		"many": {func(v *token.ClaimValues) {
			*v = token.ClaimValues{
				ClientID: " ", ID: "a\x00b", Caller: 9, Audience: []string{"", "urn:logto:organization:zebra99\n"}, Scopes: []string{""}, OrganizationID: "a ",
				Expiry: time.Unix(1, 0), Deadline: time.Unix(2, 0),
			}
		}, []string{
			"Issuer" + unset, "Subject" + unset, "ClientID" + unset, "ID" + control, "OrganizationID" + spaced, "Audience has an empty value",
			aScope, "Caller is none of", "Deadline is after Expiry", "Audience names an organization that has a control character",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := token.NewClaims(values(test.change))
			if claims != nil || err == nil {
				t.Fatalf("%v, %v", claims, err)
			}
			var want []string
			for _, fault := range test.want {
				want = append(want, prefix+fault)
			}
			if lines := strings.Split(err.Error(), "\n"); !slices.EqualFunc(lines, want, strings.HasPrefix) {
				t.Errorf("the faults are\n%s", err)
			}
			checkConfidential(t, err.Error(), "zebra99")
		})
	}
}

// TestNewClaimsJSON makes sure that handlers can answer with claims.
func TestNewClaimsJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(must(token.NewClaims(values(func(v *token.ClaimValues) { v.OrganizationID = "o" }))))
	if want := `{"sub":"user_1","clientId":"app_1","organizationId":"o","scopes":["read:a","write:b"],"audience":["https://api.test"]}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

// TestNewClaimsDates makes sure that NewClaims takes dates of the past: a guard refuses them.
func TestNewClaimsDates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		claims, err := token.NewClaims(values(func(v *token.ClaimValues) { v.Expiry, v.Deadline = time.Now().Add(-1), time.Time{} }))
		if err != nil || !claims.Deadline().Equal(claims.Expiry()) {
			t.Errorf("%v, %v", claims, err)
		}
	})
}
