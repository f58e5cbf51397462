package interceptor_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/traits"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// literal returns an issuer with an algorithm and a key set.
func literal(url string, edit func(*token.Issuer)) token.Issuer {
	issuer := token.Issuer{URL: url, KeySetURL: "https://keys.test/jwks", Algorithms: []string{"ES256"}}
	edit(&issuer)
	return issuer
}

func unchanged(*token.Issuer) {}

// checker returns the verifier of some issuers.
func checker(t *testing.T, issuers ...token.Issuer) *token.Verifier {
	t.Helper()
	var others []token.Option
	for _, issuer := range issuers[1:] {
		others = append(others, token.WithIssuer(issuer))
	}
	verifier, err := token.NewVerifier(issuers[0], others...)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// introspecting returns an introspector of an issuer.
func introspecting(t *testing.T, issuer token.Issuer) *token.Introspector {
	t.Helper()
	issuer.IntrospectionURL = "https://a.test/introspect"
	introspector, err := token.NewIntrospector(issuer, token.Introspection{Client: token.ClientSecretBasic("api", "secret")})
	if err != nil {
		t.Fatal(err)
	}
	return introspector
}

// methodRule is the annotation of a method.
func methodRule(fields string) string {
	return "option (protoauthz.v1.method) = {" + fields + "};"
}

const (
	anybody   = `authenticated: true`
	byUser    = `authenticated: true, caller: CALLER_USER`
	byClient  = `authenticated: true, caller: CALLER_CLIENT`
	ofSubject = `authenticated: true, subject: {field: "a"}`
	ofClient  = `authenticated: true, client: {field: "a"}`
	ofMembers = `authenticated: true, model: MODEL_ORGANIZATION, organization: {token: true}`
	inTenant  = `authenticated: true, model: MODEL_ORGANIZATION_RESOURCE, organization: {token: true}`
	selfOr    = ofSubject + `, alternatives: [{scopes: ["read:a"], caller: CALLER_CLIENT}]`
)

const (
	a, b         = "https://a.test", "https://b.test"
	at           = "interceptor: " + orderCall + ": no token can meet the rule: "
	noUserKind   = "no token tells a user from a client, and the token must be a user's: set ClientTokens or UserTokens of the token.Issuer"
	noneOf       = "by ClientTokens and UserTokens of the token.Issuer no token is %, and the token must be: correct these fields, accept another issuer, or change the rule"
	noClientID   = "no token names its client, and the request must name the client: name its claim in ClientClaims of the token.Issuer"
	noAudience   = "the aud of a token never names an organization, and MODEL_ORGANIZATION needs that: set OrganizationAudience of the token.Issuer, or give the rule MODEL_ORGANIZATION_RESOURCE"
	noClaim      = "no token has an organization claim, and MODEL_ORGANIZATION_RESOURCE needs one: set OrganizationClaim of the token.Issuer"
	alwaysClaim  = "each token has the organization claim (%), and MODEL_GLOBAL_RESOURCE is for no organization: give the rule MODEL_ORGANIZATION_RESOURCE"
	tell         = ": name the issuer whose users and clients the requests name in policy.WithSubjectIssuer, or by subjectIssuer in authz.json"
	identifierOf = "interceptor: the rule of " + orderCall + " names a subject or a client, which is unique within its issuer alone, and "
)

func fill(text, value string) string { return strings.ReplaceAll(text, "%", value) }

// teller is a verifier that tells its issuers, as the verifiers of the project's tools do.
type teller struct{ interceptor.Verifier }

func (teller) Traits() []traits.Issuer { return []traits.Issuer{traits.Any("https://a.test")} }

// TestCheck makes sure that Check finds each way that no token can meet, and no other.
func TestCheck(t *testing.T) {
	t.Parallel()
	users := literal(a, func(i *token.Issuer) { i.UserTokens = map[string][]string{"sub": {token.AnyValue}} })
	clients := literal(b, func(i *token.Issuer) { i.ClientTokens = map[string][]string{"sub": {token.AnyValue}} })
	nobody := literal(a, unchanged)
	organized := literal(b, func(i *token.Issuer) { i.OrganizationClaim = "org" })
	clientless := literal(a, func(i *token.Issuer) { i.RequiredClaims = map[string][]string{"client_id": {token.NoValue}} })
	entra := token.EntraTenants("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
	tenants := []token.Issuer{token.EntraTenants("00000000-0000-4000-8000-000000000001"), token.EntraTenants("00000000-0000-4000-8000-000000000002")}
	const template = `the issuer "https://login.microsoftonline.com/{tid}/v2.0" is a template, in which the tenant must be named`
	const tenant = "https://login.microsoftonline.com/00000000-0000-4000-8000-000000000002/v2.0"
	logto := token.Logto(a)
	for name, test := range map[string]struct {
		verifier interceptor.Verifier
		rule     string
		issuer   string // of policy.WithSubjectIssuer
		want     []string
	}{
		"Logto: anybody":           {checker(t, logto), anybody, "", nil},
		"Logto: a user":            {checker(t, logto), byUser, "", nil},
		"Logto: a client":          {checker(t, logto), byClient, "", nil},
		"Logto: a subject":         {checker(t, logto), ofSubject, "", nil},
		"Logto: members":           {checker(t, logto), ofMembers, "", nil},
		"Logto: an organization":   {checker(t, logto), inTenant, "", nil},
		"Logto: two ways":          {checker(t, logto), selfOr, "", nil},
		"no kinds: anybody":        {checker(t, nobody), anybody, "", nil},
		"no kinds: a client field": {checker(t, nobody), ofClient, "", nil},
		"no kinds: a user":         {checker(t, nobody), byUser, "", []string{at + `"https://a.test": ` + noUserKind}},
		"no kinds: a client":       {checker(t, nobody), byClient, "", []string{at + `"https://a.test": ` + strings.Replace(noUserKind, "a user's", "a client's own", 1)}},
		"no kinds: a subject":      {checker(t, nobody), ofSubject, "", []string{at + `"https://a.test": ` + noUserKind}},
		"no kinds: two ways": {checker(t, nobody), selfOr, "", []string{
			strings.Replace(at, "the rule", "way 0 of the rule", 1) + `"https://a.test": ` + noUserKind,
			strings.Replace(at, "the rule", "way 1 of the rule", 1) + `"https://a.test": ` + strings.Replace(noUserKind, "a user's", "a client's own", 1),
		}},
		"users: a user":                    {checker(t, users), byUser, "", nil},
		"users: two ways":                  {checker(t, users), selfOr, "", []string{strings.Replace(at, "the rule", "way 1 of the rule", 1) + `"https://a.test": ` + fill(noneOf, "a client's own")}},
		"clients: a subject":               {checker(t, clients), ofSubject, "", []string{at + `"https://b.test": ` + fill(noneOf, "a user's")}},
		"users and clients: a client":      {checker(t, users, clients), byClient, "", nil},
		"users and clients: a user":        {checker(t, users, clients), byUser, "", nil},
		"no kinds, clients: a user":        {checker(t, nobody, clients), byUser, "", []string{at + `"https://a.test": ` + noUserKind + `; "https://b.test": ` + fill(noneOf, "a user's")}},
		"twice no kinds":                   {checker(t, nobody, literal(b, unchanged)), byUser, "", []string{at + `"https://a.test", "https://b.test": ` + noUserKind}},
		"no organization: members":         {checker(t, users), ofMembers, "", []string{at + `"https://a.test": ` + noAudience}},
		"no organization: one":             {checker(t, users), inTenant, "", []string{at + `"https://a.test": ` + noClaim}},
		"users, an organization: one":      {checker(t, users, organized), inTenant, "", nil},
		"users, an organization: both":     {checker(t, users, organized), inTenant + ", caller: CALLER_USER", "", []string{at + `"https://a.test": ` + noClaim + `; "https://b.test": ` + noUserKind}},
		"any tenant: no organization":      {checker(t, token.EntraAnyTenant()), anybody, "", []string{at + `"https://login.microsoftonline.com/{tid}/v2.0": ` + fill(alwaysClaim, "tid")}},
		"a tenant in each of two: members": {checker(t, tenants...), ofMembers, "", []string{at + `"https://login.microsoftonline.com/{tid}/v2.0": ` + noAudience}},
		"any tenant: its organization":     {checker(t, token.EntraAnyTenant()), inTenant, "", nil},
		"no client: a client field":        {checker(t, clientless), ofClient, "", []string{at + `"https://a.test": ` + noClientID}},
		"no client: anybody":               {checker(t, clientless), anybody, "", nil},

		"an introspector: a user":    {introspecting(t, nobody), byUser, "", []string{at + `"https://a.test": ` + noUserKind}},
		"an introspector: a subject": {introspecting(t, users), ofSubject, "", nil},
		"a verifier of one's own":    {unverified("{}"), byUser, "", nil},
		"a teller: a subject":        {teller{unverified("{}")}, ofSubject, "", nil},
		"none: a subject":            {new(token.Verifier), ofSubject, "", []string{"interceptor: the verifier has no issuer: make it with NewVerifier or NewIntrospector"}},
		"none: the zero Verifier":    {new(token.Verifier), byUser, "", []string{"interceptor: the verifier has no issuer: make it with NewVerifier or NewIntrospector"}},

		"two issuers: anybody":                  {checker(t, users, clients), anybody, "", nil},
		"two issuers: untold":                   {checker(t, users, clients), ofSubject, "", []string{identifierOf + `the verifier accepts the issuers ["https://a.test" "https://b.test"]` + tell}},
		"two issuers: a client, untold":         {checker(t, users, clients), ofClient, "", []string{identifierOf + `the verifier accepts the issuers ["https://a.test" "https://b.test"]` + tell}},
		"two issuers: in another way":           {checker(t, users, clients), anybody + `, alternatives: [{` + ofSubject + `}]`, "", []string{identifierOf + `the verifier accepts the issuers ["https://a.test" "https://b.test"]` + tell}},
		"two issuers: told":                     {checker(t, users, clients), ofSubject, a, nil},
		"two issuers: told one without users":   {checker(t, users, clients), ofSubject, b, []string{at + `"https://b.test": ` + fill(noneOf, "a user's")}},
		"two issuers: told one of no verifier":  {checker(t, users, clients), ofSubject, "https://c.test", []string{`interceptor: policy.WithSubjectIssuer, or subjectIssuer in authz.json, names "https://c.test", which is none of the verifier's issuers ["https://a.test" "https://b.test"]: name one of them as iss has it, byte for byte`}},
		"two issuers: told one, another's kind": {checker(t, users, clients), ofSubject + `, alternatives: [{` + byClient + `}]`, a, nil},
		"two tenants: untold":                   {checker(t, entra), inTenant + `, subject: {field: "a"}`, "", []string{identifierOf + template + tell}},
		"a tenant: untold":                      {checker(t, tenants[0]), inTenant + `, subject: {field: "a"}`, "", []string{identifierOf + template + tell}},
		"a tenant in each of two: untold":       {checker(t, tenants...), inTenant + `, subject: {field: "a"}`, "", []string{identifierOf + template + tell}},
		"a tenant in each of two: told":         {checker(t, tenants...), inTenant + `, subject: {field: "a"}`, tenant, nil},
		"two tenants: told":                     {checker(t, entra), inTenant + `, subject: {field: "a"}`, tenant, nil},
		"one's own: untold":                     {unverified("{}"), ofSubject, "", []string{identifierOf + `the issuers of a verifier of your own are not known` + tell}},
		"one's own: an embedded verifier":       {revoking{checker(t, users)}, ofSubject, "", []string{identifierOf + `the issuers of a verifier of your own are not known` + tell}},
		"one's own: told":                       {unverified("{}"), ofSubject, "keys", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options []policy.Option
			if test.issuer != "" {
				options = append(options, policy.WithSubjectIssuer(test.issuer))
			}
			var got []string
			table := orderTable(t, methodRule(test.rule), options...)
			if err := interceptor.Check(test.verifier, table); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q\nwant %q", got, test.want)
			}
			checkStart(t, test.verifier, table, got)
		})
	}
}

// checkStart makes sure that New panics with the fault of an issuer that is untold, and logs the first of all others.
func checkStart(t *testing.T, verifier interceptor.Verifier, table *policy.Table, faults []string) {
	t.Helper()
	untold := ""
	if len(faults) > 0 && strings.HasSuffix(faults[0], tell) {
		untold, faults = faults[0], faults[1:]
	}
	for name, options := range map[string][]interceptor.Option{"the first table": nil, "the second table": {interceptor.WithShadow(table)}} {
		enforced, text := table, new(bytes.Buffer)
		if options != nil {
			enforced = orderTable(t, methodRule(`public: true`))
		}
		panicked, _ := recovered(func() {
			interceptor.New(verifier, enforced, append(options, interceptor.WithLogger(untimed(text)))...)
		}).(string)
		if panicked != untold {
			t.Errorf("%s: New panics with %q, want %q", name, panicked, untold)
		}
		logged := strings.Contains(text.String(), `msg="protoauthz: no token can meet a rule: interceptor.Check names every such rule" cause=`)
		if want := len(faults) > 0 && untold == ""; logged != want {
			t.Errorf("%s: New logs %s", name, text)
		}
	}
}

// TestCheckLog makes sure that the line of New tells the first fault, the number of rules, and where to read on.
func TestCheckLog(t *testing.T) {
	t.Parallel()
	text := new(bytes.Buffer)
	table := ordersTable(t, []string{methodRule(anybody), methodRule(byUser), methodRule(byClient)})
	interceptor.New(checker(t, literal(a, unchanged)), table, interceptor.WithLogger(slog.New(untimed(text).Handler())))
	want := `level=WARN msg="protoauthz: no token can meet a rule: interceptor.Check names every such rule" cause="/order.v1.OrderService/Call1: no token can meet the rule: \"https://a.test\": ` +
		noUserKind + `" rules=2` + helping + "no-token-can-meet-a-rule"
	if got := strings.TrimSpace(text.String()); got != want {
		t.Errorf("the log is\n%s\nwant\n%s", got, want)
	}
}

// TestCheckProcedures makes sure that one fault stands for all rules that name a subject, and that Check takes nil for
// an error that was dropped.
func TestCheckProcedures(t *testing.T) {
	t.Parallel()
	table := ordersTable(t, []string{methodRule(anybody), methodRule(ofSubject), methodRule(ofClient), methodRule(ofSubject)})
	const want = "interceptor: the rule of /order.v1.OrderService/Call1, and of 2 more, names a subject or a client, "
	if err := interceptor.Check(unverified("{}"), table); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	const dropped = "interceptor: Check needs a verifier and a table: check the errors of NewVerifier and Compile"
	for name, err := range map[string]error{
		"no verifier":     interceptor.Check(nil, table),
		"a nil verifier":  interceptor.Check((*token.Verifier)(nil), table),
		"no introspector": interceptor.Check((*token.Introspector)(nil), table),
		"no table":        interceptor.Check(unverified("{}"), nil),
	} {
		if err == nil || err.Error() != dropped {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckIntrospector makes sure that the issuer of an introspector counts beside the issuers of JWTs.
func TestCheckIntrospector(t *testing.T) {
	t.Parallel()
	users := literal(a, func(i *token.Issuer) { i.UserTokens = map[string][]string{"sub": {token.AnyValue}} })
	for name, test := range map[string]struct {
		opaque token.Issuer
		want   bool
	}{"the same issuer": {users, true}, "another": {literal(b, unchanged), false}} {
		verifier, err := token.NewVerifier(users, token.WithIntrospector(introspecting(t, test.opaque)))
		if err != nil {
			t.Fatal(err)
		}
		if err := interceptor.Check(verifier, orderTable(t, methodRule(ofSubject))); (err == nil) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
