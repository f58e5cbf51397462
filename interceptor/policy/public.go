package policy

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// WithPublic opens whole services that carry no annotations, such as
// "grpc.health.v1.Health": anybody may call them, with or without a token. It is
// a fault to name a service that does carry annotations.
func WithPublic(services ...string) Option {
	return func(c *compiler) {
		for _, name := range services {
			if !slices.Contains(c.public, name) {
				c.public = append(c.public, name)
			}
		}
	}
}

// publicService opens a service by name. The descriptor, where there is one,
// proves that the service carries no annotations.
func (c *compiler) publicService(name string, files Files) {
	if !protoreflect.FullName(name).IsValid() {
		c.fault("WithPublic", "%q is not the full name of a service, such as grpc.health.v1.Health", name)
		return
	}
	descriptor := find(files, protoreflect.FullName(name))
	if descriptor == nil {
		// Nothing is known of it but the name.
		c.table.publicServices[name] = &Rule{Procedure: "/" + name + "/*", Public: true}
		return
	}
	service, ok := descriptor.(protoreflect.ServiceDescriptor)
	if !ok {
		c.fault("WithPublic", "%s is not a service", name)
		return
	}
	seen := c.declared.find(service.ParentFile())
	option, err := serviceRule(service, seen)
	annotated := option != nil || err != nil
	for i := range service.Methods().Len() {
		option, err := methodRule(service.Methods().Get(i), seen)
		annotated = annotated || option != nil || err != nil
	}
	if annotated {
		c.faultAt(servicePlace(service), FaultOption, "WithPublic", "service %s carries annotations of its own: they would be ignored", name)
		if slices.Contains(files, service.ParentFile()) {
			c.service(service) // by its own rules, as if it were not named
		}
		return
	}
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		path := procedure(method)
		c.table.rules[path] = &Rule{Procedure: path, Method: method, Public: true}
	}
}

// find looks for a name in the given files, in what they import, and in what is
// linked, or returns nil.
func find(files Files, name protoreflect.FullName) protoreflect.Descriptor {
	known := new(protoregistry.Files)
	// What is given comes first: an import may be another copy of it.
	for todo := slices.Clone(files); len(todo) > 0; todo = todo[1:] {
		file := todo[0]
		// A placeholder declares nothing, and must not keep out the file whose path it has.
		if file == nil || file.IsPlaceholder() || known.RegisterFile(file) != nil { // registered before
			continue
		}
		for _, imported := range importsOf(file) {
			todo = append(todo, imported.FileDescriptor)
		}
	}
	for _, registry := range []*protoregistry.Files{known, protoregistry.GlobalFiles} {
		if descriptor, err := registry.FindDescriptorByName(name); err == nil {
			return descriptor
		}
	}
	return nil
}
