// Package bufyaml reads the parts of a buf.yaml that decide what buf-plugin-protoauthz checks, with their lines.
package bufyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A File is a buf.yaml of version v2.
type File struct {
	Modules []Module // at least one
	Plugins []Plugin // the entries of buf-plugin-protoauthz
	HasDeps bool     // the modules depend on modules of a registry
}

// A Module is a folder with .proto files.
type Module struct {
	Path     string   // from the folder of the buf.yaml, with slashes
	Includes []string // as Path; empty for the whole folder
	Excludes []string // as Path
	Line     int
	Lint     *Checks // its own, or else the list at the top; nil without either
	Breaking *Checks // as Lint
}

// Checks are which rules buf checks, of lint or of breaking.
type Checks struct {
	Name                string // as in lint or modules[1].breaking
	Line                int
	OfModule            bool   // it replaces the list at the top
	Use, Except, Ignore []Text // without Use, buf checks the rules that are on by default
	IgnoreOnly          []Only
	IgnoreUnstable      bool
}

// An Only is a path that a rule leaves out.
type Only struct{ Rule, Path Text }

// A Text is a scalar.
type Text struct {
	Value string
	Line  int
}

// A Plugin is an entry of the plugin with its options.
type Plugin struct {
	Name    string // as in plugins[0]
	Line    int
	Options map[string]Option
}

// An Option is a text or a list of texts.
type Option struct {
	Line   int
	IsList bool
	Texts  []Text
}

// Parse reads a buf.yaml. The error holds every fault, with the given name of the file and its line.
func Parse(name string, text []byte) (*File, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root yaml.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: it is empty: write version: v2 and the modules", name)
	} else if err != nil {
		return nil, fmt.Errorf("%s: it is not YAML: %w", name, err)
	}
	p := &parser{name: name}
	top := p.mapping(root.Content[0], "the file")
	switch version := p.text(top["version"], "version"); version.Value {
	case "v2":
	case "v1", "v1beta1":
		return nil, fmt.Errorf("%s:%d: version %s knows no plugins, so that buf checks no rule of protoauthz: run buf config migrate", name, version.Line, version.Value)
	default:
		return nil, fmt.Errorf("%s:%d: version is not v2: write version: v2", name, max(version.Line, 1))
	}
	lint, breaking := p.checks(top["lint"], "lint"), p.checks(top["breaking"], "breaking")
	file := &File{HasDeps: len(p.list(top["deps"], "deps")) > 0}
	for n, node := range p.list(top["modules"], "modules") {
		name := fmt.Sprintf("modules[%d]", n)
		members := p.mapping(node, name)
		module := Module{
			Path: ".", Line: node.Line, Lint: p.checksOf(members["lint"], name+".lint", lint), Breaking: p.checksOf(members["breaking"], name+".breaking", breaking),
			Includes: paths(p.texts(members["includes"], name+".includes")), Excludes: paths(p.texts(members["excludes"], name+".excludes")),
		}
		if given := p.text(members["path"], name+".path"); given.Value != "" {
			module.Path = path.Clean(given.Value)
		}
		file.Modules = append(file.Modules, module)
	}
	if len(file.Modules) == 0 {
		file.Modules = []Module{{Path: ".", Line: 1, Lint: lint, Breaking: breaking}}
	}
	for n, node := range p.list(top["plugins"], "plugins") {
		p.plugin(file, node, fmt.Sprintf("plugins[%d]", n))
	}
	return file, errors.Join(p.faults...)
}

func paths(texts []Text) (all []string) {
	for _, text := range texts {
		all = append(all, path.Clean(text.Value))
	}
	return all
}

// plugin adds an entry if it runs buf-plugin-protoauthz, by name, by path or by go run.
func (p *parser) plugin(file *File, node *yaml.Node, name string) {
	members := p.mapping(node, name)
	command := p.texts(members["plugin"], name+".plugin")
	if !slices.ContainsFunc(command, func(word Text) bool {
		program, _, _ := strings.Cut(path.Base(strings.ReplaceAll(word.Value, `\`, "/")), "@")
		return strings.TrimSuffix(program, ".exe") == "buf-plugin-protoauthz"
	}) {
		return
	}
	plugin := Plugin{Name: name, Line: node.Line, Options: map[string]Option{}}
	for key, value := range p.mapping(members["options"], name+".options") {
		plugin.Options[key] = Option{Line: value.Line, IsList: value.Kind == yaml.SequenceNode, Texts: p.texts(value, name+".options."+key)}
	}
	file.Plugins = append(file.Plugins, plugin)
}

// checksOf returns the list of a module, or else the list at the top.
func (p *parser) checksOf(node *yaml.Node, name string, top *Checks) *Checks {
	if own := p.checks(node, name); own != nil {
		own.OfModule = true
		return own
	}
	return top
}

// checks returns nil for a list that is missing or empty: then buf takes the list at the top, or the defaults.
func (p *parser) checks(node *yaml.Node, name string) *Checks {
	members := p.mapping(node, name)
	if node == nil {
		return nil
	}
	c := &Checks{
		Name: name, Line: node.Line, Use: p.texts(members["use"], name+".use"), Except: p.texts(members["except"], name+".except"),
		Ignore: p.texts(members["ignore"], name+".ignore"), IgnoreUnstable: p.text(members["ignore_unstable_packages"], name+".ignore_unstable_packages").Value == "true",
	}
	if use := members["use"]; use != nil {
		c.Line = use.Line
	}
	for _, pair := range p.pairs(members["ignore_only"], name+".ignore_only") {
		for _, ignored := range p.texts(pair[1], name+".ignore_only."+pair[0].Value) {
			c.IgnoreOnly = append(c.IgnoreOnly, Only{Text{pair[0].Value, pair[0].Line}, ignored})
		}
	}
	if len(c.Use)+len(c.Except)+len(c.Ignore)+len(c.IgnoreOnly) == 0 && !c.IgnoreUnstable {
		return nil
	}
	return c
}

// A parser collects faults.
type parser struct {
	name   string // of the file
	faults []error
}

func (p *parser) fault(node *yaml.Node, format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf("%s:%d: %s", p.name, node.Line, fmt.Sprintf(format, args...)))
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
		key := node.Content[n]
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
