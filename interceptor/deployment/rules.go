package deployment

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// Compile compiles the rules of all services in the given files, as [policy.Compile] does. The options follow the
// options of the deployment: two that contradict each other are a fault. The error is a [*policy.Error]. The subject of
// a fault of the deployment is its member, with the file and the line if the deployment was read, such as
// "authz.json:3: shadow[0]".
//
// A program with two servers compiles two tables by one deployment. A service in Shadow, UnannotatedRefused or
// UnannotatedOpen that is linked, and that the given files do not declare, belongs to another table, and causes no fault.
// The services in Public are public in every table.
func (d *Deployment) Compile(files policy.Files, options ...policy.Option) (*policy.Table, error) {
	own := []policy.Option{
		policy.WithAudience(d.Audience),
		policy.WithPublic(d.Public...),
		policy.WithSharedScopes(d.SharedScopes...),
		policy.WithShadow(d.here(d.Shadow, files)...),
		policy.WithUnannotatedRefused(d.here(d.UnannotatedRefused, files)...),
		policy.WithUnannotatedOpen(d.here(d.UnannotatedOpen, files)...),
	}
	if d.SubjectIssuer != "" {
		own = append(own, policy.WithSubjectIssuer(d.SubjectIssuer))
	}
	table, err := policy.Compile(files, append(own, options...)...)
	found, ok := errors.AsType[*policy.Error](err)
	switch {
	case ok:
	case err != nil:
		return nil, err
	default:
		found = &policy.Error{Rules: table.Rules()}
	}
	faults := d.issuerFaults()
	for _, fault := range found.Faults {
		faults = append(faults, d.fault(*fault))
	}
	if fault := d.subjectFault(found.Rules); fault != nil {
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return nil, &policy.Error{Faults: faults, Rules: found.Rules}
	}
	if d.compiled != nil {
		d.compiled(files, options)
	}
	return table, nil
}

// here returns the services without the ones that belong to another table.
func (d *Deployment) here(services []string, files policy.Files) []string {
	return slices.DeleteFunc(slices.Clone(services), func(name string) bool {
		linked, _ := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		_, isService := linked.(protoreflect.ServiceDescriptor)
		return isService && !slices.Contains(d.Public, name) && !declares(files, name)
	})
}

func declares(files policy.Files, service string) bool {
	return slices.ContainsFunc(files, func(file protoreflect.FileDescriptor) bool {
		for i := 0; file != nil && i < file.Services().Len(); i++ {
			if string(file.Services().Get(i).FullName()) == service {
				return true
			}
		}
		return false
	})
}

// members are the members of the document by the options of package policy.
var members = []struct {
	option, member string
	names          func(*Deployment) []string
}{
	{"WithAudience", "audience", func(d *Deployment) []string { return []string{d.Audience} }},
	{"WithPublic", "public", func(d *Deployment) []string { return d.Public }},
	{"WithSharedScopes", "sharedScopes", func(d *Deployment) []string { return d.SharedScopes }},
	{"WithShadow", "shadow", func(d *Deployment) []string { return d.Shadow }},
	{"WithUnannotatedRefused", "unannotatedRefused", func(d *Deployment) []string { return d.UnannotatedRefused }},
	{"WithUnannotatedOpen", "unannotatedOpen", func(d *Deployment) []string { return d.UnannotatedOpen }},
	{"WithSubjectIssuer", subjectMember, func(d *Deployment) []string {
		return slices.DeleteFunc([]string{d.SubjectIssuer}, func(issuer string) bool { return issuer == "" })
	}},
}

// single are the members that are not lists.
var single = []string{"audience", subjectMember}

// fault returns a fault of package policy in the words of the document. The fault of another option keeps its subject.
func (d *Deployment) fault(fault policy.Fault) *policy.Fault {
	for _, m := range members {
		if n := slices.Index(m.names(d), fault.Argument); n >= 0 && fault.Subject == m.option {
			member := m.member
			if !slices.Contains(single, member) {
				member = fmt.Sprintf("%s[%d]", member, n)
			}
			fault.Subject = d.subject(member)
		}
		fault.Detail = strings.NewReplacer("policy."+m.option, m.member, m.option, m.member).Replace(fault.Detail)
	}
	return &fault
}
