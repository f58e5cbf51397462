package devissuer_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// peopledTenant has users, and claims at every place.
func peopledTenant() devissuer.Config {
	config := logtoTenant()
	config.Claims = map[string]any{"tenant": "t", "who": "tenant", "jti": "j"}
	config.Users = []devissuer.User{{
		ID:     "alice",
		Claims: map[string]any{"who": "user", "roles": []string{"admin"}},
		Scopes: map[string][]string{api: {"read:products"}},
		Organizations: map[string]devissuer.Membership{
			"xqki9rxdl206": {
				OrganizationScopes: []string{"invite:member"},
				Scopes:             map[string][]string{api: {"read:data"}},
				Claims:             map[string]any{"who": "member", "roles": nil},
			},
		},
	}}
	config.Clients[0].Claims = map[string]any{"who": "client", "tenant": nil}
	return config
}

func TestGrant(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for name, test := range map[string]struct {
		request devissuer.Request
		want    object
		leftOut []string
	}{
		"a user's": {
			devissuer.Request{Subject: "alice", Resource: api, Scopes: []string{"write:orders", "read:products", "write:orders", "nope"}},
			object{"sub": "alice", "client_id": "devissuer", "aud": api, "scope": "read:products", "tenant": "t", "who": "user", "roles": []any{"admin"}},
			[]string{"write:orders", "nope"},
		},
		"a user's, by a client": {
			devissuer.Request{Subject: "alice", Client: "full", Resource: api},
			object{"sub": "alice", "client_id": "full", "aud": api, "tenant": "t", "who": "user", "roles": []any{"admin"}}, nil,
		},
		"a user's, in an organization": {
			devissuer.Request{Subject: "alice", Organization: "xqki9rxdl206", Resource: api, Scopes: []string{"read:data", "read:products"}},
			object{"sub": "alice", "client_id": "devissuer", "aud": api, "organization_id": "xqki9rxdl206", "scope": "read:data", "tenant": "t", "who": "member"},
			[]string{"read:products"},
		},
		"a user's, for an organization": {
			devissuer.Request{Subject: "alice", Organization: "xqki9rxdl206", Scopes: []string{"invite:member"}},
			object{"sub": "alice", "client_id": "devissuer", "aud": "urn:logto:organization:xqki9rxdl206", "scope": "invite:member", "tenant": "t", "who": "member"}, nil,
		},
		"a client's": {
			devissuer.Request{Client: "full", Resource: api, Scopes: []string{"write:orders"}},
			object{"sub": "full", "client_id": "full", "aud": api, "scope": "write:orders", "who": "client"}, nil,
		},
		"claims of the request": {
			devissuer.Request{Client: "full", Resource: api, Claims: object{"who": nil, "aud": []string{"x"}, "exp": 1, "sub": json.RawMessage("null")}},
			object{"sub": nil, "client_id": "full", "aud": []any{"x"}, "exp": 1.0}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // its clock stands still, at 946684800
				issuer := newIssuer(t, peopledTenant())
				raw, leftOut, err := issuer.Grant(test.request)
				if err != nil {
					t.Fatal(err)
				}
				if err := verify(t, fetchKeys(t, issuer), raw); err != nil {
					t.Error(err)
				}
				want := object{"iss": issuerURL, "iat": 946684800.0, "exp": 946688400.0, "jti": "j"}
				for claim, value := range test.want {
					want[claim] = value
				}
				if header, got := decode(t, raw); !reflect.DeepEqual(got, want) || header["typ"] != "at+jwt" {
					t.Errorf("%v\n%v, want\n%v", header, got, want)
				}
				if !reflect.DeepEqual(leftOut, test.leftOut) {
					t.Errorf("left out %q, want %q", leftOut, test.leftOut)
				}
			})
		})
	}
}

func TestGrantFaults(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, peopledTenant())
	for name, test := range map[string]struct {
		request devissuer.Request
		field   string
		want    string
	}{
		"nobody":               {devissuer.Request{Resource: api}, "Client", "no such client: add it to the clients, or write one of full, noroles, reader"},
		"an unknown client":    {devissuer.Request{Client: "x", Resource: api}, "Client", "no such client: add it to the clients, or write one of full, noroles, reader"},
		"a user as client":     {devissuer.Request{Client: "alice", Resource: api}, "Client", "no such client: add it to the clients, or write one of full, noroles, reader"},
		"by an unknown client": {devissuer.Request{Subject: "alice", Client: "x", Resource: api}, "Client", "no such client: add it to the clients, or write one of full, noroles, reader"},
		"an unknown user":      {devissuer.Request{Subject: "bob", Resource: api}, "Subject", "no such user: add it to the users, or write one of alice"},
		"a client as user":     {devissuer.Request{Subject: "full", Resource: api}, "Subject", "no such user: add it to the users, or write one of alice"},
		"no member": {devissuer.Request{Subject: "alice", Organization: "mracn5idm81j", Resource: api}, "Organization",
			`"alice" is not a member: add it to the organizations of alice, or write one of xqki9rxdl206`},
		"a client's member": {devissuer.Request{Subject: "alice", Client: "full", Organization: "mracn5idm81j"}, "Organization",
			`"alice" is not a member: add it to the organizations of alice, or write one of xqki9rxdl206`},
		"no target": {devissuer.Request{Subject: "alice"}, "Resource",
			"give resource for an API token, organization_id for an organization token, or both for an API token of the organization"},
		"an unknown resource": {devissuer.Request{Subject: "alice", Resource: api + "/"}, "Resource",
			"no such resource: add it to the resources, or write one of https://api.example.test, https://other.example.test/"},
	} {
		raw, leftOut, err := issuer.Grant(test.request)
		want := &devissuer.Fault{Field: test.field, Detail: test.want}
		if !reflect.DeepEqual(err, error(want)) || raw != "" || leftOut != nil {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if raw, _, err := issuer.Grant(devissuer.Request{Subject: "alice", Resource: api, Claims: map[string]any{"x": make(chan int)}}); err == nil || raw != "" {
		t.Error("a claim without JSON form is granted")
	}
}

// TestType tries the type of the tokens, at the endpoint too.
func TestType(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]any{"": "at+jwt", "JWT": "JWT", devissuer.NoType: nil} {
		config := logtoTenant()
		config.Type = typ
		issuer := newIssuer(t, config)
		granted, _, err := issuer.Grant(devissuer.Request{Client: "full", Resource: api})
		if err != nil {
			t.Fatal(err)
		}
		response := serve(issuer, tokenRequest("grant_type=client_credentials&resource="+api, "full", "full-secret"))
		answered := decodeJSON[map[string]any](t, response.Body.Bytes())["access_token"]
		for _, raw := range []any{granted, answered, mint(t, issuer, nil)} {
			text, _ := raw.(string)
			if header, _ := decode(t, text); header["typ"] != want {
				t.Errorf("%q: typ %v", typ, header["typ"])
			}
			if got := introspect(t, issuer, text)["active"]; got != true {
				t.Errorf("%q: active %v", typ, got)
			}
		}
		raw := mint(t, issuer, nil, devissuer.WithHeader("typ", "logout+jwt"))
		if got := introspect(t, issuer, raw)["active"]; got != false {
			t.Errorf("%q: a token of another type: active %v", typ, got)
		}
	}
}

// TestOpaqueEndpoint makes sure that the token endpoint of an opaque tenant gives opaque tokens.
func TestOpaqueEndpoint(t *testing.T) {
	t.Parallel()
	config := logtoTenant()
	config.Opaque = true
	issuer := newIssuer(t, config)
	response := serve(issuer, tokenRequest("grant_type=client_credentials&scope=read:products&resource="+api, "full", "full-secret"))
	raw, _ := decodeJSON[map[string]any](t, response.Body.Bytes())["access_token"].(string)
	got := introspect(t, issuer, raw)
	if got["active"] != true || got["sub"] != "full" || got["scope"] != "read:products" || got["aud"] != api {
		t.Errorf("%v", got)
	}
}
