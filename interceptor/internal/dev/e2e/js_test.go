package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// bundle makes one file of a script of js, its imports, and the code that protoc-gen-es generates for the
// sample's API. It returns the path of the file.
func bundle(t *testing.T, modules, script string, flags ...string) string {
	t.Helper()
	buf := e2e.Tool(t, "buf")
	dir := t.TempDir()
	image, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: withImports(
		map[string]bool{}, samplev1.File_sample_v1_account_proto, samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_member_proto,
		samplev1.File_sample_v1_document_proto, errdetails.File_google_rpc_error_details_proto,
	)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "image.binpb"), image, 0o600); err != nil {
		t.Fatal(err)
	}
	template, err := json.Marshal(map[string]any{"version": "v2", "plugins": []any{map[string]any{
		"local": filepath.Join(modules, ".bin", "protoc-gen-es"), "out": "gen", "opt": "target=js,import_extension=js",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	command(t, nil, buf, "generate", filepath.Join(dir, "image.binpb"), "--template", string(template),
		"--output", dir, "--exclude-path", "google/protobuf") // which comes with @bufbuild/protobuf

	out := filepath.Join(dir, "bundle.mjs")
	// The generated code lies apart from node_modules, hence NODE_PATH.
	command(t, nil, "env", append([]string{
		"NODE_PATH=" + modules, filepath.Join(modules, ".bin", "esbuild"), filepath.Join("js", script),
		"--bundle", "--format=esm", "--log-level=warning", "--alias:gen=" + filepath.Join(dir, "gen"), "--outfile=" + out,
	}, flags...)...)
	return out
}

// withImports returns files in the order of their imports.
func withImports(seen map[string]bool, files ...protoreflect.FileDescriptor) []*descriptorpb.FileDescriptorProto {
	var all []*descriptorpb.FileDescriptorProto
	for _, file := range files {
		if seen[file.Path()] {
			continue
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			all = append(all, withImports(seen, file.Imports().Get(i).FileDescriptor)...)
		}
		all = append(all, protodesc.ToFileDescriptorProto(file))
	}
	return all
}

// command runs a program on an input and returns what it prints.
func command(t *testing.T, input any, name string, args ...string) []byte {
	t.Helper()
	stdin, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*e2e.Patience) // for a whole table of calls
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Stdin = bytes.NewReader(stdin)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, stderrOf(err))
	}
	return out
}
