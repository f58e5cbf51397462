package token_test

import (
	"cmp"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// logtoTokens are tokens and key sets of a real Logto server.
type logtoTokens struct {
	Issuer    string                     `json:"issuer"`
	Discovery json.RawMessage            `json:"discovery"`
	KeySets   map[string]json.RawMessage `json:"jwks"`
	Tokens    []logtoToken               `json:"tokens"`
}

type logtoToken struct {
	Name    string         `json:"name"`
	Kind    string         `json:"kind"`
	KeySets []string       `json:"jwks"` // the one that verifies it, or none
	Header  map[string]any `json:"header"`
	Payload map[string]any `json:"payload"`
	Token   string         `json:"token"`
}

func readLogto(t testing.TB) *logtoTokens {
	t.Helper()
	data, err := os.ReadFile("testdata/logto-1.37.1.json")
	if err != nil {
		t.Fatal(err)
	}
	tokens := new(logtoTokens)
	if err := json.Unmarshal(data, tokens); err != nil {
		t.Fatal(err)
	}
	return tokens
}

// at returns the time of the verification, one second after the token was issued.
func (l *logtoToken) at() time.Time {
	iat, ok := l.Payload["iat"].(float64)
	if !ok {
		iat = epoch // opaque
	}
	return time.Unix(int64(iat)+1, 0)
}

// want returns the error that a token must get, by the kind of the token.
func (l *logtoToken) want(issuer string) error {
	number := func(name string, otherwise float64) float64 {
		if value, ok := l.Payload[name].(float64); ok {
			return value
		}
		return otherwise
	}
	organization, claimed := l.Payload["organization_id"]
	_, isString := organization.(string)
	_, bound := l.Payload["cnf"]
	switch now := float64(l.at().Unix()); {
	case l.Kind == "opaque_access_token":
		return token.ErrMalformed
	case l.Kind == "id_token", l.Header["typ"] != "at+jwt", l.Payload["iss"] != issuer:
		return token.ErrInvalid
	case number("exp", math.Inf(-1))+30 <= now:
		return token.ErrExpired
	case number("nbf", 0)-30 > now:
		return token.ErrNotYetValid
	case len(l.KeySets) == 0, claimed && !isString, bound:
		return token.ErrInvalid
	}
	return nil
}

func (l *logtoToken) text(name string) string {
	text, _ := l.Payload[name].(string)
	return text
}

// TestLogto verifies all tokens, each at its time and with its key set.
func TestLogto(t *testing.T) {
	t.Parallel()
	file := readLogto(t)
	if len(file.Tokens) != 116 || len(file.KeySets) != 4 {
		t.Fatalf("%d tokens and %d key sets, want 116 and 4", len(file.Tokens), len(file.KeySets))
	}
	bySet := map[string][]logtoToken{}
	for _, tok := range file.Tokens {
		set := "jwks.json"
		if len(tok.KeySets) > 0 {
			set = tok.KeySets[0]
		}
		bySet[set] = append(bySet[set], tok)
	}
	outcomes := make(chan error, len(file.Tokens))
	for set, tokens := range bySet {
		t.Run(set, func(t *testing.T) {
			slices.SortStableFunc(tokens, func(a, b logtoToken) int { return cmp.Compare(a.at().Unix(), b.at().Unix()) })
			synctest.Test(t, func(t *testing.T) {
				idp := newIDP()
				idp.Serve(file.Issuer+"/.well-known/openid-configuration", respond(200, string(file.Discovery)))
				idp.Serve(file.Issuer+"/jwks", respond(200, string(file.KeySets[set])))
				verifier, err := token.NewVerifier(token.Logto(strings.TrimSuffix(file.Issuer, "/oidc")), token.WithTransport(idp))
				if err != nil {
					t.Fatal(err)
				}
				for _, tok := range tokens {
					time.Sleep(time.Until(tok.at())) // the bubble's clock
					claims, err := verifier.Verify(t.Context(), tok.Token)
					if checkError(t, err, tok.want(file.Issuer)); t.Failed() {
						t.Fatal(tok.Name)
					}
					if outcomes <- tok.want(file.Issuer); err == nil {
						checkLogtoClaims(t, &tok, claims)
					}
				}
				settle()
			})
		})
	}
	close(outcomes)
	count := map[error]int{}
	for outcome := range outcomes {
		count[outcome]++
	}
	want := map[error]int{nil: 89, token.ErrMalformed: 3, token.ErrInvalid: 21, token.ErrNotYetValid: 3}
	for outcome, n := range want {
		if count[outcome] != n {
			t.Errorf("%d tokens end with %v, want %d", count[outcome], outcome, n)
		}
	}
}

func checkLogtoClaims(t *testing.T, tok *logtoToken, claims *token.Claims) {
	t.Helper()
	caller := token.CallerUser
	if tok.text("sub") == tok.text("client_id") {
		caller = token.CallerClient
	}
	organization, meant := strings.CutPrefix(tok.text("aud"), "urn:logto:organization:")
	claim, claimed := tok.Payload["organization_id"]
	switch {
	case !meant && !claimed:
		organization = ""
	case !meant:
		organization, _ = claim.(string)
	case claimed && claim != organization:
		organization = ""
	}
	got := []any{
		claims.Issuer(), claims.Subject(), claims.ClientID(), claims.ID(), claims.Caller(), claims.OrganizationID(),
		claims.HasOrganizationAudience(), claims.Expiry().Unix(), strings.Join(claims.Audience(), ","), strings.Join(claims.Scopes(), " "),
	}
	want := []any{
		tok.text("iss"), tok.text("sub"), tok.text("client_id"), tok.text("jti"), caller, organization,
		meant, int64(as[float64](tok.Payload["exp"])), tok.text("aud"), tok.text("scope"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: claims are %v, want %v", tok.Name, got, want)
	}
	if id, ok := claims.OrganizationClaim(); ok != claimed || claimed && id != claim {
		t.Errorf("%s: the organization claim is %q, %v", tok.Name, id, ok)
	}
	rest := map[string]any{}
	if err := claims.Decode(&rest); err != nil || len(rest) != len(tok.Payload) {
		t.Errorf("%s: Decode gives %v, %v", tok.Name, rest, err)
	}
}
