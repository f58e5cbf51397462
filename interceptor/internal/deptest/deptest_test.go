// Package deptest_test holds the directions of this module's imports: nothing
// points up, and nobody pays for a dependency that belongs to another part.
package deptest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/protoauthz/protoauthz"

// A rule bans packages from what others depend on, directly or not. Patterns
// are the go command's: "./" is the module's root, "x/..." is x and all below,
// "std" the standard library. A package that matches but is not banned.
type rule struct {
	from, ban string
	but       []string
	why       string
}

var rules = []rule{
	{from: "./interceptor/token", ban: "google.golang.org/protobuf/...", why: "a token is bytes: verifying it needs no schema"},
	{from: "./interceptor/token", ban: "connectrpc.com/...", why: "a token is verified the same way for every transport"},
	{from: "./interceptor/token", ban: "./interceptor", why: "token is a leaf: what joins it to rules stands above it"},
	{from: "./interceptor/token", ban: "./interceptor/policy", why: "token is a leaf: what a token proves does not hang on who asks"},
	{from: "./interceptor/token", ban: "testing", why: "what runs in production must not know when it is tested"},

	{from: "./interceptor/policy", ban: "connectrpc.com/...", why: "rules are the same for every transport"},
	{from: "./interceptor/policy", ban: "github.com/golang-jwt/jwt/...", why: "rules are compiled before there is a token"},
	{from: "./interceptor/policy", ban: "github.com/MicahParks/keyfunc/...", why: "rules are compiled before there is a key"},
	{from: "./interceptor/policy", ban: "github.com/MicahParks/jwkset/...", why: "rules are compiled before there is a key"},
	{from: "./interceptor/policy", ban: "./interceptor/token", why: "policy is a leaf: what an RPC demands does not hang on who issues tokens"},
	{from: "./interceptor/policy", ban: "./interceptor", why: "policy is a leaf: what joins it to tokens stands above it"},
	{from: "./interceptor/policy", ban: "net/http", why: "compiling rules touches no network"},
	{from: "./interceptor/policy", ban: "testing", why: "what runs in production must not know when it is tested"},

	{from: "./interceptor", ban: "./interceptor/devissuer", why: "what accepts tokens must hold no code that makes them"},
	{from: "./interceptor", ban: "./interceptor/guardtest", why: "it serves the tests of those who import the guard"},
	{from: "./interceptor", ban: "./interceptor/clientauth/...", why: "who only serves calls needs no tokens of its own"},
	{from: "./interceptor", ban: "golang.org/x/oauth2/...", why: "what verifies tokens asks for none"},
	{from: "./interceptor", ban: "testing", why: "what runs in production must not know when it is tested"},

	{from: "./interceptor", ban: "google.golang.org/grpc/...", why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{from: "./interceptor", ban: "connectrpc.com/connect/v2/...", why: "users of Connect's first version must not pay for its second"},
	{from: "./interceptor/guardtest", ban: "google.golang.org/grpc/...", why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{from: "./interceptor/connectv2", ban: "google.golang.org/grpc/...", why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{from: "./interceptor/connectv2", ban: "testing", why: "what runs in production must not know when it is tested"},
	{from: "./interceptor/grpcguard", ban: "testing", why: "what runs in production must not know when it is tested"},
	{from: "./interceptor/grpcguard", ban: "connectrpc.com/connect/v2/...", why: "users of grpc-go must not pay for connect-go's second version"},
	{from: "./sample/...", ban: "google.golang.org/grpc/...", why: "the sample is what users of Connect start from"},

	{from: "./interceptor/clientauth", ban: "google.golang.org/grpc/...", why: "clients of Connect must not pay for grpc-go's 6 MB"},
	{from: "./interceptor/clientauth/...", ban: "./interceptor/devissuer", why: "what asks for tokens must hold no code that makes them"},
	{from: "./interceptor/clientauth/...", ban: "testing", why: "what runs in production must not know when it is tested"},
	{from: "./interceptor/internal/endpoint", ban: "./...", why: "it is a leaf, for keys and for tokens alike"},
	{from: "./interceptor/internal/endpoint", ban: "testing", why: "what runs in production must not know when it is tested"},

	{from: "./interceptor/devissuer", ban: "./...", why: "an issuer that shares code with the verifier shares its mistakes"},
	{from: "./interceptor/devissuer", ban: "google.golang.org/protobuf/...", why: "OpenID Connect speaks JSON"},
	{from: "./interceptor/devissuer", ban: "connectrpc.com/...", why: "OpenID Connect speaks plain HTTP"},
	{from: "./interceptor/devissuer", ban: "testing", why: "the sample runs it outside of tests"},

	{from: "./interceptor", ban: "./interceptor/internal/tokentest", why: "what accepts tokens must hold no code that forges them"},
	{from: "./interceptor/internal/tokentest", ban: "./...", why: "what forges tokens must not share the mistakes of what verifies them"},
	{from: "./interceptor/internal/tokentest", ban: "testing", why: "tables of tokens are for whoever makes something of them"},
	{from: "./interceptor/internal/rpctest", ban: "connectrpc.com/...", why: "the answers are the same over every transport"},
	{from: "./interceptor/internal/rpctest", ban: "./interceptor", why: "what must be answered does not hang on what is"},
	{from: "./interceptor/internal/rpctest", ban: "testing", why: "tables of calls are for whoever makes them"},

	{from: "./gen/protoauthz/...", ban: "...", but: []string{"std", "google.golang.org/protobuf/..."}, why: "all generated code of all users imports it"},
	{from: "./interceptor/...", ban: "./gen/sample/...", why: "the sample's messages must not register in a user's program"},
	{from: "./interceptor/...", ban: "github.com/rs/cors/...", why: "which web pages may call is for each server to say"},
	{from: "./interceptor/...", ban: "./sample/...", why: "the sample shows the library and is no part of it"},
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, fault := range check(load(t), rules) {
		t.Error(fault)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	graph := map[string][]string{
		module + "/a":   {"fmt", module + "/b/c"},
		module + "/b/c": {"net/http", "x.org/y/v2"},
		"fmt":           {},
		"net":           {},
		"net/http":      {"net"},
		"x.org/y/v2":    {},
	}
	for _, test := range []struct {
		rule rule
		want []string
	}{
		{rule{"./a", "fmt", nil, "why"}, []string{module + "/a must not depend on fmt: why (" + module + "/a -> fmt)"}},
		{rule{"./a", "net", nil, "why"}, []string{module + "/a must not depend on net: why (" + module + "/a -> " + module + "/b/c -> net/http -> net)"}},
		{rule{"./b/...", "...", []string{"std"}, "why"}, []string{module + "/b/c must not depend on x.org/y/v2: why (" + module + "/b/c -> x.org/y/v2)"}},
		{rule{"./b/...", "...", []string{"std", "x.org/y/..."}, "why"}, nil},
		{rule{"./b/...", "./...", nil, "why"}, nil},
		{rule{"./b/...", "fmt", nil, "why"}, nil},
		{rule{"./b", "fmt", nil, "why"}, []string{"a rule for ./b, which is no package: why"}},
		{rule{"./a", "x.org/yy/...", nil, "why"}, []string{"a ban on x.org/yy/..., which is no package: why"}},
	} {
		if got := check(graph, []rule{test.rule}); !slices.Equal(got, test.want) {
			t.Errorf("%v:\n got %q\nwant %q", test.rule, got, test.want)
		}
	}
}

// check reports every package that breaks a rule, and every rule that names
// what is not there, since nothing could ever break it.
func check(graph map[string][]string, rules []rule) (faults []string) {
	packages := slices.Sorted(maps.Keys(graph))
	exists := func(pattern string) bool {
		return slices.ContainsFunc(packages, func(pkg string) bool { return match(pattern, pkg) })
	}
	for _, r := range rules {
		banned := func(pkg string) bool {
			return match(r.ban, pkg) && !slices.ContainsFunc(r.but, func(but string) bool { return match(but, pkg) })
		}
		if !exists(r.from) {
			faults = append(faults, fmt.Sprintf("a rule for %s, which is no package: %s", r.from, r.why))
		}
		if !exists(r.ban) {
			faults = append(faults, fmt.Sprintf("a ban on %s, which is no package: %s", r.ban, r.why))
		}
		for _, pkg := range packages {
			if !match(r.from, pkg) {
				continue
			}
			if chain := trace(graph, pkg, banned); chain != nil {
				faults = append(faults, fmt.Sprintf("%s must not depend on %s: %s (%s)",
					pkg, chain[len(chain)-1], r.why, strings.Join(chain, " -> ")))
			}
		}
	}
	return faults
}

// match reports whether the pattern of a rule matches the package.
func match(pattern, pkg string) bool {
	if root, _, _ := strings.Cut(pkg, "/"); pattern == "std" {
		return !strings.Contains(root, ".")
	}
	if below, ok := strings.CutPrefix(pattern, "./"); ok {
		pattern = module + "/" + below
	}
	tree, ok := strings.CutSuffix(pattern, "...")
	return pkg == pattern || ok && strings.HasPrefix(pkg+"/", tree)
}

// trace returns the shortest chain of imports from pkg to a banned package.
func trace(graph map[string][]string, pkg string, banned func(string) bool) []string {
	seen := map[string]bool{pkg: true}
	for chains := [][]string{{pkg}}; len(chains) > 0; chains = chains[1:] {
		for _, imported := range graph[chains[0][len(chains[0])-1]] {
			if seen[imported] {
				continue
			}
			seen[imported] = true
			chain := append(slices.Clip(chains[0]), imported)
			if banned(imported) {
				return chain
			}
			chains = append(chains, chain)
		}
	}
	return nil
}

// load returns what each package imports: those of this module and all that
// they and their tests need. Imports by tests are left out.
func load(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "-json=Dir,ImportPath,Imports,ForTest", module+"/...")
	list.Stderr = t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	graph := map[string][]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			Dir, ImportPath, ForTest string
			Imports                  []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return graph
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if pkg.ForTest != "" || strings.HasSuffix(pkg.ImportPath, ".test") {
			continue
		}
		graph[pkg.ImportPath] = pkg.Imports
		if strings.HasPrefix(pkg.ImportPath, module+"/") {
			// What this process reads is what go test asks before it repeats
			// an earlier result; what go list read it does not know.
			if _, err := os.ReadDir(pkg.Dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}
