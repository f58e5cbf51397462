package token_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A sample is an issuer, and the payload of a good token of the issuer.
type sample struct {
	issuer  token.Issuer
	payload string
}

// samples are issuers with names of all kinds in all fields.
func samples() []sample {
	everywhere := token.Issuer{
		URL: "https://idp.test/{tenant}/v2", KeySetURL: "https://idp.test/keys", Algorithms: []string{"ES256"}, Types: []string{""}, Audience: api,
		RequiredClaims: map[string][]string{"tenant": {"t1", "t2"}, "/env/stage": {"live"}, "/client/id": {"c", "d"}, "legacy": {token.NoValue}, "/groups/*/id": {"1"}, "nonce": {"", token.AnyValue}},
		SubjectClaims:  []string{"/user/id", "sub"}, ClientClaims: []string{"azp", "/client/id"}, ScopeClaims: []string{"/roles/{scope}/*", "/a~1b/*", "scp"}, UniteScopes: true,
		ClientTokens: map[string][]string{"/client/kind": {"machine"}}, UserTokens: map[string][]string{"amr": {"pwd", "{client}"}}, OrganizationClaim: "tenant",
	}
	owned := token.Issuer{
		URL: issuerURL, Algorithms: []string{"ES256"}, OrganizationClaim: "/memberships/{organization}/current", OrganizationAudience: "org:",
		ScopeClaims: []string{"/memberships/{organization}/permissions", "/all/*/{organization}/{scope}"},
	}
	return []sample{
		{everywhere, `{"iss":"https://idp.test/t1/v2","exp":4102444800,"tenant":"t1","env":{"stage":"live"},"groups":[{"id":1},{"id":2}],"user":{"id":"u"},"client":{"id":"c","kind":"web"},"roles":{"r":["x"],"s":{}},"a/b":["p q"],"scp":"s t","amr":["pwd"]}`},
		{owned, `{"exp":4102444800,"sub":"u","client_id":"c","aud":["org:acme","https://api.test"],"memberships":{"acme":{"current":true,"permissions":["a","b"]}},"all":[{"acme":{"c":{},"d":false}}]}`},
		{token.Auth0("idp.test"), `{"exp":4102444800,"sub":"c@clients","azp":"c","permissions":["a"],"scope":"a b","org_id":"acme","aud":"https://api.test"}`},
		{token.Clerk("idp.test", api, "https://app.test"), `{"exp":4102444800,"sub":"u","azp":"https://app.test","sid":"s","v":2,"fea":"o:orders","o":{"id":"acme","per":"read,write","fpm":"3"}}`},
		{token.EntraAnyTenant(), `{"iss":"https://login.microsoftonline.com/t1/v2.0","exp":4102444800,"sub":"u","tid":"t1","azp":"c","scp":"a b","roles":["r"]}`},
		{token.Firebase("p", "password"), `{"exp":4102444800,"sub":"u","firebase":{"sign_in_provider":"password","tenant":"acme"},"permissions":["a"]}`},
		{token.Keycloak("https://idp.test/realms/a"), `{"exp":4102444800,"sub":"u","typ":"Bearer","azp":"c","client_id":"c","scope":"a b","organization":["acme"]}`},
		{token.Kubernetes("https://idp.test"), `{"exp":4102444800,"sub":"u","kubernetes.io":{"namespace":"n","serviceaccount":{"name":"s"}}}`},
		{token.Logto("https://idp.test"), `{"exp":4102444800,"sub":"u","client_id":"c","aud":"urn:logto:organization:acme","scope":"a b"}`},
		{token.Zitadel("https://idp.test", "1"), `{"exp":4102444800,"jti":"j","sub":"u","client_id":"c","urn:zitadel:iam:org:project:1:roles":{"r":{"acme":"d"},"s":{"globex":"d"}},"urn:zitadel:iam:user:resourceowner:id":"acme"}`},
		{token.Supabase("https://idp.test"), `{"exp":4102444800,"sub":"u","role":"authenticated","is_anonymous":false,"app_metadata":{"org_id":"acme","permissions":["a"]}}`},
	}
}

// otherKindsOfToken are outermost members that count although no field has a name for them: a token with one is of another kind,
// and is refused unless RequiredClaims names the member. cnf, which binds a token to its sender, is refused
// always. Inside another claim these names mean nothing.
var otherKindsOfToken = []string{"at_hash", "c_hash", "nonce", "events", "token_introspection"}

// named returns the paths that an issuer names, as steps: those of its fields, their defaults, and the claims that every
// token is read by.
func named(issuer token.Issuer) (paths [][]string) {
	names := slices.Concat(issuer.SubjectClaims, issuer.ScopeClaims, issuer.ClientClaims, []string{issuer.OrganizationClaim})
	for fallback, given := range map[string][]string{"sub": issuer.SubjectClaims, "scope": issuer.ScopeClaims, "client_id": issuer.ClientClaims} {
		if len(given) == 0 {
			names = append(names, fallback)
		}
	}
	for _, entries := range []map[string][]string{issuer.RequiredClaims, issuer.ClientTokens, issuer.UserTokens} {
		names = slices.AppendSeq(names, maps.Keys(entries))
	}
	if slices.Contains(names, token.ClerkPermissions) {
		names = append(names, "fea", "/o/per", "/o/fpm")
	}
	for _, name := range append(names, "iss", "exp", "nbf", "iat", "jti", "aud") {
		paths = append(paths, stepsOf(name))
	}
	return paths
}

// reaches reports whether a path of an issuer leads to a member, through the member, or into the value of the claim in
// which the member is.
func reaches(path, member []string) bool {
	for n := range min(len(path), len(member)) {
		if !isPlaceholder(path[n]) && path[n] != member[n] {
			return false
		}
	}
	return true
}

// spoil replaces some values of a tree, or takes members out.
func spoil(g *tokens.Grower, tree *tokens.Tree) {
	for range g.Pick(3) {
		object, _ := g.Place(tree)
		if len(object.Nodes) == 0 {
			continue
		}
		n := g.Pick(len(object.Nodes))
		if node := object.Nodes[n]; g.Pick(3) == 0 {
			object.Nodes = slices.Delete(object.Nodes, n, n+1)
		} else if node.Name != "exp" {
			object.Nodes[n] = g.Value(3)
			object.Nodes[n].Name = node.Name
		}
	}
}

// FuzzUnnamedMembers adds a member that an issuer does not name to a payload, good or bad. The member changes nothing at all,
// or refuses the token, if it is of another kind of token.
func FuzzUnnamedMembers(f *testing.F) {
	samples := samples()
	for _, sample := range samples {
		if _, err := unverified.Claims(sample.issuer, sample.payload); err != nil {
			f.Fatalf("%s: %v", sample.issuer.URL, err)
		}
	}
	members := slices.Concat(otherKindsOfToken, []string{
		"cnf", "x", "", "acme", "sub", "SUB", "scope", "scp", "aud", "client_id", "roles", "id", "o", "organization", "organization_id", "kubernetes.io/namespace", "/user/id", "a", "tenant", "t", "*", "{scope}", "permissions", "iss", "user_metadata", "exp ", "s\u0000", "typ", "email_verified",
	})
	for n := range samples {
		for m, member := range members {
			f.Add(uint8(n), member, []byte{})
			f.Add(uint8(n), member, []byte{0, uint8(m), 1, 3})
			f.Add(uint8(n), member, []byte{0, 1, uint8(m), 0, 3, 2, uint8(m)})
			f.Add(uint8(n), member, []byte{1, 0, uint8(m), 1, uint8(m) + 1, 2, 0, uint8(m)})
			f.Add(uint8(n), member, []byte{2, 1, uint8(m), 0, 1, 2, 0, uint8(m), 1, 2, 3, 4, 5, 6, 7})
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, member string, data []byte) {
		sample := samples[int(n)%len(samples)]
		tree := must(tokens.ReadTree(sample.payload))
		g := &tokens.Grower{Data: data, Names: append(members, "x", "y"), Texts: []string{"acme", "a b", "", "*", "c", "true"}}
		spoil(g, &tree)
		before := new(tokens.Grower).Write(tree)
		if tokens.Replaced.MatchString(before+member) || strings.ToValidUTF8(member, "") != member {
			return
		}
		object, path := g.Place(&tree)
		if object.Member(member) != nil {
			return
		}
		value := g.Value(3)
		value.Name = member
		object.Nodes = slices.Insert(object.Nodes, g.Pick(len(object.Nodes)+1), value)
		path = append(path, member)
		after := g.Write(tree)
		if len(after) > token.MaxBytes {
			return
		}
		checkAdded(t, sample.issuer, path, before, after)
		if t.Failed() {
			t.Logf("%s: %q\n%s\n%s", sample.issuer.URL, path, before, after)
		}
	})
}

// checkAdded adds a member to a payload, at a path, and compares the claims.
func checkAdded(t *testing.T, issuer token.Issuer, path []string, before, after string) {
	t.Helper()
	claims, err := unverified.Claims(issuer, before)
	again, againErr := unverified.Claims(issuer, after)
	isNamed := slices.ContainsFunc(named(issuer), func(name []string) bool { return reaches(name, path) })
	isKind := len(path) == 1 && (path[0] == "cnf" || slices.Contains(otherKindsOfToken, path[0]))
	switch {
	case isNamed:
		return // it may be what a token lacks
	case isKind:
		if !errors.Is(againErr, token.ErrInvalid) {
			t.Errorf("a token of another kind: %v", againErr)
		}
	case !sameError(err, againErr):
		t.Errorf("%v, and then %v", err, againErr)
	case err == nil:
		checkEqualClaims(t, again, claims)
	}
}

// checkEqualClaims compares everything that a guard asks of claims.
func checkEqualClaims(t *testing.T, got, want *token.Claims) {
	t.Helper()
	gotClaim, gotClaimed := got.OrganizationClaim()
	wantClaim, wantClaimed := want.OrganizationClaim()
	gotMeant, gotIsMeant := got.OrganizationAudience()
	wantMeant, wantIsMeant := want.OrganizationAudience()
	for name, same := range map[string]bool{
		"Issuer": got.Issuer() == want.Issuer(), "Subject": got.Subject() == want.Subject(), "ClientID": got.ClientID() == want.ClientID(), "ID": got.ID() == want.ID(), "Caller": got.Caller() == want.Caller(),
		"OrganizationID": got.OrganizationID() == want.OrganizationID(), "OrganizationClaim": gotClaim == wantClaim && gotClaimed == wantClaimed,
		"OrganizationAudience": gotMeant == wantMeant && gotIsMeant == wantIsMeant, "HasOrganizationAudience": got.HasOrganizationAudience() == want.HasOrganizationAudience(),
		"Scopes": slices.Equal(got.Scopes(), want.Scopes()), "Audience": slices.Equal(got.Audience(), want.Audience()), "Deadline": got.Deadline().Equal(want.Deadline()),
	} {
		if !same {
			t.Errorf("%s differs: %+v, and was %+v", name, got, want)
		}
	}
}

// TestRenamedMembers gives each member of a good payload another name that looks like its own. The token is then judged
// as one without the member.
func TestRenamedMembers(t *testing.T) {
	t.Parallel()
	renamed := 0
	for _, sample := range samples() {
		tree := must(tokens.ReadTree(sample.payload))
		var rename func(object *tokens.Tree, path []string)
		rename = func(object *tokens.Tree, path []string) {
			members := object.Nodes
			for n, member := range members {
				object.Nodes = slices.Delete(slices.Clone(members), n, n+1)
				before := new(tokens.Grower).Write(tree)
				for _, name := range []string{strings.ToUpper(member.Name), strings.ToUpper(member.Name[:1]) + member.Name[1:], member.Name + " ", member.Name + "\x00", " " + member.Name, "/" + member.Name, member.Name + "~0", strings.ReplaceAll(member.Name, "/", "~1"), strings.ReplaceAll(member.Name, ".", "/"), "*"} {
					other := member
					if other.Name = name; name == member.Name {
						continue
					}
					object.Nodes = append(slices.Delete(slices.Clone(members), n, n+1), other)
					checkAdded(t, sample.issuer, append(slices.Clone(path), name), before, new(tokens.Grower).Write(tree))
					renamed++
				}
				if object.Nodes = members; member.Kind == '{' {
					rename(&object.Nodes[n], append(slices.Clone(path), member.Name))
				}
			}
		}
		rename(&tree, nil)
	}
	if renamed < 400 {
		t.Errorf("%d members are renamed", renamed)
	}
}
