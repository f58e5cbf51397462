package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// view holds the parts of the page that a reader sees.
type view struct {
	Count      string
	Methods    []string
	Services   []string
	None       bool
	Overflows  bool
	Background string
	Hash       string
}

// TestMatrixPage opens the page of the sample's rules, as `buf build -o - | protoauthz matrix -format html`
// writes it, in Chromium.
func TestMatrixPage(t *testing.T) {
	t.Parallel()
	_, node := e2e.NodeModules(t, ".")
	chromium := e2e.Tool(t, "chromium")
	page := filepath.Join(t.TempDir(), "policy.html")
	if err := os.WriteFile(page, matrix(t, "-format", "html"), 0o600); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		fields map[string]string
		want   view
	}{
		{map[string]string{}, view{Count: "20 of 20", Services: []string{"sample.v1.AccountService", "sample.v1.CatalogService", "sample.v1.DocumentService", "sample.v1.MemberService"}}},
		{map[string]string{"q": "read:PRODUCTS"}, view{Count: "3 of 20", Methods: []string{"ImportProducts", "ListProducts", "WatchProducts"}, Services: []string{"sample.v1.CatalogService"}}},
		{map[string]string{"q": "products read:products w"}, view{Count: "2 of 20", Methods: []string{"ImportProducts", "WatchProducts"}, Services: []string{"sample.v1.CatalogService"}}},
		{map[string]string{"q": "/sample.v1.DocumentService/GetDocument"}, view{Count: "1 of 20", Methods: []string{"GetDocument"}, Services: []string{"sample.v1.DocumentService"}}},
		{map[string]string{"q": "nobody has this"}, view{Count: "0 of 20", None: true}},
		{map[string]string{"q": "", "model": "organization"}, view{Count: "3 of 20", Methods: []string{"InviteMember", "ListMembers", "UpdateBilling"}, Services: []string{"sample.v1.MemberService"}}},
		{map[string]string{"model": "organization", "access": "public"}, view{Count: "0 of 20", None: true}},
		{map[string]string{"model": "", "access": "public"}, view{Count: "1 of 20", Methods: []string{"GetInfo"}, Services: []string{"sample.v1.CatalogService"}}},
		{map[string]string{"access": "authenticated", "caller": "any"}, view{
			Count: "4 of 20", Methods: []string{"GetAccount", "ReadAccounts", "UpdatePreferences", "WhoAmI"}, Services: []string{"sample.v1.AccountService", "sample.v1.CatalogService"},
		}},
	}
	input := struct {
		Chromium string              `json:"chromium"`
		Page     string              `json:"page"`
		Steps    []map[string]string `json:"steps"`
	}{Chromium: chromium, Page: (&url.URL{Scheme: "file", Path: page}).String()}
	for _, step := range steps {
		input.Steps = append(input.Steps, step.fields)
	}
	var got struct {
		Seen                                        []view
		Cleared, Linked, Light, Dark, Phone, Narrow view
		Labels                                      []int
		Complaints, Requests                        []string
	}
	if err := json.Unmarshal(command(t, input, node, "js/matrix.js"), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Complaints) > 0 {
		t.Errorf("the console says %q", got.Complaints)
	}
	for _, request := range got.Requests {
		if before, _, _ := strings.Cut(request, "#"); before != input.Page {
			t.Errorf("the page asks for %s", request)
		}
	}
	if len(got.Seen) != len(steps) {
		t.Fatalf("%d steps were taken, want %d", len(got.Seen), len(steps))
	}
	for i, step := range steps {
		seen, want := got.Seen[i], step.want
		if seen.Count != want.Count || !slices.Equal(seen.Services, want.Services) || seen.None != want.None ||
			want.Methods != nil && !slices.Equal(seen.Methods, want.Methods) {
			t.Errorf("after %v: got %+v, want %+v", step.fields, seen, want)
		}
	}
	if hash := got.Seen[1].Hash; hash != "#q=read%3APRODUCTS" {
		t.Errorf("a search is %s in the address", hash)
	}
	if got.Cleared.Count != "20 of 20" || len(got.Cleared.Methods) != 20 {
		t.Errorf("after Clear: %+v", got.Cleared)
	}
	if got.Linked.Count != "1 of 20" || !slices.Equal(got.Linked.Methods, []string{"InviteMember"}) {
		t.Errorf("by a link: %+v", got.Linked)
	}
	if got.Light.Background == got.Dark.Background {
		t.Errorf("it is as bright in the dark: %s", got.Dark.Background)
	}
	for name, seen := range map[string]view{"light": got.Light, "dark": got.Dark, "phone": got.Phone, "narrow": got.Narrow} {
		if seen.Overflows || seen.Count != "20 of 20" || len(seen.Methods) != 20 {
			t.Errorf("%s: %+v", name, seen)
		}
	}
	for _, n := range got.Labels {
		if n != 1 {
			t.Errorf("fields by label: %v, want one each", got.Labels)
			break
		}
	}
}

// matrix pipes the image that buf builds of proto/ into `protoauthz matrix`, and returns the output.
func matrix(t *testing.T, args ...string) []byte {
	t.Helper()
	buf := e2e.Tool(t, "buf")
	root := strings.TrimSpace(string(command(t, nil, "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "github.com/protoauthz/protoauthz")))
	binary := filepath.Join(t.TempDir(), "protoauthz")
	command(t, nil, "go", "-C", filepath.Join(root, "interceptor/cmd"), "build", "-o", binary, "./protoauthz")
	ctx, cancel := context.WithTimeout(t.Context(), e2e.Patience)
	defer cancel()
	build := exec.CommandContext(ctx, buf, "build", root, "-o", "-")
	show := exec.CommandContext(ctx, binary, append([]string{"matrix", "-audience", "https://api.example.com"}, args...)...)
	pipe, err := build.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	show.Stdin, show.Stdout = pipe, &out
	build.Stderr, show.Stderr = t.Output(), t.Output()
	for _, command := range []*exec.Cmd{build, show} {
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
	}
	// The first Wait closes the pipe, so wait for the reader first.
	if err := show.Wait(); err != nil {
		t.Errorf("protoauthz matrix: %v", err)
	}
	if err := build.Wait(); err != nil {
		t.Errorf("buf build: %v", err)
	}
	return out.Bytes()
}
