package main

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/fileset"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// errNoServices is an image that is sound and has nothing to compile.
var errNoServices = errors.New("there are no services")

// imageFiles returns the files of an image that declare services and are no imports.
func imageFiles(data []byte) (policy.Files, error) {
	switch {
	case len(data) == 0:
		return nil, errors.New("it is empty: write an image with buf build -o")
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		return nil, errors.New("it is compressed: decompress it with gunzip")
	case data[0] == '{':
		return nil, errors.New("it is JSON: write a binary image with buf build -o image.binpb")
	}
	set := new(descriptorpb.FileDescriptorSet)
	// Options are policy's to read: here they stay as they are.
	if err := (proto.UnmarshalOptions{Resolver: new(protoregistry.Types)}).Unmarshal(data, set); err != nil {
		return nil, errors.New("it is neither an image of buf nor a FileDescriptorSet: write one with buf build -o")
	}
	if len(set.GetFile()) == 0 { // no image, but some other message
		return nil, errors.New("there are no files in it: write an image with buf build -o")
	}
	return serviceFiles(set, func(file *descriptorpb.FileDescriptorProto) bool { return !isImport(file) })
}

// serviceFiles returns those files of a set that are wanted and declare services.
func serviceFiles(set *descriptorpb.FileDescriptorSet, wanted func(*descriptorpb.FileDescriptorProto) bool) (policy.Files, error) {
	registry, err := fileset.Link(set)
	if err != nil {
		return nil, fmt.Errorf("its files do not fit together: give the image with its imports (of protoc: with --include_imports): %w", err)
	}
	var files policy.Files
	for _, file := range set.GetFile() {
		if len(file.GetService()) == 0 || !wanted(file) {
			continue
		}
		descriptor, err := registry.FindFileByPath(file.GetName())
		if err != nil {
			return nil, err
		}
		files = append(files, descriptor)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w among its %s", errNoServices, count(len(set.GetFile()), "file", "files"))
	}
	return files, nil
}

// What buf adds to the files of an image: buf.alpha.image.v1.ImageFile.buf_extension and
// its is_import. Sets of protoc have neither, and all their files count.
const (
	bufExtension protowire.Number = 8042
	bufIsImport  protowire.Number = 1
)

// isImport reports whether a file is in an image only for those that import it.
func isImport(file *descriptorpb.FileDescriptorProto) bool {
	imported := false
	eachField(file.ProtoReflect().GetUnknown(), func(number protowire.Number, kind protowire.Type, value []byte) {
		if number != bufExtension || kind != protowire.BytesType {
			return
		}
		extension, _ := protowire.ConsumeBytes(value)
		eachField(extension, func(number protowire.Number, kind protowire.Type, value []byte) {
			if number == bufIsImport && kind == protowire.VarintType {
				is, _ := protowire.ConsumeVarint(value)
				imported = protowire.DecodeBool(is)
			}
		})
	})
	return imported
}

// eachField calls a function with each field of an encoded message, up to the first that is
// malformed.
func eachField(message []byte, f func(number protowire.Number, kind protowire.Type, value []byte)) {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		_, _, length := protowire.ConsumeField(message)
		if tag < 0 || length < 0 {
			return
		}
		f(number, kind, message[tag:length])
		message = message[length:]
	}
}
