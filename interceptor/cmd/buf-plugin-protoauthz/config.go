package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"buf.build/go/bufplugin/option"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// The options of the plugin in buf.yaml.
const (
	optionAudience           = "audience"
	optionPublic             = "public"
	optionScopePattern       = "scope_pattern"
	optionSharedScopes       = "shared_scopes"
	optionUnannotatedOpen    = "unannotated_open"
	optionUnannotatedRefused = "unannotated_refused"
)

// optionOf holds the plugin's option for each option of policy.
var optionOf = map[string]string{
	"WithAudience":           optionAudience,
	"WithPublic":             optionPublic,
	"WithSharedScopes":       optionSharedScopes,
	"WithUnannotatedOpen":    optionUnannotatedOpen,
	"WithUnannotatedRefused": optionUnannotatedRefused,
}

// defaultScopePattern is the form verb:noun.
const defaultScopePattern = `[a-z][a-z0-9]*([_-][a-z0-9]+)*:[a-z][a-z0-9]*([_-][a-z0-9]+)*`

// A config holds the plugin's options in buf.yaml.
type config struct {
	audience     string
	sharedScopes []string
	scopePattern string
	scope        *regexp.Regexp // the pattern, for a whole scope
	services     services
}

// services are the options that name services. They are for the new version: see compileOld.
type services struct{ public, unannotatedOpen, unannotatedRefused []string }

// readConfig reads the options. The error holds every fault, and the config the sound options.
func readConfig(options option.Options) (config, error) {
	var c config
	faults := []error{checkKeys(options)}
	read := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var err error
	c.audience, err = option.GetStringValue(options, optionAudience)
	read(err)
	c.services.public, err = option.GetStringSliceValue(options, optionPublic)
	read(err)
	c.services.unannotatedOpen, err = option.GetStringSliceValue(options, optionUnannotatedOpen)
	read(err)
	c.services.unannotatedRefused, err = option.GetStringSliceValue(options, optionUnannotatedRefused)
	read(err)
	c.sharedScopes, err = option.GetStringSliceValue(options, optionSharedScopes)
	read(err)
	c.scopePattern, err = option.GetStringValue(options, optionScopePattern)
	read(err)
	if c.scopePattern == "" {
		c.scopePattern = defaultScopePattern
	}
	// The pattern must compile alone: its parentheses must not close the group below.
	if _, err = regexp.Compile(c.scopePattern); err == nil {
		c.scope, err = regexp.Compile(`\A(?:` + c.scopePattern + `)\z`)
	}
	if err != nil {
		faults = append(faults, fmt.Errorf("option %s: %w", optionScopePattern, err))
	}
	return c, errors.Join(faults...)
}

// checkKeys refuses unknown options, which would have no effect.
func checkKeys(options option.Options) error {
	known := []string{optionAudience, optionPublic, optionScopePattern, optionSharedScopes, optionUnannotatedOpen, optionUnannotatedRefused}
	unknown := map[string]bool{}
	options.Range(func(key string, _ any) { unknown[key] = !slices.Contains(known, key) })
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(unknown)) {
		if unknown[key] {
			faults = append(faults, fmt.Errorf("unknown option %q: the options are %s", key, strings.Join(known, ", ")))
		}
	}
	return errors.Join(faults...)
}

// compile returns policy's options for both versions: the plugin does not know the old buf.yaml.
func (c config) compile() []policy.Option {
	options := []policy.Option{policy.WithSharedScopes(c.sharedScopes...)}
	if c.audience != "" {
		options = append(options, policy.WithAudience(c.audience))
	}
	return options
}
