package tokens

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
)

// Encode returns data in base64url without padding.
func Encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// Absent is the value of a change that removes a member.
type Absent struct{}

// With returns a JSON object with changes: name, value, name, value …
func With(members map[string]any, changes ...any) string {
	members = maps.Clone(members)
	for pair := range slices.Chunk(changes, 2) {
		name := As[string](pair[0])
		if members[name] = pair[1]; pair[1] == (any)(Absent{}) {
			delete(members, name)
		}
	}
	return string(Must(json.Marshal(members)))
}
