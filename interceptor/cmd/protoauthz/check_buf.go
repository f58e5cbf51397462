package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/bufyaml"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/sources"
	annotations "github.com/protoauthz/protoauthz/proto"
)

// A bufFile is a buf.yaml with the files of its modules.
type bufFile struct {
	*bufyaml.File
	name  string
	files []*sources.File
}

// conventions are rules of lint without which no call is let in.
var conventions = []string{bufrules.ScopeNaming, bufrules.PublicComment, bufrules.OrganizationRequired, bufrules.SubjectRequired}

// at returns the place of a line.
func (b *bufFile) at(line int) string { return lineOf(b.name, line) }

// checkPlugin compares the options of the plugin with the document.
func (f *findings) checkPlugin(b *bufFile) {
	switch len(b.Plugins) {
	case 0:
		f.add(b.at(1), "plugins lacks buf-plugin-protoauthz, so that buf checks no rule: add the entry %q with the options of %s", "plugin: buf-plugin-protoauthz", f.file)
		return
	case 1:
	default:
		f.add(b.at(b.Plugins[1].Line), "%s is a second entry of buf-plugin-protoauthz: write one entry", b.Plugins[1].Name)
	}
	for _, plugin := range b.Plugins {
		if plugin.IsHidden {
			f.add(b.at(plugin.Line), "%s.plugin names buf-plugin-protoauthz, and check cannot tell what the command runs: write buf-plugin-protoauthz, or [go, tool, buf-plugin-protoauthz]", plugin.Name)
			continue
		}
		f.checkAudience(b, plugin)
		for _, o := range options {
			if o.plugin != "" {
				f.checkOption(b, plugin, o)
			}
		}
	}
}

// checkOption compares an option of the plugin with the document.
func (f *findings) checkOption(b *bufFile, plugin bufyaml.Plugin, o option) {
	given, ok := plugin.Options[o.plugin]
	if ok && !given.IsList {
		f.add(b.at(given.Line), "%s.options.%s is not a list: write a list", plugin.Name, o.plugin)
		return
	}
	document := *o.list(f.document)
	names := map[string]bool{}
	for _, text := range given.Texts {
		names[text.Value] = true
		if !slices.Contains(document, text.Value) {
			f.add(b.at(text.Line), "%s.options.%s has %q, which %s of %s lacks: write it in both or in neither", plugin.Name, o.plugin, text.Value, o.member, f.file)
		}
	}
	for n, name := range document {
		// The plugin does not see a service of another module, such as grpc.health.v1.Health.
		if names[name] || !o.scopes && !b.declares(name) {
			continue
		}
		line := plugin.Line
		if ok {
			line = given.Line
		}
		f.add(b.at(line), "%s.options.%s lacks %q of %s: write it in both or in neither", plugin.Name, o.plugin, name, f.document.Place(o.element(n)))
	}
}

func (f *findings) checkAudience(b *bufFile, plugin bufyaml.Plugin) {
	option, given := plugin.Options["audience"]
	audience, want := "", f.document.Audience
	if given && len(option.Texts) == 1 && !option.IsList {
		audience = option.Texts[0].Value
	}
	switch {
	case audience == want, want == "": // an empty one is a fault of the document
	case !given:
		f.add(b.at(plugin.Line), "%s.options lacks audience, and %s has %q: write it in both", plugin.Name, f.document.Place("audience"), want)
	default:
		f.add(b.at(option.Line), "%s.options.audience is %q, and %s has %q: write the same in both", plugin.Name, audience, f.document.Place("audience"), want)
	}
}

// declares reports whether a module declares a service.
func (b *bufFile) declares(service string) bool {
	return slices.ContainsFunc(b.files, func(file *sources.File) bool { return slices.Contains(file.Services, service) })
}

// A ruleList holds the rules of a category.
type ruleList struct {
	category string
	rules    []bufrules.Rule
	checks   func(bufyaml.Module) *bufyaml.Checks // that decide about the rules of a module
}

var ruleLists = []ruleList{
	{bufrules.CategoryLint, bufrules.Lint, func(m bufyaml.Module) *bufyaml.Checks { return m.Lint }},
	{bufrules.CategoryLooser, bufrules.Looser, func(m bufyaml.Module) *bufyaml.Checks { return m.Breaking }},
}

// checkRules finds rules of the plugin that buf does not check everywhere.
func (f *findings) checkRules(b *bufFile) {
	seen := map[*bufyaml.Checks]bool{nil: true} // without a list, all rules are on
	for n, module := range b.Modules {
		own := slices.ContainsFunc(b.files, func(file *sources.File) bool { return file.Module == n && file.Path != annotations.AuthzPath })
		if !own { // the vendored annotations alone, or nothing
			f.checkEmpty(b, n)
			continue
		}
		for _, r := range ruleLists {
			if checks := r.checks(module); !seen[checks] {
				seen[checks] = true
				f.checkUse(b, checks, r)
				f.checkExcept(b, checks, r)
				f.checkIgnore(b, checks, r)
			}
		}
	}
	f.checkComments(b)
	f.checkPolicies(b)
}

// checkComments finds comments that switch rules of lint off.
func (f *findings) checkComments(b *bufFile) {
	for _, file := range b.files {
		if checks := b.Modules[file.Module].Lint; checks != nil && checks.RefusesComments {
			continue
		}
		for _, ignored := range file.Ignores {
			rule := longest(ignored.Value)
			place := lineOf(f.beside(file.Name), ignored.Line)
			switch {
			case rule == "":
			case slices.Contains(conventions, rule):
				f.note(place, "a comment ignores %s", rule)
			default:
				f.add(place, "a comment ignores %s: remove it", rule)
			}
		}
	}
}

// longest returns the longest ID of a rule of lint with which a text begins: buf compares no more.
func longest(text string) (id string) {
	for _, rule := range bufrules.Lint {
		if strings.HasPrefix(text, rule.ID) && len(rule.ID) > len(id) {
			id = rule.ID
		}
	}
	return id
}

// checkPolicies finds policies that run the plugin with options of their own.
func (f *findings) checkPolicies(b *bufFile) {
	for _, policy := range b.Policies {
		text, err := os.ReadFile(filepath.Join(f.folder, filepath.FromSlash(policy.Value)))
		switch {
		case err != nil:
			f.note(b.at(policy.Line), "the policy %s is not read", policy.Value)
		case bytes.Contains(text, []byte("buf-plugin-protoauthz")):
			f.add(b.at(policy.Line), "the policy %s runs buf-plugin-protoauthz, and its options are not compared: leave the plugin to plugins of buf.yaml", policy.Value)
		}
	}
}

// checkEmpty finds a module without files.
func (f *findings) checkEmpty(b *bufFile, n int) {
	if slices.ContainsFunc(b.files, func(file *sources.File) bool { return file.Module == n }) || !b.HasDeps && b.lacksAnnotations() != nil && b.vendored() == n {
		return // else checkAnnotations says what to write into the module
	}
	f.add(b.at(b.Modules[n].Line), "modules[%d] has no .proto file in %s, so that buf does not run: add files, or remove the module", n, f.beside(b.Modules[n].Path))
}

// named returns the rules that a name in buf.yaml stands for: a category or a rule.
func (r ruleList) named(name string) (ids []string) {
	for _, rule := range r.rules {
		if name == r.category || name == rule.ID {
			ids = append(ids, rule.ID)
		}
	}
	return ids
}

// checkUse finds rules that are not in use.
func (f *findings) checkUse(b *bufFile, checks *bufyaml.Checks, r ruleList) {
	if len(checks.Use) == 0 {
		return
	}
	used := map[string]bool{}
	for _, name := range checks.Use {
		for _, id := range r.named(name.Value) {
			used[id] = true
		}
	}
	var lacks, style []string
	for _, rule := range r.rules {
		switch {
		case used[rule.ID]:
		case len(used) > 0 && slices.Contains(conventions, rule.ID):
			style = append(style, rule.ID)
		default:
			lacks = append(lacks, rule.ID)
		}
	}
	why := ""
	if checks.OfModule {
		why = ", and replaces the list at the top"
	}
	switch {
	case len(used) == 0:
		f.add(b.at(checks.Line), "%s.use lacks %s%s: add %[2]s", checks.Name, r.category, why)
	case len(lacks) > 0:
		f.add(b.at(checks.Line), "%s.use lacks %s%s: add %s", checks.Name, some(lacks, ", "), why, r.category)
	}
	if len(style) > 0 {
		f.note(b.at(checks.Line), "%s.use lacks %s", checks.Name, some(style, ", "))
	}
}

// checkExcept finds rules that are switched off.
func (f *findings) checkExcept(b *bufFile, checks *bufyaml.Checks, r ruleList) {
	for _, name := range checks.Except {
		switch ids := r.named(name.Value); {
		case len(ids) == 0:
		case slices.Contains(conventions, name.Value):
			f.note(b.at(name.Line), "%s.except switches %s off", checks.Name, name.Value)
		default:
			f.add(b.at(name.Line), "%s.except switches %s off: remove it", checks.Name, name.Value)
		}
	}
}

// checkIgnore finds services that are left out.
func (f *findings) checkIgnore(b *bufFile, checks *bufyaml.Checks, r ruleList) {
	services := func(path string) (names []string) {
		for _, file := range b.files {
			if r.checks(b.Modules[file.Module]) == checks && sources.Below(file.Name, path) {
				names = append(names, slices.DeleteFunc(slices.Clone(file.Services), func(name string) bool { return slices.Contains(f.document.Public, name) })...)
			}
		}
		return names
	}
	for _, path := range checks.Ignore {
		if names := services(path.Value); len(names) > 0 {
			f.add(b.at(path.Line), "%s.ignore: %q leaves out %s: write the path below ignore_only, for rules that are not of %s", checks.Name, path.Value, some(names, ", "), r.category)
		}
	}
	for _, only := range checks.IgnoreOnly {
		names := services(only.Path.Value)
		switch {
		case len(r.named(only.Rule.Value)) == 0 || len(names) == 0:
		case r.category == bufrules.CategoryLooser && only.Rule.Value != r.category:
			f.note(b.at(only.Path.Line), "%s.ignore_only: %s leaves out %s: remove it once the change is merged", checks.Name, only.Rule.Value, some(names, ", "))
		case slices.Contains(conventions, only.Rule.Value):
			f.note(b.at(only.Path.Line), "%s.ignore_only: %s leaves out %s", checks.Name, only.Rule.Value, some(names, ", "))
		default:
			f.add(b.at(only.Path.Line), "%s.ignore_only: %s leaves out %s: remove it", checks.Name, only.Rule.Value, some(names, ", "))
		}
	}
	if checks.IgnoreUnstable && r.category == bufrules.CategoryLooser {
		f.note(b.at(checks.Line), "%s.ignore_unstable_packages leaves out packages such as shop.v1beta1", checks.Name)
	}
}
