package document

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A node is a value of a document.
type node struct {
	line    int
	token   json.Token // a string, a json.Number, a bool, nil for null, or the json.Delim that begins the value
	members []member   // of an object, or of an array, whose elements have no names
	text    []byte
}

// A member is a named value. The line is the line of the name.
type member struct {
	node
	name string
	line int
}

// maxDepth bounds how many objects and arrays stand in each other: each value has its path, so depth costs memory.
const maxDepth = 64

// parse returns the tree of a document that checkForm has passed.
func parse(text []byte) (node, error) {
	p := parser{text: text, decoder: json.NewDecoder(bytes.NewReader(text)), line: 1}
	p.decoder.UseNumber()
	root := p.node()
	if p.tooDeep > 0 {
		return node{}, &Fault{Line: p.tooDeep, Text: fmt.Sprintf("more than %d objects and arrays stand in each other: write fewer", maxDepth)}
	}
	return root, nil
}

type parser struct {
	text    []byte
	decoder *json.Decoder
	at      int // the place up to which lines are counted
	line    int
	depth   int
	tooDeep int // the first line that is too deep, or 0
}

// next returns a token, and sets the place and the line to the place and the line of its first character.
func (p *parser) next() json.Token {
	begin := int(p.decoder.InputOffset())
	begin += len(p.text[begin:]) - len(bytes.TrimLeft(p.text[begin:], "\t\n\r ,:"))
	p.line += bytes.Count(p.text[p.at:begin], []byte("\n"))
	p.at = begin
	token, _ := p.decoder.Token() // checkForm has passed the document
	return token
}

func (p *parser) node() node {
	n := node{token: p.next(), line: p.line}
	begin := p.at
	p.depth++
	defer func() { p.depth-- }()
	if _, is := n.token.(json.Delim); is && p.depth > maxDepth {
		p.tooDeep = n.line
	}
	for delim, is := n.token.(json.Delim); is && p.tooDeep == 0 && p.decoder.More(); {
		var m member
		if delim == '{' {
			m.name, _ = p.next().(string) // a name is a string
			m.line = p.line
		}
		m.node = p.node()
		if delim == '[' {
			m.line = m.node.line
		}
		n.members = append(n.members, m)
	}
	if _, is := n.token.(json.Delim); is {
		p.next() // the end
	}
	n.text = p.text[begin:p.decoder.InputOffset()]
	return n
}
