package token_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestIntrospectorFaults makes sure that an Introspector is not made with a setting that is wrong or does nothing, and
// that one error names all faults.
func TestIntrospectorFaults(t *testing.T) {
	t.Parallel()
	const ofIssuer = `token: issuer "https://idp.test/oidc": `
	const maxAge, limit = "token: Introspection.MaxAge: ", "token: Introspection.Limit: "
	const ages, limits = " is not between 1s and 1h0m0s: 0 stands for 1m0s", " is not between 1 and 100000: 0 stands for 50"
	const blank = "token: Introspection.SignedResponseAudience is empty: if a variable or a file should supply it, set the variable or fill the file"
	const option = "token: NewIntrospector: "
	other := newIntrospector(t, &fakeIssuer{}, token.Introspection{})
	with := func(change func(*token.Introspection)) token.Introspection {
		how := token.Introspection{Client: basic()}
		change(&how)
		return how
	}
	good := token.Introspection{Client: basic()}
	signedGood := with(func(i *token.Introspection) { i.SignedResponseAudience = apiID })
	for name, test := range map[string]struct {
		issuer  token.Issuer
		how     token.Introspection
		options []token.Option
		want    []string // beginnings
	}{
		"good":                   {introspected(), good, nil, nil},
		"options that apply":     {introspected(), signedGood, []token.Option{token.WithLeeway(0), token.WithCache(1), token.WithKeySetObserver(func(token.KeySetEvent) {})}, nil},
		"no algorithms":          {introspected(func(i *token.Issuer) { i.Algorithms = nil }), good, nil, nil},
		"no algorithms, signed":  {introspected(func(i *token.Issuer) { i.Algorithms = nil }), signedGood, nil, []string{ofIssuer + "Algorithms: none given"}},
		"types that say nothing": {introspected(func(i *token.Issuer) { i.Types = []string{""} }), good, nil, nil},
		"an hour":                {introspected(), with(func(i *token.Introspection) { i.MaxAge, i.Limit = time.Hour, 100_000 }), nil, nil},
		"a second":               {introspected(), with(func(i *token.Introspection) { i.MaxAge, i.Limit = time.Second, 1 }), nil, nil},
		"over an hour":           {introspected(), with(func(i *token.Introspection) { i.MaxAge = time.Hour + 1 }), nil, []string{maxAge + "1h0m0.000000001s" + ages}},
		"under a second":         {introspected(), with(func(i *token.Introspection) { i.MaxAge = time.Second - 1 }), nil, []string{maxAge + "999.999999ms" + ages}},
		"an age below zero":      {introspected(), with(func(i *token.Introspection) { i.MaxAge = -1 }), nil, []string{maxAge + "-1ns" + ages}},
		"a limit below zero":     {introspected(), with(func(i *token.Introspection) { i.Limit = -1 }), nil, []string{limit + "-1" + limits}},
		"a large limit":          {introspected(), with(func(i *token.Introspection) { i.Limit = 100_001 }), nil, []string{limit + "100001" + limits}},
		"a blank audience":       {introspected(), with(func(i *token.Introspection) { i.SignedResponseAudience = " " }), nil, []string{blank}},
		"a spaced audience":      {introspected(), with(func(i *token.Introspection) { i.SignedResponseAudience = "a\n" }), nil, []string{"token: Introspection.SignedResponseAudience has white space around it"}},
		"no client":              {introspected(), token.Introspection{}, nil, []string{"token: Introspection.Client is not set"}},
		"a placeholder": {introspected(func(i *token.Issuer) {
			i.URL, i.KeySetURL, i.RequiredClaims = "https://idp.test/{tid}", keySetURL, map[string][]string{"tid": {"a"}}
			i.OrganizationClaim, i.OrganizationAudience = "tid", ""
		}), good, nil, []string{`token: issuer "https://idp.test/{tid}": URL: an introspector asks one issuer: write the URL of the tenant in place of {tid}`}},
		"an endpoint over http":    {introspected(func(i *token.Issuer) { i.IntrospectionURL = "http://127.0.0.1/" }), good, nil, []string{ofIssuer + "IntrospectionURL: it is not an https URL, while the issuer's is"}},
		"an endpoint with a user":  {introspected(func(i *token.Issuer) { i.IntrospectionURL = "https://zebra:zebra99@idp.test/" }), good, nil, []string{ofIssuer + "IntrospectionURL: it has user information"}},
		"no endpoint's host":       {introspected(func(i *token.Issuer) { i.IntrospectionURL = "https:///introspect" }), good, nil, []string{ofIssuer + "IntrospectionURL: it names no host"}},
		"no URL":                   {introspected(func(i *token.Issuer) { i.URL = "" }), good, nil, []string{"token: an issuer's URL is empty"}},
		"a second issuer":          {introspected(), good, []token.Option{token.WithIssuer(issuer(otherIssuer))}, []string{option + "WithIssuer: an introspector asks one issuer"}},
		"an introspector":          {introspected(), good, []token.Option{token.WithIntrospector(other)}, []string{option + "WithIntrospector: "}},
		"a limit of signatures":    {introspected(), good, []token.Option{token.WithSignatureLimit(3)}, []string{option + "WithSignatureLimit: "}},
		"no cache":                 {introspected(), good, []token.Option{token.WithoutCache()}, []string{option + "WithoutCache: "}},
		"an empty cache":           {introspected(), good, []token.Option{token.WithCache(-1)}, []string{"token: WithCache: -1 is not positive"}},
		"a nil option":             {introspected(), good, []token.Option{nil}, []string{"token: an option is nil"}},
		"a nil transport":          {introspected(), good, []token.Option{token.WithTransport(nil)}, []string{"token: WithTransport: transport is nil"}},
		"a long leeway":            {introspected(), good, []token.Option{token.WithLeeway(time.Hour)}, []string{"token: WithLeeway: 1h0m0s is not between"}},
		"CAFile and own transport": {introspected(func(i *token.Issuer) { i.CAFile = "ca.pem" }), good, []token.Option{token.WithTransport(&fakeIssuer{})}, []string{ofIssuer + "CAFile: the transport (*token_test.fakeIssuer) takes no certificate authorities"}},
		"a preset's argument":      {token.Logto(""), good, nil, []string{"token: an issuer's URL is empty"}},
		"many": {
			introspected(func(i *token.Issuer) { i.IntrospectionURL, i.Algorithms, i.MaxLifetime = "idp.test", nil, -1 }),
			token.Introspection{Client: token.ClientSecretBasic("", "zebra99 "), SignedResponseAudience: " ", MaxAge: -1, Limit: -1},
			[]token.Option{nil, token.WithIssuer(issuer(otherIssuer)), token.WithoutCache(), token.WithLeeway(-1)},
			[]string{
				"token: an option is nil", "token: WithLeeway: -1ns", option + "WithIssuer", option + "WithoutCache", blank, maxAge + "-1ns", limit + "-1",
				"token: ClientSecretBasic: the id", "token: ClientSecretBasic: the secret", ofIssuer + "IntrospectionURL: ", ofIssuer + "Algorithms: ", ofIssuer + "MaxLifetime: ",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			introspector, err := token.NewIntrospector(test.issuer, test.how, test.options...)
			if (introspector == nil) != (err != nil) {
				t.Fatalf("%v beside %v", introspector, err)
			}
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
				checkConfidential(t, err.Error(), "zebra99")
			}
			slices.Sort(lines)
			slices.Sort(test.want)
			if !slices.EqualFunc(lines, test.want, strings.HasPrefix) {
				t.Errorf("the faults are\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestIntrospectorOption makes sure that a Verifier takes one Introspector that was made.
func TestIntrospectorOption(t *testing.T) {
	t.Parallel()
	const none = "token: WithIntrospector: the introspector is not from NewIntrospector: check its error"
	const twice = "token: WithIntrospector is given twice: an opaque token does not tell its issuer, so give one introspector"
	good := newIntrospector(t, &fakeIssuer{}, token.Introspection{})
	for name, test := range map[string]struct {
		given []*token.Introspector
		want  string
	}{
		"good":            {[]*token.Introspector{good}, ""},
		"nil":             {[]*token.Introspector{nil}, none},
		"zero":            {[]*token.Introspector{{}}, none},
		"twice":           {[]*token.Introspector{good, good}, twice},
		"nil, then good":  {[]*token.Introspector{nil, good}, none},
		"good, then zero": {[]*token.Introspector{good, {}}, none},
	} {
		var options []token.Option
		for _, introspector := range test.given {
			options = append(options, token.WithIntrospector(introspector))
		}
		verifier, err := token.NewVerifier(issuer(issuerURL), options...)
		if (verifier == nil) != (err != nil) || err != nil && err.Error() != test.want || err == nil && test.want != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIntrospectorCopies makes sure that an Introspector keeps its own copy of the issuer.
func TestIntrospectorCopies(t *testing.T) {
	t.Parallel()
	made := introspected(func(i *token.Issuer) { i.RequiredClaims = map[string][]string{"kind": {"access"}} })
	endpoint := &fakeIssuer{answer: says(saying("kind", "access"))}
	introspector := must(token.NewIntrospector(made, token.Introspection{Client: basic()}, token.WithTransport(endpoint)))
	made.RequiredClaims["kind"][0], made.IntrospectionURL = "other", "https://evil.test"
	if _, err := introspector.Verify(t.Context(), opaqueToken); err != nil {
		t.Error(err)
	}
	if got := endpoint.last().URL.String(); got != introspectionURL || endpoint.last().Method != http.MethodPost {
		t.Errorf("asked at %s", got)
	}
}
