package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func (s *sample) accounts(options ...connect.ClientOption) samplev1connect.AccountServiceClient {
	return samplev1connect.NewAccountServiceClient(s.client, s.url(), options...)
}

// granted returns the value of an Authorization header with all that a user or client may have.
func (s *sample) granted(t testing.TB, r devissuer.Request) string {
	t.Helper()
	if r.Resource == "" {
		r.Resource = api
	}
	minted, leftOut, err := s.issuer.Grant(r)
	if err != nil || leftOut != nil {
		t.Fatalf("%v: %v, without %q", r, err, leftOut)
	}
	return "Bearer " + minted
}

// accountCalls are the methods of AccountService, by what a request names: a user, an organization or a client.
var accountCalls = map[string]func(ctx context.Context, s *sample, f front, authorization, named string) (proto.Message, error){
	"GetAccount": func(ctx context.Context, s *sample, f front, authorization, user string) (proto.Message, error) {
		return message(s.accounts(f.options...).GetAccount(ctx, request(authorization, &samplev1.GetAccountRequest{UserId: user})))
	},
	"ReadAccounts": func(ctx context.Context, s *sample, f front, authorization, user string) (proto.Message, error) {
		stream := s.accounts(f.options...).ReadAccounts(ctx)
		defer func() { _ = stream.CloseRequest() }()
		authorize(stream.RequestHeader(), authorization)
		return readAccount(stream, user)
	},
	"UpdatePreferences": func(ctx context.Context, s *sample, f front, authorization, user string) (proto.Message, error) {
		return message(s.accounts(f.options...).UpdatePreferences(ctx, request(authorization, &samplev1.UpdatePreferencesRequest{
			Name: "users/" + user + "/preferences", Preferences: map[string]string{"theme": "dark"},
		})))
	},
	"ListAccounts": func(ctx context.Context, s *sample, f front, authorization, organization string) (proto.Message, error) {
		return message(s.accounts(f.options...).ListAccounts(ctx, request(authorization, &samplev1.ListAccountsRequest{OrganizationId: organization})))
	},
	"RotateKey": func(ctx context.Context, s *sample, f front, authorization, client string) (proto.Message, error) {
		return message(s.accounts(f.options...).RotateKey(ctx, request(authorization, &samplev1.RotateKeyRequest{ClientId: client})))
	},
}

func readAccount(
	stream *connect.BidiStreamForClient[samplev1.ReadAccountsRequest, samplev1.ReadAccountsResponse], user string,
) (proto.Message, error) {
	// Receive returns the cause of a failure.
	if err := stream.Send(&samplev1.ReadAccountsRequest{UserId: user}); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	response, err := stream.Receive()
	return response, err
}

// TestWays makes the same calls to each method of AccountService over every protocol, as the users, staff and the
// clients of the embedded issuer.
func TestWays(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	const (
		alice = `account:{user_id:"alice" organization_id:"acme" email:"alice@acme.example"}`
		bob   = `account:{user_id:"bob" organization_id:"globex" email:"bob@globex.example"}`
	)
	var (
		subject  = answer{connect.CodePermissionDenied, interceptor.ReasonSubjectMismatch}
		caller   = answer{connect.CodePermissionDenied, interceptor.ReasonCallerNotAllowed}
		notFound = answer{code: connect.CodeNotFound}
		invalid  = answer{code: connect.CodeInvalidArgument}
	)
	tokens := map[string]string{
		"alice":         s.granted(t, devissuer.Request{Subject: "alice"}),
		"alice by acme": s.granted(t, devissuer.Request{Subject: "alice", Client: "acme-admin"}),
		"alice in acme": s.granted(t, devissuer.Request{Subject: "alice", Organization: "acme", Scopes: []string{"list:accounts"}}),
		"bob in globex": s.granted(t, devissuer.Request{Subject: "bob", Organization: "globex", Scopes: []string{"list:accounts"}}),
		"sam":           s.granted(t, devissuer.Request{Subject: "sam", Scopes: []string{"read:accounts", "support:accounts"}}),
		"sam, no role":  s.granted(t, devissuer.Request{Subject: "sam"}),
		"acme-admin":    s.granted(t, devissuer.Request{Client: "acme-admin"}),
		"a client that has staff's scopes": s.mint(t, map[string]any{
			"sub": "acme-admin", "client_id": "acme-admin", "aud": api, "scope": "read:accounts support:accounts",
		}),
		"a client with the name of a user": s.mint(t, map[string]any{"sub": "alice", "client_id": "alice", "aud": api}),
	}
	for _, c := range []struct {
		method, caller, named string
		text                  string // in the answer to a call that is let in
		want                  answer
	}{
		{"GetAccount", "alice", "alice", alice, answer{}},
		{"GetAccount", "alice", "bob", "", subject},
		{"GetAccount", "alice", "", "", subject},
		{"GetAccount", "alice", "Alice", "", subject},
		{"GetAccount", "alice", "nobody", "", subject},
		{"GetAccount", "sam", "alice", alice, answer{}},
		{"GetAccount", "sam", "bob", bob, answer{}},
		{"GetAccount", "sam", "nobody", "", notFound},
		{"GetAccount", "sam, no role", "alice", "", subject},
		{"GetAccount", "sam, no role", "sam", `user_id:"sam"`, answer{}},
		{"GetAccount", "acme-admin", "acme-admin", "", subject},
		{"GetAccount", "a client that has staff's scopes", "alice", "", subject},
		{"GetAccount", "a client with the name of a user", "alice", "", subject},
		{"GetAccount", "alice in acme", "alice", "", model},
		{"GetAccount", "", "alice", "", missing},

		{"ReadAccounts", "alice", "alice", alice, answer{}},
		{"ReadAccounts", "alice", "bob", "", subject},
		{"ReadAccounts", "alice", "", "", subject},
		{"ReadAccounts", "sam", "bob", bob, answer{}},
		{"ReadAccounts", "sam", "nobody", "", notFound},
		{"ReadAccounts", "acme-admin", "alice", "", subject},
		{"ReadAccounts", "", "alice", "", missing},

		{"UpdatePreferences", "alice", "alice", `key:"theme" value:"dark"`, answer{}},
		{"UpdatePreferences", "alice", "bob", "", subject},
		{"UpdatePreferences", "alice", "", "", subject},
		{"UpdatePreferences", "alice", "alice/preferences/../../bob", "", subject},
		{"UpdatePreferences", "sam", "alice", "", subject}, // staff reads, and does not write
		{"UpdatePreferences", "acme-admin", "acme-admin", "", subject},

		{"ListAccounts", "alice in acme", "acme", `user_id:"alice"`, answer{}},
		{"ListAccounts", "alice in acme", "globex", "", organized},
		{"ListAccounts", "alice in acme", "", "", organized},
		{"ListAccounts", "bob in globex", "globex", `user_id:"bob"`, answer{}},
		{"ListAccounts", "bob in globex", "acme", "", organized},
		{"ListAccounts", "sam", "acme", `user_id:"alice"`, answer{}},
		{"ListAccounts", "sam", "globex", `user_id:"bob"`, answer{}},
		{"ListAccounts", "sam", "", "", invalid},
		{"ListAccounts", "sam, no role", "acme", "", scope},
		{"ListAccounts", "alice", "acme", "", scope},
		{"ListAccounts", "a client that has staff's scopes", "acme", "", caller},

		{"RotateKey", "acme-admin", "acme-admin", "version:", answer{}},
		{"RotateKey", "acme-admin", "globex-admin", "", subject},
		{"RotateKey", "acme-admin", "", "", subject},
		{"RotateKey", "alice by acme", "acme-admin", "", caller},
		{"RotateKey", "alice", "alice", "", caller},
	} {
		for _, f := range streamFronts {
			t.Run(strings.Join([]string{c.method, c.caller, c.named, f.name}, "/"), func(t *testing.T) {
				t.Parallel()
				response, err := accountCalls[c.method](ending(t), s, f, tokens[c.caller], c.named)
				check(t, err, c.want)
				if err == nil && !strings.Contains(compact(response), c.text) {
					t.Errorf("got %s, want %s", compact(response), c.text)
				}
			})
		}
	}
}

// compact returns the text of a message, in which prototext puts spaces at random.
func compact(m proto.Message) string {
	text := strings.Join(strings.Fields(prototext.MarshalOptions{}.Format(m)), " ")
	return strings.NewReplacer(": ", ":").Replace(text)
}

// TestEachMessageNamesTheCaller makes sure that a stream ends at the message that names another user, and that the
// answer to that message does not leave.
func TestEachMessageNamesTheCaller(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	for caller, want := range map[string]answer{
		s.granted(t, devissuer.Request{Subject: "alice"}):                                  {connect.CodePermissionDenied, interceptor.ReasonSubjectMismatch},
		s.granted(t, devissuer.Request{Subject: "sam", Scopes: []string{"read:accounts"}}): {},
	} {
		for _, f := range streamFronts {
			stream := s.accounts(f.options...).ReadAccounts(ending(t))
			authorize(stream.RequestHeader(), caller)
			for range 2 {
				if _, err := readAccount(stream, "alice"); err != nil {
					t.Errorf("%s: %v", f.name, err)
				}
			}
			_, err := readAccount(stream, "bob")
			check(t, err, want)
			_ = stream.CloseRequest()
			_ = stream.CloseResponse()
		}
	}
}

// TestUsersAreApart stores preferences of alice and keys of acme-admin, and looks for them as others.
func TestUsersAreApart(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	update := func(user string, preferences map[string]string) map[string]string {
		t.Helper()
		response, err := s.accounts().UpdatePreferences(ending(t), request(s.granted(t, devissuer.Request{Subject: user}),
			&samplev1.UpdatePreferencesRequest{Name: "users/" + user + "/preferences", Preferences: preferences}))
		if err != nil {
			t.Fatal(err)
		}
		return response.Msg.GetPreferences()
	}
	update("alice", map[string]string{"theme": secret})
	for user, want := range map[string]map[string]string{
		"alice": {"theme": secret, "size": "10"}, "bob": {"size": "10"}, "sam": {"size": "10"},
	} {
		if got := update(user, map[string]string{"size": "10"}); !maps.Equal(got, want) {
			t.Errorf("%s has %v, want %v", user, got, want)
		}
	}
	for _, step := range []struct {
		client string
		want   int32
	}{{"acme-admin", 1}, {"acme-admin", 2}, {"globex-admin", 1}, {"acme-admin", 3}} {
		response, err := s.accounts().RotateKey(ending(t), request(s.granted(t, devissuer.Request{Client: step.client}),
			&samplev1.RotateKeyRequest{ClientId: step.client}))
		if err != nil || response.Msg.GetVersion() != step.want {
			t.Errorf("%s: %v, %v, want %d", step.client, response, err, step.want)
		}
	}
	_, err := s.accounts().UpdatePreferences(ending(t), request(s.granted(t, devissuer.Request{Subject: "alice"}),
		&samplev1.UpdatePreferencesRequest{Name: "users/alice/preferences", Preferences: map[string]string{"": "dark"}}))
	check(t, err, answer{code: connect.CodeInvalidArgument})
}

// Without a guard, a handler goes by the claims, even if a request names another.
func TestAccountHandlersGoByTheClaims(t *testing.T) {
	t.Parallel()
	claims := guardtest.Claims(t, token.Logto("https://tenant.logto.app"),
		`{"iss": "https://tenant.logto.app/oidc", "sub": "bob", "client_id": "app", "exp": 1, "aud": "`+api+`", "organization_id": "globex"}`)
	service := &accountService{accounts: seedAccounts()}
	for _, c := range []struct {
		ctx  context.Context
		want string
	}{
		{interceptor.ContextWithClaims(t.Context(), claims), "bob"},
		{t.Context(), ""}, // no caller reads the accounts without an organization
	} {
		list, err := service.ListAccounts(c.ctx, connect.NewRequest(&samplev1.ListAccountsRequest{OrganizationId: "acme"}))
		if c.want == "" {
			check(t, err, answer{code: connect.CodeInvalidArgument})
		} else if err != nil || len(list.Msg.GetAccounts()) != 1 || list.Msg.GetAccounts()[0].GetUserId() != c.want {
			t.Errorf("got %v, %v", list, err)
		}
	}
	ctx := interceptor.ContextWithClaims(t.Context(), claims)
	if _, err := service.UpdatePreferences(ctx, connect.NewRequest(&samplev1.UpdatePreferencesRequest{
		Name: "users/alice/preferences", Preferences: map[string]string{"theme": "dark"},
	})); err != nil || service.accounts.mergePreferences("alice", nil)["theme"] != "" {
		t.Errorf("the preferences of alice have changed (%v)", err)
	}
}

// TestUserTokensAreForThisMachine makes sure that a user's token goes to the person who runs the sample, and to no
// web page.
func TestUserTokensAreForThisMachine(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	for name, c := range map[string]struct {
		method, host, origin string
		want                 int
	}{
		"by hand":              {http.MethodPost, "", "", http.StatusOK},
		"by GET":               {http.MethodGet, "", "", http.StatusNotFound},
		"a page":               {http.MethodPost, "", "https://evil.example", http.StatusForbidden},
		"a page without a URL": {http.MethodPost, "", "null", http.StatusForbidden},
		"a name of a page":     {http.MethodPost, "evil.example", "", http.StatusForbidden},
	} {
		form := url.Values{"user": {"alice"}, "resource": {api}}.Encode()
		r, err := http.NewRequestWithContext(ending(t), c.method, s.url()+userTokenPath, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if r.Host = c.host; c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		response, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.want || strings.Contains(string(body), "eyJ") != (c.want == http.StatusOK) {
			t.Errorf("%s: got %d, want %d: %s, %v", name, response.StatusCode, c.want, body, err)
		}
		if c.want == http.StatusOK && response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a token may be kept: %v", name, response.Header)
		}
	}
}
