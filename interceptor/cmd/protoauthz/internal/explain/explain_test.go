package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/explain"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// scene mints tokens in a bubble.
var scene = tokens.Scene{Now: 946684800, Leeway: 30}

// in asks about a call of a service with a token.
func in(t *testing.T, service, raw string) explain.Question {
	t.Helper()
	return explain.Question{
		Table: harness.Rules(t), Inspect: explain.Inspector(issuer("any")),
		Procedure: catalogue.Procedure(service, catalogue.Bidi), Authorization: []string{"Bearer " + raw},
	}
}

// TestInvalid makes sure that the first fault of a token is named, in the order of
// [token.Verifier.Verify].
func TestInvalid(t *testing.T) {
	t.Parallel()
	k, forger := tokens.I1.ES256, tokens.I2.ES256
	good := scene.Payload(k.Issuer)
	idp := tokens.NewIDP(tokens.JWKs(tokens.I1.Keys()...)...)
	for _, test := range []struct {
		name, raw string
		want      explain.Check
		unsigned  explain.Check // without a verifier
	}{
		{"alg", k.Mint(k.Header("alg", "none"), good), explain.CheckHeader, explain.CheckHeader},
		{"crit", k.Mint(k.Header("crit", []string{"x"}), good), explain.CheckHeader, explain.CheckHeader},
		{"typ", k.Mint(k.Header("typ", "JWT"), good), explain.CheckHeader, explain.CheckHeader},
		{"typ and exp", k.Mint(k.Header("typ", "JWT"), scene.Payload(k.Issuer, "exp", "soon")), explain.CheckHeader, explain.CheckHeader},
		{"iss of a wrong type", k.Mint(k.Header(), scene.Payload(k.Issuer, "iss", 1)), explain.CheckHeader, explain.CheckHeader},
		{"no iss", k.Mint(k.Header(), scene.Payload(k.Issuer, "iss", tokens.Absent{})), explain.CheckHeader, explain.CheckHeader},
		{"another iss", k.Mint(k.Header(), scene.Payload("https://other.test")), explain.CheckHeader, ""},
		{"exp of a wrong type", k.Mint(k.Header(), scene.Payload(k.Issuer, "exp", "soon")), explain.CheckTime, explain.CheckTime},
		{"no exp", k.Mint(k.Header(), scene.Payload(k.Issuer, "exp", tokens.Absent{})), explain.CheckTime, explain.CheckTime},
		{"iat of a wrong type, forged", forger.Mint(forger.Header(), scene.Payload(k.Issuer, "iat", "now")), explain.CheckTime, explain.CheckTime},
		{"iat of a wrong type and sub, too", k.Mint(k.Header(), scene.Payload(k.Issuer, "iat", "now", "sub", 1)), explain.CheckTime, explain.CheckTime},
		{"iat ahead", k.Mint(k.Header(), scene.Payload(k.Issuer, "iat", scene.Now+86400)), explain.CheckTime, explain.CheckTime},
		{"forged", forger.Mint(forger.Header(), good), explain.CheckSignature, ""},
		{"another key", k.Mint(k.Header("kid", "other"), good), explain.CheckSignature, ""},
		{"sub of a wrong type", k.Mint(k.Header(), scene.Payload(k.Issuer, "sub", 1)), explain.CheckClaims, explain.CheckClaims},
		{"sub of a wrong type, forged", forger.Mint(forger.Header(), scene.Payload(k.Issuer, "sub", 1)), explain.CheckSignature, explain.CheckClaims},
		{"a control character in sub", k.Mint(k.Header(), scene.Payload(k.Issuer, "sub", "a\x00")), explain.CheckClaims, explain.CheckClaims},
		{"a control character in sub, forged", forger.Mint(forger.Header(), scene.Payload(k.Issuer, "sub", "a\x00")), explain.CheckSignature, explain.CheckClaims},
		{"good", k.Mint(k.Header(), good), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			harness.Rules(t)
			synctest.Test(t, func(t *testing.T) {
				verifier, err := token.NewVerifier(issuer(k.Issuer), token.WithTransport(idp))
				if err != nil {
					t.Fatal(err)
				}
				q := in(t, "Read", test.raw)
				if got := refusing(explain.Explain(t.Context(), q)); got != test.unsigned {
					t.Errorf("without keys, refused at %q, want %q", got, test.unsigned)
				}
				q.Inspect = func(raw string) (*token.Claims, error) { return unverified.Token(issuer(k.Issuer), raw) }
				q.Verifier = verifier
				if got := refusing(explain.Explain(t.Context(), q)); got != test.want {
					t.Errorf("refused at %q, want %q", got, test.want)
				}
			})
		})
	}
}

// TestMaxLifetime tries an issuer with a maximal lifetime of tokens.
func TestMaxLifetime(t *testing.T) {
	t.Parallel()
	k := tokens.I1.ES256
	kind := issuer("any")
	kind.MaxLifetime = time.Hour
	harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		for name, want := range map[string]explain.Check{
			scene.Token(k):                                          "",
			scene.Token(k, "exp", scene.Now+3601):                   explain.CheckTime,
			scene.Token(k, "iat", tokens.Absent{}):                  explain.CheckTime,
			scene.Token(k, "sub", 1):                                explain.CheckClaims,
			k.Mint(k.Header("typ", "JWT"), scene.Payload(k.Issuer)): explain.CheckHeader,
		} {
			q := in(t, "Read", name)
			q.Inspect = explain.Inspector(kind)
			if e := explain.Explain(t.Context(), q); refusing(e) != want {
				t.Errorf("refused at %q, want %q: %+v", refusing(e), want, e.Token)
			}
		}
	})
}

func refusing(e *explain.Explanation) explain.Check {
	for _, step := range e.Steps {
		if step.Status == explain.StatusRefused {
			return step.Check
		}
	}
	return ""
}

// TestChange compares what a caller must change.
func TestChange(t *testing.T) {
	t.Parallel()
	organization := tokens.OrganizationA
	for _, test := range []struct {
		name, service string
		claims        []any
		names, omits  []string // what must and must not be named
	}{
		{"one scope of two", "Global", []any{"scope", "read:a"}, []string{"the scope write:b:"}, []string{"read:a"}},
		{"an alternative", "Any", []any{"scope", "read:a"}, []string{"one of the scopes sell buy:"}, []string{"read:a"}},
		{"a scope beside an alternative", "Any", []any{"scope", "buy"}, []string{"the scope read:a:"}, []string{"sell", "buy"}},
		{"two scopes", "Global", []any{"scope", ""}, []string{"the scopes read:a write:b:"}, nil},
		{"both", "Any", []any{"scope", ""}, []string{"the scope read:a and one of the scopes sell buy:"}, nil},
		{"the API", "Read", []any{"aud", "https://other.test"}, []string{"resource (audience) " + tokens.API, "without an organization"}, nil},
		{"the API and an organization", "Field", []any{"scope", "read:data"}, []string{"resource (audience) " + tokens.API, "for the organization"}, nil},
		{"an organization", "Member", []any{"scope", "invite:member"}, []string{"organization token", "without any resource"}, []string{tokens.API}},
		{"a user", "User", []any{"sub", "app_1"}, []string{"token of a user"}, nil},
		{"a client", "Client", nil, []string{"client_credentials"}, nil},
		{"a header", "Header", []any{"scope", "read:data", "organization_id", organization}, []string{organization, "once in the header x-organization-id"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			harness.Rules(t)
			synctest.Test(t, func(t *testing.T) {
				e := explain.Explain(t.Context(), in(t, test.service, scene.Token(tokens.I1.ES256, test.claims...)))
				n := slices.IndexFunc(e.Steps, func(step explain.Step) bool { return step.Status == explain.StatusRefused })
				if n < 0 {
					t.Fatalf("%s", e.Decision)
				}
				for _, name := range test.names {
					if !strings.Contains(e.Steps[n].Change, name) {
						t.Errorf("%q does not name %q", e.Steps[n].Change, name)
					}
				}
				for _, name := range test.omits {
					if strings.Contains(e.Steps[n].Change, name) {
						t.Errorf("%q names %q", e.Steps[n].Change, name)
					}
				}
			})
		})
	}
}

// TestMessages tries unknown messages and streams without messages.
func TestMessages(t *testing.T) {
	t.Parallel()
	harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		q := in(t, "Field", scene.Token(tokens.I1.ES256, "scope", "read:data", "organization_id", "acme"))
		acme, globex := &message{OrganizationId: "acme"}, &message{OrganizationId: "globex"}
		for _, test := range []struct {
			name     string
			messages []proto.Message
			decision explain.Decision
			message  int
		}{
			{"not known", nil, explain.Awaits, 0},
			{"none", []proto.Message{}, explain.Refused, 0},
			{"acme", []proto.Message{acme, acme}, explain.Allowed, 0},
			{"globex", []proto.Message{globex, acme}, explain.Refused, 1},
			{"acme, acme, globex", []proto.Message{acme, acme, globex}, explain.Refused, 3},
		} {
			q.Messages = test.messages
			if e := explain.Explain(t.Context(), q); e.Decision != test.decision || e.Message != test.message || e.Organization != "acme" {
				t.Errorf("%s: %s at message %d, for %q", test.name, e.Decision, e.Message, e.Organization)
			}
		}
		if acme.GetOrganizationId() != "acme" || globex.GetOrganizationId() != "globex" {
			t.Error("the messages of the caller's were changed")
		}
	})
}

// A broken verifier panics.
type broken struct{}

func (broken) Verify(context.Context, string) (*token.Claims, error) { panic("broken") }

// TestBrokenVerifier makes sure that no check counts as passed if the verifier has failed.
func TestBrokenVerifier(t *testing.T) {
	t.Parallel()
	harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		q := in(t, "Read", scene.Token(tokens.I1.ES256))
		q.Verifier = broken{}
		e := explain.Explain(t.Context(), q)
		if e.Reason != interceptor.ReasonGuardFailed || e.Decision != explain.Refused || e.Verified {
			t.Errorf("%+v", e)
		}
		for _, step := range e.Steps {
			want, known := map[explain.Check]explain.Status{
				explain.CheckRule: explain.StatusPassed, explain.CheckAuthorization: explain.StatusPassed, explain.CheckSignature: explain.StatusRefused,
			}[step.Check]
			if !known {
				want = explain.StatusNotReached
			}
			if step.Status != want {
				t.Errorf("%s: %s, want %s", step.Check, step.Status, want)
			}
		}
	})
}

// TestAuthorization makes sure that an Authorization in Question.Header does not count.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		q := in(t, "Read", "")
		q.Header = http.Header{"Authorization": {"Bearer " + scene.Token(tokens.I1.ES256)}}
		q.Authorization = nil
		if e := explain.Explain(t.Context(), q); string(e.Reason) != catalogue.Missing.Reason || e.Token != nil {
			t.Errorf("%+v", e)
		}
	})
}

// TestToken makes sure that a token is shown without its signature, and a malformed token not at all.
func TestToken(t *testing.T) {
	t.Parallel()
	harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		k := tokens.I1.ES256
		e := explain.Explain(t.Context(), in(t, "Read", scene.Token(k, "exp", scene.Now-180, "nbf", scene.Now+86400, "iat", 0)))
		want := []explain.Time{
			{Claim: "iat", Time: time.Unix(0, 0).UTC(), Note: "issued 30 years ago"},
			{Claim: "nbf", Time: time.Unix(scene.Now+86400, 0).UTC(), Note: "valid in 1 day"},
			{Claim: "exp", Time: time.Unix(scene.Now-180, 0).UTC(), Note: "expired 3 minutes ago"},
		}
		if e.Token == nil || !slices.Equal(e.Token.Times, want) {
			t.Errorf("the times are %+v, want %+v", e.Token, want)
		}
		const odd, control = "a\u202eb\U000e0001", "\u009b31m\x7f"
		e = explain.Explain(t.Context(), in(t, "Field", scene.Token(k, "scope", "read:data", "organization_id", odd, "name", control)))
		const escaped, escapedControl = `a\u202eb\udb40\udc01`, `\u009b31m\u007f`
		var text, data strings.Builder
		if err := errors.Join(e.WriteText(&text, false), terminal.WriteJSON(&data, e)); err != nil {
			t.Error(err)
		}
		for _, out := range []string{text.String(), data.String()} {
			if strings.ContainsAny(out, "\x1b\u009b\u202e\U000e0001\x7f") || strings.Count(out, escaped) < 3 || !strings.Contains(out, escapedControl) {
				t.Errorf("a terminal is steered: %q", out)
			}
		}
		var shown strings.Builder
		e = explain.Explain(t.Context(), in(t, "Field", scene.Token(k)))
		e.Token.Header = json.RawMessage(`{"kid":"` + odd + control + `"}`)
		if err := e.WriteText(&shown, false); err != nil || strings.ContainsAny(shown.String(), "\u009b\u202e") || !strings.Contains(shown.String(), escaped+escapedControl) {
			t.Errorf("a terminal is steered by a header: %q, %v", shown.String(), err)
		}
		var back explain.Explanation
		if err := json.Unmarshal([]byte(data.String()), &back); err != nil || back.Organization != odd {
			t.Errorf("the organization is %q: %v", back.Organization, err)
		}
		signed := strings.Split(scene.Token(k), ".")
		for _, raw := range []string{
			k.Mint(`{"alg":"ES256","alg":"ES256","typ":"at+jwt"}`, scene.Payload(k.Issuer)), "an.opaque.secret", "eyJhbGciOiJub25lIn0.c2VjcmV0LXBheWxvYWQ.c2ln", // not JSON, behind a header that is refused
			tokens.Encode([]byte(`{"alg":"none"}`)) + "." + signed[1] + ".not~base64url",
			signed[0] + "." + signed[1] + ".not~base64url", signed[0] + "." + signed[1], "hunter2",
		} {
			if e := explain.Explain(t.Context(), in(t, "Public", raw)); e.Token != nil || e.Decision != explain.Allowed {
				t.Errorf("%q: %+v", raw, e.Token)
			}
		}
		e = explain.Explain(t.Context(), in(t, "Public", k.Mint(k.Header("alg", "HS256"), scene.Payload(k.Issuer))))
		var header map[string]string
		if e.Token == nil || json.Unmarshal(e.Token.Header, &header) != nil || header["alg"] != "HS256" {
			t.Errorf("a token that is refused is not shown: %+v", e.Token)
		}
	})
}

// TestColours makes sure that colours add escape sequences and nothing else.
func TestColours(t *testing.T) {
	t.Parallel()
	harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		for _, service := range []string{"Read", "Field", "Public", "Nested"} {
			e := explain.Explain(t.Context(), in(t, service, scene.Token(tokens.I1.ES256, "organization_id", "acme")))
			var coloured, black strings.Builder
			if err := errors.Join(e.WriteText(&coloured, true), e.WriteText(&black, false)); err != nil {
				t.Error(err)
			}
			if got := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(coloured.String(), ""); got != black.String() || got == coloured.String() {
				t.Errorf("in colours:\n%s\nwithout:\n%s", coloured.String(), black.String())
			}
		}
	})
}
