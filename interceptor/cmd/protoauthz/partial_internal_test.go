package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// stripped returns files with an imported service: as it was, as it is, and with another service beside it.
func stripped(t *testing.T) (old, now, more []byte) {
	t.Helper()
	const admin = `syntax = "proto3"; package admin.v1; message Admin {} `
	sources := map[string]string{
		"user.proto": `syntax = "proto3"; package user.v1; import "protoauthz/v1/authz.proto"; import "admin.proto";
service UserService { rpc Get(admin.v1.Admin) returns (admin.v1.Admin) { option (protoauthz.v1.method).public = true; } }`,
		"admin.proto": strings.Replace(admin, ";", `; import "protoauthz/v1/authz.proto";`, 1) + `
service AdminService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc Wipe(Admin) returns (Admin) { option (protoauthz.v1.method).scopes = "wipe:all"; }
}`,
	}
	old = encode(t, compileSet(t, sources, "user.proto"))
	sources["admin.proto"] = admin + `service AdminService { rpc Wipe(Admin) returns (Admin); }`
	now = encode(t, compileSet(t, sources, "user.proto"))
	sources["admin.proto"] += ` service NewService { rpc Wipe(Admin) returns (Admin); }`
	return old, now, encode(t, compileSet(t, sources, "user.proto"))
}

// testStripped makes sure that a service is found that loses all its rules, and the import of the annotations.
func testStripped(t *testing.T) {
	t.Parallel()
	old, now, more := stripped(t)
	oldSet, err := readImage(old)
	if err != nil {
		t.Fatal(err)
	}
	nowSet, err := readImage(now)
	if err != nil {
		t.Fatal(err)
	}
	moreSet, err := readImage(more)
	if err != nil {
		t.Fatal(err)
	}
	tr := &transcript{names: map[string]string{
		"OLD": write(t, "old.binpb", old), "NEW": write(t, "new.binpb", now),
		"BUF": write(t, "buf.binpb", encode(t, asBuf(nowSet, "user.proto"))), "SERVER": serveSet(t, oldSet),
		"SHOP": serveSet(t, shopSet(t, "order.proto")), "IMAGE": write(t, "shop.binpb", encode(t, shopSet(t, "order.proto"))),
	}}
	tr.about("rules are gone, and the import of the annotations")
	tr.run(t, nil, "diff OLD NEW")
	tr.run(t, nil, "diff SERVER NEW")
	tr.run(t, nil, "diff OLD BUF")
	tr.run(t, nil, "diff -format markdown OLD NEW")
	tr.run(t, nil, "diff -skip admin OLD NEW")
	tr.about("they come")
	tr.run(t, nil, "diff NEW OLD")
	tr.about("others' services have none before, and none now")
	tr.run(t, nil, "diff SHOP IMAGE")
	tr.about("a service is new in a package that had rules")
	tr.names["MORE"] = write(t, "more.binpb", more)
	tr.names["MORE_BUF"] = write(t, "more-buf.binpb", encode(t, asBuf(moreSet, "user.proto")))
	tr.run(t, nil, "diff OLD MORE")
	tr.run(t, nil, "diff SERVER MORE")
	tr.run(t, nil, "diff OLD MORE_BUF")
	tr.run(t, nil, "diff -skip admin.v1.AdminService OLD MORE")
	tr.run(t, nil, "diff -skip admin.v1.AdminService -skip user OLD MORE_BUF")
	tr.run(t, nil, "diff -public admin.v1.AdminService OLD MORE")
	tr.run(t, nil, "diff -skip admin OLD MORE")
	golden(t, "outside/stripped.txt", tr.String())
}

// testPartial makes sure that each document names the methods that it lacks.
func testPartial(t *testing.T) {
	t.Parallel()
	image := encode(t, shopSet(t, "pair.proto"))
	for _, args := range [][]string{
		{"matrix"}, {"matrix", "-format", "markdown"}, {"matrix", "-format", "html"}, {"matrix", "-format", "json"}, {"scopes"}, {"scopes", "-format", "logto"},
	} {
		got := execute(t, image, args...)
		for _, missing := range []string{"/pair.v1.First/Get", "/pair.v1.Second/Put"} {
			if got.status != exitFailed || !strings.Contains(got.stdout, missing) {
				t.Errorf("%v: status %d, without %s:\n%s", args, got.status, missing, got.stdout)
			}
		}
		switch {
		case strings.HasPrefix(got.stdout, "{"):
			var document struct{ Missing []string }
			if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || len(document.Missing) != 2 {
				t.Errorf("%v: missing are %v (%v)", args, document.Missing, err)
			}
		case !strings.Contains(strings.ToLower(got.stdout), "incomplete") || !strings.Contains(got.stdout, " the answer lacks 2 methods with faults: ") && !strings.Contains(got.stdout, ": the answer lacks 2 methods with faults:"):
			t.Errorf("%v:\n%s", args, got.stdout)
		}
		if got := execute(t, image, append(args, "-only", "pair.v1.Second", "-public", "pair.v1.First")...); strings.Contains(got.stdout, "pair.v1.First") {
			t.Errorf("%v: what is left out is not missing:\n%s", args, got.stdout)
		}
	}
	// A PATCH with some scopes deletes all others.
	const want = `protoauthz: standard input: the rules do not compile, so that nothing is printed: a PATCH of Auth0 would delete the missing scopes
pair.proto:5:36: pair.v1.Second.Put: 0 of public, authenticated and scopes are given: give exactly one (RULE_CONFLICT)
`
	got := execute(t, image, "scopes", "-format", "auth0", "-skip", "pair.v1.First")
	if got.status != exitFailed || got.stdout != "" || !strings.HasSuffix(got.stderr, want) {
		t.Errorf("status %d, stdout %q, stderr\n%s", got.status, got.stdout, got.stderr)
	}
}

// TestDiffCountsMethods makes sure that diff counts the methods that are not compared.
func TestDiffCountsMethods(t *testing.T) {
	t.Parallel()
	source := func(audience string) []byte {
		return encode(t, compileSet(t, map[string]string{"a.proto": `syntax = "proto3"; package a; import "protoauthz/v1/authz.proto"; message M {}
service S { option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "` + audience + `"};
  rpc A(M) returns (M) { option (protoauthz.v1.method).scopes = "a"; } rpc B(M) returns (M) { option (protoauthz.v1.method) = {}; } }
service T { rpc C(M) returns (M) { option (protoauthz.v1.method).public = true; } }`}, "a.proto"))
	}
	const want = "Rules: 2 with faults, not compared, 1 new\n\nnew:\n  /a.T/C: takes no token (a.proto:4:13)\n"
	if got := execute(t, source("a b"), "diff", write(t, "old.binpb", encode(t, shopSet(t, "empty.proto"))), "-"); got.status != exitFailed || got.stdout != want {
		t.Errorf("C12: status %d, %q", got.status, got.stdout)
	}
}

// testPublicLeftOut tries -public with -only and -skip.
func testPublicLeftOut(t *testing.T) {
	t.Parallel()
	image := encode(t, shopSet(t, "legacy.proto order.proto"))
	const idle = " has no effect: -only or -skip leaves the service out\n"
	const invalid = ": give the full name of a service, as in grpc.health.v1.Health\n"
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"-public", "legacy.v1.LegacyService", "-only", "shop"}, exitOK, "protoauthz: note: standard input: -public legacy.v1.LegacyService" + idle},
		{[]string{"-public", "legacy.v1.LegacyService", "-skip", "legacy"}, exitOK, "protoauthz: note: standard input: -public legacy.v1.LegacyService" + idle},
		{[]string{"-public", "legacy.v1.Typo", "-only", "shop"}, exitOK, "protoauthz: note: standard input: -public legacy.v1.Typo" + idle},
		{[]string{"-public", "", "-only", "shop"}, exitFailed, `protoauthz: -public ""` + invalid},
		{[]string{"-public", " ", "-skip", "legacy"}, exitFailed, `protoauthz: -public " "` + invalid},
		{[]string{"-public", ""}, exitFailed, `protoauthz: -public ""` + invalid},
		{[]string{"-public", "legacy.v1.LegacyService"}, exitOK, "protoauthz: note: standard input: left out: 1 service of imported files: google.longrunning.Operations\n"},
	} {
		got := execute(t, image, append([]string{"matrix"}, test.args...)...)
		if got.status != test.status || !strings.HasSuffix(got.stderr, test.says) || (got.stdout == "") != (test.status != exitOK) {
			t.Errorf("%q: status %d, on standard error\n%s", test.args, got.status, got.stderr)
		}
	}
}

// TestOutsideFiles reads files as editors and shells of Windows write them.
func TestOutsideFiles(t *testing.T) {
	t.Parallel()
	image := write(t, "image.binpb", encode(t, shopSet(t, "order.proto")))
	const token = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"
	explain := func(args ...string) result {
		return execute(t, nil, append(append([]string{"explain", "-method", "shop.v1.OrderService/Get"}, args...), image)...)
	}
	want := explain("-token", write(t, "token", []byte(token)), "-message", "{}")
	got := explain("-token", write(t, "token", []byte("\ufeff"+token+"\r\n")), "-message", "@"+write(t, "message", []byte("\ufeff{}\r\n")))
	if got != want || got.status != exitNo {
		t.Errorf("C18 with a byte order mark:\n%s%s\nwithout:\n%s%s", got.stdout, got.stderr, want.stdout, want.stderr)
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		file := write(t, "file", []byte(mark+"e\x00y\x00"))
		for _, args := range [][]string{{"-token", file}, {"-message", "@" + file}} {
			if got := explain(args...); got.status != exitFailed || got.stdout != "" || !strings.HasPrefix(got.stderr[strings.LastIndex(strings.TrimSpace(got.stderr), "\n")+1:], "protoauthz: "+args[0]+": ") ||
				!strings.HasSuffix(got.stderr, "the file is UTF-16: write it as UTF-8\n") {
				t.Errorf("%v: status %d, %s", args, got.status, got.stderr)
			}
		}
	}
}
