package interceptor

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// TestForget makes sure that nothing is left of a refused message of any type.
func TestForget(t *testing.T) {
	t.Parallel()
	raw, fields, decoded := []byte("secret"), map[string]any{"secret": true}, &errdetails.ErrorInfo{Reason: "secret"}
	dynamic := dynamicpb.NewMessage(decoded.ProtoReflect().Descriptor())
	dynamic.Set(dynamic.Descriptor().Fields().ByName("reason"), protoreflect.ValueOfString("secret"))
	for _, message := range []any{&raw, fields, decoded, dynamic, nil, (*[]byte)(nil), raw, "a value that cannot be emptied"} {
		forget(message)
	}
	if len(raw) > 0 || len(fields) > 0 || decoded.GetReason() != "" {
		t.Errorf("left: %q, %v", raw, decoded)
	}
	if dynamic.Descriptor() != decoded.ProtoReflect().Descriptor() || proto.Size(dynamic) > 0 {
		t.Errorf("a message that a descriptor has made is %v", dynamic)
	}
}
