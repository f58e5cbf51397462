package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/bufrules"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/bufyaml"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/sources"
	"github.com/protoauthz/protoauthz/proto"
)

// A bufFile is a buf.yaml with the files of its modules.
type bufFile struct {
	*bufyaml.File
	name  string
	files []*sources.File
}

// conventions are rules of lint without which no call is let in.
var conventions = []string{bufrules.ScopeNaming, bufrules.PublicComment, bufrules.OrganizationRequired}

// plugin holds the options of the plugin against the document.
func (f *findings) plugin(b *bufFile, d *config) {
	switch len(b.Plugins) {
	case 0:
		f.add(b.name, 1, "plugins lacks buf-plugin-protoauthz, so that buf checks no rule: add the entry %q with the options of %s", "plugin: buf-plugin-protoauthz", d.name)
		return
	case 1:
	default:
		f.add(b.name, b.Plugins[1].Line, "%s is a second entry of buf-plugin-protoauthz: write one entry", b.Plugins[1].Name)
	}
	for _, plugin := range b.Plugins {
		f.audience(b, plugin, d)
		for _, list := range []struct {
			option, member string
			document       []string
			services       bool
		}{
			{"public", "public", d.Public, true},
			{"shared_scopes", "sharedScopes", d.SharedScopes, false},
			{"unannotated_refused", "unannotatedRefused", d.UnannotatedRefused, true},
			{"unannotated_open", "unannotatedOpen", d.UnannotatedOpen, true},
		} {
			option, given := plugin.Options[list.option]
			if given && !option.IsList {
				f.add(b.name, option.Line, "%s.options.%s is not a list: write a list", plugin.Name, list.option)
				continue
			}
			names := map[string]bool{}
			for _, text := range option.Texts {
				names[text.Value] = true
				if !slices.Contains(list.document, text.Value) {
					f.add(b.name, text.Line, "%s.options.%s has %q, which %s of %s lacks: write it in both or in neither", plugin.Name, list.option, text.Value, list.member, d.name)
				}
			}
			for n, name := range list.document {
				// The plugin does not see a service of another module, such as grpc.health.v1.Health.
				if names[name] || list.services && !b.declares(name) {
					continue
				}
				line := plugin.Line
				if given {
					line = option.Line
				}
				f.add(b.name, line, "%s.options.%s lacks %q of %s: write it in both or in neither", plugin.Name, list.option, name, d.place(fmt.Sprintf("%s[%d]", list.member, n)))
			}
		}
	}
}

func (f *findings) audience(b *bufFile, plugin bufyaml.Plugin, d *config) {
	option, given := plugin.Options["audience"]
	audience := ""
	if given && len(option.Texts) == 1 && !option.IsList {
		audience = option.Texts[0].Value
	}
	switch {
	case audience == d.Audience, d.Audience == "": // which is a fault of the document
	case !given:
		f.add(b.name, plugin.Line, "%s.options lacks audience, and %s has %q: write it in both", plugin.Name, d.place("audience"), d.Audience)
	default:
		f.add(b.name, option.Line, "%s.options.audience is %q, and %s has %q: write the same in both", plugin.Name, audience, d.place("audience"), d.Audience)
	}
}

// declares reports whether a module declares a service.
func (b *bufFile) declares(service string) bool {
	return slices.ContainsFunc(b.files, func(file *sources.File) bool { return slices.Contains(file.Services, service) })
}

// checks finds rules of the plugin that buf does not check everywhere.
func (f *findings) checks(b *bufFile, d *config) {
	seen := map[*bufyaml.Checks]bool{}
	for n, module := range b.Modules {
		own := slices.ContainsFunc(b.files, func(file *sources.File) bool { return file.Module == n && file.Path != proto.AuthzPath })
		if !own {
			continue // an empty module, or the vendored annotations alone
		}
		for _, kind := range []struct {
			own, top *bufyaml.Checks
			category string
			rules    []bufrules.Rule
		}{
			{module.Lint, b.Lint, bufrules.CategoryLint, bufrules.Lint},
			{module.Breaking, b.Breaking, bufrules.CategoryLooser, bufrules.Looser},
		} {
			checks := kind.top
			if kind.own != nil {
				checks = kind.own
			}
			if checks == nil || seen[checks] { // without a list, all rules are on
				continue
			}
			seen[checks] = true
			r := ruleList{kind.category, kind.rules}
			f.use(b, checks, r, kind.own != nil)
			f.except(b, checks, r)
			f.ignore(b, checks, r, d, func(module int) bool {
				own := b.Modules[module].Lint
				if kind.category == bufrules.CategoryLooser {
					own = b.Modules[module].Breaking
				}
				return own == nil && checks == kind.top || own == checks
			})
		}
	}
}

// A ruleList holds the rules of a category.
type ruleList struct {
	category string
	rules    []bufrules.Rule
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

// use finds rules that are not in use.
func (f *findings) use(b *bufFile, checks *bufyaml.Checks, r ruleList, own bool) {
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
	if own {
		why = ", and replaces the list at the top"
	}
	switch {
	case len(used) == 0:
		f.add(b.name, checks.Line, "%s.use lacks %s%s: add %[2]s", checks.Name, r.category, why)
	case len(lacks) > 0:
		f.add(b.name, checks.Line, "%s.use lacks %s%s: add %s", checks.Name, some(lacks, ", "), why, r.category)
	}
	if len(style) > 0 {
		f.note(b.name, checks.Line, "%s.use lacks %s", checks.Name, some(style, ", "))
	}
}

// except finds rules that are switched off.
func (f *findings) except(b *bufFile, checks *bufyaml.Checks, r ruleList) {
	for _, name := range checks.Except {
		switch ids := r.named(name.Value); {
		case len(ids) == 0:
		case slices.Contains(conventions, name.Value):
			f.note(b.name, name.Line, "%s.except switches %s off", checks.Name, name.Value)
		default:
			f.add(b.name, name.Line, "%s.except switches %s off: remove it", checks.Name, name.Value)
		}
	}
}

// ignore finds services that are left out, of modules that the checks hold for.
func (f *findings) ignore(b *bufFile, checks *bufyaml.Checks, r ruleList, d *config, holds func(module int) bool) {
	services := func(path string) (names []string) {
		for _, file := range b.files {
			if holds(file.Module) && sources.Below(file.Name, strings.TrimSuffix(strings.TrimPrefix(path, "./"), "/")) {
				names = append(names, slices.DeleteFunc(slices.Clone(file.Services), func(name string) bool { return slices.Contains(d.Public, name) })...)
			}
		}
		return names
	}
	for _, path := range checks.Ignore {
		if names := services(path.Value); len(names) > 0 {
			f.add(b.name, path.Line, "%s.ignore: %q leaves out %s: write the path below ignore_only, for rules that are not of %s", checks.Name, path.Value, some(names, ", "), r.category)
		}
	}
	for _, only := range checks.IgnoreOnly {
		names := services(only.Path.Value)
		switch {
		case len(r.named(only.Rule.Value)) == 0 || len(names) == 0:
		case r.category == bufrules.CategoryLooser && only.Rule.Value != r.category:
			f.note(b.name, only.Path.Line, "%s.ignore_only: %s leaves out %s: remove it once the change is merged", checks.Name, only.Rule.Value, some(names, ", "))
		case slices.Contains(conventions, only.Rule.Value):
			f.note(b.name, only.Path.Line, "%s.ignore_only: %s leaves out %s", checks.Name, only.Rule.Value, some(names, ", "))
		default:
			f.add(b.name, only.Path.Line, "%s.ignore_only: %s leaves out %s: remove it", checks.Name, only.Rule.Value, some(names, ", "))
		}
	}
	if checks.IgnoreUnstable && r.category == bufrules.CategoryLooser {
		f.note(b.name, checks.Line, "%s.ignore_unstable_packages leaves out packages such as shop.v1beta1", checks.Name)
	}
}
