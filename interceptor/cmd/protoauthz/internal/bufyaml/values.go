package bufyaml

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// A parser collects faults.
type parser struct {
	name   string // of the file
	faults []error
}

func (p *parser) fault(node *yaml.Node, format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf("%s:%d: %s", p.name, node.Line, fmt.Sprintf(format, args...)))
}

// refuseTags finds tags, such as !!binary: buf reads another value than the file shows.
func (p *parser) refuseTags(node *yaml.Node) {
	if node.Style&yaml.TaggedStyle != 0 {
		p.fault(node, "a tag of YAML: write the value without it")
	}
	for _, child := range node.Content {
		p.refuseTags(child)
	}
}

// boolean returns a boolean, or false if there is none.
func (p *parser) boolean(members map[string]*yaml.Node, member, name string) bool {
	node := members[member]
	if isMissing(node) {
		return false
	}
	is, err := boolOf(node)
	if err != nil {
		p.fault(node, "%s.%s is not a boolean: write true or false", name, member)
	}
	return is
}

// boolOf reads a boolean as buf does, which takes yes, on and y, too.
func boolOf(node *yaml.Node) (is bool, err error) {
	err = node.Decode(&is)
	return is, err //nolint:wrapcheck // the callers report a fault of their own
}

// isMissing reports whether a value is not given.
func isMissing(node *yaml.Node) bool { return node == nil || node.Tag == "!!null" }

// resolve returns the value that an alias stands for.
func resolve(node *yaml.Node) *yaml.Node {
	if node != nil && node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// pairs returns the names and values of a mapping, in the order of the file.
func (p *parser) pairs(node *yaml.Node, name string) (all [][2]*yaml.Node) {
	node = resolve(node)
	switch {
	case isMissing(node):
		return nil
	case node.Kind != yaml.MappingNode:
		p.fault(node, "%s is not a mapping: write members, each with a name, a colon and a value", name)
		return nil
	}
	seen := map[string]bool{}
	for n := 0; n < len(node.Content); n += 2 {
		key := resolve(node.Content[n])
		switch {
		case key.Value == "<<":
			p.fault(key, "%s has a merge key: write its members out", name)
		case seen[key.Value]:
			p.fault(key, "%s has %s twice: write it once", name, key.Value)
		}
		seen[key.Value] = true
		all = append(all, [2]*yaml.Node{key, resolve(node.Content[n+1])})
	}
	return all
}

func (p *parser) mapping(node *yaml.Node, name string) map[string]*yaml.Node {
	members := map[string]*yaml.Node{}
	for _, pair := range p.pairs(node, name) {
		members[pair[0].Value] = pair[1]
	}
	return members
}

func (p *parser) list(node *yaml.Node, name string) []*yaml.Node {
	node = resolve(node)
	switch {
	case isMissing(node):
		return nil
	case node.Kind != yaml.SequenceNode:
		p.fault(node, "%s is not a list: write [a, b], or a line with a dash for each element", name)
		return nil
	}
	return node.Content
}

// texts returns a text, or the texts of a list.
func (p *parser) texts(node *yaml.Node, name string) (all []Text) {
	if node = resolve(node); isMissing(node) || node.Kind != yaml.SequenceNode {
		if text := p.text(node, name); text.Line > 0 {
			all = append(all, text)
		}
		return all
	}
	for n, element := range node.Content {
		if text := p.text(element, fmt.Sprintf("%s[%d]", name, n)); text.Line > 0 {
			all = append(all, text)
		}
	}
	return all
}

// text returns a scalar, with line 0 if there is none.
func (p *parser) text(node *yaml.Node, name string) Text {
	node = resolve(node)
	switch {
	case isMissing(node):
		return Text{}
	case node.Kind != yaml.ScalarNode:
		p.fault(node, "%s is not a text: write one word, or a text in quotes", name)
		return Text{}
	}
	return Text{node.Value, node.Line}
}
