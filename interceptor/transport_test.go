package interceptor_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Refusals as every client gets them, apart from the challenge.
func unauthenticated(reason interceptor.Reason, text string) refusal {
	return refusal{code: connect.CodeUnauthenticated, reason: reason, text: text, domain: "protoauthz"}
}

func denied(reason interceptor.Reason, text string) refusal {
	return refusal{code: connect.CodePermissionDenied, reason: reason, text: text, domain: "protoauthz"}
}

var (
	missing      = unauthenticated("TOKEN_MISSING", "a bearer token is required")
	unsupported  = unauthenticated("SCHEME_UNSUPPORTED", "the authorization scheme must be Bearer")
	malformed    = unauthenticated("TOKEN_MALFORMED", "the bearer token is malformed")
	invalid      = unauthenticated("TOKEN_INVALID", "the bearer token is not valid")
	expired      = unauthenticated("TOKEN_EXPIRED", "the bearer token has expired")
	notYet       = unauthenticated("TOKEN_NOT_YET_VALID", "the bearer token is not valid yet")
	audience     = denied("AUDIENCE_MISMATCH", "the token is for another audience")
	model        = denied("MODEL_MISMATCH", "the token is of another permission model")
	organization = denied("ORGANIZATION_MISMATCH", "the token does not open this organization")
	callerKind   = denied("CALLER_NOT_ALLOWED", "this kind of caller is not allowed")
	ruleless     = denied("RULE_MISSING", "the method has no authorization rule")
	unavailable  = refusal{
		code: connect.CodeUnavailable, reason: "KEYS_UNAVAILABLE", domain: "protoauthz",
		text: "tokens cannot be verified now: try again later",
	}
	failed = refusal{
		code: connect.CodeInternal, reason: "GUARD_FAILED", domain: "protoauthz",
		text: "the call could not be authorized",
	}
)

func scopes(required, any string) refusal {
	r := denied("SCOPE_INSUFFICIENT", "a required scope is missing")
	r.required, r.any = required, any
	return r
}

const (
	plainChallenge   = `Bearer realm="protoauthz"`
	invalidChallenge = `Bearer realm="protoauthz", error="invalid_token"`
)

// A transportCase is one call that has the same answer over every wire.
type transportCase struct {
	name      string
	service   string
	claims    claims // of a token by the good issuer, unless header or token is given
	header    http.Header
	token     func(testing.TB) string
	messages  []string // the organizations named; acme if nil
	want      refusal
	challenge string
	cause     error    // of the denial
	midway    bool     // refused in the midst of the stream: let in before
	saw       []string // what the handler sees of a stream with several messages
}

func (c transportCase) headerFor(t testing.TB) http.Header {
	header := c.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.token != nil {
		header.Set("Authorization", "Bearer "+c.token(t))
	} else if c.claims != nil {
		merge(header, bearer(t, c.claims))
	}
	return header
}

func authorization(values ...string) http.Header { return http.Header{"Authorization": values} }

func transportCases() []transportCase {
	const far = 4102444800 // 2100
	ago := time.Now().Add(-time.Hour).Unix()
	products := func() claims { return global("read:products write:products") }
	return []transportCase{
		{name: "no token", service: "Global", want: missing, challenge: plainChallenge, cause: token.ErrMissing},
		{name: "another scheme", service: "Global", header: authorization("Basic YTpi"), want: unsupported, challenge: plainChallenge, cause: token.ErrScheme},
		{name: "no JWT", service: "Global", header: authorization("Bearer a.b"), want: malformed, challenge: invalidChallenge, cause: token.ErrMalformed},
		{name: "empty", service: "Global", header: authorization(""), want: malformed, challenge: invalidChallenge, cause: token.ErrMalformed},
		{name: "two headers", service: "Global", header: authorization("Bearer a.b.c", "Bearer a.b.c"), want: malformed, challenge: invalidChallenge, cause: token.ErrMalformed},
		{name: "expired", service: "Global", claims: with(products(), "exp", ago), want: expired, challenge: invalidChallenge, cause: token.ErrExpired},
		{name: "not yet valid", service: "Global", claims: with(products(), "nbf", far), want: notYet, challenge: invalidChallenge, cause: token.ErrNotYetValid},
		{name: "forged", service: "Global", token: func(t testing.TB) string {
			return mint(t, shared(t).forger, products())
		}, want: invalid, challenge: invalidChallenge, cause: token.ErrInvalid},
		{name: "ID token", service: "Global", token: func(t testing.TB) string {
			return mint(t, shared(t).good, products(), devissuer.WithHeader("typ", "JWT"))
		}, want: invalid, challenge: invalidChallenge, cause: token.ErrInvalid},
		{name: "keys unavailable", service: "Global", token: func(t testing.TB) string {
			return mint(t, shared(t).broken, products())
		}, want: unavailable, cause: token.ErrKeysUnavailable},
		{name: "no rule", service: unruled, claims: products(), want: ruleless},
		{name: "no rule, no token", service: unruled, want: ruleless},

		{name: "global", service: "Global", claims: products()},
		{name: "global, scheme in capitals", service: "Global", token: func(t testing.TB) string {
			return mint(t, shared(t).good, products())
		}, header: authorization("bearer x")},
		{name: "authenticated", service: "Authenticated", claims: global("")},
		{name: "authenticated, another audience", service: "Authenticated", claims: claims{"aud": "https://other.example.test"}, want: audience},
		{name: "another audience", service: "Global", claims: with(products(), "aud", api+"/"), want: audience},
		{name: "no audience", service: "Global", claims: with(products(), "aud", nil), want: audience},
		{name: "organization token on global", service: "Global", claims: member(acme, "read:products write:products"), want: model},
		{name: "organization-level token on global", service: "Global", claims: resource(acme, "read:products write:products"), want: model},
		{name: "empty organization on global", service: "Global", claims: resource("", "read:products write:products"), want: model},
		{
			name: "scope missing", service: "Global", claims: global("read:products"), want: scopes("read:products write:products", ""),
			challenge: `Bearer realm="protoauthz", error="insufficient_scope", scope="read:products write:products"`,
		},
		{
			name: "any scope missing", service: "Any", claims: global("read:products sellall"), want: scopes("read:products sell buy", "sell buy"),
			challenge: `Bearer realm="protoauthz", error="insufficient_scope", scope="read:products sell buy"`,
		},
		{name: "any scope", service: "Any", claims: global("buy read:products")},
		{name: "a client for users", service: "User", claims: global(""), want: callerKind},
		{name: "a user for users", service: "User", claims: with(global(""), "sub", "alice")},
		{name: "a client for clients", service: "Client", claims: global("")},
		{name: "a user for clients", service: "Client", claims: with(global(""), "sub", "alice"), want: callerKind},

		{name: "member", service: "Member", claims: member(acme, "manage:members")},
		{name: "member of another", service: "Member", claims: member(globex, "manage:members"), want: organization},
		{name: "organization-level token for members", service: "Member", claims: resource(acme, "manage:members"), want: model},
		{name: "field", service: "Field", claims: resource(acme, "read:data")},
		{name: "field of another", service: "Field", claims: resource(globex, "read:data"), want: organization},
		{name: "field empty", service: "Field", claims: resource(acme, "read:data"), messages: []string{""}, want: organization},
		{name: "field, both empty", service: "Field", claims: resource("", "read:data"), messages: []string{""}, want: model},
		{name: "field, global token", service: "Field", claims: global("read:data"), want: model},
		{name: "header", service: "Header", claims: resource(acme, "read:data"), header: http.Header{"X-Organization-Id": {acme}}},
		{name: "header missing", service: "Header", claims: resource(acme, "read:data"), want: organization},
		{name: "header empty", service: "Header", claims: resource(acme, "read:data"), header: http.Header{"X-Organization-Id": {""}}, want: organization},
		{name: "header of another", service: "Header", claims: resource(acme, "read:data"), header: http.Header{"X-Organization-Id": {globex}}, want: organization},
		{name: "header twice", service: "Header", claims: resource(acme, "read:data"), header: http.Header{"X-Organization-Id": {acme, acme}}, want: organization},
		{name: "token's organization", service: "Token", claims: resource(acme, "read:data"), messages: []string{globex}},
		{name: "token's organization, none", service: "Token", claims: global("read:data"), want: model},

		{name: "public", service: "Public"},
		{name: "public, broken token", service: "Public", header: authorization("Bearer a.b")},
		{name: "public, two headers", service: "Public", header: authorization("", "")},
		{name: "public service", service: opened},
		{name: "public service, broken token", service: opened, header: authorization("Basic x")},

		{name: "all of one organization", service: "Field", claims: resource(acme, "read:data"), messages: []string{acme, acme, acme}, saw: []string{acme, acme, acme}},
		{
			name: "then another organization", service: "Field", claims: resource(acme, "read:data"),
			messages: []string{acme, globex, acme}, saw: []string{acme}, want: organization, midway: true,
		},
		{
			name: "then no organization", service: "Member", claims: member(acme, "invite:member"),
			messages: []string{acme, acme, ""}, saw: []string{acme, acme}, want: organization, midway: true,
		},
		{
			name: "first another organization", service: "Field", claims: resource(acme, "read:data"),
			messages: []string{globex, acme}, want: organization, saw: []string{},
		},
		{name: "no message at all", service: "Field", claims: resource(acme, "read:data"), messages: []string{}, want: organization, saw: []string{}},

		{name: "foreign error", service: "Global", header: authorization("Bearer foreign"), want: failed, cause: errForeign},
		{name: "neither claims nor error", service: "Global", header: authorization("Bearer nothing"), want: failed},
		{name: "panic", service: "Global", header: authorization("Bearer panic"), want: failed},
	}
}

var errForeign = errors.New("out of order")

// whimsical is a verifier with moods.
func whimsical(verifier interceptor.Verifier) verifierFunc {
	return func(ctx context.Context, raw string) (*token.Claims, error) {
		switch raw {
		case "foreign":
			return nil, errForeign
		case "nothing":
			return nil, nil
		case "panic":
			panic("a verifier's panic")
		default:
			return verifier.Verify(ctx, raw)
		}
	}
}

// TestTransports makes every call over every wire, with a guard installed in
// both ways: the answer is the same.
func TestTransports(t *testing.T) {
	t.Parallel()
	for _, installed := range []string{"HandlerOption", "WithInterceptors"} {
		t.Run(installed, func(t *testing.T) {
			t.Parallel()
			guard := interceptor.New(whimsical(shared(t).verifier), rules(t), interceptor.WithObserver(observer))
			option := guard.HandlerOption()
			if installed == "WithInterceptors" {
				option = connect.WithInterceptors(guard)
			}
			server := serve(t, handlers{}.mux(option))
			calls := 0
			for _, test := range transportCases() {
				header := test.headerFor(t)
				if test.name == "global, scheme in capitals" {
					header["Authorization"] = []string{"BEARER  " + header.Get("Authorization")[len("Bearer "):]}
				}
				for kind := range kinds {
					many := kind&connect.StreamTypeClient != 0
					if test.saw != nil && !many {
						continue
					}
					for _, wire := range wires {
						if wire.can(kind) {
							calls++
							testCall(t, server, test, header.Clone(), wire, kind)
						}
					}
				}
			}
			if log := server.logged(); log != "" {
				t.Errorf("net/http logged:\n%s", log)
			}
			if calls < 1000 {
				t.Errorf("only %d calls", calls)
			}
		})
	}
}

func testCall(t *testing.T, server *server, test transportCase, header http.Header, wire wire, kind connect.StreamType) {
	t.Helper()
	call := server.record(header)
	messages := test.messages
	if messages == nil {
		messages = []string{acme}
	}
	texts, err := server.do(t.Context(), wire, test.service, kind, header, messages...)
	fail := func(what string, got, want any) {
		t.Helper()
		t.Errorf("%s, %s, %s: %s is\n     %+q\nwant %+q", test.name, kinds[kind], wire.name, what, got, want)
	}

	want := test.want
	if wire.protocol == connect.ProtocolConnect && kind == connect.StreamTypeUnary {
		want.challenge = test.challenge
	}
	if got := refused(err); got != want {
		fail("the answer", got, want)
	}

	decisions := []interceptor.Reason{want.reason}
	if test.midway {
		decisions = []interceptor.Reason{"", want.reason}
	}
	if got := call.decisions(); !slices.Equal(got, decisions) {
		fail("what the observer saw", got, decisions)
	} else if denial := call.events[len(got)-1].Denial; test.cause != nil && !errors.Is(denial, test.cause) {
		fail("the cause", denial.Unwrap(), test.cause)
	}

	// A bidirectional or client stream runs before its first message: only the
	// organization in it is still open.
	byMessage := test.service == "Field" || test.service == "Member"
	saw := test.saw
	if saw == nil && want.reason == "" {
		saw = messages
	}
	calls, seen := call.seen()
	if !slices.Equal(seen, saw) {
		fail("what the handler saw", seen, saw)
	}
	wantCalls := 0
	if want.reason == "" || byMessage && kind&connect.StreamTypeClient != 0 && want.reason == organization.reason {
		wantCalls = 1
	}
	if calls != wantCalls {
		fail("how often the handler ran", calls, wantCalls)
	}
	if want.reason == "" {
		saw = messages
		if kind == connect.StreamTypeClient {
			saw = messages[len(messages)-1:]
		}
	}
	if kind == connect.StreamTypeBidi || want.reason == "" {
		if !slices.Equal(texts, saw) {
			fail("what the client got", texts, saw)
		}
	} else if len(texts) > 0 {
		fail("what the client got", texts, nil)
	}
}
