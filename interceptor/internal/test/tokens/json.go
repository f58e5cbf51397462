package tokens

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
)

// Encode is base64url without padding.
func Encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// Absent as the value of a change takes the member away.
type Absent struct{}

// With is a JSON object with changes, given as name, value, name, value …
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
