// Package fileset builds the descriptors of file descriptor sets.
package fileset

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// A Missing is a file that a set lacks.
type Missing struct {
	// Path is the file's name.
	Path string
	// By are the files that import it, at least one.
	By []string
}

// Link builds the descriptors of a set, whose files may be in any order. Unlike
// [protodesc.NewFiles], Link finds imports for options only ("import option", from edition 2024
// on) in the set.
//
// An imported file that is not in the set is missing. A placeholder takes its place, and the place
// of each message and enum that it may declare. The files of the set must fit together in any case.
func Link(set *descriptorpb.FileDescriptorSet) (*protoregistry.Files, []Missing, error) {
	l := &linker{
		protos: map[string]*descriptorpb.FileDescriptorProto{}, begun: map[string]bool{},
		files: new(protoregistry.Files), index: map[string]int{},
	}
	for _, file := range set.GetFile() {
		if l.protos[file.GetName()] != nil {
			return nil, nil, fmt.Errorf("file %q appears twice", file.GetName())
		}
		l.protos[file.GetName()] = file
	}
	for _, file := range set.GetFile() {
		if err := l.link(file); err != nil {
			return nil, nil, err
		}
	}
	return l.files, l.missing, nil
}

type linker struct {
	protos  map[string]*descriptorpb.FileDescriptorProto
	begun   map[string]bool
	files   *protoregistry.Files // the linked files
	missing []Missing
	index   map[string]int // of missing, by path
}

func (l *linker) link(file *descriptorpb.FileDescriptorProto) error {
	if l.begun[file.GetName()] {
		return nil
	}
	l.begun[file.GetName()] = true
	for _, path := range slices.Concat(file.GetDependency(), file.GetOptionDependency()) {
		imported := l.protos[path]
		if imported == nil {
			l.miss(path, file)
			continue
		}
		if err := l.link(imported); err != nil {
			return err
		}
	}
	for _, path := range file.GetDependency() {
		if _, err := l.files.FindFileByPath(path); err != nil && l.protos[path] != nil {
			return fmt.Errorf("file %q imports %q, which imports it in turn", file.GetName(), path)
		}
	}
	descriptor, err := l.build(file)
	if err != nil {
		return err
	}
	return l.files.RegisterFile(descriptor)
}

func (l *linker) miss(path string, by *descriptorpb.FileDescriptorProto) {
	i, ok := l.index[path]
	if !ok {
		i = len(l.missing)
		l.index[path], l.missing = i, append(l.missing, Missing{Path: path})
	}
	l.missing[i].By = append(l.missing[i].By, by.GetName())
}

// build builds a file. Its imports in the set are linked already.
func (l *linker) build(file *descriptorpb.FileDescriptorProto) (protoreflect.FileDescriptor, error) {
	visible, complete := l.visible(file)
	if complete {
		return protodesc.NewFile(file, l.files)
	}
	return protodesc.FileOptions{AllowUnresolvable: true}.New(file, &narrow{l.files, visible})
}

// visible returns the files that a file sees, by imports and their public imports, and whether all
// of these files are in the set.
func (l *linker) visible(file *descriptorpb.FileDescriptorProto) (paths map[string]bool, complete bool) {
	paths, complete = map[string]bool{}, true
	todo := slices.Clone(file.GetDependency())
	for ; len(todo) > 0; todo = todo[1:] {
		imported := l.protos[todo[0]]
		switch {
		case imported == nil:
			complete = false
		case !paths[todo[0]]:
			paths[todo[0]] = true
			for _, i := range imported.GetPublicDependency() {
				todo = append(todo, imported.GetDependency()[i])
			}
		}
	}
	return paths, complete
}

// A narrow resolver finds only names of visible files: protodesc fails on a name of another file,
// which a missing file may have imported publicly.
type narrow struct {
	*protoregistry.Files
	visible map[string]bool
}

// FindDescriptorByName implements [protodesc.Resolver].
func (n *narrow) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	found, err := n.Files.FindDescriptorByName(name)
	if err == nil && !n.visible[found.ParentFile().Path()] {
		return nil, protoregistry.NotFound
	}
	return found, err
}
