package tokens

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// A Grower makes JSON values by the bytes of a fuzz input: equal inputs make equal values. Without bytes it makes the
// simplest choice.
type Grower struct {
	Data []byte
	// Names are the names of members, and Texts the strings.
	Names, Texts []string
}

// Pick returns a number from 0 to n-1.
func (g *Grower) Pick(n int) int {
	if len(g.Data) == 0 {
		return 0
	}
	picked := int(g.Data[0]) % n
	g.Data = g.Data[1:]
	return picked
}

// Value makes a value with at most some levels.
func (g *Grower) Value(levels int) Tree {
	kinds := `"""{{{[[0tfn`
	if levels == 0 {
		kinds = `""0tfn`
	}
	tree := Tree{Kind: kinds[g.Pick(len(kinds))]}
	switch tree.Kind {
	case '"':
		tree.Text = g.Texts[g.Pick(len(g.Texts))]
	case '{':
		g.Fill(&tree, levels)
	case '[':
		for range g.Pick(4) {
			tree.Nodes = append(tree.Nodes, g.Value(levels-1))
		}
	case '0':
		numbers := []string{"0", "1", "1.0", "1e0", "-1", "1E400"}
		tree.Kind, tree.Text = 0, numbers[g.Pick(len(numbers))]
	default:
		tree.Text = map[byte]string{'t': "true", 'f': "false", 'n': "null"}[tree.Kind]
	}
	return tree
}

// Fill adds members to an object.
func (g *Grower) Fill(object *Tree, levels int) {
	for range g.Pick(5) {
		name := g.Names[g.Pick(len(g.Names))]
		if value := g.Value(levels - 1); object.Member(name) == nil {
			value.Name = name
			object.Nodes = append(object.Nodes, value)
		}
	}
}

// Write returns the JSON text of a value, with white space and escapes where no value changes.
func (g *Grower) Write(tree Tree) string {
	var b strings.Builder
	g.write(&b, tree)
	return b.String()
}

func (g *Grower) write(b *strings.Builder, tree Tree) {
	switch tree.Kind {
	case '"':
		g.writeString(b, tree.Text)
	case '{', '[':
		b.WriteByte(tree.Kind)
		for n, node := range tree.Nodes {
			if n > 0 {
				b.WriteByte(',')
			}
			g.writeSpace(b)
			if tree.Kind == '{' {
				g.writeString(b, node.Name)
				g.writeSpace(b)
				b.WriteByte(':')
				g.writeSpace(b)
			}
			g.write(b, node)
			g.writeSpace(b)
		}
		b.WriteByte(tree.Kind + 2) // the closing bracket
	default:
		b.WriteString(tree.Text)
	}
}

func (g *Grower) writeSpace(b *strings.Builder) {
	spaces := []string{"", "", "", "", "", " ", "\n", "\t\r "}
	b.WriteString(spaces[g.Pick(len(spaces))])
}

func (g *Grower) writeString(b *strings.Builder, text string) {
	b.WriteByte('"')
	for _, r := range text {
		switch short := strings.IndexRune("\"\\/\b\f\n\r\t", r); {
		case short >= 0 && (r != '/' || g.Pick(2) == 1):
			b.WriteByte('\\')
			b.WriteByte(`"\/bfnrt`[short])
		case r < ' ' || g.Pick(8) == 1:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(b, `\u%04x`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// Place returns an object in a tree, the outermost one or one inside, and the names on the way to it. Elements have
// empty names.
func (g *Grower) Place(tree *Tree) (object *Tree, path []string) {
	object = tree
	for {
		inner := slices.DeleteFunc(containers(object), func(node *Tree) bool { return len(node.Nodes) == 0 && node.Kind == '[' })
		if len(inner) == 0 || g.Pick(3) == 0 && object.Kind == '{' {
			break
		}
		object = inner[g.Pick(len(inner))]
		path = append(path, object.Name)
	}
	if object.Kind != '{' {
		return tree, nil
	}
	return object, path
}

// containers returns the objects and arrays among the members or elements of a value.
func containers(tree *Tree) (inner []*Tree) {
	for n := range tree.Nodes {
		if node := &tree.Nodes[n]; node.Kind == '{' || node.Kind == '[' {
			inner = append(inner, node)
		}
	}
	return inner
}
