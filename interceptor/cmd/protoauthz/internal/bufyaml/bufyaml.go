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
	Modules  []Module // at least one
	Plugins  []Plugin // the entries of buf-plugin-protoauthz
	Policies []Text   // the names of policies: files or modules of a registry
	HasDeps  bool     // the modules depend on modules of a registry
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
	Use, Except, Ignore []Text // without Use, buf checks the rules that are on by default; the paths of Ignore are clean
	IgnoreOnly          []Only
	IgnoreUnstable      bool
	RefusesComments     bool // comments ignore no rule
}

// An Only is a clean path that a rule leaves out.
type Only struct{ Rule, Path Text }

// A Text is a scalar.
type Text struct {
	Value string
	Line  int
}

// A Plugin is an entry of the plugin with its options.
type Plugin struct {
	Name     string // as in plugins[0]
	Line     int
	Options  map[string]Option
	IsHidden bool // another program gets the name of the plugin, and runs who knows what
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
	p.refuseTags(&root)
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
	for n, node := range p.list(top["policies"], "policies") {
		name := fmt.Sprintf("policies[%d]", n)
		file.Policies = append(file.Policies, p.text(p.mapping(node, name)["policy"], name+".policy"))
	}
	return file, errors.Join(p.faults...)
}

func paths(texts []Text) (all []string) {
	for _, text := range cleaned(texts) {
		all = append(all, text.Value)
	}
	return all
}

// cleaned returns paths in the form in which buf compares paths. Buf passes over an empty path.
func cleaned(texts []Text) (all []Text) {
	for _, text := range texts {
		if text.Value != "" {
			all = append(all, Text{path.Clean(text.Value), text.Line})
		}
	}
	return all
}

// plugin adds an entry if it names buf-plugin-protoauthz.
func (p *parser) plugin(file *File, node *yaml.Node, name string) {
	members := p.mapping(node, name)
	command := p.texts(members["plugin"], name+".plugin")
	if !slices.ContainsFunc(command, func(word Text) bool { return strings.Contains(word.Value, pluginName) }) {
		return
	}
	plugin := Plugin{Name: name, Line: resolve(node).Line, Options: map[string]Option{}, IsHidden: !runsPlugin(command)}
	for key, value := range p.mapping(members["options"], name+".options") {
		plugin.Options[key] = Option{Line: value.Line, IsList: value.Kind == yaml.SequenceNode, Texts: p.texts(value, name+".options."+key)}
	}
	file.Plugins = append(file.Plugins, plugin)
}

const pluginName = "buf-plugin-protoauthz"

// runsPlugin reports whether a command runs the plugin: it is one word, or a command of go whose only argument is the
// plugin. Other programs may run anything.
func runsPlugin(command []Text) bool {
	words := command
	if len(words) > 2 && words[0].Value == "go" && (words[1].Value == "tool" || words[1].Value == "run") {
		for words = words[2:]; len(words) > 1; words = words[1:] {
			switch flag := words[0].Value; {
			case flag == "-C":
				words = words[1:] // its folder
			case !strings.HasPrefix(flag, "-mod=") && !strings.HasPrefix(flag, "-modfile="):
				return false
			}
		}
	}
	if len(words) != 1 {
		return false
	}
	program, _, _ := strings.Cut(path.Base(strings.ReplaceAll(words[0].Value, `\`, "/")), "@")
	return strings.TrimSuffix(program, ".exe") == pluginName
}

// checksOf returns the list of a module, or else the list at the top.
func (p *parser) checksOf(node *yaml.Node, name string, top *Checks) *Checks {
	if own := p.checks(node, name); own != nil {
		own.OfModule = true
		return own
	}
	return top
}

// checks returns nil for a list that is missing, or whose members are all empty or false: then buf takes the list at the
// top, or the defaults.
func (p *parser) checks(node *yaml.Node, name string) *Checks {
	members := p.mapping(node, name)
	if node == nil {
		return nil
	}
	c := &Checks{
		Name: name, Line: node.Line, Use: p.texts(members["use"], name+".use"), Except: p.texts(members["except"], name+".except"),
		Ignore:         cleaned(p.texts(members["ignore"], name+".ignore")),
		IgnoreUnstable: p.boolean(members, "ignore_unstable_packages", name), RefusesComments: p.boolean(members, "disallow_comment_ignores", name),
	}
	if use := members["use"]; use != nil {
		c.Line = use.Line
	}
	for _, pair := range p.pairs(members["ignore_only"], name+".ignore_only") {
		for _, ignored := range cleaned(p.texts(pair[1], name+".ignore_only."+pair[0].Value)) {
			c.IgnoreOnly = append(c.IgnoreOnly, Only{Text{pair[0].Value, pair[0].Line}, ignored})
		}
	}
	for _, value := range members {
		if is, err := boolOf(value); !isMissing(value) && len(value.Content)+len(value.Value) > 0 && (is || err != nil) {
			return c
		}
	}
	return nil
}
