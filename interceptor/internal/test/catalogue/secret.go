package catalogue

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// secrets are tokens with a text that can be recognised in every place that an error could quote.
func (f forge) secrets() []Case {
	k := tokens.I1.ES256
	payload := func(changes ...any) string {
		return f.Payload(k.Issuer, append([]any{
			"sub", "secret-subject", "client_id", "secret-client", "jti", "secret-id", "scope", "secret-scope", "name", "secret-name",
		}, changes...)...)
	}
	headed := func(changes ...any) []string { return bearer(k.Mint(k.Header(changes...), payload())) }
	good := func(changes ...any) []string { return bearer(k.Mint(k.Header(), payload(changes...))) }
	raw := k.Mint(k.Header(), payload())
	cases := []Case{
		{Name: "scheme", Authorization: []string{"secret-scheme secret-credentials"}, Want: Unsupported},
		{Name: "credentials of another scheme", Authorization: []string{"Basic secret-credentials"}, Want: Unsupported},
		{Name: "opaque", Authorization: bearer("secret-opaque"), Want: Malformed},
		{Name: "4 segments", Authorization: bearer(raw + ".secret"), Want: Malformed},
		{Name: "two tokens", Authorization: bearer(raw + " " + raw), Want: Several},
		{Name: "too large", Authorization: good("name", strings.Repeat("secret-name", 2000)), Want: Malformed},
		{Name: "no JSON", Authorization: bearer(k.Mint(k.Header(), "secret-payload")), Want: Malformed},
		{Name: "duplicate claim", Authorization: bearer(k.Mint(k.Header(), strings.Replace(payload(), "{", `{"name":"secret-first",`, 1))), Want: Malformed},
		{Name: "kid", Authorization: headed("kid", "secret-kid"), Want: Invalid},
		{Name: "typ", Authorization: headed("typ", "secret-type"), Want: Invalid},
		{Name: "alg", Authorization: headed("alg", "secret-algorithm"), Want: Invalid},
		{Name: "alg of no string", Authorization: headed("alg", []string{"secret-algorithm"}), Want: Invalid},
		{Name: "crit", Authorization: headed("crit", []string{"secret-critical"}), Want: Invalid},
		{Name: "jku", Authorization: headed("kid", "secret-kid", "jku", f.Attacker+"/secret-jku"), Want: Invalid},
		{Name: "signature", Authorization: bearer(raw[:strings.LastIndexByte(raw, '.')+1] + tokens.Encode([]byte("secret-signature"))), Want: Invalid},
		{Name: "iss", Authorization: good("iss", "https://secret-issuer.test"), Want: Invalid},
		{Name: "exp", Authorization: good("exp", "secret-expiry"), Want: Invalid},
		{Name: "nbf", Authorization: good("nbf", "secret-beginning"), Want: Invalid},
		{Name: "scope", Authorization: good("scope", []string{"secret-scope"}), Want: Invalid},
		{Name: "sub", Authorization: good("sub", []string{"secret-subject"}), Want: Invalid},
		{Name: "client_id", Authorization: good("client_id", []string{"secret-client"}), Want: Invalid},
		{Name: "jti", Authorization: good("jti", []string{"secret-id"}), Want: Invalid},
		{Name: "aud of a wrong type", Authorization: good("aud", map[string]any{"secret-audience": 1}), Want: Invalid},
		{Name: "organization_id of a wrong type", Service: "Field", Authorization: good("organization_id", []string{"secret-organization"}), Want: Invalid},
		{Name: "cnf", Authorization: good("cnf", map[string]any{"jkt": "secret-thumbprint"}), Want: Invalid},
		{Name: "expired", Authorization: good("exp", 1), Want: Expired},
		{Name: "not yet valid", Authorization: good("nbf", tokens.MaxDate), Want: NotYetValid},
		{Name: "keys", Authorization: good("iss", down), Want: Unavailable},
		{Name: "aud", Authorization: good("aud", []string{"https://secret-audience.test"}), Want: Audience},
		{Name: "organization_id", Authorization: good("organization_id", "secret-organization"), Want: Model},
		{Name: "organization token", Service: "Field", Authorization: good("aud", urn+"secret-organization"), Want: Model},
		{Name: "two organizations", Service: "Member", Authorization: good("aud", urn+"secret-organization", "organization_id", "secret-organization-2"), Want: Model},
		{Name: "organization in the message", Service: "Field", Authorization: good("organization_id", "secret-organization", "scope", "secret-scope read:data"), Want: Organization},
		{Name: "organization in the header", Service: "Header", Authorization: good("organization_id", "secret-organization", "scope", "secret-scope read:data"), Want: Organization},
		{Name: "scope missing", Service: "Any", Authorization: good(), Want: Insufficient("read:a sell buy", "sell", "buy")},
		{Name: "caller", Service: "Client", Authorization: good(), Want: Caller},
		{Name: "no rule", Service: Unruled, Authorization: good(), Want: Ruleless},
		{Name: "panic", Authorization: bearer("secret.panic"), Want: Failed},
	}
	for n := range cases {
		cases[n].Row = "D56"
		if cases[n].Service == "" {
			cases[n].Service = "Read"
		}
	}
	return cases
}

// Piece is the size of the pieces of a token that must not occur in a text. A piece encodes 15 bytes: shorter
// words, such as "organization", occur in many texts.
const Piece = 20

// Secrets returns the texts and pieces that an answer or event must not hold: each string in the tokens of the
// cases that is not public, and each piece of the tokens.
func Secrets(cases []Case) (texts []string, pieces map[string]bool) {
	public := publicText()
	found := map[string]bool{"secret": true}
	pieces = map[string]bool{}
	for _, c := range cases {
		for _, value := range c.Authorization {
			_, raw, _ := strings.Cut(value, " ")
			for n := Piece; n <= len(raw) && n < 4<<10; n++ {
				pieces[raw[n-Piece:n]] = true
			}
			for segment := range strings.SplitSeq(raw[:min(len(raw), 12<<10)], ".") {
				data, err := base64.RawURLEncoding.DecodeString(segment)
				var members any
				if err == nil && json.Unmarshal(data, &members) == nil {
					collect(found, members)
				}
			}
		}
	}
	for shift := range 3 { // a required scope is public, and may stand in a token
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), public...))
		maps.DeleteFunc(pieces, func(piece string, _ bool) bool { return strings.Contains(encoded, piece) })
	}
	maps.DeleteFunc(found, func(text string, _ bool) bool {
		// A shorter text occurs by chance.
		return len(strings.TrimSpace(text)) < 5 || !slices.ContainsFunc(strings.Fields(text), func(word string) bool { return !strings.Contains(public, word) })
	})
	return slices.Sorted(maps.Keys(found)), pieces
}

// collect adds all strings and numbers in JSON.
func collect(found map[string]bool, value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, member := range value {
			collect(found, member)
		}
	case []any:
		for _, element := range value {
			collect(found, element)
		}
	case string:
		found[value] = true
	case float64:
		found[fmt.Sprintf("%.0f", value)] = true
	}
}

// publicText is the text that answers and errors may hold: the rules and the configuration of the server.
func publicText() string {
	var text strings.Builder
	_, _ = fmt.Fprintln(&text, tokens.I1.URL, tokens.I2.URL, down, tokens.API, tokens.Algorithms(), "at+jwt", "read:a write:b", invalidChallenge, elsewhere(Invalid).Challenge, "{subject}")
	for name, rule := range Services {
		_, _ = fmt.Fprintln(&text, name, `"`+strings.Join(slices.Concat(rule.GetScopes(), rule.GetAnyScopes()), " ")+`"`)
		for _, way := range rule.GetAlternatives() {
			_, _ = fmt.Fprintln(&text, name, `"`+strings.Join(slices.Concat(way.GetScopes(), way.GetAnyScopes()), " ")+`"`)
		}
	}
	return text.String()
}
