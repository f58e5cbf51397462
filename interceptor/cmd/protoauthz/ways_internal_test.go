package main

import (
	"strings"
	"testing"
)

// waysProto has rules with several ways in.
const waysProto = `syntax = "proto3"; package account.v1; import "protoauthz/v1/authz.proto";
message Request { string user_id = 1; string name = 2; string client_id = 3; string organization_id = 4; repeated string owners = 5; }
service AccountService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc GetAccount(Request) returns (Request) { option (protoauthz.v1.method) = {
    authenticated: true, subject: {field: "user_id"}
    alternatives: [{scopes: ["read:accounts"], caller: CALLER_USER}, {scopes: ["sync:accounts"], caller: CALLER_CLIENT, client: {field: "client_id"}}]
  }; }
  rpc GetOrder(Request) returns (Request) { option (protoauthz.v1.method) = {
    scopes: ["read:orders"], any_scopes: ["web", "app"], model: MODEL_ORGANIZATION_RESOURCE, organization: {field: "organization_id"}
    alternatives: [{scopes: ["support:orders"]}]
  }; }
  rpc WatchSettings(stream Request) returns (stream Request) { option (protoauthz.v1.method) = {
    scopes: ["read:settings"], subject: {field: "name", pattern: "users/{subject}/settings"}, client: {field: "client_id"}
  }; }
}
service PlainService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc Info(Request) returns (Request) { option (protoauthz.v1.method) = {public: true}; }
}`

// waysImage compiles waysProto with replacements.
func waysImage(t *testing.T, replace ...string) []byte {
	t.Helper()
	source := strings.NewReplacer(replace...).Replace(waysProto)
	if len(replace) > 0 && source == waysProto {
		t.Fatalf("the source has no %q", replace)
	}
	return encode(t, compileSet(t, map[string]string{"account.proto": source}, "account.proto"))
}

// TestWays compares what the commands print about rules with several ways.
func TestWays(t *testing.T) {
	t.Parallel()
	const several = `{"audience": "https://api.example.com",
"issuers": [{"url": "https://a.test", "algorithms": ["RS256"]}, {"url": "https://b.test", "algorithms": ["RS256"]}]`
	const only = `{"audience": "https://api.example.com",
"issuers": [{"url": `
	tr := &transcript{names: map[string]string{
		"IMAGE":    write(t, "image.binpb", waysImage(t)),
		"OLD":      write(t, "old.binpb", waysImage(t, `, subject: {field: "user_id"}`, "", `alternatives: [{scopes: ["support:orders"]}]`, "", `"app"`, `"app", "cli"`, `/settings"}`, `/*"}`)),
		"SHARED":   write(t, "shared.binpb", waysImage(t, "support:orders", "read:orders")),
		"SEVERAL":  write(t, "several.json", []byte(several+"}")),
		"DECIDED":  write(t, "decided.json", []byte(several+",\n\"subjectIssuer\": \"https://b.test\"}")),
		"FIRST":    write(t, "first.json", []byte(several+",\n\"subjectIssuer\": \"https://a.test\"}")),
		"ONLY":     write(t, "only.json", []byte(only+"\"https://a.test\", \"algorithms\": [\"RS256\"]}]}")),
		"OTHER":    write(t, "other.json", []byte(only+"\"https://b.test\", \"algorithms\": [\"RS256\"]}]}")),
		"TENANTS":  write(t, "tenants.json", []byte(only+"\"https://login.test/{tenant}\", \"keySetURL\": \"https://login.test/keys\", \"algorithms\": [\"RS256\"], \"requiredClaims\": {\"tenant\": [\"a\", \"b\"]}}]}")),
		"CHOSEN":   write(t, "chosen.json", []byte(only+"\"https://a.test\", \"algorithms\": [\"RS256\"]}],\n\"subjectIssuer\": \"https://a.test\"}")),
		"SPACE":    write(t, "space.json", []byte("{\"audience\": \"https://api.example.com\",\n\"subjectIssuer\": \"https://a.test \"}")),
		"NOBODY'S": write(t, "nobodys.json", []byte(several+",\n\"subjectIssuer\": \"https://c.test\"}")),
	}}
	for _, c := range []struct{ about, line string }{
		{"a line for each way", "matrix IMAGE"},
		{"a row for each way", "matrix -format markdown IMAGE"},
		{"for programs", "matrix -format json -only account.v1.AccountService IMAGE"},
		{"no subject", "matrix -only account.v1.PlainService IMAGE"},
		{"the scopes of all ways", "scopes IMAGE"},
		{"a scope that two models share", "scopes -format logto -shared-scope read:orders SHARED"},
		{"changes of ways", "diff OLD IMAGE"},
		{"the other way round, for a pull request", "diff -format markdown IMAGE OLD"},
		{"the document names the issuer", "matrix -authz DECIDED -format json -only account.v1.AccountService IMAGE"},
		{"a flag names the issuer", "matrix -authz SEVERAL -subject-issuer https://b.test -only account.v1.PlainService IMAGE"},
		{"the flag contradicts the document", "matrix -authz DECIDED -subject-issuer https://a.test IMAGE"},
		{"the flag is empty", "matrix -subject-issuer= IMAGE"},
		{"an issuer of no token", "matrix -authz NOBODY'S IMAGE"},
		{"no issuer, of several", "matrix -authz SEVERAL IMAGE"},
		{"no issuer, of several tenants", "matrix -authz TENANTS -only account.v1.AccountService IMAGE"},
		{"the flag names the issuer of one of the tenants", "matrix -authz TENANTS -subject-issuer https://login.test/a -only account.v1.AccountService IMAGE"},
		{"scopes of a server that does not start", "scopes -authz SEVERAL IMAGE"},
		{"an issuer that is none", "matrix -authz SPACE IMAGE"},
		{"no change, and a server that does not start", "diff -authz SEVERAL IMAGE IMAGE"},
		{"one more issuer, and no issuer is named", "diff -old-authz ONLY -authz SEVERAL IMAGE IMAGE"},
		{"the only issuer is named", "diff -old-authz ONLY -authz CHOSEN IMAGE IMAGE"},
		{"the only issuer is named no more", "diff -old-authz CHOSEN -authz ONLY IMAGE IMAGE"},
		{"one more issuer", "diff -old-authz ONLY -authz FIRST IMAGE IMAGE"},
		{"one more issuer, which the requests name", "diff -old-authz ONLY -authz DECIDED IMAGE IMAGE"},
		{"one more issuer, and the .proto file loosens subjects", "diff -old-authz ONLY -authz DECIDED IMAGE OLD"},
		{"a template stands for several issuers", "diff -old-authz TENANTS -authz DECIDED -only account.v1.AccountService IMAGE IMAGE"},
		{"another only issuer", "diff -old-authz ONLY -authz OTHER IMAGE IMAGE"},
		{"another chosen issuer, for a pull request", "diff -old-authz FIRST -authz DECIDED -format markdown -only account.v1.AccountService IMAGE IMAGE"},
		{"another issuer", "diff -old-authz SEVERAL -authz DECIDED IMAGE IMAGE"},
		{"a call of a server that does not start", "explain -authz SEVERAL -method account.v1.AccountService/GetAccount IMAGE"},
		{"no issuer any more", "diff -old-authz DECIDED -authz SEVERAL IMAGE IMAGE"},
	} {
		tr.about("%s", c.about)
		tr.run(t, nil, c.line)
	}
	module := write(t, "buf.yaml", []byte("version: v2\n"))
	for name, want := range map[string]bool{"SEVERAL": true, "DECIDED": false} {
		got := execute(t, nil, "check", "-authz", tr.names[name], "-buf", module, tr.names["IMAGE"])
		if lacks := strings.Contains(got.stdout, "several.json:2: subjectIssuer: it is missing, and requests of /account.v1.AccountService/GetAccount name users or clients"); lacks != want || got.status != exitNo {
			t.Errorf("%s: status %d: %s%s", name, got.status, got.stdout, got.stderr)
		}
	}
	golden(t, "outside/ways.txt", tr.String())
	golden(t, "ways.html", execute(t, waysImage(t), "matrix", "-format", "html").stdout)
}
