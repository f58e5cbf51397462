package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	protobuf "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/bufyaml"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/sources"
	"github.com/protoauthz/protoauthz/proto"
)

// annotations holds the copies of protoauthz/v1/authz.proto against the text of this program.
func (f *findings) annotations(config *bufyaml.File, files []*sources.File) {
	var first, importing *sources.File
	for _, file := range files {
		if importing == nil && file.Imports[proto.AuthzPath] > 0 {
			importing = file
		}
		if file.Package != "protoauthz.v1" && file.Path != proto.AuthzPath {
			continue
		}
		name, module := f.beside(file.Name), f.beside(config.Modules[file.Module].Path)
		switch {
		case file.Path != proto.AuthzPath:
			f.add(name, 1, "the annotations lie in another place than %s, so that nothing that imports them finds them here: delete the file, and run protoauthz vendor %s", proto.AuthzPath, module)
			continue
		case first != nil:
			f.add(name, 1, "the modules have a second copy of %s, and %s is the first: delete one", proto.AuthzPath, f.beside(first.Name))
		default:
			first = file
		}
		if sameText(file.Text, proto.Authz) {
			continue
		}
		if is, line := otherAnnotations(file.Text); is != "" {
			f.add(name, line, "the annotations differ from the annotations of this command: %s: run protoauthz vendor %s", is, module)
		} else {
			f.note(name, 1, "comments or blanks differ from the annotations of this command: run protoauthz vendor %s", module)
		}
	}
	if first != nil || importing == nil {
		return
	}
	name, line := f.beside(importing.Name), importing.Imports[proto.AuthzPath]
	if config.HasDeps {
		f.note(name, line, "no module has the imported %s: the version in a module of deps is not read", proto.AuthzPath)
		return
	}
	f.add(name, line, "no module has the imported %s: run protoauthz vendor %s", proto.AuthzPath, f.beside(config.Modules[importing.Module].Path))
}

// otherAnnotations returns what a copy of the annotations declares otherwise than this program, and the line of the
// first such declaration. It returns "" for a copy that differs in comments and blanks alone.
func otherAnnotations(text string) (is string, line int) {
	ours, _, err := declarationsOf(proto.Authz)
	if err != nil {
		return "this command cannot read its own text", 1
	}
	theirs, line, err := declarationsOf(text)
	if err != nil {
		return "it is not a .proto file", line
	}
	same := func(a, b declared) bool { return a.name == b.name }
	missing := func(all []declared, from []declared) (names []string) {
		for _, d := range all {
			if !slices.ContainsFunc(from, func(other declared) bool { return same(d, other) }) {
				names = append(names, d.name)
			}
		}
		return names
	}
	var parts []string
	line = 0
	for _, their := range theirs {
		n := slices.IndexFunc(ours, func(our declared) bool { return same(our, their) })
		if n >= 0 && ours[n].is == their.is {
			continue
		}
		if n >= 0 {
			parts = append(parts, fmt.Sprintf("%s is %s, not %s", their.name, their.is, ours[n].is))
		}
		if line == 0 {
			line = their.line
		}
	}
	if names := missing(ours, theirs); len(names) > 0 {
		parts = append(parts, "it lacks "+some(names, ", "))
	}
	if names := missing(theirs, ours); len(names) > 0 {
		parts = append(parts, "this command, which may be older than the module in go.mod, does not know "+some(names, ", "))
	}
	return strings.Join(parts, ", "), max(line, 1)
}

// A declared thing is a field, a value, an option or a package.
type declared struct {
	name, is string
	line     int
}

// declarationsOf returns what a copy of the annotations declares, or the line of a fault.
func declarationsOf(text string) (all []declared, line int, err error) {
	handler := reporter.NewHandler(reporter.NewReporter(func(fault reporter.ErrorWithPos) error {
		line = fault.GetPosition().Line
		return fault
	}, nil))
	tree, err := parser.Parse(proto.AuthzPath, strings.NewReader(text), handler)
	if err != nil {
		return nil, max(line, 1), err
	}
	parsed, err := parser.ResultFromAST(tree, true, handler)
	if err != nil {
		return nil, max(line, 1), err
	}
	file := parsed.FileDescriptorProto()
	add := func(of protobuf.Message, name, format string, args ...any) {
		all = append(all, declared{name, fmt.Sprintf(format, args...), tree.NodeInfo(parsed.Node(of)).Start().Line})
	}
	add(file, "package", "%s", file.GetPackage())
	for _, option := range file.GetOptions().GetUninterpretedOption() {
		add(option, option.GetName()[0].GetNamePart(), "%s", option.GetStringValue())
	}
	for _, option := range file.GetExtension() {
		name := "(" + file.GetPackage() + "." + option.GetName() + ")"
		add(option, name, "number %d", option.GetNumber())
		add(option, "the type of "+name, "%s of %s", option.GetTypeName(), option.GetExtendee())
	}
	for _, message := range file.GetMessageType() {
		add(message, message.GetName(), "a message with %d others in it", len(message.GetNestedType()))
		for _, field := range message.GetField() {
			kind := strings.ToLower(strings.TrimPrefix(field.GetType().String(), "TYPE_"))
			if field.GetTypeName() != "" {
				kind = field.GetTypeName()
			}
			if field.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED {
				kind = "repeated " + kind
			}
			add(field, message.GetName()+"."+field.GetName(), "number %d, a %s", field.GetNumber(), kind)
		}
	}
	for _, enum := range file.GetEnumType() {
		for _, value := range enum.GetValue() {
			add(value, value.GetName(), "number %d", value.GetNumber())
		}
	}
	return all, 0, nil
}
