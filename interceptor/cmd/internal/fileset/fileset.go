// Package fileset builds descriptors out of file descriptor sets.
package fileset

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Link builds the descriptors of a set, in any order of its files. Unlike
// [protodesc.NewFiles] it always finds those files of the set that others import for their
// options only ("import option", from edition 2024 on); one that is not in the set is left
// open.
func Link(set *descriptorpb.FileDescriptorSet) (*protoregistry.Files, error) {
	files := new(protoregistry.Files)
	todo := map[string]*descriptorpb.FileDescriptorProto{}
	for _, file := range set.GetFile() {
		if todo[file.GetName()] != nil {
			return nil, fmt.Errorf("file %q appears twice", file.GetName())
		}
		todo[file.GetName()] = file
	}
	var link func(*descriptorpb.FileDescriptorProto) error
	link = func(file *descriptorpb.FileDescriptorProto) error {
		delete(todo, file.GetName()) // before its imports: an import of its own is not there
		for _, paths := range [][]string{file.GetDependency(), file.GetOptionDependency()} {
			for _, path := range paths {
				if imported := todo[path]; imported != nil {
					if err := link(imported); err != nil {
						return err
					}
				}
			}
		}
		descriptor, err := protodesc.NewFile(file, files)
		if err != nil {
			return err
		}
		return files.RegisterFile(descriptor)
	}
	for _, file := range set.GetFile() {
		if todo[file.GetName()] == nil {
			continue
		}
		if err := link(file); err != nil {
			return nil, err
		}
	}
	return files, nil
}
