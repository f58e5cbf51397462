package main_test

import (
	"slices"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check/checktest"
)

// TestBreakingMoved compares rules that both let in calls that the other refuses, so that the change is a finding in
// both directions.
func TestBreakingMoved(t *testing.T) {
	t.Parallel()
	const self = `authenticated: true subject: {field: "user_id"} `
	for _, c := range []struct{ name, one, two, oneToTwo, twoToOne string }{
		{"the subject in another field", self, `authenticated: true subject: {field: "owner.id"}`, "SUBJECT_LOOSENED", "SUBJECT_LOOSENED"},
		{"the client in place of the subject", self, `authenticated: true client: {field: "user_id"}`, "CLIENT_TIGHTENED SUBJECT_LOOSENED", "CLIENT_LOOSENED SUBJECT_TIGHTENED"},
		{"the subject in another segment", `authenticated: true subject: {field: "name" pattern: "{subject}/*"}`, `authenticated: true subject: {field: "name" pattern: "*/{subject}"}`, "SUBJECT_LOOSENED", "SUBJECT_LOOSENED"},
		{"a model of an alternative", self + `alternatives: {scopes: "read:a"}`, self + `alternatives: {scopes: "read:a" model: MODEL_GLOBAL_RESOURCE}`, "MODEL_CHANGED", "MODEL_CHANGED"},
		{"an audience of an alternative", self + `alternatives: {scopes: "read:a"}`, self + `alternatives: {scopes: "read:a" audience: "https://b.example.com"}`, "AUDIENCE_CHANGED", "AUDIENCE_CHANGED"},
		{"an organization of an alternative", self + `alternatives: {scopes: "read:a"}`, self + `alternatives: {scopes: "read:a" organization: {header: "x-tenant"}}`, "ORGANIZATION_LOOSENED", "ORGANIZATION_LOOSENED"},
		{"a kind of caller of an alternative", self + `alternatives: {scopes: "read:a" caller: CALLER_USER}`, self + `alternatives: {scopes: "read:a" caller: CALLER_CLIENT}`, "CALLER_LOOSENED", "CALLER_LOOSENED"},
		{"a scope of an alternative", self + `alternatives: {scopes: "read:a"}`, self + `alternatives: {scopes: "read:b"}`, "SCOPE_ADDED SCOPE_REMOVED", "SCOPE_ADDED SCOPE_REMOVED"},
		{"a looser and a tighter alternative", self + `alternatives: {scopes: "read:a"} alternatives: {scopes: ["read:b", "list:b"]}`, self + `alternatives: {scopes: ["read:a", "list:a"]} alternatives: {scopes: "read:b"}`, "SCOPE_ADDED SCOPE_REMOVED", "SCOPE_ADDED SCOPE_REMOVED"},
		{"all ways for one that is public", self + `alternatives: {scopes: "read:a"}`, "public: true", "MADE_PUBLIC", "PUBLIC_DROPPED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			one, two := ruled(t, c.one), ruled(t, c.two)
			changed(t, one, two, c.oneToTwo)
			changed(t, two, one, c.twoToOne)
		})
	}
}

// ruled is a service with a method of this option.
func ruled(t testing.TB, option string) *checktest.ProtoFileSpec {
	t.Helper()
	return written(t, `syntax = "proto3";
package a;
import "protoauthz/v1/authz.proto";
service S {
  option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE organization: {field: "organization_id"}};
  rpc R(M) returns (M) { option (protoauthz.v1.method) = {`+option+`}; }
}
message M {
  string name = 1;
  string organization_id = 2;
  string user_id = 3;
  Owner owner = 4;
}
message Owner {
  string id = 1;
}
`)
}

// changed compares the rules of breaking that report a change, sorted and each once, with a list of kinds.
func changed(t testing.TB, before, after *checktest.ProtoFileSpec, want string) {
	t.Helper()
	got := found(t, &checktest.RequestSpec{
		Files: after, AgainstFiles: before, Options: audience, RuleIDs: slices.Concat(ids("PROTOAUTHZ_LOOSER"), ids("PROTOAUTHZ_TIGHTER")),
	})
	for i, line := range got {
		got[i] = line[strings.LastIndex(line, "PROTOAUTHZ_")+len("PROTOAUTHZ_"):]
	}
	slices.Sort(got)
	if kinds := strings.Join(slices.Compact(got), " "); kinds != want {
		t.Errorf("got %s, want %s", kinds, want)
	}
}
