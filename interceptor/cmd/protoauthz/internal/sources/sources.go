// Package sources finds what the .proto files of modules declare and import, and which rules name users or clients,
// without compiling the files.
package sources

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/scanner"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/bufyaml"
)

// A File is a .proto file.
type File struct {
	Module   int    // its index
	Path     string // by which other files import it
	Name     string // from the folder of the buf.yaml, with slashes
	Package  string
	Services []string       // full names
	Imports  map[string]int // the line of each imported path
	Ignores  []bufyaml.Text // the rules of comments such as "buf:lint:ignore SERVICE_SUFFIX"
	Naming   []bufyaml.Text // the procedures whose rules have a subject or a client, each once
	Text     string
}

// Read reads the .proto files of modules below a folder, sorted by name. A file of a module inside another module
// belongs to the inner one. Links are followed, as buf does.
func Read(folder string, modules []bufyaml.Module) (files []*File, err error) {
	for n, module := range modules {
		w := walker{folder: folder, modules: modules, index: n, open: map[string]bool{}}
		if err := w.walk(module.Path); err != nil {
			return nil, err
		}
		files = append(files, w.files...)
	}
	slices.SortFunc(files, func(a, b *File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// maxEntries is how many files and folders a module may have: links can make a few folders many.
const maxEntries = 1_000_000

// A walker reads the files of a module.
type walker struct {
	folder  string
	modules []bufyaml.Module
	index   int             // of the module
	open    map[string]bool // the folders, without links, in which the walk is
	entries int
	files   []*File
}

// walk reads a file or a folder, given its path from the folder of the buf.yaml.
func (w *walker) walk(relative string) error {
	module := w.modules[w.index]
	if w.entries++; w.entries > maxEntries {
		return fmt.Errorf("%s has more than %d files and folders: name the folders with .proto files as modules", module.Path, maxEntries)
	}
	name := filepath.Join(w.folder, filepath.FromSlash(relative))
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) && relative != module.Path { // a link that leads nowhere
		return nil
	} else if err != nil {
		return err //nolint:wrapcheck // the error names the file
	}
	inner := info.IsDir() && relative != module.Path && slices.ContainsFunc(w.modules, func(m bufyaml.Module) bool { return m.Path == relative })
	if inner || slices.ContainsFunc(module.Excludes, func(dir string) bool { return Below(relative, dir) }) {
		return nil
	}
	if info.IsDir() {
		return w.walkFolder(name, relative)
	}
	included := len(module.Includes) == 0 || slices.ContainsFunc(module.Includes, func(dir string) bool { return Below(relative, dir) })
	if path.Ext(name) != ".proto" || !included || !info.Mode().IsRegular() {
		return nil
	}
	text, err := os.ReadFile(name) //nolint:gosec // a file of a module that the user names
	if err != nil {
		return err //nolint:wrapcheck // the error names the file
	}
	file := scan(string(text))
	file.Module, file.Name, file.Path = w.index, relative, strings.TrimPrefix(relative, module.Path+"/")
	w.files = append(w.files, file)
	return nil
}

// walkFolder walks a folder, unless a link in the folder has led back to it.
func (w *walker) walkFolder(name, relative string) error {
	place, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err //nolint:wrapcheck // it names the folder
	}
	if w.open[place] {
		return nil
	}
	w.open[place] = true
	defer delete(w.open, place)
	entries, err := os.ReadDir(name)
	if err != nil {
		return err //nolint:wrapcheck // it names the folder
	}
	for _, entry := range entries {
		if err := w.walk(path.Join(relative, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Below reports whether a path is a folder or lies below the folder.
func Below(name, folder string) bool {
	return folder == "." || name == folder || strings.HasPrefix(name, folder+"/")
}

// NewScanner returns a scanner for the tokens of a .proto file, without comments.
func NewScanner(text string) *scanner.Scanner {
	s := new(scanner.Scanner)
	s.Init(strings.NewReader(text))
	s.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanChars | scanner.ScanStrings | scanner.ScanComments | scanner.SkipComments
	s.Error = func(*scanner.Scanner, string) {} // 'text' is a string of protobuf
	return s
}

// ignores finds the comments by which buf ignores a rule of lint, and may find comments in places that buf does not read.
func ignores(text string) (rules []bufyaml.Text) {
	s := NewScanner(text)
	s.Mode &^= scanner.SkipComments
	for token := s.Scan(); token != scanner.EOF; token = s.Scan() {
		if token != scanner.Comment {
			continue
		}
		for n, line := range strings.Split(s.TokenText(), "\n") {
			if words := strings.Fields(strings.TrimLeft(line, "/* \t")); len(words) > 1 && words[0] == "buf:lint:ignore" {
				rules = append(rules, bufyaml.Text{Value: words[1], Line: s.Line + n})
			}
		}
	}
	return rules
}

// scan finds the package, the imports, the services and the naming rules of a file. It knows no more of the language than
// strings, comments and braces, so that it reads all editions. What is not a .proto file declares nothing.
func scan(text string) *File {
	file := &File{Imports: map[string]int{}, Ignores: ignores(text), Text: text}
	s := NewScanner(text)
	depth, begins := 0, true // a statement begins
	service, method := "", ""
	for token := s.Scan(); token != scanner.EOF; token = s.Scan() {
		word := s.TokenText()
		switch {
		case token == '{':
			depth++
		case token == '}':
			if depth--; depth == 0 {
				service = ""
			}
		case depth == 0 && begins && word == "import":
			line := s.Line
			for token = s.Scan(); token == scanner.Ident; token = s.Scan() { // public, weak, option
			}
			if token == scanner.String || token == scanner.Char {
				file.Imports[strings.Trim(s.TokenText(), `"'`)] = line
			}
		case depth == 0 && begins && word == "package":
			for token = s.Scan(); token == scanner.Ident || token == '.'; token = s.Scan() {
				file.Package += s.TokenText()
			}
		case depth == 0 && begins && word == "service":
			if s.Scan() == scanner.Ident {
				service = s.TokenText()
				file.Services = append(file.Services, service)
			}
		case depth == 1 && begins && service != "" && word == "rpc":
			s.Scan()
			method = s.TokenText()
		case depth == 2 && begins && service != "" && word == "option":
			line := naming(s)
			if n := len(file.Naming); line > 0 && (n == 0 || file.Naming[n-1].Value != service+"/"+method) {
				file.Naming = append(file.Naming, bufyaml.Text{Value: service + "/" + method, Line: line})
			}
			token = ';'
		}
		begins = token == ';' || token == '}' || token == '{'
	}
	if file.Package != "" {
		for n, service := range file.Services {
			file.Services[n] = file.Package + "." + service
		}
		for n := range file.Naming {
			file.Naming[n].Value = file.Package + "." + file.Naming[n].Value
		}
	}
	return file
}

// naming reads the rest of an option, and returns the line of the subject or the client if the option is a rule with one,
// or else 0. No value of a rule has one of these words outside of a string.
func naming(s *scanner.Scanner) (line int) {
	isRule, name, depth := false, "", 0
	for token := s.Scan(); token != scanner.EOF && (token != ';' || depth > 0); token = s.Scan() {
		switch word := s.TokenText(); token {
		case '{', '[', '<':
			depth++
		case '}', ']', '>':
			depth--
		case ')':
			isRule = isRule || strings.Trim(name, "(.") == "protoauthz.v1.method"
		default:
			if isRule && line == 0 && (word == "subject" || word == "client") {
				line = s.Line
			}
			name += word
		}
	}
	return line
}
