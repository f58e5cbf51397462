package documents_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestCommands makes sure that a test holds every block: the end-to-end tests run the commands, write the files and
// compare the output, or a list has the reason why not.
func TestCommands(t *testing.T) {
	t.Parallel()
	all := load(t)
	type place struct {
		path string
		line int
	}
	run, written := map[place]bool{}, map[place]bool{}
	sessions := slices.Concat(documents.InClone, documents.InEmpty, documents.InModule, documents.InShop, documents.Pipelines)
	for _, name := range sessions {
		blocks := documents.At(all, name)
		if len(blocks) == 0 {
			t.Errorf("nothing stands at %s", name)
		}
		path, _, _ := strings.Cut(name, "#")
		for _, block := range blocks {
			run[place{path, block.Line}] = true
			written[place{path, block.Line}] = block.File() != "" && !slices.Contains(documents.InClone, name)
		}
	}
	module := moduleFiles(t)
	module[documents.ShopModule] = mark.ReplaceAllString(read(t, documents.ShopModule+"/buf.yaml"), "")
	unused := maps.Clone(documents.ByHand)
	for _, document := range all {
		if strings.Contains(document.Text, "~~~") {
			t.Errorf("%s: write a fence as ```", document.Path)
		}
		for n, block := range document.Blocks {
			at := place{document.Path, block.Line}
			fault := func(text string) {
				t.Helper()
				t.Errorf("%s:%d: %s:\n%s", document.Path, block.Line, text, block.Text)
			}
			_, byHand := documents.ByHand[block.Text]
			delete(unused, block.Text)
			if byHand || written[at] {
				continue
			}
			switch block.Language {
			case "go", "proto": // see TestGo and TestProto
			case "sh":
				if !run[at] {
					fault("no test runs this: its document is missing in documents.InModule, InShop, InClone and InEmpty")
				}
			case "yaml", "json":
				_, deploymentErr := deployment.Parse("", []byte(block.Text))
				_, issuerErr := token.ParseIssuer([]byte(block.Text))
				if _, ok := compiled(block.Text, module); !ok && deploymentErr != nil && issuerErr != nil {
					fault(fmt.Sprintf("no test uses this, and it is no part of a file of %s or %s (as a deployment or an issuer: %v)",
						documents.StartModule, documents.ShopModule, errors.Join(deploymentErr, issuerErr)))
				}
			case "text":
				shown, byHand := n > 0 && document.Blocks[n-1].Language == "sh", false
				if shown {
					_, byHand = documents.ByHand[document.Blocks[n-1].Text]
				}
				if (shown || block.Logged()) && !byHand && !run[at] {
					fault("no test compares this")
				}
			default:
				fault(fmt.Sprintf("no test holds blocks of %q", block.Language))
			}
		}
	}
	for text := range unused {
		t.Errorf("no document has\n%s", text)
	}
}

// TestStart makes sure that the document shows the files of the module, each whole, and no others. Its commands make
// go.mod, go.sum and the folders gen and third_party: the end-to-end tests compare the folders.
func TestStart(t *testing.T) {
	t.Parallel()
	files := moduleFiles(t)
	for _, block := range documents.At(load(t), documents.Start) {
		name := block.File()
		if name == "" {
			continue
		}
		want, ok := files[name]
		switch {
		case !ok:
			t.Errorf("%s:%d shows %s, which is not in %s, or shown before", documents.Start, block.Line, name, documents.StartModule)
		case block.Text != want:
			t.Errorf("%s:%d: %s differs from the file in %s", documents.Start, block.Line, name, documents.StartModule)
		}
		delete(files, name)
	}
	for name := range files {
		t.Errorf("%s does not show %s", documents.Start, name)
	}
}

// moduleFiles returns the files that a user of the module writes.
func moduleFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	folder := filepath.Join(root, documents.StartModule)
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if slices.Contains([]string{"gen", "third_party"}, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		case slices.Contains([]string{"go.mod", "go.sum"}, entry.Name()):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, name)
		files[filepath.ToSlash(relative)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
