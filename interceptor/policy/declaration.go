package policy

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A declaration is what one file sees of the declaration of one of our options. The
// number of an option proves nothing: another package may use the same number. An option
// is ours if its file sees our declaration by its full name: in the file itself, in an
// import (from edition 2024 on, also in an import for options only), or in a public
// import of an import.
type declaration struct {
	seen  bool
	fault error // an extension with our name is not ours
	doubt error // an option with our number may belong to another package
}

// declarations are what one file sees of (protoauthz.v1.method) and (protoauthz.v1.service).
type declarations struct {
	method, service declaration
	linked          bool // the linked authz.proto stands in for a missing one
}

// hint returns why the option at a method may not count as a rule, or "".
func (d *declarations) hint(method protoreflect.MethodDescriptor) string {
	path := authzv1.File_protoauthz_v1_authz_proto.Path()
	switch {
	case d.linked:
		return fmt.Sprintf("; if there is one, the file was compiled with an old copy of %q, which is missing: vendor it again, and give the image with its imports", path)
	case d.method.seen && hasField(method.Options().ProtoReflect().GetUnknown(), oldNumber):
		return fmt.Sprintf("; if there is one, the code was generated with an old copy of %q: vendor it again, and generate the code anew", path)
	}
	return ""
}

// oldNumber is the number of both options in old copies of protoauthz/v1/authz.proto. It lay in the
// range for use inside one organization.
const oldNumber = 91731

// hasField reports whether unknown fields have a field of that number.
func hasField(unknown protoreflect.RawFields, number protowire.Number) bool {
	for {
		found, _, length := protowire.ConsumeField(unknown)
		if length < 0 { // the end
			return false
		}
		if found == number {
			return true
		}
		unknown = unknown[length:]
	}
}

// A finder finds the declarations that a file sees. It asks for the imports that a file sees once, however many
// services the file has, and for the extensions of a file once, however many files see them.
type finder struct {
	files  []protoreflect.FileDescriptor            // the given files, then their imports
	byPath map[string][]protoreflect.FileDescriptor // the same files: several may have the same path
	found  map[protoreflect.FileDescriptor]*declarations

	extensions map[protoreflect.FileDescriptor][]protoreflect.ExtensionDescriptor // see extensionsIn
}

func newFinder(given Files) *finder {
	f := &finder{
		byPath:     map[string][]protoreflect.FileDescriptor{},
		found:      map[protoreflect.FileDescriptor]*declarations{},
		extensions: map[protoreflect.FileDescriptor][]protoreflect.ExtensionDescriptor{},
	}
	met := map[protoreflect.FileDescriptor]bool{}
	for todo := slices.Clone(given); len(todo) > 0; todo = todo[1:] {
		file := todo[0]
		if file == nil || file.IsPlaceholder() || met[file] {
			continue
		}
		met[file] = true
		f.files, f.byPath[file.Path()] = append(f.files, file), append(f.byPath[file.Path()], file)
		for _, imported := range importsOf(file) {
			todo = append(todo, imported.FileDescriptor)
		}
	}
	return f
}

// find returns the declarations that a file sees.
func (f *finder) find(file protoreflect.FileDescriptor) *declarations {
	if found, ok := f.found[file]; ok {
		return found
	}
	found := new(declarations)
	visible := []protoreflect.FileDescriptor{file}
	met := map[protoreflect.FileDescriptor]bool{file: true}
	for i := 0; i < len(visible); i++ { // it grows
		for _, imported := range importsOf(visible[i]) {
			if i > 0 && !imported.IsPublic {
				continue
			}
			targets, linked := f.resolve(imported)
			found.linked = found.linked || linked && imported.Path() == authzv1.File_protoauthz_v1_authz_proto.Path()
			for _, target := range targets {
				if !met[target] {
					met[target], visible = true, append(visible, target)
				}
			}
		}
	}
	f.declared(&found.method, authzv1.E_Method.TypeDescriptor(), visible)
	f.declared(&found.service, authzv1.E_Service.TypeDescriptor(), visible)
	f.found[file] = found
	return found
}

// importsOf returns the imports of a file, with imports for options only.
func importsOf(file protoreflect.FileDescriptor) (all []protoreflect.FileImport) {
	lists := []protoreflect.FileImports{file.Imports()}
	// FileDescriptor has no such method. protodesc.ToFileDescriptorProto asks in the same way.
	if importing, ok := file.(interface {
		OptionImports() protoreflect.FileImports
	}); ok {
		lists = append(lists, importing.OptionImports())
	}
	for _, list := range lists {
		for i := range list.Len() {
			all = append(all, list.Get(i))
		}
	}
	return all
}

// resolve returns the files that an import may mean. A file that the import does not hold is looked up by
// its path: first among the files of the finder, several of which may have the path, then among the linked
// files. A missing file is its placeholder. (Chance decides which imports for options protodesc.NewFiles holds.)
func (f *finder) resolve(imported protoreflect.FileImport) (targets []protoreflect.FileDescriptor, linked bool) {
	if !imported.IsPlaceholder() {
		return []protoreflect.FileDescriptor{imported.FileDescriptor}, false
	}
	if files := f.byPath[imported.Path()]; len(files) > 0 {
		return files, false
	}
	if file, err := protoregistry.GlobalFiles.FindFileByPath(imported.Path()); err == nil {
		return []protoreflect.FileDescriptor{file}, true
	}
	return []protoreflect.FileDescriptor{imported.FileDescriptor}, false
}

// declared fills in d: whether a visible file declares one of our options, and what speaks against it.
func (f *finder) declared(d *declaration, ours protoreflect.ExtensionDescriptor, visible []protoreflect.FileDescriptor) {
	var rival protoreflect.ExtensionDescriptor
	var missing []string
	for _, file := range visible {
		if file.IsPlaceholder() {
			missing = append(missing, file.Path())
		}
		for _, extension := range f.extensionsIn(file) {
			switch {
			case extension.FullName() == ours.FullName():
				d.seen = true
				if why := difference(extension, ours); why != "" {
					d.fault = fmt.Errorf("%q declares (%s) otherwise than this version does, %s: vendor it again", file.Path(), ours.FullName(), why)
				}
			case extension.ContainingMessage().FullName() == ours.ContainingMessage().FullName(): // with our number
				rival = extension
			}
		}
	}
	switch {
	case d.seen && rival != nil:
		d.doubt = fmt.Errorf("options with the number %d may be (%s) or (%s) of %q: give (%s) another number",
			ours.Number(), ours.FullName(), rival.FullName(), rival.ParentFile().Path(), rival.FullName())
	case !d.seen && len(missing) > 0:
		d.doubt = fmt.Errorf("the option with the number %d is declared in one of the imports %q, which are missing: give the image with its imports; the server must give these files to policy.Compile", ours.Number(), missing)
	}
}

// difference returns how a declaration with our name differs from ours, or "".
func difference(theirs, ours protoreflect.ExtensionDescriptor) string {
	switch {
	case theirs.ContainingMessage().FullName() != ours.ContainingMessage().FullName():
		return fmt.Sprintf("as an option of %s", theirs.ContainingMessage().FullName())
	case theirs.Number() != ours.Number():
		return fmt.Sprintf("with the number %d instead of %d", theirs.Number(), ours.Number())
	case theirs.Kind() != ours.Kind() || theirs.Cardinality() != ours.Cardinality() || theirs.Message().FullName() != ours.Message().FullName():
		return "with another type"
	}
	return messageDifference(theirs.Message(), ours.Message())
}

// messageDifference returns how a message of a declaration differs from ours, or "". The wire has numbers alone: a
// field of another name or type, or a value of another name, would be read as ours. An older version may lack fields
// and values, and a newer version may have more.
func messageDifference(theirs, ours protoreflect.MessageDescriptor) (why string) {
	for i := range ours.Fields().Len() {
		our := ours.Fields().Get(i)
		their := theirs.Fields().ByNumber(our.Number())
		if their == nil {
			continue
		}
		switch {
		case their.Name() != our.Name():
			return fmt.Sprintf("with the field %s in place of %s", their.FullName(), our.Name())
		case their.Kind() != our.Kind() || their.Cardinality() != our.Cardinality(),
			our.Message() != nil && their.Message().FullName() != our.Message().FullName():
			return fmt.Sprintf("with another type of the field %s", their.FullName())
		case our.Kind() == protoreflect.EnumKind:
			why = enumDifference(their.Enum(), our.Enum())
		case our.Kind() == protoreflect.MessageKind:
			why = messageDifference(their.Message(), our.Message())
		}
		if why != "" {
			return why
		}
	}
	return ""
}

func enumDifference(theirs, ours protoreflect.EnumDescriptor) string {
	for i := range ours.Values().Len() {
		our := ours.Values().Get(i)
		if their := theirs.Values().ByNumber(our.Number()); their != nil && their.Name() != our.Name() {
			return fmt.Sprintf("with the value %s in place of %s", their.Name(), our.Name())
		}
	}
	return ""
}

// extensionsIn returns the extensions of a file that have a name or a number of ours.
func (f *finder) extensionsIn(file protoreflect.FileDescriptor) []protoreflect.ExtensionDescriptor {
	extensions, ok := f.extensions[file]
	if !ok {
		extensions = appendExtensions(nil, file)
		f.extensions[file] = extensions
	}
	return extensions
}

func appendExtensions(all []protoreflect.ExtensionDescriptor, in interface {
	Extensions() protoreflect.ExtensionDescriptors
	Messages() protoreflect.MessageDescriptors
},
) []protoreflect.ExtensionDescriptor {
	for i := range in.Extensions().Len() {
		extension := in.Extensions().Get(i)
		for _, ours := range []protoreflect.ExtensionType{authzv1.E_Method, authzv1.E_Service} {
			if ours := ours.TypeDescriptor(); extension.Number() == ours.Number() || extension.FullName() == ours.FullName() {
				all = append(all, extension)
				break
			}
		}
	}
	for i := range in.Messages().Len() {
		all = appendExtensions(all, in.Messages().Get(i))
	}
	return all
}
