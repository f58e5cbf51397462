package jose

// An Index finds values in a JSON object by their paths. It is made in the one pass in which the object is checked,
// as [ParseObject] checks it, and copies nothing. An Index must not be used by two goroutines at once.
type Index struct {
	text  string
	names *nameTable
}

// NewIndex reads a JSON object. The caller must release the index.
func NewIndex(text string) (Index, error) { return newIndex(text, true) }

func newIndex(text string, deep bool) (Index, error) {
	x := Index{text, newNameTable(text)}
	s := scanner{text: text, deep: deep, names: x.names}
	if err := s.run(); err != nil {
		x.Release()
		return Index{}, err
	}
	return x, nil
}

// Release ends the use of an index. The values that it has found stay good.
func (x Index) Release() { x.names.release() }

// Blocked is found where a path leads through a value that is not an object, such as null. It is no JSON value, so
// nothing takes it for a value of any type.
const Blocked = "!"

// Find returns the value at a path of member names, which begins at the outermost object and has at least one name.
// It returns "" if a member of the path is absent, and [Blocked] if a value before the last one is not an object.
func (x Index) Find(path []string) (value string) {
	object := uint32(outermost)
	for n, name := range path {
		found := x.names.get(x.text, object, name)
		switch {
		case found == nil:
			return ""
		case n == len(path)-1:
			return found.value.of(x.text)
		case found.inner == 0:
			return Blocked
		}
		object = found.inner
	}
	return ""
}
