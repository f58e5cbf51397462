package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// A front is a way to make the same call.
type front struct {
	name    string
	options []connect.ClientOption
}

var fronts = []front{
	{"connect", nil},
	{"connect_json", []connect.ClientOption{connect.WithProtoJSON()}},
	{"connect_get", []connect.ClientOption{connect.WithHTTPGet()}},
	{"grpc", []connect.ClientOption{connect.WithGRPC()}},
	{"grpc_web", []connect.ClientOption{connect.WithGRPCWeb()}},
}

func (f front) isConnect() bool { return f.name != "grpc" && f.name != "grpc_web" }

// A modelCase is a method of one permission model, with the claims that satisfy its rule.
type modelCase struct {
	name   string
	claims map[string]any
	scope  string // that the method requires, as a challenge shows it
	get    bool   // may be called by GET
	call   func(ctx context.Context, client connect.HTTPClient, url, authorization, organization string, options ...connect.ClientOption) error
}

var modelCases = []modelCase{{
	name: "global_resource", claims: globalClaims, scope: "read:products", get: true,
	call: func(ctx context.Context, client connect.HTTPClient, url, authorization, _ string, options ...connect.ClientOption) error {
		_, err := samplev1connect.NewCatalogServiceClient(client, url, options...).
			ListProducts(ctx, request(authorization, &samplev1.ListProductsRequest{}))
		return err
	},
}, {
	name: "organization", claims: acmeClaims, scope: "invite:member manage:members",
	call: func(ctx context.Context, client connect.HTTPClient, url, authorization, organization string, options ...connect.ClientOption) error {
		_, err := samplev1connect.NewMemberServiceClient(client, url, options...).
			ListMembers(ctx, request(authorization, &samplev1.ListMembersRequest{OrganizationId: organization}))
		return err
	},
}, {
	name: "organization_resource", claims: acmeDataClaims, scope: "read:data",
	call: func(ctx context.Context, client connect.HTTPClient, url, authorization, organization string, options ...connect.ClientOption) error {
		_, err := samplev1connect.NewDocumentServiceClient(client, url, options...).
			ListDocuments(ctx, request(authorization, &samplev1.ListDocumentsRequest{OrganizationId: organization}))
		return err
	},
}}

type authorizationCase struct {
	name          string
	authorization string
	organization  string // in the request; "acme" if empty, and none if "none"
	want          answer
}

// TestModels makes the same calls to a method of every permission model, over every protocol.
func TestModels(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	// Another issuer of the same URL: its signatures do not match.
	impostor, err := devissuer.New(s.issuer.URL(), devissuer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	forged := func(claims map[string]any) string {
		minted, err := impostor.Mint(claims)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + minted
	}
	idToken := func(claims map[string]any) string {
		minted, err := s.issuer.Mint(claims, devissuer.WithHeader("typ", "JWT"))
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + minted
	}
	for _, m := range modelCases {
		// ofModel is the answer to a token of a model.
		ofModel := func(name string) answer {
			if name == m.name {
				return answer{}
			}
			return model
		}
		// The scopes are right in all of them: only the model differs.
		scopes := map[string]any{"scope": m.claims["scope"]}

		cases := []authorizationCase{
			{name: "valid", authorization: s.mint(t, m.claims)},
			{name: "valid, scheme in lower case", authorization: "bearer" + s.mint(t, m.claims)[len("Bearer"):]},
			{name: "missing scope", authorization: s.mint(t, with(m.claims, map[string]any{"scope": "read:product read:datas"})), want: scope},
			{name: "no scope", authorization: s.mint(t, with(m.claims, map[string]any{"scope": nil})), want: scope},
			{name: "wrong audience", authorization: s.mint(t, with(m.claims, map[string]any{"aud": api + "/"})), want: audience},
			{name: "no audience", authorization: s.mint(t, with(m.claims, map[string]any{"aud": nil})), want: audience},
			{name: "a global token", authorization: s.mint(t, with(globalClaims, scopes)), want: ofModel("global_resource")},
			{name: "an organization's token", authorization: s.mint(t, with(acmeClaims, scopes)), want: ofModel("organization")},
			{name: "an organization-level API token", authorization: s.mint(t, with(acmeDataClaims, scopes)), want: ofModel("organization_resource")},
			{name: "no token", want: missing},
			{name: "another scheme", authorization: "Basic YWNtZTphY21l", want: scheme},
			{name: "garbage", authorization: "Bearer garbage", want: malformed},
			{name: "forged", authorization: forged(m.claims), want: invalidToken},
			{name: "ID token", authorization: idToken(m.claims), want: invalidToken},
			{name: "expired", authorization: s.mint(t, with(m.claims, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})), want: expired},
			{name: "not yet valid", authorization: s.mint(t, with(m.claims, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})), want: notYet},
		}
		if m.name != "global_resource" {
			for _, organization := range []string{"globex", "ACME", " acme", "none"} {
				cases = append(cases, authorizationCase{"organization " + organization, s.mint(t, m.claims), organization, organized})
			}
		}

		for _, f := range fronts {
			t.Run(m.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				for _, c := range cases {
					client := &witness{Client: s.client}
					organization := c.organization
					switch organization {
					case "":
						organization = "acme"
					case "none":
						organization = ""
					}
					err := m.call(ending(t), client, s.url(), c.authorization, organization, f.options...)
					if got := answerOf(t, err); got != c.want {
						t.Errorf("%s: got %v, want %v (%v)", c.name, got, c.want, err)
					}
					if want := c.want.overHTTP(f, m.scope); client.last != want {
						t.Errorf("%s: got HTTP %v, want %v", c.name, client.last, want)
					}
					if byGet := client.method == http.MethodGet; byGet != (f.name == "connect_get" && m.get) {
						t.Errorf("%s: called by %s", c.name, client.method)
					}
				}
			})
		}
	}
}

// overHTTP returns the answer as a client of plain HTTP sees it.
func (a answer) overHTTP(f front, scopes string) connectAnswer {
	const realm = `Bearer realm="` + api + `"`
	switch {
	case !f.isConnect() || a == answer{}:
		return connectAnswer{status: http.StatusOK}
	case a == missing || a == scheme:
		return connectAnswer{http.StatusUnauthorized, realm}
	case a.code == connect.CodeUnauthenticated:
		return connectAnswer{http.StatusUnauthorized, realm + `, error="invalid_token"`}
	case a == scope:
		return connectAnswer{http.StatusForbidden, realm + `, error="insufficient_scope", scope="` + scopes + `"`}
	case a == audience:
		return connectAnswer{http.StatusForbidden, realm + `, error="invalid_token"`}
	default:
		return connectAnswer{http.StatusForbidden, realm}
	}
}

// A public method answers, whatever the Authorization field holds.
func TestPublic(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	for _, f := range fronts {
		for name, authorization := range map[string]string{
			"no token":       "",
			"another scheme": "Basic YWNtZTphY21l",
			"garbage":        "Bearer garbage",
			"expired":        s.mint(t, with(globalClaims, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})),
			"other audience": s.mint(t, with(globalClaims, map[string]any{"aud": "https://other.example.com"})),
		} {
			response, err := s.catalog(f.options...).GetInfo(ending(t), request(authorization, &samplev1.GetInfoRequest{}))
			if err != nil {
				t.Errorf("%s: %s: %v", f.name, name, err)
				continue
			}
			if response.Msg.GetIssuer() != s.issuer.URL() || response.Msg.GetAudience() != api {
				t.Errorf("%s: %s: got %v", f.name, name, response.Msg)
			}
		}
	}
}

// A method may need several scopes.
func TestEveryScopeCounts(t *testing.T) {
	t.Parallel()
	s := startSample(t)
	for claims, want := range map[string]answer{
		"read:products":                {code: scope.code, reason: scope.reason},
		"write:products":               {code: scope.code, reason: scope.reason},
		"write:products read:products": {},
	} {
		stream := s.catalog(connect.WithGRPC()).ImportProducts(ending(t))
		authorize(stream.RequestHeader(), s.mint(t, with(globalClaims, map[string]any{"scope": claims})))
		_, err := stream.CloseAndReceive()
		check(t, err, want)
	}
	for _, granted := range []string{"invite:member", "manage:members"} {
		_, err := s.members().ListMembers(ending(t), request(
			s.mint(t, with(acmeClaims, map[string]any{"scope": granted})), &samplev1.ListMembersRequest{OrganizationId: "acme"}))
		check(t, err, answer{})
	}
}
