package jose

import "testing"

// TestEqualHashes makes sure that different names with one hash are different.
func TestEqualHashes(t *testing.T) {
	t.Parallel()
	const text = `{"a":1,"b":2}`
	names := newNameTable(text)
	key := span{2, 3}
	if !names.add(text, outermost, key, false, 5) {
		t.Fatal("a is twice in an empty table")
	}
	hash := hashOf(text, key, false)
	if slot := names.find(text, outermost, "a", false, hash); *slot != 1 {
		t.Error("a is not found")
	}
	if slot := names.find(text, outermost, "b", false, hash); *slot != 0 {
		t.Error("b, with the hash of a, is found")
	}
}
