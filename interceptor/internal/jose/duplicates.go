package jose

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"strings"
	"sync"
)

// A nameTable finds member names that stand twice in one object of a text, and members of the
// outermost object. An attacker chooses how many names there are and what they are: it
// is a hash table with a keyed hash. It knows where names are, and holds no byte of the text.
type nameTable struct {
	all   []name   // in the order of the text
	slots []uint32 // n+1 for all[n], where its hash says or behind that
	mask  uint64   // of an index of slots
}

type name struct {
	name, value span   // the name without its quotes, and the value of a member of the outermost object
	object      uint32 // which one it is of, in the order of their beginnings
	hash        uint64
}

// outermost is the number of the object that the text is.
const outermost = 1

// A span is a part of a text.
type span struct{ start, end uint32 }

func (s span) of(text string) string { return text[s.start:s.end] }

// offset is a place in a text, which is shorter than 4 GiB.
func offset(at int) uint32 { return uint32(at) } //nolint:gosec // see scanner.run

const (
	// minMember is what a member takes at least: a brace or comma, two quotes and a colon.
	minMember = len(`{"":`)
	// spacing is how many slots there are for a name, at least. Most are then found free at once.
	spacing = 4
	// maxKept is the number of slots for the largest token. Larger tables are not kept.
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

// release leaves the table to others.
func (t *nameTable) release() {
	if cap(t.slots) <= maxKept {
		tables.Put(t)
	}
}

// seed and keys keep hashes from those who choose names.
var (
	seed = maphash.MakeSeed()
	keys = [2]uint64{maphash.String(seed, "0"), maphash.String(seed, "1")}
)

// short is the length of names that are hashed as one number, which costs a third.
const short = 8

// hashOf returns the hash of a part of a text, given whether there are escapes in it.
func hashOf(text string, key span, escaped bool) uint64 {
	size := key.end - key.start
	switch {
	case escaped || int(key.start)+short > len(text):
		return hashUnescaped(key.of(text))
	case size >= short:
		return maphash.String(seed, key.of(text))
	}
	// What is behind the name is masked.
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

// shortUnescaped returns the number of a short name, if its escapes are simple: the most that
// an attacker can have of a byte.
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

// hashShort is keyed: keys are random in each process.
func hashShort(name, size uint64) uint64 {
	high, low := bits.Mul64(name^keys[0], keys[1]^size)
	return high ^ low
}

// add adds the name of an object's member whose value is at a place. It returns false if the
// object has a member of that name.
func (t *nameTable) add(text string, object uint32, key span, escaped bool, value int) bool {
	hash := hashOf(text, key, escaped)
	slot := &t.slots[t.first(object, hash)] // which is free, mostly
	if *slot != 0 {
		if slot = t.find(text, object, key.of(text), escaped, hash); *slot != 0 {
			return false
		}
	}
	t.all = append(t.all, name{key, span{start: offset(value)}, object, hash})
	*slot = offset(len(t.all))
	return true
}

// get returns the name of a member of the outermost object, or nil.
func (t *nameTable) get(text, key string) *name {
	hash := maphash.String(seed, key)
	if len(key) < short {
		var number [short]byte
		hash = hashShort(binary.LittleEndian.Uint64(append(number[:0], key...)[:short]), uint64(len(key)))
	}
	n := *t.find(text, outermost, key, false, hash)
	if n == 0 {
		return nil
	}
	return &t.all[n-1]
}

// first returns where a name's slot is, unless others are there.
func (t *nameTable) first(object uint32, hash uint64) uint64 {
	return hashShort(hash, uint64(object)) & t.mask // which nobody who puts one name into many objects knows
}

// find returns the slot of a name, or the free one that it would take.
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
