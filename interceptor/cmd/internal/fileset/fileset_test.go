package fileset_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/fileset"
)

// importing returns a file with imports and imports for options only.
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
		linked, missing, err := fileset.Link(set)
		if err != nil {
			t.Fatal(err)
		}
		if want := []fileset.Missing{{Path: "gone", By: []string{"a"}}}; !reflect.DeepEqual(missing, want) {
			t.Errorf("%v: missing are %v, want %v", order, missing, want)
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
		"itself":            {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"a"})}, `"a"`},
		"circle":            {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"b"}), importing("b", []string{"a"})}, `"a"`},
		"missing, circle":   {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"gone", "b"}), importing("b", []string{"gone", "a"})}, `"a"`},
		"missing, itself":   {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"gone", "a"})}, `"a"`},
		"import that fails": {[]*descriptorpb.FileDescriptorProto{importing("a", []string{"b"}), of("b", ".c.M")}, `"c.M"`},
		"not imported":      {[]*descriptorpb.FileDescriptorProto{of("a", ".c.M"), declaring("c")}, `"c.M"`},
		"not public":        {[]*descriptorpb.FileDescriptorProto{of("a", ".c.M", "b"), importing("b", []string{"c"}), declaring("c")}, `"c.M"`},
		"no name":           {[]*descriptorpb.FileDescriptorProto{{}}, "path"},
	} {
		if _, _, err := fileset.Link(&descriptorpb.FileDescriptorSet{File: c.files}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.says)
		}
	}
	// Imports for options may go round.
	round := []*descriptorpb.FileDescriptorProto{importing("a", nil, "b"), importing("b", nil, "a")}
	for range 2 {
		if _, _, err := fileset.Link(&descriptorpb.FileDescriptorSet{File: round}); err != nil {
			t.Error(err)
		}
		slices.Reverse(round)
	}
}

// declaring returns a file that declares the message M in a package of its own.
func declaring(path string, imports ...string) *descriptorpb.FileDescriptorProto {
	file := importing(path, imports)
	file.Package, file.MessageType = &path, []*descriptorpb.DescriptorProto{{Name: proto.String("M")}}
	return file
}

// of is declaring with a field of the given type.
func of(path, message string, imports ...string) *descriptorpb.FileDescriptorProto {
	file := declaring(path, imports...)
	file.MessageType[0].Field = []*descriptorpb.FieldDescriptorProto{{
		Name: proto.String("field"), Number: proto.Int32(1), TypeName: &message,
		Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}}
	return file
}

// TestLinkMissing makes sure that a placeholder takes the place of a message that the missing file may
// declare or import publicly.
func TestLinkMissing(t *testing.T) {
	t.Parallel()
	public := func(file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
		for i := range file.GetDependency() {
			file.PublicDependency = append(file.PublicDependency, int32(i))
		}
		return file
	}
	for name, c := range map[string]struct {
		files   []*descriptorpb.FileDescriptorProto
		known   bool // the type of the field in "a"
		missing string
	}{
		"declared in it":              {[]*descriptorpb.FileDescriptorProto{of("a", ".gone.M", "gone")}, false, "[{gone [a]}]"},
		"declared beside it":          {[]*descriptorpb.FileDescriptorProto{of("a", ".c.M", "gone", "c"), declaring("c")}, true, "[{gone [a]}]"},
		"perhaps imported by it":      {[]*descriptorpb.FileDescriptorProto{of("a", ".c.M", "gone"), declaring("c")}, false, "[{gone [a]}]"},
		"missing in a public import":  {[]*descriptorpb.FileDescriptorProto{of("a", ".gone.M", "b"), public(importing("b", []string{"gone"}))}, false, "[{gone [b]}]"},
		"public import":               {[]*descriptorpb.FileDescriptorProto{of("a", ".c.M", "b", "gone"), public(importing("b", []string{"c"})), declaring("c", "gone")}, true, "[{gone [c a]}]"},
		"two files of three":          {[]*descriptorpb.FileDescriptorProto{of("a", ".c.M", "gone", "lost"), of("b", ".gone.M", "gone")}, false, "[{gone [a b]} {lost [a]}]"},
		"public imports that go wide": {[]*descriptorpb.FileDescriptorProto{of("a", ".gone.M", "b", "c"), public(importing("b", []string{"c"})), public(importing("c", []string{"gone"}))}, false, "[{gone [c]}]"},
	} {
		for _, backwards := range []bool{false, true} {
			linked, missing, err := fileset.Link(&descriptorpb.FileDescriptorSet{File: c.files})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			found, err := linked.FindDescriptorByName("a.M.field")
			if err != nil {
				t.Fatal(err)
			}
			if field, ok := found.(protoreflect.FieldDescriptor); !ok || field.Message().IsPlaceholder() == c.known {
				t.Errorf("%s: got %v, want it known: %t", name, found, c.known)
			}
			if got := fmt.Sprint(missing); got != c.missing && !backwards {
				t.Errorf("%s: missing are %s, want %s", name, got, c.missing)
			}
			slices.Reverse(c.files)
		}
	}
}
