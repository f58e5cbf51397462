package policy

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// WithUnannotatedRefused names services that are annotated in part, or not at all. The guard
// refuses every call of their methods that have no option (protoauthz.v1.method), with
// RULE_MISSING. Without this option or [WithUnannotatedOpen], such a method is a fault.
//
// Only the absence of the annotation is covered: an annotation that cannot be read stays a
// fault, and so does an annotation that an old copy of authz.proto may hide. It is a fault to
// name a service that is not among the given files, that WithUnannotatedOpen or [WithPublic]
// names, or that has no method without annotation.
func WithUnannotatedRefused(services ...string) Option {
	return func(c *compiler) { c.unannotatedRefused = append(c.unannotatedRefused, services...) }
}

// WithUnannotatedOpen names services that are annotated in part. Everybody may call their
// methods that have no option (protoauthz.v1.method): no token is read. The option has the
// faults of [WithUnannotatedRefused], which is the safe choice.
//
// It is also a fault to name a service none of whose methods has an annotation: a generator that
// leaves out options, as buf does with exclude_types, would open the whole service. [WithPublic] is
// for services that everybody may call.
func WithUnannotatedOpen(services ...string) Option {
	return func(c *compiler) { c.unannotatedOpen = append(c.unannotatedOpen, services...) }
}

// unannotated returns the rule of a method without annotation, or nil if no option covers the
// method. A guard that ignores Unannotated refuses a rule without a model.
func (c *compiler) unannotated(method protoreflect.MethodDescriptor) *Rule {
	service := string(method.Parent().FullName())
	refused, opened := slices.Contains(c.unannotatedRefused, service), slices.Contains(c.unannotatedOpen, service)
	if !refused && !opened {
		return nil
	}
	return &Rule{Procedure: procedure(method), Method: method, Unannotated: true, Public: !refused}
}

// unannotatedChoices checks the services of WithUnannotatedRefused and WithUnannotatedOpen.
func (c *compiler) unannotatedChoices(files Files) {
	for _, choice := range []struct {
		option, other     string
		services, against []string
		open              bool
	}{
		{"WithUnannotatedRefused", "WithUnannotatedOpen", c.unannotatedRefused, nil, false},
		{"WithUnannotatedOpen", "WithUnannotatedRefused", c.unannotatedOpen, c.unannotatedRefused, true},
	} {
		for _, name := range choice.services {
			service := c.chosen(choice.option, name, files)
			switch {
			case service == nil:
			case slices.Contains(choice.against, name):
				c.argumentFault(servicePlace(service), choice.option, name, "%s names service %s too: name the service in one of the two options", choice.other, name)
			case !c.lacksAnnotation(service):
				c.argumentFault(servicePlace(service), choice.option, name, "no method of service %s lacks an annotation: remove the name", name)
			case choice.open && c.bare(service):
				c.argumentFault(servicePlace(service), choice.option, name, "no method of service %s has an annotation: if everybody may call the service, name the service in policy.WithPublic instead; if its .proto file has annotations, have the generator keep the options: exclude_types of buf leaves options out", name)
			}
		}
	}
}

// lacksAnnotation reports whether a method of a service has no option (protoauthz.v1.method), or has one that cannot be
// read. The latter is a fault of the method or service already.
func (c *compiler) lacksAnnotation(service protoreflect.ServiceDescriptor) bool {
	seen := c.declared.find(service.ParentFile())
	for i := range service.Methods().Len() {
		if option, _ := methodRule(service.Methods().Get(i), seen); option == nil {
			return true
		}
	}
	return false
}

// bare reports whether no method of a service has an option (protoauthz.v1.method), nor one that cannot be read or that
// an old copy of authz.proto may hide.
func (c *compiler) bare(service protoreflect.ServiceDescriptor) bool {
	seen := c.declared.find(service.ParentFile())
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		if option, err := methodRule(method, seen); option != nil || err != nil || seen.hint(method) != "" {
			return false
		}
	}
	return true
}
