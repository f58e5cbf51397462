package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
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

	deployment  deployment.Deployment  // of the document and the flags
	hasAudience bool                   // else each annotation has one
	document    *deployment.Deployment // or nil
	file        string                 // of the document
	other       *selection             // of the other version to compare with, if it has another document, or nil

	idle  []string        // the flags with a service that -only or -skip leaves out
	ruled map[string]bool // the packages that have rules in the old version: their services are chosen even if they are imported
	met   map[string]bool // the names in flags that are names of a service or a package
}

// newSelection returns the selection of the flags and of the document that the flag authz names.
func newSelection(c *cli.Command, authz string) (*selection, error) {
	s := &selection{only: c.StringSlice("only"), skip: c.StringSlice("skip"), met: map[string]bool{}}
	if c.IsSet(authz) {
		d, _, err := readDeployment(authz, c.String(authz))
		if err != nil {
			return nil, err
		}
		s.document, s.file, s.deployment, s.hasAudience = d, c.String(authz), *d, true
	}
	if audience := c.String("audience"); c.IsSet("audience") {
		if s.deployment.Audience != "" && s.deployment.Audience != audience {
			return nil, fmt.Errorf("-audience %q: %s has %q: leave the flag out, or change the document", audience, s.document.Place("audience"), s.document.Audience)
		}
		s.deployment.Audience, s.hasAudience = audience, true
	}
	switch issuer := c.String("subject-issuer"); {
	case !c.IsSet("subject-issuer"):
	case issuer == "":
		return nil, errors.New("-subject-issuer is empty: give the iss whose users and clients the requests name, or leave the flag out")
	case s.deployment.SubjectIssuer != "" && s.deployment.SubjectIssuer != issuer:
		return nil, fmt.Errorf("-subject-issuer %q: %s has %q: leave the flag out, or change the document", issuer, s.document.Place("subjectIssuer"), s.document.SubjectIssuer)
	default:
		s.deployment.SubjectIssuer = issuer
	}
	for flag, names := range map[string][]string{"-only": s.only, "-skip": s.skip} {
		for _, name := range names {
			if !protoreflect.FullName(name).IsValid() {
				return nil, fmt.Errorf("%s %q: give the full name of a service or a package, as in shop.v1.OrderService or shop.v1", flag, name)
			}
		}
	}
	for _, o := range options {
		list, given := o.list(&s.deployment), c.StringSlice(o.flag)
		if o.scopes {
			*list = slices.Concat(*list, given)
			continue
		}
		*list = slices.DeleteFunc(slices.Clone(*list), func(name string) bool { return !s.chosen(name, true) })
		for _, name := range given {
			switch {
			case !protoreflect.FullName(name).IsValid():
				return nil, fmt.Errorf("-%s %q: give the full name of a service, as in grpc.health.v1.Health", o.flag, name)
			case s.chosen(name, true):
				*list = append(*list, name)
			default:
				s.idle = append(s.idle, "-"+o.flag+" "+name)
			}
		}
	}
	return s, nil
}

// options returns policy's options.
func (s *selection) options() (all []policy.Option) {
	for _, o := range options {
		all = append(all, o.with(*o.list(&s.deployment)...))
	}
	if s.hasAudience {
		all = append(all, policy.WithAudience(s.deployment.Audience))
	}
	if s.deployment.SubjectIssuer != "" {
		all = append(all, policy.WithSubjectIssuer(s.deployment.SubjectIssuer))
	}
	return all
}

// subject returns the member of the document that a fault of an option is about, with its place, or "" if a flag gave
// what is wrong.
func (s *selection) subject(fault *policy.Fault) string {
	if s.document == nil {
		return ""
	}
	member := memberOf(s.document, fault)
	if member == "" {
		return ""
	}
	return placeIn(s.document, member) + ": " + member
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

// isPublic reports whether the option public names a service that the command is about.
func (s *selection) isPublic(service string) bool {
	return slices.Contains(s.deployment.Public, service)
}

// isNamed reports whether an option names a service that may have rules.
func (s *selection) isNamed(service string) bool {
	return slices.ContainsFunc(options, func(o option) bool {
		return o.member != "public" && !o.scopes && slices.Contains(*o.list(&s.deployment), service)
	})
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
