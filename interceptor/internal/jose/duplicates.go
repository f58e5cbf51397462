package jose

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"strings"
	"sync"
)

// A nameTable finds a member name that an object has twice, and the members of the outermost
// object. It is a hash table with a keyed hash, since an attacker chooses the names and their
// number. It keeps places in the text, and no byte of the text.
type nameTable struct {
	all   []name   // in the order of the text
	slots []uint32 // n+1 for all[n], at the place of its hash or at a later one
	mask  uint64   // of an index of slots
}

type name struct {
	name, value span   // the name is without its quotes
	object      uint32 // the number of its object
	inner       uint32 // the number of the object that the value is, or 0
	hash        uint64
}

// outermost is the number of the outermost object. Objects are numbered in the order in which they begin.
const outermost = 1

// A span is a part of a text.
type span struct{ start, end uint32 }

func (s span) of(text string) string { return text[s.start:s.end] }

// offset converts a place in a text. Texts are shorter than 4 GiB.
func offset(at int) uint32 { return uint32(at) } //nolint:gosec // see scanner.run

const (
	// minMember is the shortest part of a member: a brace or comma, two quotes and a colon.
	minMember = len(`{"":`)
	// spacing is the least number of slots for each name. Most names find a free slot at once.
	spacing = 4
	// maxKept is the number of slots for the largest token. The pool keeps no larger table.
	maxKept = 1 << 14
)

var tables = sync.Pool{New: func() any { return new(nameTable) }}

// newNameTable returns a table with room for the names of a text.
func newNameTable(text string) *nameTable {
	t, _ := tables.Get().(*nameTable)
	room := min(strings.Count(text, ":"), len(text)/minMember)
	size := 1 << bits.Len(uint(spacing*room))
	if size > cap(t.slots) {
		t.slots, t.all = make([]uint32, size), make([]name, 0, size/spacing)
	}
	t.slots, t.all, t.mask = t.slots[:size], t.all[:0], uint64(size-1) //nolint:gosec // it is not negative
	clear(t.slots)
	return t
}

// release returns the table to the pool.
func (t *nameTable) release() {
	if cap(t.slots) <= maxKept {
		tables.Put(t)
	}
}

// seed and keys make hashes that an attacker cannot predict.
var (
	seed = maphash.MakeSeed()
	keys = [2]uint64{maphash.String(seed, "0"), maphash.String(seed, "1")}
)

// short is the length of a number. A shorter name is hashed as a number, which takes a third of the time.
const short = 8

// hashOf returns the hash of a name. escaped is whether the name has escapes.
func hashOf(text string, key span, escaped bool) uint64 {
	size := key.end - key.start
	switch {
	case escaped || int(key.start)+short > len(text):
		return hashUnescaped(key.of(text))
	case size >= short:
		return maphash.String(seed, key.of(text))
	}
	// The mask drops the bytes behind the name.
	number := binary.LittleEndian.Uint64([]byte(text[key.start:][:short]))
	return hashShort(number&(1<<(8*size)-1), uint64(size))
}

func hashUnescaped(text string) uint64 {
	if number, size, ok := shortUnescaped(text); ok {
		return hashShort(number, size)
	}
	var room [64]byte
	name := appendUnescaped(room[:0], text)
	if len(name) >= short {
		return maphash.Bytes(seed, name)
	}
	return hashShort(binary.LittleEndian.Uint64(room[:]), uint64(len(name)))
}

// shortUnescaped returns the number of a short name with simple escapes. A text can hold more of
// these names than of names with other escapes.
func shortUnescaped(text string) (number, size uint64, ok bool) {
	for n := 0; n < len(text); n++ {
		c := text[n]
		if c == '\\' {
			n++
			c = simple[text[n]]
		}
		if c == 0 || size == short-1 {
			return 0, 0, false
		}
		number |= uint64(c) << (8 * size)
		size++
	}
	return number, size, true
}

// hashShort returns the keyed hash of a short name.
func hashShort(name, size uint64) uint64 {
	high, low := bits.Mul64(name^keys[0], keys[1]^size)
	return high ^ low
}

// add adds a member, given the object, the name and the place of the value. It returns false if
// the object already has a member with the name.
func (t *nameTable) add(text string, object uint32, key span, escaped bool, value int) bool {
	hash := hashOf(text, key, escaped)
	slot := &t.slots[t.first(object, hash)] // mostly free
	if *slot != 0 {
		if slot = t.find(text, object, key.of(text), escaped, hash); *slot != 0 {
			return false
		}
	}
	t.all = append(t.all, name{name: key, value: span{start: offset(value)}, object: object, hash: hash})
	*slot = offset(len(t.all))
	return true
}

// get returns the member of an object with a name, or nil.
func (t *nameTable) get(text string, object uint32, key string) *name {
	hash := maphash.String(seed, key)
	if len(key) < short {
		var number [short]byte
		hash = hashShort(binary.LittleEndian.Uint64(append(number[:0], key...)[:short]), uint64(len(key)))
	}
	n := *t.find(text, object, key, false, hash)
	if n == 0 {
		return nil
	}
	return &t.all[n-1]
}

// first returns the first slot that a name may take. It is keyed too, for one name in many objects.
func (t *nameTable) first(object uint32, hash uint64) uint64 {
	return hashShort(hash, uint64(object)) & t.mask
}

// find returns the slot of a name, or the free slot that the name would take.
func (t *nameTable) find(text string, object uint32, key string, escaped bool, hash uint64) *uint32 {
	for at := t.first(object, hash); ; at = (at + 1) & t.mask {
		slot := &t.slots[at]
		if *slot == 0 {
			return slot
		}
		n := &t.all[*slot-1]
		if n.hash != hash || n.object != object {
			continue
		}
		if escaped {
			key, escaped = unescaped(key), false
		}
		if unescaped(n.name.of(text)) == key {
			return slot
		}
	}
}
