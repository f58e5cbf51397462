package interceptor_test

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// compileRealms compiles one service, with methods that name their audience and methods that do not.
func compileRealms(t *testing.T, service string, options ...policy.Option) *policy.Table {
	t.Helper()
	files, err := protos.Compile(t.Context(), "../proto", map[string]string{"realms.proto": `syntax = "proto3";
		package realms.v1;
		import "protoauthz/v1/authz.proto";
		import "sample/v1/document.proto";
		service S {` + service + `}`}, "realms.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files{files[0]}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// rpc is a method of a service that compileRealms compiles.
func rpc(rule string) string {
	return `rpc Call(sample.v1.SyncDocumentsRequest) returns (sample.v1.SyncDocumentsResponse) {
		option idempotency_level = NO_SIDE_EFFECTS;
		option (protoauthz.v1.method) = {` + rule + `};
	}`
}

// Services by their permission model.
const (
	globalModel   = `option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE`
	resourceModel = `option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE, organization: {field: "organization_id"}`
	memberModel   = `option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION, organization: {field: "organization_id"}`
	end           = `};`
)

// TestOutsideChallenges makes sure that a client reads the challenge of each refusal: in a header if the
// protocol has one, and in the detail over every protocol.
func TestOutsideChallenges(t *testing.T) {
	t.Parallel()
	good := mint(t, shared(t).good, global("read"))
	scoped := globalModel + end + rpc(`scopes: ["read"] any_scopes: ["sell", "buy"]`)
	ofAPI := policy.WithAudience(api)
	for name, test := range map[string]struct {
		service   string
		options   []policy.Option
		header    []string // Authorization
		claims    claims   // of the token, if there is no header
		procedure string
		code      connect.Code
		reason    interceptor.Reason
		challenge string
	}{
		"C19 no token": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMissing, challenge: `Bearer realm="https://api.test"`,
		},
		"of two audiences": {
			service: globalModel + end + strings.Replace(rpc(`authenticated: true, audience: "https://a.test"`), "Call", "Another", 1) +
				rpc(`authenticated: true, audience: "https://b.test"`),
			header: []string{},
			code:   connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMissing, challenge: `Bearer realm="https://b.test"`,
		},
		"C19 another scheme": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{"Basic dTpw"},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonSchemeUnsupported, challenge: `Bearer realm="https://api.test"`,
		},
		"C19 malformed": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{"Bearer a.b"},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMalformed, challenge: `Bearer realm="https://api.test", error="invalid_token"`,
		},
		"C19 two fields": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{"Bearer " + good, "Bearer " + good},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMalformed, challenge: `Bearer realm="https://api.test", error="invalid_request"`,
		},
		"C19 two fields that a proxy has joined": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{"Bearer " + good + ", Bearer " + good},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMalformed, challenge: `Bearer realm="https://api.test", error="invalid_request"`,
		},
		"C19 a token and a password": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{"Basic dTpw", "Bearer " + good},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMalformed, challenge: `Bearer realm="https://api.test", error="invalid_request"`,
		},
		"C19 two tokens in one field": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{"Bearer " + good + " " + good},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMalformed, challenge: `Bearer realm="https://api.test", error="invalid_request"`,
		},
		"C19 a token broken by a space": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{"Bearer a.b .c"},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMalformed, challenge: `Bearer realm="https://api.test", error="invalid_token"`,
		},
		"C19 invalid": {
			service: scoped, options: []policy.Option{ofAPI}, claims: claims{"aud": api, "iss": "https://other.test"},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenInvalid, challenge: `Bearer realm="https://api.test", error="invalid_token"`,
		},
		"C19 expired": {
			service: scoped, options: []policy.Option{ofAPI}, claims: claims{"aud": api, "exp": 1},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenExpired, challenge: `Bearer realm="https://api.test", error="invalid_token"`,
		},
		"C19 not yet valid": {
			service: scoped, options: []policy.Option{ofAPI}, claims: claims{"aud": api, "nbf": int64(4102444799), "exp": int64(4102444800)},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenNotYetValid, challenge: `Bearer realm="https://api.test", error="invalid_token"`,
		},
		"C19 another audience": {
			service: scoped, options: []policy.Option{ofAPI}, claims: claims{"aud": "https://other.test", "scope": "read"},
			code: connect.CodePermissionDenied, reason: interceptor.ReasonAudienceMismatch, challenge: `Bearer realm="https://api.test", error="invalid_token"`,
		},
		"C19 another model": {
			service: scoped, options: []policy.Option{ofAPI}, claims: resource(acme, "read"),
			code: connect.CodePermissionDenied, reason: interceptor.ReasonModelMismatch, challenge: `Bearer realm="https://api.test"`,
		},
		"C19 another organization": {
			service: resourceModel + end + rpc(`authenticated: true`), options: []policy.Option{ofAPI}, claims: resource(globex, "read"),
			code: connect.CodePermissionDenied, reason: interceptor.ReasonOrganizationMismatch, challenge: `Bearer realm="https://api.test"`,
		},
		"C19 another caller": {
			service: globalModel + end + rpc(`authenticated: true caller: CALLER_USER`), options: []policy.Option{ofAPI}, claims: with(global(""), "client_id", "c"),
			code: connect.CodePermissionDenied, reason: interceptor.ReasonCallerNotAllowed, challenge: `Bearer realm="https://api.test"`,
		},
		"C19 a scope missing": {
			service: scoped, options: []policy.Option{ofAPI}, claims: global("read"),
			code: connect.CodePermissionDenied, reason: interceptor.ReasonScopeInsufficient, challenge: `Bearer realm="https://api.test", error="insufficient_scope", scope="read sell buy"`,
		},
		"C19 no rule": {
			service: scoped, options: []policy.Option{ofAPI}, header: []string{}, procedure: "/realms.v1.S/Other",
			code: connect.CodePermissionDenied, reason: interceptor.ReasonRuleMissing, challenge: "",
		},
		"C19 realm of the method": {
			service: globalModel + ` audience: "service"` + end + rpc(`scopes: ["read"] audience: "method"`), options: []policy.Option{ofAPI}, claims: global("read"),
			code: connect.CodePermissionDenied, reason: interceptor.ReasonAudienceMismatch, challenge: `Bearer realm="method", error="invalid_token"`,
		},
		"C19 realm of the service": {
			service: resourceModel + ` audience: "service"` + end + rpc(`scopes: ["read"]`), options: []policy.Option{ofAPI}, header: []string{},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMissing, challenge: `Bearer realm="service"`,
		},
		"C19 realm of MODEL_ORGANIZATION": {
			service: memberModel + end + rpc(`scopes: ["read"]`), options: []policy.Option{ofAPI}, claims: claims{"aud": "urn:logto:organization:acme", "scope": "write"},
			code: connect.CodePermissionDenied, reason: interceptor.ReasonScopeInsufficient, challenge: `Bearer realm="https://api.test", error="insufficient_scope", scope="read"`,
		},
		"C19 realm of MODEL_ORGANIZATION in a service with an audience": {
			service: memberModel + ` audience: "service"` + end + rpc(`scopes: ["read"]`), options: []policy.Option{ofAPI}, claims: claims{"aud": "service"},
			code: connect.CodePermissionDenied, reason: interceptor.ReasonModelMismatch, challenge: `Bearer realm="https://api.test"`,
		},
		"C19 no audience": {
			service: memberModel + ` audience: "service"` + end + rpc(`scopes: ["read"]`), header: []string{},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMissing, challenge: `Bearer realm="protoauthz"`,
		},
		"C19 quotes in the realm": {
			service: globalModel + end + rpc(`authenticated: true`), options: []policy.Option{policy.WithAudience(`a"b\c,error="x`)}, header: []string{},
			code: connect.CodeUnauthenticated, reason: interceptor.ReasonTokenMissing, challenge: `Bearer realm="a\"b\\c,error=\"x"`,
		},
		"C19 a realm that is not ASCII": {
			service: globalModel + end + rpc(`authenticated: true`), options: []policy.Option{policy.WithAudience("https://\u00fc.example/\u30c1")}, claims: global(""),
			code: connect.CodePermissionDenied, reason: interceptor.ReasonAudienceMismatch, challenge: `Bearer realm="https://%C3%BC.example/%E3%83%81", error="invalid_token"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Authorization": test.header}
			if test.header == nil {
				header = bearer(t, test.claims)
			}
			guard := interceptor.New(shared(t).verifier, compileRealms(t, test.service, test.options...))
			at := cmp.Or(test.procedure, "/realms.v1.S/Call")
			unary := func(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
				return connect.NewResponse(new(answer)), nil
			}
			mux := http.NewServeMux()
			mux.Handle(at, connect.NewUnaryHandler(at, unary, guard.HandlerOption(), connect.WithIdempotency(connect.IdempotencyNoSideEffects)))
			server := serve(t, mux)
			for _, wire := range wires {
				request := connect.NewRequest(naming(acme))
				merge(request.Header(), header)
				_, err := server.connect(wire, at).CallUnary(t.Context(), request)
				got := refused(err)
				shown := test.challenge
				if wire.protocol != connect.ProtocolConnect {
					shown = ""
				}
				if got.code != test.code || got.reason != test.reason || got.challenge != shown || got.told != test.challenge || got.more != 0 {
					t.Errorf("%s: %s, %s\nheader %s\ndetail %s\nwant   %s", wire.name, got.code, got.reason, got.challenge, got.told, test.challenge)
				}
			}
			if logged := server.Logged(); logged != "" {
				t.Errorf("net/http logged %s", logged)
			}

			// An adapter to another framework.
			call, denial := guard.Admit(t.Context(), at, header)
			if denial == nil {
				denial = call.Judge(naming(acme))
			}
			if denial.Challenge() != test.challenge || denial.ErrorInfo().GetMetadata()["challenge"] != test.challenge {
				t.Errorf("the denial's challenge is %s", denial.Challenge())
			}
		})
	}
}
