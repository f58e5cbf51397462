package token_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A pointing puts a name into one field of an issuer.
type pointing struct {
	field        string
	placeholders []string // that have a meaning in the field
	into         func(issuer *token.Issuer, name string, values []string)
}

var pointings = []pointing{
	{"ScopeClaims", []string{"*", "{scope}", "{organization}"}, func(i *token.Issuer, name string, _ []string) { i.ScopeClaims = []string{name, "scp"} }},
	{"OrganizationClaim", []string{"*", "{organization}"}, func(i *token.Issuer, name string, _ []string) { i.OrganizationClaim = name }},
	{"RequiredClaims", []string{"*"}, func(i *token.Issuer, name string, values []string) {
		i.RequiredClaims = map[string][]string{name: values}
	}},
	{"ClientClaims", nil, func(i *token.Issuer, name string, _ []string) { i.ClientClaims = []string{name} }},
	{"SubjectClaims", nil, func(i *token.Issuer, name string, _ []string) { i.SubjectClaims = []string{name} }},
	{"ClientTokens", []string{"*"}, func(i *token.Issuer, name string, values []string) {
		i.ClientTokens = map[string][]string{name: values}
	}},
}

// requiredValues are lists of values for RequiredClaims and ClientTokens.
var requiredValues = [][]string{{"acme"}, {token.AnyValue}, {"", "acme", "1"}, {"1", "1.0", "true", "a b"}, {token.NoValue}}

// issuer returns an issuer with the name in the field. The other fields depend on variant.
func (p pointing) issuer(name string, variant uint8) token.Issuer {
	issuer := token.Issuer{URL: issuerURL, Algorithms: []string{"ES256"}, UniteScopes: variant&1 != 0}
	if variant&2 == 0 {
		issuer.OrganizationClaim = "org"
	}
	values := requiredValues[int(variant)%len(requiredValues)]
	if p.field == "ClientTokens" && variant&4 != 0 {
		values = []string{"x{client}", "{client}"}
	} else if p.field == "ClientTokens" && values[0] == "" {
		values = []string{"", "{client}"}
	}
	p.into(&issuer, name, values)
	return issuer
}

var (
	// pointerForm are JSON Pointers whose steps are names or placeholders.
	pointerForm = regexp.MustCompile(`^(/(\*|\{scope\}|\{organization\}|([^~/{}*<>[\]]|~[01])+))+$`)
	// oddStep are names with white space around them, with characters that nobody sees, and variables in other notations.
	oddStep = regexp.MustCompile(`^[\s\pZ\x{85}:]|[\s\pZ\x{85}]$|[\p{Cc}\p{Cf}]`)
	// bareForm are names without a character of another notation for paths, or with a prefix. uriForm are URIs.
	bareForm = regexp.MustCompile("^([A-Za-z0-9_-]+|[A-Za-z0-9_.-]*:[A-Za-z0-9_.:-]*)$")
	uriForm  = regexp.MustCompile("^[A-Za-z0-9_.~:/?@!$&()+,;=%-]*://[A-Za-z0-9_.~:/?@!$&()+,;=%-]*$")
)

// stepsOf returns the steps of a name. Placeholders stay as they are, and names lose their escapes.
func stepsOf(name string) []string {
	if !strings.HasPrefix(name, "/") {
		return []string{name}
	}
	steps := strings.Split(name[1:], "/")
	for n := range steps {
		steps[n] = strings.ReplaceAll(strings.ReplaceAll(steps[n], "~1", "/"), "~0", "~")
	}
	return steps
}

func isPlaceholder(step string) bool { return step == "*" || strings.HasPrefix(step, "{") }

// compiles is an oracle: it reports whether the name is no fault in the field of an issuer.
func (p pointing) compiles(name string, issuer token.Issuer) bool {
	switch {
	case name == "" && p.field == "OrganizationClaim", name == token.ClerkPermissions && p.field == "ScopeClaims":
		return true
	case !strings.HasPrefix(name, "/"):
		return bareForm.MatchString(name) || uriForm.MatchString(name) && !strings.Contains(name, "~0") && !strings.Contains(name, "~1")
	case !pointerForm.MatchString(name):
		return false
	}
	const most = 32
	steps := stepsOf(name)
	if slices.ContainsFunc(steps, oddStep.MatchString) {
		return false
	}
	for _, step := range []string{"*", "{scope}", "{organization}"} {
		times := 0
		for _, other := range strings.Split(name[1:], "/") {
			if other == step {
				times++
			}
		}
		if times > 0 && !slices.Contains(p.placeholders, step) || times > 1 && step != "*" {
			return false
		}
	}
	if p.field == "ScopeClaims" && slices.Contains(steps, "{organization}") && issuer.OrganizationClaim == "" {
		return false
	}
	return !isPlaceholder(steps[0]) && len(steps) <= most
}

// A leading is a value to which a pointer leads.
type leading struct {
	value        *tokens.Tree // nil if a member is absent
	scope, owner string       // the names at {scope} and {organization}
}

// lead is an oracle: it returns the values to which steps lead. It reports false at a value of another type.
func lead(at leading, steps []string, organization string) (all []leading, ok bool) {
	if len(steps) == 0 {
		return []leading{at}, true
	}
	name, every := steps[0], isPlaceholder(steps[0])
	if name == "{organization}" && organization != "" {
		name, every = organization, false
	}
	switch kind := at.value.Kind; {
	case every && (kind == '{' || kind == '[' && name == "*"):
		for n := range at.value.Nodes {
			next := at
			next.value = &at.value.Nodes[n]
			switch name {
			case "{scope}":
				next.scope = next.value.Name
			case "{organization}":
				next.owner = next.value.Name
			}
			inner, ok := lead(next, steps[1:], organization)
			if all = append(all, inner...); !ok {
				return nil, false
			}
		}
		return all, true
	case kind != '{':
		return nil, false
	}
	if at.value = at.value.Member(name); at.value == nil {
		return []leading{at}, true
	}
	return lead(at, steps[1:], organization)
}

// A reading is what an oracle reads from a payload. The first fault ends it.
type reading struct {
	root            tokens.Tree
	subject, client string
	organization    string
	claimed         bool
	scopes          []string
	caller          token.Caller
	fault           error
}

func (r *reading) refuse(format string, args ...any) {
	if r.fault == nil {
		r.fault = fmt.Errorf(format, args...)
	}
}

// claim returns the value before the first placeholder of a name, or nil, and the steps from the placeholder on.
func (r *reading) claim(name string) (value *tokens.Tree, rest []string) {
	steps := stepsOf(name)
	for n, step := range steps {
		if n > 0 && isPlaceholder(step) {
			steps, rest = steps[:n], steps[n:]
			break
		}
	}
	found := r.lead(leading{value: &r.root}, steps, "")
	if len(found) == 0 {
		return nil, nil
	}
	return found[0].value, rest
}

func (r *reading) lead(at leading, steps []string, organization string) []leading {
	found, ok := lead(at, steps, organization)
	if !ok {
		r.refuse("it leads through a value of another type")
	}
	return found
}

// text returns an identity.
func (r *reading) text(value *tokens.Tree) string {
	if value.Kind != '"' || control.MatchString(value.Text) {
		r.refuse("it is no identity")
	}
	return value.Text
}

// identity returns a claim that must not be empty, or "" if it is absent.
func (r *reading) identity(name string) string {
	value, _ := r.claim(name)
	if value == nil {
		return ""
	}
	text := r.text(value)
	if text == "" {
		r.refuse("%q is empty", name)
	}
	return text
}

// read is an oracle: it reads a payload by an issuer of a pointing.
func read(root tokens.Tree, issuer token.Issuer) *reading {
	r := &reading{root: root}
	if r.subject = r.identity(append(issuer.SubjectClaims, "sub")[0]); r.subject == "" {
		r.refuse("the subject is missing")
	}
	r.client = r.identity(append(issuer.ClientClaims, "client_id")[0])
	for name, values := range issuer.RequiredClaims {
		if !r.meets(name, values) {
			r.refuse("%q is not met", name)
		}
	}
	for name, values := range issuer.ClientTokens {
		if r.caller = token.CallerUser; r.meets(name, values) {
			r.caller = token.CallerClient
		}
		if r.client == "" && strings.Contains(strings.Join(values, ""), "{client}") {
			r.caller = token.CallerUnknown
		}
	}
	plain := func(name string) string { return strings.TrimPrefix(name, "/") }
	if plain(append(issuer.SubjectClaims, "sub")[0]) == plain(append(issuer.ClientClaims, "client_id")[0]) && r.caller == token.CallerUser {
		r.caller = token.CallerUnknown
	}
	r.readOrganization(issuer.OrganizationClaim)
	names := issuer.ScopeClaims
	if names == nil {
		names = []string{"scope"}
	}
	for n, counts := 0, true; n < len(names); n++ {
		scopes, found := r.read(names[n])
		if found && counts {
			r.scopes = append(r.scopes, scopes...)
			counts = issuer.UniteScopes
		}
	}
	return r
}

// grants reports whether the value of a member grants what its name says.
func grants(value *tokens.Tree) bool {
	switch value.Kind {
	case 'f':
		return false
	case '"':
		return value.Text != ""
	case 0:
		digits, _, _ := strings.Cut(strings.ToLower(value.Text), "e")
		return strings.ContainsAny(digits, "123456789")
	default:
		return true
	}
}

func (r *reading) readOrganization(name string) {
	if name == "" {
		return
	}
	value, rest := r.claim(name)
	if r.claimed = value != nil; !r.claimed {
		return
	}
	if len(rest) == 0 {
		r.organization = r.text(value)
		return
	}
	var found []string
	for _, at := range r.lead(leading{value: value}, rest, "") {
		named := slices.Contains(rest, "{organization}")
		switch {
		case at.value == nil:
			found = append(found, "")
		case named && at.value.Kind == 'n':
			r.refuse("null is no member")
		case named && grants(at.value):
			found = append(found, r.text(&tokens.Tree{Kind: '"', Text: at.owner}))
		case !named:
			found = append(found, r.text(at.value))
		}
	}
	if len(found) == 1 {
		r.organization = found[0]
	}
}

// read returns the scopes of a claim, and whether the token has the claim.
func (r *reading) read(name string) (scopes []string, found bool) {
	if strings.Contains(name, "{organization}") && r.organization == "" {
		return nil, false
	}
	value, rest := r.claim(name)
	if value == nil {
		return nil, false
	}
	if len(rest) == 0 {
		return r.list(value, name != "scope"), true
	}
	for _, at := range r.lead(leading{value: value}, rest, r.organization) {
		named := slices.Contains(rest, "{scope}")
		switch {
		case at.value == nil:
		case named && at.value.Kind == 'n':
			r.refuse("null grants nothing")
		case named && grants(at.value):
			scopes = append(scopes, at.scope)
		case named:
		case slices.Contains(rest, "*") && at.value.Kind == '"':
			scopes = append(scopes, at.value.Text)
		default:
			scopes = append(scopes, r.list(at.value, rest[len(rest)-1] != "*")...)
		}
	}
	return scopes, true
}

// list returns the scopes in a string or an array.
func (r *reading) list(value *tokens.Tree, array bool) (scopes []string) {
	switch {
	case value.Kind == '"':
		return slices.DeleteFunc(strings.Split(value.Text, " "), func(s string) bool { return s == "" })
	case value.Kind != '[' || !array:
		r.refuse("it is no list of scopes")
	}
	for _, element := range value.Nodes {
		if element.Kind != '"' {
			r.refuse("a scope is no string")
		}
		scopes = append(scopes, element.Text)
	}
	return scopes
}

// meets reports whether a claim has one of some values.
func (r *reading) meets(name string, values []string) (met bool) {
	value, rest := r.claim(name)
	if value == nil || values[0] == token.NoValue {
		return value == nil && (values[0] == "" || values[0] == token.NoValue)
	}
	var texts []tokens.Tree
	for _, at := range r.lead(leading{value: value}, rest, "") {
		switch {
		case at.value == nil:
		case at.value.Kind == '[':
			texts = append(texts, at.value.Nodes...)
		default:
			texts = append(texts, *at.value)
		}
	}
	for _, text := range texts {
		if strings.ContainsRune("{[n", rune(text.Kind)) && text.Kind != 0 {
			r.refuse("%q has another type", name)
		}
		met = met || text.Text != "" && slices.ContainsFunc(values, func(value string) bool {
			return value == token.AnyValue || strings.ReplaceAll(value, "{client}", r.client) == text.Text
		})
	}
	return met
}

// along makes a value to which the steps mostly lead.
func along(g *tokens.Grower, steps []string) tokens.Tree {
	if len(steps) == 0 && g.Pick(4) > 0 {
		return tokens.Tree{Kind: '"', Text: g.Texts[g.Pick(len(g.Texts))]}
	}
	if len(steps) == 0 || g.Pick(12) == 11 {
		return g.Value(2)
	}
	tree := tokens.Tree{Kind: '{'}
	switch step := steps[0]; {
	case step == "*" && g.Pick(2) == 1:
		tree.Kind = '['
		for range g.Pick(4) {
			tree.Nodes = append(tree.Nodes, along(g, steps[1:]))
		}
		return tree
	case isPlaceholder(step):
		for range g.Pick(4) {
			put(&tree, g.Names[g.Pick(len(g.Names))], along(g, steps[1:]))
		}
	case g.Pick(8) < 7:
		put(&tree, step, along(g, steps[1:]))
	}
	g.Fill(&tree, 2)
	return tree
}

// put adds a member, unless the object has one of the name.
func put(object *tokens.Tree, name string, value tokens.Tree) {
	if value.Name = name; object.Member(name) == nil {
		object.Nodes = append(object.Nodes, value)
	}
}

// pointedPayload makes a payload for an issuer of a pointing.
func pointedPayload(name string, variant uint8, data []byte) (payload string, root tokens.Tree, ok bool) {
	g := &tokens.Grower{
		Data:  data,
		Names: []string{"acme", "globex", "a", "b", "", "a/b", "~", "*", "{scope}"},
		Texts: []string{"acme", "a b", "app_1", "", " a  b ", "globex", "1", "true", "x\u0085", "xapp_1", "*"},
	}
	steps := stepsOf(name)
	for _, step := range steps {
		switch step {
		case "iss", "exp", "nbf", "iat", "jti", "aud", "cnf", "at_hash", "c_hash", "nonce", "events", "token_introspection":
			return "", root, false // FuzzClaims has them
		}
		if !utf8.ValidString(step) {
			return "", root, false
		}
		if step != "*" {
			g.Names = append(g.Names, step)
		}
	}
	root = along(g, steps)
	if root.Kind != '{' {
		root = tokens.Tree{Kind: '{'}
	}
	for n, member := range []tokens.Tree{{Name: "exp", Text: "4102444800"}, {Name: "sub", Kind: '"', Text: "user_1"}, {Name: "client_id", Kind: '"', Text: "app_1"}, {Name: "org", Kind: '"', Text: "acme"}, {Name: "scp", Kind: '"', Text: "s t"}} {
		if n == 0 || variant>>(n+2)&1 == 0 {
			put(&root, member.Name, member)
		}
	}
	return g.Write(root), root, true
}

// FuzzPointer uses a text as the name of a claim in each field. An oracle tells whether that is a fault, and what an issuer
// of that name reads from a payload through which the name mostly leads.
func FuzzPointer(f *testing.F) {
	names := []string{
		"a", "org", "sub", "scope", "/scope", "/scope/*", "/a", "/a/b", "/a/*", "/a/*/b", "/a/{scope}", "/a/{organization}", "/a/{scope}/{organization}", "/a/{organization}/{scope}", "/a/{organization}/b", "/a/*/{scope}", "/a/{scope}/*", "/a/*/*", "/a/b/{scope}/b", "/a/*/b/{scope}", "/a/*/b/{organization}", "/a/{organization}/b/{scope}", "/a/{scope}/b/{organization}",
		"/a~1b", "/a~0b/~01", "/a/~", "/~2", "/a/", "/", "//a", "/a//b", "", " ", "\u00a0", "a.b", "a/b", "a b", "/a.b", "/a b", "https://acme.example/roles", "urn:a:{scope}", "a:*", "*", "/*", "/{scope}", "/a/{scope}/{scope}", "/a/{tenant}", "/a/x{scope}", "/a/{", "{a}", "a[0]", "/a/0", "#/a", "$.a", `a\b`, "a>b", "a'b", "a`b", "/a/**", "/\xff", "/é/*",
		token.ClerkPermissions, strings.Repeat("/a", 32), strings.Repeat("/a", 33), strings.Repeat("/a", 31) + "/*", strings.Repeat("/a", 32) + "/*",
	}
	type seed struct {
		field, variant uint8
		name           string
		data           []byte
	}
	var seeds []seed
	for field := range pointings {
		for n, name := range names {
			for times := range 20 {
				random := rand.NewChaCha8([32]byte{byte(field), byte(n), byte(times)})
				data := make([]byte, 10*times)
				_ = must(random.Read(data))
				seeds = append(seeds, seed{uint8(field), uint8(random.Uint64()), name, data})
			}
		}
		of := func(s seed) bool { return int(s.field) == field }
		compiles := func(s seed) bool {
			return pointings[field].compiles(s.name, pointings[field].issuer(s.name, s.variant))
		}
		mine := slices.DeleteFunc(slices.Clone(seeds), func(s seed) bool { return !of(s) })
		tokens.CheckSeeds(f, mine, compiles)
		tokens.CheckSeeds(f, slices.DeleteFunc(mine, func(s seed) bool { return !compiles(s) }), func(s seed) bool {
			_, root, ok := pointedPayload(s.name, s.variant, s.data)
			return ok && s.name != "" && s.name != token.ClerkPermissions && read(root, pointings[field].issuer(s.name, s.variant)).fault == nil
		})
	}
	for _, seed := range seeds {
		f.Add(seed.field, seed.variant, seed.name, seed.data)
	}
	f.Fuzz(func(t *testing.T, field, variant uint8, name string, data []byte) {
		p := pointings[int(field)%len(pointings)]
		issuer := p.issuer(name, variant)
		_, err := token.NewVerifier(issuer)
		if want := p.compiles(name, issuer); want != (err == nil) {
			t.Fatalf("%s: %q: %v, want no fault: %t", p.field, name, err, want)
		}
		if err != nil {
			if _, again := unverified.Claims(issuer, "{}"); again == nil || again.Error() != err.Error() || !strings.Contains(err.Error(), fmt.Sprintf("%s: %q ", p.field, name)) {
				t.Errorf("%s: %q: %v, and then %v", p.field, name, err, again)
			}
			return
		}
		payload, root, ok := pointedPayload(name, variant, data)
		if !ok || name == "" || name == token.ClerkPermissions || len(payload) > token.MaxBytes {
			return
		}
		want := read(root, issuer)
		claims, err := unverified.Claims(issuer, payload)
		if _, sound := tokens.ReadObject([]byte(payload)); !sound { // it may be too deep
			checkError(t, err, token.ErrMalformed)
			return
		}
		if want.fault != nil {
			if !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s: %q: %s: %v, and yet %v", p.field, name, payload, want.fault, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%s: %q: %s: %v", p.field, name, payload, err)
		}
		organization, claimed := claims.OrganizationClaim()
		got := reading{subject: claims.Subject(), client: claims.ClientID(), organization: organization, claimed: claimed, caller: claims.Caller(), scopes: claims.Scopes()}
		if got.subject != want.subject || got.client != want.client || organization != want.organization || claimed != want.claimed || got.caller != want.caller ||
			!slices.Equal(got.scopes, want.scopes) || claims.OrganizationID() != want.organization {
			t.Errorf("%s: %q: %s:\n got %+v\nwant %+v", p.field, name, payload, got, *want)
		}
	})
}
