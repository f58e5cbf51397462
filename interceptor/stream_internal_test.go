package interceptor

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// TestForget makes sure that nothing is left of a refused message of any type.
func TestForget(t *testing.T) {
	t.Parallel()
	raw, fields, decoded := []byte("secret"), map[string]any{"secret": true}, &errdetails.ErrorInfo{Reason: "secret"}
	for _, message := range []any{&raw, fields, decoded, nil, (*[]byte)(nil), raw, "a value that cannot be emptied"} {
		forget(message)
	}
	if len(raw) > 0 || len(fields) > 0 || decoded.GetReason() != "" {
		t.Errorf("left: %q, %v", raw, decoded)
	}
}
