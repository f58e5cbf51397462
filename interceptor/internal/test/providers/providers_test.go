package providers_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/guide"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/providers"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestProviders holds the presets and the literals of the guide against tokens that have the shape of each
// provider's: what they say, what they grant, and what they must not grant.
func TestProviders(t *testing.T) {
	t.Parallel()
	issuers := presets()
	for _, literal := range guide.Literals() {
		if _, twice := issuers[literal.Name]; twice {
			t.Errorf("%s has two issuers", literal.Name)
		}
		issuers[literal.Name] = literal.Issuer
	}
	for _, setup := range providers.Load(t) {
		issuer, ok := issuers[setup.Name]
		delete(issuers, setup.Name)
		t.Run(setup.Name, func(t *testing.T) {
			t.Parallel()
			if !ok {
				t.Fatal("there is no issuer")
			}
			providers.Keys()
			synctest.Test(t, func(t *testing.T) { checkSetup(t, setup, issuer) })
		})
	}
	for name := range issuers {
		t.Errorf("there is no setup %q", name)
	}
}

func checkSetup(t *testing.T, s *providers.Setup, issuer token.Issuer) {
	t.Helper()
	verifier, err := token.NewVerifier(issuer, token.WithTransport(s.Provider()))
	if err != nil {
		t.Fatal(err)
	}
	judge := newJudge(t, s, verifier)
	accepted := 0
	for _, tok := range s.Tokens {
		raw, iss := s.Sign(t, tok)
		claims, err := verifier.Verify(t.Context(), raw)
		if (tok.Want == nil) == (tok.Refused == "") {
			t.Fatalf("%s: it must be either accepted or refused", tok.Name)
		}
		if tok.Refused != "" {
			for _, variant := range tok.Variants() {
				raw, _ := s.Sign(t, variant)
				if granted := judge.granted(raw); len(granted) > 0 {
					t.Errorf("%s (%s): it grants %q", tok.Name, tok.Refused, granted)
				}
			}
			continue
		}
		accepted++
		if err != nil {
			t.Errorf("%s: %v", tok.Name, err)
			continue
		}
		checkClaims(t, tok, iss, claims)
		if got, want := judge.granted(raw), judge.wanted(tok, claims.Caller()); !slices.Equal(got, want) {
			t.Errorf("%s: it grants\n%q, want\n%q", tok.Name, got, want)
		}
	}
	if accepted == 0 {
		t.Error("no token is accepted")
	}
}

func checkClaims(t *testing.T, tok *providers.Token, iss string, claims *token.Claims) {
	t.Helper()
	want := tok.Want
	caller := claims.Caller().String()
	for _, check := range []struct {
		name      string
		got, want any
		given     bool
	}{
		{"issuer", claims.Issuer(), iss, true},
		{"subject", claims.Subject(), want.Subject, want.Subject != ""},
		{"client", claims.ClientID(), want.Client, want.Client != ""},
		{"caller", caller, want.Caller, want.Caller != "" && want.Caller != "!user"},
		{"a user", caller == "user", false, want.Caller == "!user"},
		{"organization", claims.OrganizationID(), want.Organization, true},
	} {
		if check.given && check.got != check.want {
			t.Errorf("%s: %s is %v, want %v", tok.Name, check.name, check.got, check.want)
		}
	}
	for _, scope := range want.Scopes {
		if !claims.HasScope(scope) {
			t.Errorf("%s: it lacks %q and has %q", tok.Name, scope, claims.Scopes())
		}
	}
	for _, scope := range want.Lacks {
		if claims.HasScope(scope) {
			t.Errorf("%s: it has %q", tok.Name, scope)
		}
	}
}

// A judge calls methods of all kinds.
type judge struct {
	t             *testing.T
	guard         *interceptor.Guard
	scopes        []string
	organizations []string
}

const (
	foreignOrganization = "an organization that is nobody's"
	foreignScope        = "scope:that:nobody:has"
)

// newJudge compiles a service for each model, and one for another API. Each has a method for every caller, for users,
// for clients, and for each scope that stands somewhere in the setup.
func newJudge(t *testing.T, s *providers.Setup, verifier *token.Verifier) *judge {
	t.Helper()
	j := &judge{t: t, organizations: append([]string{"", foreignOrganization}, s.Organizations...), scopes: []string{foreignScope}}
	for _, tok := range s.Tokens {
		if tok.Want != nil {
			j.scopes = append(j.scopes, slices.Concat(tok.Want.Scopes, tok.Want.Lacks)...)
		}
	}
	slices.Sort(j.scopes)
	j.scopes = slices.Compact(j.scopes)
	methods := []string{"authenticated: true", "authenticated: true, caller: CALLER_USER", "authenticated: true, caller: CALLER_CLIENT"}
	for _, scope := range j.scopes {
		methods = append(methods, fmt.Sprintf("scopes: [%q]", scope))
	}
	source := `syntax = "proto3"; package t; import "protoauthz/v1/authz.proto"; message M {}`
	for name, rule := range map[string]string{
		"Global": "model: MODEL_GLOBAL_RESOURCE", "Other": `model: MODEL_GLOBAL_RESOURCE, audience: "https://other.example.com"`,
		"Member":   `model: MODEL_ORGANIZATION, organization: {header: "organization"}`,
		"Resource": `model: MODEL_ORGANIZATION_RESOURCE, organization: {header: "organization"}`,
	} {
		source += "\nservice " + name + " { option (protoauthz.v1.service) = {" + rule + "};"
		for n, method := range methods {
			source += fmt.Sprintf("\nrpc M%d(M) returns (M) { option (protoauthz.v1.method) = {%s}; }", n, method)
		}
		source += "}"
	}
	files, err := protos.Compile(t.Context(), "../../../../proto", map[string]string{"t.proto": source}, "t.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(files, policy.WithAudience(s.Audience), policy.WithSharedScopes(j.scopes...))
	if err != nil {
		t.Fatal(err)
	}
	j.guard = interceptor.New(verifier, table)
	return j
}

// granted returns the methods that a token grants, with the organization that the request names.
func (j *judge) granted(raw string) (granted []string) {
	for _, service := range []string{"Global", "Member", "Other", "Resource"} {
		for _, organization := range j.organizations {
			for n := range len(j.scopes) + 3 {
				header := http.Header{"Authorization": {"Bearer " + raw}}
				if organization != "" {
					header.Set("organization", organization)
				}
				if _, denial := j.guard.Admit(j.t.Context(), fmt.Sprintf("/t.%s/M%d", service, n), header); denial == nil {
					granted = append(granted, fmt.Sprintf("%s M%d %s", service, n, organization))
				}
			}
		}
	}
	return granted
}

// wanted returns the methods that a token must grant.
func (j *judge) wanted(tok *providers.Token, caller token.Caller) (wanted []string) {
	service, organizations := "Global", j.organizations // a global method does not ask for the organization
	if tok.Want.Organization != "" {
		service, organizations = "Resource", []string{tok.Want.Organization}
	}
	for _, organization := range organizations {
		for n := range len(j.scopes) + 3 {
			ok := n == 0 || n == 1 && caller == token.CallerUser || n == 2 && caller == token.CallerClient || n >= 3 && slices.Contains(tok.Want.Scopes, j.scopes[n-3])
			if ok {
				wanted = append(wanted, fmt.Sprintf("%s M%d %s", service, n, organization))
			}
		}
	}
	return wanted
}
