package main

import (
	"bytes"
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// imageInput returns the services of an image that the selection chooses.
func imageInput(name string, set *descriptorpb.FileDescriptorSet, s *selection) (*input, error) {
	imported := importedFiles(set)
	return newInput(name, set, nil, s, func(file *descriptorpb.FileDescriptorProto, _ string) origin {
		if imported(file) {
			return originImported
		}
		return originOwn
	})
}

// readImage decodes an image.
func readImage(data []byte) (*descriptorpb.FileDescriptorSet, error) {
	switch {
	case len(data) == 0:
		return nil, errors.New("the input is empty: write an image with buf build -o")
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		return nil, errors.New("the input is compressed: decompress it with gunzip")
	case data[0] == '{':
		return nil, errors.New("the input is JSON: write a binary image with buf build -o image.binpb")
	}
	set := new(descriptorpb.FileDescriptorSet)
	// Package policy decodes the options: here they stay as they are.
	if err := (proto.UnmarshalOptions{Resolver: new(protoregistry.Types)}).Unmarshal(data, set); err != nil {
		return nil, errors.New("the input is neither an image of buf nor a FileDescriptorSet: write an image with buf build -o")
	}
	if len(set.GetFile()) == 0 { // some other message
		return nil, errors.New("the input holds no files: write an image with buf build -o")
	}
	return set, nil
}

// importedFiles returns a function that reports whether a file is only imported. Buf marks such files.
// Protoc does not: then a file counts as imported if another file imports it and its package has no rules.
func importedFiles(set *descriptorpb.FileDescriptorSet) func(*descriptorpb.FileDescriptorProto) bool {
	marked := false
	imported, ruled := map[string]bool{}, map[string]bool{}
	for _, file := range set.GetFile() {
		_, known := importMark(file)
		marked = marked || known
		for _, paths := range [][]string{file.GetDependency(), file.GetOptionDependency()} {
			for _, path := range paths {
				imported[path] = true
				// A file that imports the annotations counts as using them.
				ruled[file.GetPackage()] = ruled[file.GetPackage()] || path == authzv1.File_protoauthz_v1_authz_proto.Path()
			}
		}
		ruled[file.GetPackage()] = ruled[file.GetPackage()] || slices.ContainsFunc(file.GetService(), hasRule)
	}
	return func(file *descriptorpb.FileDescriptorProto) bool {
		if marked {
			is, _ := importMark(file)
			return is
		}
		return imported[file.GetName()] && !ruled[file.GetPackage()]
	}
}

// hasRule reports whether a service or one of its methods has an option that may be a rule.
func hasRule(service *descriptorpb.ServiceDescriptorProto) bool {
	may := func(options proto.Message, uninterpreted int, ours protoreflect.ExtensionType) bool {
		found := uninterpreted > 0 || proto.HasExtension(options, ours)
		eachField(options.ProtoReflect().GetUnknown(), func(number protowire.Number, _ protowire.Type, _ []byte) {
			found = found || number == ours.TypeDescriptor().Number()
		})
		return found
	}
	return may(service.GetOptions(), len(service.GetOptions().GetUninterpretedOption()), authzv1.E_Service) ||
		slices.ContainsFunc(service.GetMethod(), func(method *descriptorpb.MethodDescriptorProto) bool {
			return may(method.GetOptions(), len(method.GetOptions().GetUninterpretedOption()), authzv1.E_Method)
		})
}

// The fields that buf adds to the files of an image: buf.alpha.image.v1.ImageFile.buf_extension
// and its is_import.
const (
	bufExtension protowire.Number = 8042
	bufIsImport  protowire.Number = 1
)

// importMark returns whether buf has marked a file as imported. Known is false if the file does not
// come from buf.
func importMark(file *descriptorpb.FileDescriptorProto) (imported, known bool) {
	eachField(file.ProtoReflect().GetUnknown(), func(number protowire.Number, kind protowire.Type, value []byte) {
		if number != bufExtension || kind != protowire.BytesType {
			return
		}
		known = true
		extension, _ := protowire.ConsumeBytes(value)
		eachField(extension, func(number protowire.Number, kind protowire.Type, value []byte) {
			if number == bufIsImport && kind == protowire.VarintType {
				is, _ := protowire.ConsumeVarint(value)
				imported = protowire.DecodeBool(is)
			}
		})
	})
	return imported, known
}

// eachField calls a function with each field of an encoded message, up to the first malformed
// field.
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
