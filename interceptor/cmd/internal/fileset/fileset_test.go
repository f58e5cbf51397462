package fileset_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/fileset"
)

// importing is a file that imports others, and some for its options only.
func importing(path string, imports []string, forOptions ...string) *descriptorpb.FileDescriptorProto {
	return &descriptorpb.FileDescriptorProto{
		Name: &path, Syntax: proto.String("editions"), Edition: descriptorpb.Edition_EDITION_2024.Enum(), Dependency: imports, OptionDependency: forOptions,
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	files := []*descriptorpb.FileDescriptorProto{importing("a", []string{"b"}, "c", "gone"), importing("b", nil, "c"), importing("c", nil)}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		set := new(descriptorpb.FileDescriptorSet)
		for _, i := range order {
			set.File = append(set.File, files[i])
		}
		linked, err := fileset.Link(set)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, path := range []string{"a", "b"} {
			file, err := linked.FindFileByPath(path)
			if err != nil {
				t.Fatal(err)
			}
			importing, ok := file.(interface {
				OptionImports() protoreflect.FileImports
			})
			if !ok {
				t.Fatalf("%T has no imports for options only", file)
			}
			imports := importing.OptionImports()
			for i := range imports.Len() {
				found[path+" "+imports.Get(i).Path()] = !imports.Get(i).IsPlaceholder()
			}
		}
		if len(found) != 3 || !found["a c"] || !found["b c"] || found["a gone"] {
			t.Errorf("%v: found %v", order, found)
		}
	}
}

func TestLinkFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []*descriptorpb.FileDescriptorProto
		says  string
	}{
		"twice":             {[]*descriptorpb.FileDescriptorProto{importing("a", nil), importing("a", nil)}, `"a" appears twice`},
		"missing":           {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"b"})}, `"b"`},
		"itself":            {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"a"})}, `"a"`},
		"circle":            {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"b"}), importing("b", []string{"a"})}, `"a"`},
		"import that fails": {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"b"}), importing("b", []string{"c"})}, `"c"`},
		"no name":           {[]*descriptorpb.FileDescriptorProto{{}}, "path"},
	} {
		if _, err := fileset.Link(&descriptorpb.FileDescriptorSet{File: c.files}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.says)
		}
	}
	// Imports for options may go round.
	round := []*descriptorpb.FileDescriptorProto{importing("a", nil, "b"), importing("b", nil, "a")}
	for range 2 {
		if _, err := fileset.Link(&descriptorpb.FileDescriptorSet{File: round}); err != nil {
			t.Error(err)
		}
		slices.Reverse(round)
	}
}
