package main

import (
	"fmt"
	"slices"
	"strings"
	"text/scanner"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/sources"
	annotations "github.com/protoauthz/protoauthz/proto"
)

// checkAnnotations compares the copies of protoauthz/v1/authz.proto with the text of this command.
func (f *findings) checkAnnotations(b *bufFile) {
	var first *sources.File
	for _, file := range b.files {
		if file.Package != "protoauthz.v1" && file.Path != annotations.AuthzPath {
			continue
		}
		name, module := f.beside(file.Name), f.beside(b.Modules[file.Module].Path)
		switch {
		case file.Path != annotations.AuthzPath:
			f.add(lineOf(name, 1), "the annotations lie in another place than %s, so that nothing that imports them finds them here: delete the file, and run protoauthz vendor %s", annotations.AuthzPath, module)
			continue
		case first != nil:
			f.add(lineOf(name, 1), "the modules have a second copy of %s, and %s is the first: delete one", annotations.AuthzPath, f.beside(first.Name))
		default:
			first = file
		}
		if sameText(file.Text, annotations.Authz) {
			continue
		}
		if is, line := differenceOf(file.Text); is != "" {
			f.add(lineOf(name, line), "the annotations differ from the annotations of this command: %s: run protoauthz vendor %s, of the version that go.mod requires", is, module)
		} else {
			f.note(lineOf(name, 1), "comments or blanks differ from the annotations of this command: run protoauthz vendor %s", module)
		}
	}
	importing := b.lacksAnnotations()
	if importing == nil {
		return
	}
	name, line := f.beside(importing.Name), importing.Imports[annotations.AuthzPath]
	if b.HasDeps {
		f.note(lineOf(name, line), "no module has the imported %s: the version in a module of deps is not read", annotations.AuthzPath)
		return
	}
	f.add(lineOf(name, line), "no module has the imported %s: run protoauthz vendor %s", annotations.AuthzPath, f.beside(b.Modules[b.vendored()].Path))
}

// lacksAnnotations returns a file that imports the annotations if no module has them, or else nil.
func (b *bufFile) lacksAnnotations() (importing *sources.File) {
	for _, file := range b.files {
		switch {
		case file.Path == annotations.AuthzPath:
			return nil
		case importing == nil && file.Imports[annotations.AuthzPath] > 0:
			importing = file
		}
	}
	return importing
}

// vendored returns the module into which missing annotations belong: the first without files, or else the module of the
// file that imports them.
func (b *bufFile) vendored() int {
	for n := range b.Modules {
		if !slices.ContainsFunc(b.files, func(file *sources.File) bool { return file.Module == n }) {
			return n
		}
	}
	return b.lacksAnnotations().Module
}

// differenceOf returns the first token of a copy that differs from the annotations of this command, and its line. It
// returns "" for a copy that differs in comments and blanks alone. A number of another extension goes first: options of
// that number are not rules.
func differenceOf(text string) (is string, line int) {
	ours, theirs := tokensOf(annotations.Authz), tokensOf(text)
	for _, declaration := range []string{"MethodRule method = ", "ServiceRule service = "} {
		if is, want := behind(theirs, declaration), behind(ours, declaration); is.text != "" && is.text != want.text {
			return fmt.Sprintf("the extension number is %s, not %s", is.text, want.text), is.line
		}
	}
	for n := range max(len(ours), len(theirs)) {
		switch {
		case n == len(ours):
			return fmt.Sprintf("it has %s where the annotations of this command end", theirs[n].text), theirs[n].line
		case n == len(theirs):
			return fmt.Sprintf("it ends before %s", ours[n].text), 1 + strings.Count(text, "\n")
		case ours[n].text != theirs[n].text:
			return fmt.Sprintf("it has %s in place of %s", theirs[n].text, ours[n].text), theirs[n].line
		}
	}
	return "", 0
}

// A lexeme is a token of a .proto file with its line.
type lexeme struct {
	text string
	line int
}

func tokensOf(text string) (all []lexeme) {
	s := sources.NewScanner(text)
	for s.Scan() != scanner.EOF {
		all = append(all, lexeme{s.TokenText(), s.Line})
	}
	return all
}

// behind returns the token behind some tokens, which are separated by blanks, or an empty one.
func behind(all []lexeme, tokens string) lexeme {
	before := strings.Fields(tokens)
	for n := range max(0, len(all)-len(before)) {
		if slices.EqualFunc(all[n:n+len(before)], before, func(l lexeme, text string) bool { return l.text == text }) {
			return all[n+len(before)]
		}
	}
	return lexeme{}
}
