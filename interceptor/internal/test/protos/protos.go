// Package protos compiles .proto sources for tests, as "buf build" does.
package protos

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Compile compiles files by name, with source positions. A file, and a file that it imports, is one of the sources
// or else in the folder of the project's protos.
func Compile(ctx context.Context, protos string, sources map[string]string, names ...string) ([]protoreflect.FileDescriptor, error) {
	compiler := protocompile.Compiler{
		SourceInfoMode: protocompile.SourceInfoStandard | protocompile.SourceInfoExtraOptionLocations,
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			Accessor: func(name string) (io.ReadCloser, error) {
				if source, ok := sources[name]; ok {
					return io.NopCloser(strings.NewReader(source)), nil
				}
				return os.Open(filepath.Join(protos, name)) //nolint:gosec // a test names it
			},
		}),
	}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, err
	}
	files := make([]protoreflect.FileDescriptor, len(names))
	for i, name := range names {
		files[i] = compiled.FindFileByPath(name)
	}
	return files, nil
}

// OrderService returns the source of a file with the service order.v1.OrderService: a line with the option of the
// service, and a line for each method, Call0 and on, with its option. A method with an empty option is left out. The
// request has two fields, a and b.
func OrderService(option string, methods ...string) string {
	lines := []string{`syntax = "proto3"; package order.v1; import "protoauthz/v1/authz.proto"; service OrderService {`, option}
	for i, method := range methods {
		if method != "" {
			method = fmt.Sprintf(`rpc Call%d(Request) returns (Request) {%s}`, i, method)
		}
		lines = append(lines, method)
	}
	return strings.Join(append(lines, `} message Request {string a = 1; string b = 2;}`), "\n")
}

// Set returns files with all their imports, each file behind its imports.
func Set(files ...protoreflect.FileDescriptor) *descriptorpb.FileDescriptorSet {
	set := new(descriptorpb.FileDescriptorSet)
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	for _, file := range files {
		add(file)
	}
	return set
}
