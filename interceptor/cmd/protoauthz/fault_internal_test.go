package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rules returns an image of a service with a sound rule and of other services.
func rules(t *testing.T, others string) []byte {
	t.Helper()
	return encode(t, compileSet(t, map[string]string{"a.proto": `syntax = "proto3"; package a.v1; import "protoauthz/v1/authz.proto"; message M { string organization_id = 1; }
service S { option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc Sound(M) returns (M) { option (protoauthz.v1.method).scopes = "read:sound"; } }
` + others}, "a.proto"))
}

// showsFaults makes sure that no command shows procedures as sound, and that each document names them.
func showsFaults(t *testing.T, image []byte, faulty ...string) {
	t.Helper()
	sound := write(t, "old.binpb", rules(t, ""))
	for _, args := range [][]string{
		{"matrix"}, {"matrix", "-format", "markdown"}, {"matrix", "-format", "html"}, {"matrix", "-format", "json"}, {"scopes"}, {"scopes", "-format", "logto"},
		{"scopes", "-format", "auth0"}, {"diff", sound, "-"}, {"diff", "-format", "markdown", sound, "-"},
	} {
		got := execute(t, image, args...)
		if got.status != exitFailed {
			t.Errorf("%v: status %d", args, got.status)
		}
		for _, procedure := range faulty {
			named := strings.Count(got.stdout, procedure)
			switch {
			case args[0] == "diff" && named > 0, args[0] != "diff" && args[len(args)-1] != "auth0" && named != 1:
				t.Errorf("%v: names %s %d times:\n%s", args, procedure, named, got.stdout)
			}
		}
		if args[len(args)-1] == "auth0" && got.stdout != "" {
			t.Errorf("%v: printed %s", args, got.stdout)
		}
		if strings.HasPrefix(got.stdout, "{") {
			var document struct {
				Missing    []string
				Procedures []struct{ Procedure string }
			}
			if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || !slices.Equal(document.Missing, faulty) {
				t.Errorf("%v: missing are %q (%v), want %q", args, document.Missing, err, faulty)
			}
			for _, row := range document.Procedures {
				if row.Procedure != "/a.v1.S/Sound" {
					t.Errorf("%v: %s is shown as sound", args, row.Procedure)
				}
			}
		}
	}
	got := execute(t, image, "explain", "-method", "a.v1.S/Sound")
	if note := regexp.MustCompile(`^protoauthz: note: standard input: \d other methods? .*: see protoauthz matrix\n$`); got.status != exitNo || !note.MatchString(got.stderr) {
		t.Errorf("status %d, on standard error\n%s", got.status, got.stderr)
	}
}

// testShared makes sure that each method that needs a leaking scope has the fault.
func testShared(t *testing.T) {
	t.Parallel()
	image := rules(t, `service Org { option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE, audience: "https://api.example.com", organization: {field: "organization_id"}};
  rpc One(M) returns (M) { option (protoauthz.v1.method).scopes = "read:x"; }
  rpc Two(M) returns (M) { option (protoauthz.v1.method).any_scopes = "read:x"; } }
service Glob { option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc All(M) returns (M) { option (protoauthz.v1.method).scopes = "read:x"; } }`)
	showsFaults(t, image, "/a.v1.Glob/All", "/a.v1.Org/One", "/a.v1.Org/Two")
	const (
		begin = "protoauthz: standard input: the rules do not compile\n"
		leak  = " of the same audience needs scope \"read:x\" too, and a user's global token may carry the scope from any organization: choose another scope, or accept the scope with WithSharedScopes (SCOPE_SHARED)\n" +
			"hint: give -shared-scope each scope that the server gives to policy.WithSharedScopes\n"
	)
	for method, want := range map[string]string{
		"a.v1.Glob/All": `a.proto:8:28: a.v1.Glob.All: the organization-level method /a.v1.Org/One`,
		"a.v1.Org/One":  `a.proto:5:28: a.v1.Org.One: the global method /a.v1.Glob/All`,
		"a.v1.Org/Two":  `a.proto:6:28: a.v1.Org.Two: the global method /a.v1.Glob/All`,
	} {
		got := execute(t, image, "explain", "-method", method)
		if got.status != exitFailed || got.stdout != "" || got.stderr != begin+want+leak {
			t.Errorf("%s: status %d, printed %q and\n%s", method, got.status, got.stdout, got.stderr)
		}
		if got := execute(t, image, "explain", "-shared-scope", "read:x", "-method", method); got.status != exitNo || got.stderr != "" {
			t.Errorf("%s, accepted: status %d, %s", method, got.status, got.stderr)
		}
	}
}

// testEmpty tries faults of a service without methods.
func testEmpty(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]string{
		"audience":   `audience: "a b"`,
		"unreadable": `model: 99`,
	} {
		image := rules(t, `service Empty { option (protoauthz.v1.service) = {`+option+`}; }`)
		showsFaults(t, image, "/a.v1.Empty/*")
		for _, args := range [][]string{{"matrix"}, {"scopes"}, {"explain", "-method", "a.v1.S/Sound"}} {
			if got := execute(t, image, append(args, "-skip", "a.v1.Empty")...); got.status == exitFailed {
				t.Errorf("%s, left out: %v: status %d, %s", name, args, got.status, got.stderr)
			}
		}
	}
}
