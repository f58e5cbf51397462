// Package sources finds what the .proto files of modules declare and import, without compiling the files.
package sources

import (
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
	Text     string
}

// Read reads the .proto files of modules below a folder, sorted by name. A file of a module inside another module
// belongs to the inner one.
func Read(folder string, modules []bufyaml.Module) (files []*File, err error) {
	for n, module := range modules {
		err := filepath.WalkDir(filepath.Join(folder, filepath.FromSlash(module.Path)), func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(folder, name)
			if err != nil {
				return err
			}
			relative = filepath.ToSlash(relative)
			inner := entry.IsDir() && relative != module.Path && slices.ContainsFunc(modules, func(m bufyaml.Module) bool { return m.Path == relative })
			if inner || slices.ContainsFunc(module.Excludes, func(dir string) bool { return Below(relative, dir) }) {
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			included := len(module.Includes) == 0 || slices.ContainsFunc(module.Includes, func(dir string) bool { return Below(relative, dir) })
			if entry.IsDir() || path.Ext(name) != ".proto" || !included {
				return nil
			}
			text, err := os.ReadFile(name) //nolint:gosec // a file of a module that the user names
			if err != nil {
				return err
			}
			file := scan(string(text))
			file.Module, file.Name, file.Path = n, relative, strings.TrimPrefix(relative, module.Path+"/")
			files = append(files, file)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(files, func(a, b *File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
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

// scan finds the package, the imports and the services of a file. It knows no more of the language than strings,
// comments and braces, so that it reads all editions. What is not a .proto file declares nothing.
func scan(text string) *File {
	file := &File{Imports: map[string]int{}, Text: text}
	s := NewScanner(text)
	depth, begins := 0, true // a statement begins
	for token := s.Scan(); token != scanner.EOF; token = s.Scan() {
		word := s.TokenText()
		switch {
		case token == '{':
			depth++
		case token == '}':
			depth--
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
				file.Services = append(file.Services, s.TokenText())
			}
		}
		begins = token == ';' || token == '}'
	}
	for n, service := range file.Services {
		if file.Package != "" {
			file.Services[n] = file.Package + "." + service
		}
	}
	return file
}
