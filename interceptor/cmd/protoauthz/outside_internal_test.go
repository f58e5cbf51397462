package main

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
)

// TestOutside tries descriptors and inputs that buf and protoc do not write.
func TestOutside(t *testing.T) {
	t.Parallel()
	for _, edition := range protos.Editions() {
		for _, c := range protos.DeclarationCases(edition) {
			t.Run("A1/"+c.Name+"/"+edition.String(), func(t *testing.T) {
				t.Parallel()
				testDeclaration(t, c)
			})
		}
	}
	for _, audience := range []string{"urn:logto:organization:x", "URN:logto:resource:organizations"} {
		t.Run("A10/"+audience, func(t *testing.T) {
			t.Parallel()
			got := execute(t, service(t, `Get public: true`), "matrix", "-audience", audience)
			if got.status != exitFailed || !strings.Contains(got.stderr, "-audience: ") || !strings.Contains(got.stderr, "give the API's resource indicator") {
				t.Errorf("status %d, %s", got.status, got.stderr)
			}
		})
	}
	t.Run("C10", testMissing)
	t.Run("C11", testUndescribed)
	t.Run("C12", testChosen)
	t.Run("C12 stripped", testStripped)
	t.Run("C12 partial", testPartial)
	t.Run("C12 public", testPublicLeftOut)
	t.Run("C12 shared", testShared)
	t.Run("C12 empty", testEmpty)
}

// TestOutsideFlags makes sure that an empty flag is one fault.
func TestOutsideFlags(t *testing.T) {
	t.Parallel()
	image := write(t, "image.binpb", sampleImage(t))
	explain := []string{"explain", "-audience", "https://api.example.com", "-public", "grpc.health.v1.Health", "-method", "sample.v1.CatalogService/WhoAmI"}
	const (
		compile  = "protoauthz: " // and the name of the source
		audience = ": the rules do not compile\n" +
			"-audience: audience is empty: give the API's resource indicator; if a variable or a file should supply it, set the variable or fill the file (OPTION)\n"
	)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"C18/audience": {[]string{"matrix", "-audience", "", image}, compile + image + audience},
		"C18/issuer": {append(explain, "-issuer", "", image),
			"protoauthz: -issuer is empty: give the issuer's URL, or leave the flag out to verify nothing; if a variable or a file should supply it, set the variable or fill the file\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, nil, c.args...)
			if got.status != exitFailed || got.stdout != "" || got.stderr != c.want {
				t.Errorf("status %d, stdout %q, stderr\n%s", got.status, got.stdout, got.stderr)
			}
		})
	}
}

func testDeclaration(t *testing.T, c protos.DeclarationCase) {
	t.Helper()
	set := &descriptorpb.FileDescriptorSet{File: append([]*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(descriptorpb.File_google_protobuf_descriptor_proto),
	}, c.Files...)}
	sources := map[string]string{"image": write(t, "image.binpb", encode(t, set))}
	backwards := proto.CloneOf(set)
	slices.Reverse(backwards.GetFile())
	sources["image backwards"] = write(t, "image.binpb", encode(t, backwards))
	// grpcreflect decodes options with our number, and fails on options of other packages.
	if !strings.Contains(c.Name, "not readable as ours") {
		sources["server"] = serveSet(t, set)
	}
	for name, source := range sources {
		got := execute(t, nil, "matrix", source)
		switch {
		case c.Fault == "":
			if got.status != exitOK || !slices.Contains(strings.Fields(got.stdout), "public") {
				t.Errorf("%s: status %d, %s%s", name, got.status, got.stdout, got.stderr)
			}
		default:
			if got.status != exitFailed || !strings.Contains(got.stderr, c.Fault) || got.stdout != "" {
				t.Errorf("%s: status %d, %s%s, want %s", name, got.status, got.stdout, got.stderr, c.Fault)
			}
			for _, says := range c.Says {
				if !strings.Contains(got.stderr, says) {
					t.Errorf("%s: %s, want %q in it", name, got.stderr, says)
				}
			}
		}
		got = execute(t, nil, "matrix", "-public", "served.Service", "-public", "protoauthz.v1.Service", source)
		if opens := got.status == exitOK; opens != c.Opens {
			t.Errorf("%s: opened by name: status %d, %s", name, got.status, got.stderr)
		}
	}
}
