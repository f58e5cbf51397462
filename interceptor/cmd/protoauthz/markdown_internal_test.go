package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

func TestCode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":              "",
		"read:orders":   "`read:orders`",
		"@org/team":     "`@org/team`",
		"a|b":           "<code>a&#124;b</code>",
		"a`b":           "<code>a&#96;b</code>",
		"a\\b":          "<code>a&#92;b</code>",
		"a`b\\":         "<code>a&#96;b&#92;</code>",
		"</code>":       "<code>&#60;/code&#62;</code>",
		"&lt;":          "<code>&#38;lt;</code>",
		" x":            "<code> x</code>",
		"x\n# heading":  `<code>x&#92;n&#35; heading</code>`,
		"<a>@org *b* _": "<code>&#60;a&#62;&#64;org &#42;b&#42; &#95;</code>",
	} {
		if got := code(text); got != want {
			t.Errorf("code(%q) = %s, want %s", text, got, want)
		}
	}
}

// hidden reports whether a character is invisible.
func hidden(r rune) bool { return !unicode.IsPrint(r) }

// The text of an image appears as text, and not as markup.
func TestHostileImage(t *testing.T) {
	t.Parallel()
	image := encode(t, hostileSet(t))
	for _, args := range [][]string{
		{"matrix"}, {"matrix", "-format", "markdown"}, {"matrix", "-format", "json"}, {"matrix", "-format", "html"}, {"scopes"}, {"explain", "-method", "a.S.Get"},
		{"diff", write(t, "old.binpb", sampleImage(t)), "-"}, {"diff", "-format", "markdown", write(t, "old.binpb", sampleImage(t)), "-"},
	} {
		got := execute(t, image, append(args, "-audience", audience)...)
		if got.status == exitFailed {
			t.Fatalf("%v: %s", args, got.stderr)
		}
		if strings.ContainsFunc(strings.ReplaceAll(got.stdout, "\n", ""), hidden) {
			t.Errorf("%v prints %q", args, got.stdout)
		}
	}
	// A file name that breaks lines, in a note.
	set := hostileSet(t)
	set.File = set.GetFile()[len(set.GetFile())-1:]
	set.File[0].Dependency = append(set.File[0].Dependency, "\x1b]0;title\x07\n.proto")
	if got := execute(t, encode(t, set), "matrix"); got.status != exitOK || strings.Count(got.stderr, "\n") != 2 ||
		!strings.Contains(got.stderr, "]0;title") || strings.ContainsFunc(strings.ReplaceAll(got.stderr, "\n", ""), hidden) {
		t.Errorf("status %d, %q", got.status, got.stderr)
	}
	// And at the fault of a rule.
	set = hostileSet(t)
	file := set.GetFile()[len(set.GetFile())-1]
	file.Service[0].Method[0].Options = nil
	if got := execute(t, encode(t, set), "matrix"); got.status != exitFailed || !strings.Contains(got.stderr, `\n|<script>`) || strings.Contains(got.stderr, "\x1b") {
		t.Errorf("status %d, %q", got.status, got.stderr)
	}
}

func TestMarkdownRows(t *testing.T) {
	t.Parallel()
	image := encode(t, hostileSet(t))
	for name, args := range map[string][]string{
		"matrix": {"matrix", "-format", "markdown"},
		"diff":   {"diff", "-format", "markdown", "-audience", audience, write(t, "old.binpb", sampleImage(t)), "-"},
	} {
		pipes := -1
		for line := range strings.Lines(execute(t, image, args...).stdout) {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			if pipes < 0 {
				pipes = strings.Count(line, "|")
			}
			if strings.Count(line, "|") != pipes || strings.Contains(line, "<script") || strings.Contains(line, "<b>") {
				t.Errorf("%s: a row is %s", name, line)
			}
		}
		if pipes < 6 {
			t.Errorf("%s: no table, but %d columns", name, pipes)
		}
	}
}

var (
	policyOfPage = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]+)">`)
	parts        = regexp.MustCompile(`(?s)<(style|script)>(.*?)</(?:style|script)>`)
)

// The page runs its own script and style, and nothing from an image.
func TestPage(t *testing.T) {
	t.Parallel()
	for name, image := range map[string][]byte{"sample": sampleImage(t), "hostile": encode(t, hostileSet(t))} {
		got := execute(t, image, "matrix", "-format", "html", "-audience", audience)
		if got.status != exitOK {
			t.Fatal(got.stderr)
		}
		match := policyOfPage.FindStringSubmatch(got.stdout)
		if match == nil {
			t.Fatal("there is no policy")
		}
		allowed := html.UnescapeString(match[1])
		if !strings.HasPrefix(allowed, "default-src 'none'; ") || strings.Contains(allowed, "unsafe") {
			t.Errorf("%s: the policy is %s", name, allowed)
		}
		found := parts.FindAllStringSubmatch(got.stdout, -1)
		if len(found) != 2 || strings.Count(strings.ToLower(got.stdout), "<script") != 1 {
			t.Errorf("%s: %d styles and scripts, want one of each", name, len(found))
		}
		for _, part := range found {
			sum := sha256.Sum256([]byte(part[2]))
			if want := part[1] + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(allowed, want) {
				t.Errorf("%s: the policy is %s, without %s", name, allowed, want)
			}
		}
	}
}

// No command lets an image steer a terminal or turn its text around.
func TestTerminal(t *testing.T) {
	t.Parallel()
	image := encode(t, hostileSet(t))
	old := write(t, "old.binpb", sampleImage(t))
	for _, args := range [][]string{
		{"matrix"}, {"matrix", "-format", "markdown"}, {"matrix", "-format", "html"}, {"matrix", "-format", "json"},
		{"scopes"}, {"scopes", "-format", "logto"}, {"scopes", "-format", "auth0"},
		{"explain", "-method", "a.S/Get"}, {"explain", "-method", "a.S/Get", "-format", "json"},
		{"diff", "-audience", audience, old, "-"}, {"diff", "-audience", audience, "-format", "markdown", old, "-"},
	} {
		got := execute(t, image, args...)
		if got.status == exitFailed || len(got.stdout) < 100 {
			t.Errorf("%v: status %d: %s", args, got.status, got.stderr)
		}
		if steers := strings.IndexFunc(strings.ReplaceAll(got.stdout, "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) }); steers >= 0 {
			t.Errorf("%v: byte %d of\n%q", args, steers, got.stdout)
		}
	}
}

// Programs may rely on these names, and on lists that are not null.
func TestJSONHasNoNullLists(t *testing.T) {
	t.Parallel()
	image := service(t, `Get public: true`)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"matrix", "-format", "json"}, `{"procedures":[{"procedure":"/order.v1.OrderService/Get","access":"public","enforced":true,"unannotated":false,"model":"","audience":"","scopes":[],"anyScopes":[],"caller":"","organization":null,"subject":null,"client":null,"alternatives":[],"organizationOptional":false,"place":"order.proto:5:1"}],"missing":[]}`},
		{[]string{"scopes"}, `{"groups":[],"missing":[]}`},
		{[]string{"scopes", "-format", "logto"}, `{"resources":[],"organizationScopes":[],"missing":[]}`},
		{[]string{"scopes", "-format", "auth0"}, `{"resourceServers":[]}`},
	} {
		got := execute(t, image, test.args...)
		var document any
		if err := json.Unmarshal([]byte(got.stdout), &document); err != nil {
			t.Fatalf("%v: %v", test.args, err)
		}
		var want any
		if err := json.Unmarshal([]byte(test.want), &want); err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(document)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Errorf("%v: got\n%s\nwant\n%s", test.args, a, b)
		}
	}
}
