package tokens

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Tree is a JSON value. An object keeps the order of its members.
type Tree struct {
	Name string // of a member
	Kind byte   // the first byte of the value, and 0 for every number
	// Text is a string without its quotes and escapes, or the JSON text of a number, of true, of false or of null.
	Text  string
	Nodes []Tree // members or elements
}

// ReadTree is an oracle: it reads a JSON text by the token reader of encoding/json. [ReadObject] tells
// whether the text is sound.
func ReadTree(text string) (Tree, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	return readTree(decoder)
}

func readTree(decoder *json.Decoder) (tree Tree, err error) {
	read, err := decoder.Token()
	switch value := read.(type) {
	case string:
		return Tree{Kind: '"', Text: value}, err
	case json.Number:
		return Tree{Text: value.String()}, err
	case bool:
		text := fmt.Sprint(value)
		return Tree{Kind: text[0], Text: text}, err
	case nil:
		return Tree{Kind: 'n', Text: "null"}, err
	case json.Delim:
		tree.Kind = value.String()[0]
	}
	for err == nil && decoder.More() {
		var name json.Token
		if tree.Kind == '{' {
			if name, err = decoder.Token(); err != nil {
				return tree, err
			}
		}
		var node Tree
		node, err = readTree(decoder)
		node.Name, _ = name.(string)
		tree.Nodes = append(tree.Nodes, node)
	}
	if err == nil {
		_, err = decoder.Token()
	}
	return tree, err
}

// Member returns the member of an object with a name, or nil.
func (t *Tree) Member(name string) *Tree {
	if n := t.index(name); n >= 0 {
		return &t.Nodes[n]
	}
	return nil
}

func (t *Tree) index(name string) int {
	if t.Kind != '{' {
		return -1
	}
	return slices.IndexFunc(t.Nodes, func(node Tree) bool { return node.Name == name })
}

// Equal reports whether two values are equal, with the same order of members.
func (t *Tree) Equal(other Tree) bool {
	return t.Kind == other.Kind && t.Text == other.Text && slices.EqualFunc(t.Nodes, other.Nodes, func(a, b Tree) bool {
		return a.Name == b.Name && a.Equal(b)
	})
}
