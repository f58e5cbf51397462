package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// selectionHelp explains which services an answer is about.
const selectionHelp = `The answer is about the services that a server lists, or that an image declares outside of imported files.
An image of buf marks imported files. In a set of protoc, a file counts as imported if another file imports
it, unless its package has rules. -only and -skip choose other services. A scope that is shared with a
service that is left out is not found. A file may be missing: a method whose rule needs the file has a
fault. Standard error names the services that are left out, the missing files, and each fault. With a
fault, the answer lacks the methods with faults, and the exit status is 2.`

// A selection chooses the services that a command is about.
type selection struct {
	only, skip []string

	audience                                                          *string // nil without one
	sharedScopes, public, shadow, unannotatedRefused, unannotatedOpen []string

	config *config    // or nil
	other  *selection // of the other version to compare with, if it has another document, or nil

	idle  []string        // the flags with a service that -only or -skip leaves out
	ruled map[string]bool // the packages that have rules in the old version: their services are chosen even if they are imported
	met   map[string]bool // the names in flags that are names of a service or a package
}

// newSelection returns the selection of the flags and of the document that the flag config names.
func newSelection(c *cli.Command, config string) (*selection, error) {
	s := &selection{only: c.StringSlice("only"), skip: c.StringSlice("skip"), sharedScopes: c.StringSlice("shared-scope"), met: map[string]bool{}}
	if c.IsSet("audience") {
		s.audience = new(c.String("audience"))
	}
	if c.IsSet(config) {
		d, err := readConfig(c.String(config))
		if err != nil {
			return nil, fmt.Errorf("-%s: %w", config, err)
		}
		if s.audience != nil && d.Audience != "" && *s.audience != d.Audience {
			return nil, fmt.Errorf("-audience %q: %s has %q: leave the flag out, or change the document", *s.audience, d.place("audience"), d.Audience)
		}
		s.configure(d)
	}
	for flag, names := range map[string][]string{"-only": s.only, "-skip": s.skip} {
		for _, name := range names {
			if !protoreflect.FullName(name).IsValid() {
				return nil, fmt.Errorf("%s %q: give the full name of a service or a package, as in shop.v1.OrderService or shop.v1", flag, name)
			}
		}
	}
	for _, flag := range []struct {
		name     string
		services *[]string
	}{{"public", &s.public}, {"shadow", &s.shadow}, {"unannotated-refused", &s.unannotatedRefused}, {"unannotated-open", &s.unannotatedOpen}} {
		for _, name := range c.StringSlice(flag.name) {
			switch {
			case !protoreflect.FullName(name).IsValid():
				return nil, fmt.Errorf("-%s %q: give the full name of a service, as in grpc.health.v1.Health", flag.name, name)
			case s.chosen(name, true):
				*flag.services = append(*flag.services, name)
			default:
				s.idle = append(s.idle, "-"+flag.name+" "+name)
			}
		}
	}
	return s, nil
}

// configure adds the options of a document.
func (s *selection) configure(d *config) {
	if s.config = d; s.audience == nil {
		s.audience = &d.Audience
	}
	s.sharedScopes = append(s.sharedScopes, d.SharedScopes...)
	for _, list := range []struct {
		services *[]string
		add      []string
	}{{&s.public, d.Public}, {&s.shadow, d.Shadow}, {&s.unannotatedRefused, d.UnannotatedRefused}, {&s.unannotatedOpen, d.UnannotatedOpen}} {
		for _, name := range list.add {
			if s.chosen(name, true) {
				*list.services = append(*list.services, name)
			}
		}
	}
}

// options returns policy's options.
func (s *selection) options() []policy.Option {
	options := []policy.Option{
		policy.WithPublic(s.public...), policy.WithSharedScopes(s.sharedScopes...), policy.WithShadow(s.shadow...),
		policy.WithUnannotatedRefused(s.unannotatedRefused...), policy.WithUnannotatedOpen(s.unannotatedOpen...),
	}
	if s.audience != nil {
		options = append(options, policy.WithAudience(*s.audience))
	}
	return options
}

// chosen reports whether the flags choose a service. Without a flag for the service, it returns the
// default.
func (s *selection) chosen(service string, byDefault bool) bool {
	skip, only := s.meet("-skip", s.skip, service), s.meet("-only", s.only, service)
	return !skip && (only || byDefault && len(s.only) == 0)
}

// meet reports whether one of the names is the name of the service or of a package around it.
func (s *selection) meet(flag string, names []string, service string) (met bool) {
	for _, name := range names {
		if service == name || strings.HasPrefix(service, name+".") {
			s.met[flag+" "+name], met = true, true
		}
	}
	return met
}

// isPublic reports whether -public names a service that the command is about.
func (s *selection) isPublic(service string) bool { return slices.Contains(s.public, service) }

// isNamed reports whether -shadow, -unannotated-refused or -unannotated-open names a service.
func (s *selection) isNamed(service string) bool {
	return slices.Contains(slices.Concat(s.shadow, s.unannotatedRefused, s.unannotatedOpen), service)
}

// isCompared reports whether a document names a service for the other version.
func (s *selection) isCompared(service string) bool {
	return s.other != nil && (s.other.isNamed(service) || s.other.isPublic(service))
}

// unmet returns an error for names that no service and no package has, or nil.
func (s *selection) unmet() error {
	var errs []error
	for _, flag := range []struct {
		name  string
		names []string
	}{{"-only", s.only}, {"-skip", s.skip}} {
		for _, name := range flag.names {
			if !s.met[flag.name+" "+name] {
				errs = append(errs, fmt.Errorf("%s %q: there is no service and no package of that name: give a full name, as in shop.v1.OrderService or shop.v1", flag.name, name))
			}
		}
	}
	return errors.Join(errs...)
}
