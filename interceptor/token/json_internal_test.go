package token

import "testing"

// TestMemberNobodyAskedFor makes sure that a claim that was forgotten does not seem to be absent.
func TestMemberNobodyAskedFor(t *testing.T) {
	t.Parallel()
	o, err := parseMembers(`{"sub":"a","cnf":{}}`, []string{"sub", "exp"})
	if err != nil || !o.has("sub") || o.has("exp") {
		t.Fatalf("%+v, %v", o, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a member that nobody asked for is said to be absent")
		}
	}()
	o.has("cnf")
}
