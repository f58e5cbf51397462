package policy

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// WithShadow names services whose rules are judged and observed, and not enforced: the guard
// lets in every call, and tells the observer what the rule would answer. A call waits a
// quarter of a second at most for its token to be verified. A service's public methods have
// no shadow. Use WithShadow to adopt rules for a service that has callers. Without the
// option, all rules are enforced. The option belongs to a deployment, and not into a .proto
// file.
//
// It is a fault to name a service that is not among the given files, that [WithPublic] names,
// or that has no method that needs a token.
func WithShadow(services ...string) Option {
	return func(c *compiler) { c.shadow = append(c.shadow, services...) }
}

// Enforced reports whether the rule decides who may call. It reports false for a Shadow, and for
// an Unannotated rule that is Public: nobody has chosen a rule for its method.
func (r *Rule) Enforced() bool { return !r.Shadow && !(r.Unannotated && r.Public) }

// shadows checks the services of WithShadow.
func (c *compiler) shadows(files Files) {
	for _, name := range c.shadow {
		service := c.chosen("WithShadow", name, files)
		if service == nil {
			continue
		}
		if !c.judges(service) {
			c.argumentFault(servicePlace(service), "WithShadow", name, "no method of service %s needs a token, and a public method has no shadow: remove the name", name)
		}
	}
}

// judges reports whether a method of a service is not public, or has no readable rule.
func (c *compiler) judges(service protoreflect.ServiceDescriptor) bool {
	seen := c.declared.find(service.ParentFile())
	for i := range service.Methods().Len() {
		option, err := methodRule(service.Methods().Get(i), seen)
		open := option == nil && slices.Contains(c.unannotatedOpen, string(service.FullName()))
		if err != nil || !option.GetPublic() && !open {
			return true
		}
	}
	return false
}

// chosen returns the service that an option names, from the given files. It returns nil after a
// fault.
func (c *compiler) chosen(option, name string, files Files) protoreflect.ServiceDescriptor {
	switch {
	case !protoreflect.FullName(name).IsValid():
		c.argumentFault(Place{}, option, name, "%q is not the full name of a service, such as shop.v1.OrderService", name)
		return nil
	case slices.Contains(c.public, name):
		c.argumentFault(Place{}, option, name, "WithPublic names service %s too: name the service in one of the two options", name)
		return nil
	}
	for _, file := range files {
		if file == nil {
			continue
		}
		for i := range file.Services().Len() {
			if service := file.Services().Get(i); string(service.FullName()) == name {
				return service
			}
		}
	}
	c.argumentFault(Place{}, option, name, "the given files declare no service %s: give the file of the service, or remove the name", name)
	return nil
}
