package identify

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/guide"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Finding is what a token tells about its issuer.
type Finding struct {
	Provider string // empty if the provider is not known
	Use      string // what fits: a preset, or a literal of the guide
	Trap     string // of the provider
	Refused  error  // what refuses the token, if anything does: then there is no issuer
	Late     bool   // the token has expired or is not valid yet
	Issuer   token.Issuer
	Go       string   // the issuer in Go
	Todo     []string // what the user must check
}

// Identify returns what a token tells about its issuer.
func Identify(t *Token) (f Finding) {
	for _, row := range rows {
		parts, ok := match(row.iss, t.issuer)
		if !ok || !t.is(row.marks) {
			continue
		}
		f.Provider, f.Trap = row.provider, traps[row.provider]
		switch preset, isPreset := presets[row.use]; {
		case row.use == "":
			f.Refused = errors.New("a token with this iss is not an access token for an API of one customer")
		case isPreset:
			f.preset(t, row.use, preset, parts)
		default:
			f.literal(t, row, parts)
		}
		return f
	}
	return derive(t)
}

// check reports whether the issuer accepts the token, and drops the issuer otherwise.
func (f *Finding) check(t *Token) bool {
	f.Late, f.Refused = t.check(f.Issuer)
	if f.Refused == nil {
		return true
	}
	if !errors.Is(f.Refused, token.ErrInvalid) && !errors.Is(f.Refused, token.ErrMalformed) { // a fault of the issuer
		f.Refused = errors.New("the token lacks a value that the issuer needs, or has it in another form")
	}
	if kind := t.marksID(); kind != nil {
		f.Refused = fmt.Errorf("%w; the check: %w", kind, f.Refused)
	}
	f.Issuer, f.Todo = token.Issuer{}, nil
	return false
}

// match compares `iss` with a pattern, in which <…> stands for a part without a slash, and <*…> for any text. The
// parts of `iss` are returned. What follows in the brackets is the part of the guide's example.
func match(pattern, iss string) (parts []string, ok bool) {
	expression := "^" + part.ReplaceAllStringFunc(regexp.QuoteMeta(pattern), func(part string) string {
		if strings.HasPrefix(part, `<\*`) {
			return "(.*)"
		}
		return "([^/?#@]+)"
	}) + "$"
	parts = regexp.MustCompile(expression).FindStringSubmatch(iss)
	if parts == nil || iss == "" {
		return nil, false
	}
	return parts[1:], true
}

var part = regexp.MustCompile(`<[^>]*>`)

// fill replaces the parts of the guide's example in a URL.
func (r *row) fill(url string, parts []string) string {
	var replace []string
	for n, part := range part.FindAllString(r.iss, -1) {
		if example := strings.Trim(part, "<*>"); example != "" {
			replace = append(replace, example, parts[n])
		}
	}
	return strings.NewReplacer(replace...).Replace(url)
}

// What the user must write in place of an example.
const (
	todoAudience = "TODO: the audience that your rules name"
	todoKeySet   = "TODO: the URL of your key set"
)

// literal fills a literal of the guide in from the token.
func (f *Finding) literal(t *Token, row row, parts []string) {
	literals := guide.Literals()
	literal := literals[slices.IndexFunc(literals, func(l guide.Literal) bool { return l.Name == row.use })]
	f.Use, f.Issuer = "its literal in interceptor/token/README.md", literal.Issuer
	issuer := &f.Issuer
	issuer.URL, issuer.KeySetURL = t.issuer, row.fill(issuer.KeySetURL, parts)
	issuer.RequiredClaims = maps.Clone(issuer.RequiredClaims)
	if issuer.RequiredClaims["iss"] != nil {
		issuer.RequiredClaims["iss"] = []string{t.issuer}
	}
	for n, claim := range lists[row.use] {
		values, own := slices.Clone(issuer.RequiredClaims[claim]), t.text(claim)
		if values[0] == "" && own == "" { // the claim may be absent, and must be as the first claim is if it is there
			own = t.text(lists[row.use][0])
		}
		if own == token.AnyValue || own == token.NoValue { // a token must not choose that everybody may call
			own = ""
		}
		values[len(values)-1] = own // "" alone is a fault
		issuer.RequiredClaims[claim] = values
		if n == 0 {
			f.Todo = append(f.Todo, "RequiredClaims has the token's own values: make sure that they are yours, and list all that may call")
		}
	}
	if issuer.Audience != "" {
		issuer.Audience = todoAudience
	}
	_ = f.listHost(t)
	if !f.check(t) {
		return
	}
	if ownKeys[row.use] {
		issuer.KeySetURL = todoKeySet
	}
	f.Go = goLiteral(*issuer, nil)
}
