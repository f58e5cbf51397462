package token_test

import (
	"cmp"
	"encoding/json"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// expectation is what the oracle reads from a payload.
type expectation struct {
	expires, notBefore    int64 // whole seconds
	issued                int64
	subject, client, id   string
	audience, scopes      []string
	organization          *string
	organizationAudiences []string
}

// readClaims is an oracle: it reads a payload as the issuer's by the standard
// library alone, and returns the fault.
func readClaims(issuer token.Issuer, payload []byte) (c expectation, fault string) {
	members, ok := tokens.ReadObject(payload)
	if !ok {
		return c, "it is not a sound object"
	}
	text := func(name string) *string {
		raw, ok := members[name]
		if !ok {
			return nil
		}
		var value any
		_ = json.Unmarshal(raw, &value)
		text, ok := value.(string)
		if !ok {
			fault = name + " is not a string"
		}
		return &text
	}
	texts := func(name string) (values []string, array, ok bool) {
		raw, ok := members[name]
		if !ok {
			return nil, false, false
		}
		var elements []any
		if raw[0] != '[' {
			return []string{*text(name)}, false, true
		} else if json.Unmarshal(raw, &elements) != nil {
			fault = name + " cannot be read"
		}
		for _, element := range elements {
			text, ok := element.(string)
			if !ok {
				fault = name + " has an element that is not a string"
			}
			values = append(values, text)
		}
		return values, true, true
	}
	date := func(name string) *big.Rat {
		raw, ok := members[name]
		if !ok {
			return nil
		}
		seconds, ok := new(big.Rat).SetString(string(raw))
		if !ok || raw[0] == '"' || seconds.Sign() < 0 || seconds.Cmp(big.NewRat(never, 1)) > 0 {
			fault = name + " is not a date"
			return nil
		}
		return seconds
	}
	floor := func(r *big.Rat) int64 { return new(big.Int).Quo(r.Num(), r.Denom()).Int64() } // for numbers that are not negative
	ceil := func(r *big.Rat) int64 { return -new(big.Int).Div(new(big.Int).Neg(r.Num()), r.Denom()).Int64() }
	exp, iat := date("exp"), date("iat")
	if exp == nil {
		fault = cmp.Or(fault, "exp is missing")
	} else {
		c.expires = floor(exp)
	}
	if nbf := date("nbf"); nbf != nil {
		c.notBefore = ceil(nbf)
	}
	if iat != nil {
		c.issued = ceil(iat)
	}
	if most := issuer.MaxLifetime; most > 0 && (iat == nil || exp != nil && new(big.Rat).Sub(exp, iat).Cmp(big.NewRat(int64(most), int64(time.Second))) > 0) {
		fault = "it lives too long"
	}
	for _, name := range []string{"cnf", "at_hash", "c_hash", "nonce", "events", "token_introspection"} {
		if _, ok := members[name]; ok {
			fault = "it has " + name
		}
	}
	if sub := text("sub"); sub == nil || *sub == "" {
		fault = "sub is missing"
	} else {
		c.subject = *sub
	}
	if jti := text("jti"); jti != nil {
		c.id = *jti
	}
	c.audience, _, _ = texts("aud")
	for _, audience := range c.audience {
		if prefix := issuer.OrganizationAudience; prefix != "" && strings.HasPrefix(audience, prefix) {
			c.organizationAudiences = append(c.organizationAudiences, audience[len(prefix):])
		}
	}
	if issuer.OrganizationClaim != "" {
		c.organization = text(issuer.OrganizationClaim)
	}
	for _, name := range slices.Backward(issuer.ScopeClaims) { // the first stays
		switch scopes, array, ok := texts(name); {
		case array && name == "scope":
			fault = "scope is an array"
		case array:
			c.scopes = scopes
		case ok:
			c.scopes = slices.DeleteFunc(strings.Split(scopes[0], " "), func(s string) bool { return s == "" })
		}
	}
	for _, name := range issuer.ClientClaims {
		switch client := text(name); {
		case client == nil:
		case *client == "" || c.client != "" && c.client != *client:
			fault = name + " contradicts"
		default:
			c.client = *client
		}
	}
	for _, identity := range slices.Concat([]string{c.subject, c.id, c.client}, c.organizationAudiences) {
		if control.MatchString(identity) {
			fault = "it has a control character"
		}
	}
	if c.organization != nil && control.MatchString(*c.organization) {
		fault = "it has a control character"
	}
	return c, fault
}

// far finds exponents that are too large for exact arithmetic.
var far = regexp.MustCompile(`[eE][+-]?[0-9]{4}`)

// control finds the characters of Unicode's category Cc.
var control = regexp.MustCompile(`\p{Cc}`)

// check compares claims with the expectation.
func (c expectation) check(t testing.TB, issuer token.Issuer, claims *token.Claims, leeway time.Duration) {
	t.Helper()
	expiry := time.Unix(c.expires, 0)
	caller := token.CallerUnknown
	subject := strings.Join(issuer.ClientTokens["sub"], "")
	if before, after, ok := strings.Cut(subject, "{client}"); ok && c.client != "" {
		if caller = token.CallerUser; c.subject == before+c.client+after {
			caller = token.CallerClient
		}
	}
	claim, claimed := "", c.organization != nil
	if claimed {
		claim = *c.organization
	}
	meant := ""
	if len(c.audience) == 1 && len(c.organizationAudiences) == 1 {
		meant = c.organizationAudiences[0]
	}
	// The claim and all values of aud must name the same organization.
	organization := meant
	if claimed {
		organization = claim
		for _, other := range c.organizationAudiences {
			if other != claim {
				organization = ""
			}
		}
	}
	if len(c.organizationAudiences) > 1 {
		organization = ""
	}
	gotClaim, gotClaimed := claims.OrganizationClaim()
	gotMeant, gotIsMeant := claims.OrganizationAudience()
	for _, test := range []struct {
		name      string
		got, want any
	}{
		{"Issuer", claims.Issuer(), issuer.URL},
		{"Subject", claims.Subject(), c.subject},
		{"ClientID", claims.ClientID(), c.client},
		{"ID", claims.ID(), c.id},
		{"Caller", claims.Caller(), caller},
		{"Expiry", claims.Expiry(), expiry},
		{"Deadline", claims.Deadline(), expiry.Add(leeway)},
		{"OrganizationClaim", gotClaim, claim},
		{"OrganizationClaim's presence", gotClaimed, claimed},
		{"OrganizationAudience", gotMeant, meant},
		{"OrganizationAudience's presence", gotIsMeant, meant != ""},
		{"HasOrganizationAudience", claims.HasOrganizationAudience(), len(c.organizationAudiences) > 0},
		{"OrganizationID", claims.OrganizationID(), organization},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, test.got, test.want)
		}
	}
	if got := claims.Scopes(); !slices.Equal(got, c.scopes) || slices.ContainsFunc(got, func(s string) bool { return !claims.HasScope(s) }) {
		t.Errorf("scopes: got %q, want %q", got, c.scopes)
	}
	if got := claims.Audience(); !slices.Equal(got, c.audience) || slices.ContainsFunc(got, func(a string) bool { return !claims.HasAudience(a) }) {
		t.Errorf("audience: got %q, want %q", got, c.audience)
	}
	var answer struct {
		Sub, ClientID, OrganizationID string
		Scopes, Audience              []string
	}
	if err := json.Unmarshal(must(claims.MarshalJSON()), &answer); err != nil || answer.Sub != c.subject || answer.ClientID != c.client ||
		answer.OrganizationID != organization || !slices.Equal(answer.Scopes, c.scopes) || !slices.Equal(answer.Audience, c.audience) {
		t.Errorf("marshalled: got %+v, %v, want %+v of %q", answer, err, c, organization)
	}
}

// checkDecode makes sure that Decode returns what encoding/json returns, unless two names
// differ in case alone.
func checkDecode(t testing.TB, claims *token.Claims, payload []byte) {
	t.Helper()
	var got, want map[string]any
	err := claims.Decode(&got)
	wantErr := json.Unmarshal(payload, &want)
	alike, ascii := false, true
	members, _ := tokens.ReadObject(payload)
	for name := range members {
		for other := range members {
			alike = alike || name != other && strings.EqualFold(name, other)
		}
		ascii = ascii && !strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII })
	}
	switch {
	case err == nil && (alike || wantErr != nil || !reflect.DeepEqual(got, want)):
		t.Errorf("decoded %s as %v, want %v, %v", payload, got, want, wantErr)
	case err != nil && !alike && ascii && wantErr == nil:
		t.Errorf("cannot decode %s: %v", payload, err)
	}
}

// claimIssuers are issuers of all kinds of claims.
var claimIssuers = []token.Issuer{
	token.Logto("https://idp.test"), token.Auth0("idp.test"), token.AuthAction("idp.test"),
	{
		URL: "https://idp.test/x", Algorithms: []string{"EdDSA"}, ScopeClaims: []string{"scp", "scope", "permissions"}, ClientClaims: []string{"azp", "appid", "client_id"},
		ClientTokens: map[string][]string{"sub": {"{client}@clients"}}, OrganizationClaim: "org", OrganizationAudience: "org:", MaxLifetime: time.Hour,
	},
}

// FuzzClaims reads payloads of each issuer, and compares the claims with an oracle.
func FuzzClaims(f *testing.F) {
	seeds := []string{
		payload(), payload("organization_id", "acme"), payload("aud", "urn:logto:organization:acme"), payload("aud", "urn:logto:organization:acme", "organization_id", "globex"),
		payload("aud", []string{"urn:logto:organization:acme", "urn:logto:organization:acme"}, "organization_id", "acme"), payload("aud", []string{"urn:logto:organization:acme", api}),
		payload("aud", "urn:logto:organization:"), payload("aud", "urn:logto:organization:Acme"), payload("aud", "URN:LOGTO:ORGANIZATION:acme"), payload("aud", absent{}), payload("aud", []string{}), payload("organization_id", ""), payload("sub", "app_1"),
		payload("sub", "app_1@clients"), payload("azp", "app_1"), payload("azp", "app_2"), payload("azp", ""), payload("client_id", absent{}, "appid", "app_1"), payload("client_id", absent{}),
		payload("scope", ""), payload("scope", " a  b "), payload("scope", "a\tb"), payload("scope", []string{"a"}), payload("scope", absent{}), payload("scope", nil), payload("scope", 1),
		payload("permissions", []string{"read:a", "", "a b"}), payload("permissions", []string{}), payload("permissions", "a b"), payload("permissions", []any{"a", nil}),
		payload("permissions", []any{"a", 1}), payload("permissions", map[string]any{}), payload("scp", "a", "permissions", "b"), payload("scp", []string{"a"}),
		payload("aud", nil), payload("aud", 1), payload("aud", []any{api, nil}), payload("aud", []any{[]string{api}}), payload("org", "acme", "aud", []string{"org:acme"}),
		payload("org", "acme", "aud", []string{"org:globex"}), payload("org_id", "acme"), payload("org_id", 1), payload("organization_id", nil), payload("organization_id", []string{"acme"}),
		payload("sub", absent{}), payload("sub", ""), payload("sub", nil), payload("sub", 1), payload("jti", 1), payload("jti", absent{}), payload("client_id", 1), payload("client_id", ""),
		payload("exp", absent{}), payload("exp", "1"), payload("exp", nil), payload("exp", -1), payload("exp", 1.9), payload("exp", 1e300), payload("exp", never), payload("exp", never+1), payload("exp", true),
		payload("nbf", 1.1), payload("nbf", "1"), payload("nbf", nil), payload("iat", "1"), payload("iat", -1), payload("cnf", nil), payload("at_hash", ""), payload("c_hash", 1),
		payload("nbf", 1.0000001), payload("exp", json.RawMessage("946685100.00000000001")), payload("iat", absent{}), payload("iat", epoch-3300), payload("iat", json.RawMessage("946681500.00000000001")), payload("iat", json.RawMessage("946681499.99999999999")),
		payload("sub", "user_1\x00"), payload("sub", "user_1\u0085"), payload("jti", "\x7f"), payload("client_id", "app_1\n"), payload("azp", "app\x001"), payload("organization_id", "acme\t"), payload("aud", "urn:logto:organization:acme\u009f"), payload("aud", api+"\n"), payload("scope", "a\nb"),
		payload("SUB", "root"), payload("Scope", "admin"), payload("AUD", api, "aud", "x"), payload("a", map[string]any{"b": 1, "B": 2}),
		payload()[:len(payload())-1] + `,"sub":"root"}`, payload()[:len(payload())-1] + `,"x":1e999}`, payload()[:len(payload())-1] + `,"exp":1e999}`, "{}", "", "[]", "null", "{\"sub\":\"\xff\",\"exp\":1}",
	}
	for _, issuer := range claimIssuers {
		tokens.CheckSeeds(f, seeds, func(seed string) bool { _, fault := readClaims(issuer, []byte(seed)); return fault == "" })
	}
	for n := range claimIssuers {
		for _, seed := range seeds {
			f.Add(uint8(n), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, payload []byte) {
		if len(payload) > token.MaxBytes || tokens.Replaced.Match(payload) || far.Match(payload) {
			return
		}
		issuer := claimIssuers[int(n)%len(claimIssuers)]
		want, fault := readClaims(issuer, payload)
		claims, err := unverified.Claims(issuer, string(payload))
		if fault != "" {
			wantErr := token.ErrInvalid
			if _, ok := tokens.ReadObject(payload); !ok {
				wantErr = token.ErrMalformed
			}
			if checkError(t, err, wantErr); err == nil || claims != nil {
				t.Errorf("%s: %s, and yet it is %+v", payload, fault, claims)
			}
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		want.check(t, issuer, claims, 0)
		checkDecode(t, claims, payload)
		if t.Failed() {
			t.Logf("%s of %s", payload, issuer.URL)
		}
	})
}
