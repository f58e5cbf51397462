// Package documents reads the project's documents, for the tests that hold what the documents show.
package documents

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Two documents show example modules: Start shows each file of StartModule, and Production shows what ShopModule has
// beside its services. The test of interceptor/internal/test/rules compiles the rules of Rules.
const (
	Start       = "interceptor/docs/start.md"
	StartModule = "interceptor/internal/dev/start"
	Production  = "interceptor/docs/production.md"
	ShopModule  = "interceptor/internal/dev/shop"
	Rules       = "interceptor/docs/rules.md"
)

// The end-to-end tests run the commands of these documents, each in a shell of its own, and compare the output that
// the documents show. "#" and a heading stand for the blocks below the heading.
var (
	// InClone are run in the project's root, beside a running sample.
	InClone = []string{"README.md", "sample/README.md", "interceptor/cmd/README.md#At the command line"}
	// InEmpty are run in an empty folder, which gets the files that they show, see [Block.File].
	InEmpty = []string{Start}
	// InModule are run in a copy of the module that [Start] makes, with its tools installed. The copy lies beside the
	// clone, and gets the files that they show.
	InModule = []string{"interceptor/docs/local-development.md", "interceptor/cmd/README.md#In buf", "interceptor/cmd/README.md#A local issuer"}
	// InShop are run beside the clone, in a module with the code of ShopModule.
	InShop = []string{Production}
	// Pipelines have files of CI, whose commands are run in clones of such a module, and the commands that prepare it.
	Pipelines = []string{"interceptor/docs/ci.md"}
)

const serves = "it serves until it is stopped: the tests start the sample and stop it"

// ByHand are the blocks of commands that no test runs, with the reason.
var ByHand = map[string]string{ //nolint:gosec // commands of documents: no credentials
	"go run ./sample\n": serves,
	"make help\n":       "TestMakefile compares the output with the Makefile",
	"go install github.com/bufbuild/buf/cmd/buf@v1.75.0\n": "it compiles for minutes: the tests have buf",
	`for protocol in connect grpc grpcweb; do
  timeout 2 buf curl --http2-prior-knowledge --protocol $protocol -H "Authorization: Bearer $CATALOG" \
    -d '{}' http://127.0.0.1:8080/sample.v1.CatalogService/WatchProducts 2>/dev/null
done
`: "a clock ends it: TestBufCurl watches products",
	`sed 's/guard.HandlerOption(), //; s/guard := /_ = /' sample/handler.go >/tmp/handler.go
echo "{\"Replace\": {\"$PWD/sample/handler.go\": \"/tmp/handler.go\"}}" >/tmp/overlay.json
GOFLAGS=-overlay=/tmp/overlay.json make e2e
`: "it makes the end-to-end tests fail on purpose",
	`volumes: [{name: keys, configMap: {name: issuer-keys}}]
containers:
  - name: api
    volumeMounts: [{name: keys, mountPath: /etc/keys, readOnly: true}]
`: "Kubernetes runs it: TestKeySetFileForms has the links of a ConfigMap",
	`docker compose up --build --detach
docker compose exec issuer protoauthz token -config /etc/shop/tenant.json -keys /keys/tenant.keys.json \
  -sub alice -organization acme -scope read:orders
`: "Docker runs it: TestCompose of the end-to-end tests runs the same processes",
}

// A Document is a file of Markdown.
type Document struct {
	Path    string // from the project's root, with slashes
	Text    string
	Blocks  []Block
	Links   []string // the targets, as they stand
	Anchors []string // what GitHub calls the headings
}

// A Block is a fenced block of code.
type Block struct {
	Line     int    // of the fence
	Section  string // the heading of the first or second level above
	Above    string // the paragraph between the block above and the fence, in one line
	Language string
	Text     string // without the indentation of the fence
}

var file = regexp.MustCompile("\\bThis is `([^`]+)`:$")

// File returns the name of the file that the block shows, or "": the paragraph above ends with "This is `NAME`:".
func (b Block) File() string {
	if match := file.FindStringSubmatch(b.Above); match != nil && b.Language != "sh" {
		return match[1]
	}
	return ""
}

// Serves reports whether the command runs beside the following ones: the paragraph above ends with "in a
// terminal of its own:".
func (b Block) Serves() bool {
	return b.Language == "sh" && strings.HasSuffix(b.Above, "in a terminal of its own:")
}

// Logged reports whether the text is what a command that [Block.Serves] prints later: the paragraph above ends with
// "logs:".
func (b Block) Logged() bool { return b.Language == "text" && strings.HasSuffix(b.Above, " logs:") }

// Load reads the documents of a checkout.
func Load(root string) (documents []Document, err error) {
	err = Walk(root, ".md", func(name, text string) { documents = append(documents, parse(name, text)) })
	return documents, err
}

// Walk calls a function with the path and the text of every file of a checkout that has the
// extension. Test data and what tools have installed are left out.
func Walk(root, extension string, visit func(name, text string)) error {
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", ".tmp", "testdata", "node_modules"}, entry.Name()) {
			return filepath.SkipDir
		}
		if entry.IsDir() || path.Ext(name) != extension {
			return nil
		}
		text, err := os.ReadFile(name) //nolint:gosec // a file of the checkout
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		visit(filepath.ToSlash(relative), string(text))
		return err
	})
}

// At returns the blocks of a place of [InClone], [InEmpty], [InModule] or [InShop].
func At(documents []Document, place string) (blocks []Block) {
	name, section, only := strings.Cut(place, "#")
	for _, document := range documents {
		for _, block := range document.Blocks {
			if document.Path == name && (!only || block.Section == section) {
				blocks = append(blocks, block)
			}
		}
	}
	return blocks
}

var (
	fence   = regexp.MustCompile("^( *)```(.*)$")
	heading = regexp.MustCompile(`^(#+) +(.+)$`)
	code    = regexp.MustCompile("`[^`]*`")
	link    = regexp.MustCompile(`(?s)\[([^\]]*)\]\(([^)]*)\)`)
)

func parse(name, text string) Document {
	d := Document{Path: name, Text: text}
	var prose strings.Builder
	var open *Block
	var indent, section, above string
	ended := false // the paragraph above
	for n, line := range strings.Split(text, "\n") {
		if match := fence.FindStringSubmatch(line); match != nil {
			if open != nil {
				d.Blocks, open = append(d.Blocks, *open), nil
			} else {
				indent, open = match[1], &Block{Line: n + 1, Section: section, Above: above, Language: match[2]}
			}
			above = ""
			continue
		}
		if open != nil {
			open.Text += strings.TrimPrefix(line, indent) + "\n"
			continue
		}
		if match := heading.FindStringSubmatch(line); match != nil {
			if len(match[1]) <= 2 {
				section = match[2]
			}
			d.Anchors = append(d.Anchors, anchor(match[2], d.Anchors))
		}
		if paragraph := strings.TrimSpace(line); paragraph == "" {
			ended = true
		} else if ended {
			above, ended = paragraph, false
		} else {
			above += " " + paragraph
		}
		prose.WriteString(line + "\n")
	}
	if open != nil {
		d.Blocks = append(d.Blocks, *open) // to the end, as GitHub shows it
	}
	for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(prose.String(), ""), -1) {
		d.Links = append(d.Links, match[2])
	}
	return d
}

// anchor is what GitHub calls a heading, given what it calls the headings above.
func anchor(heading string, above []string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r):
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, link.ReplaceAllString(heading, "$1"))
	unique := name
	for n := 1; slices.Contains(above, unique); n++ {
		unique = name + "-" + strconv.Itoa(n)
	}
	return unique
}
