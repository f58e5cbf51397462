package policy_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestPlaces tries a file without positions.
func TestPlaces(t *testing.T) {
	t.Parallel()
	file := fileWith(t, nil, nil)
	_, err := policy.Compile(policy.Files{file})
	fault := faultsOf(t, err)[0]
	if _, ok := fault.Place.Position(); ok || fault.Place.String() != "wire/v1/wire.proto" {
		t.Errorf("the place is %q", fault.Place)
	}
	if fault.Place.File != protoreflect.FileDescriptor(file) {
		t.Errorf("the file is %v", fault.Place.File)
	}
}
