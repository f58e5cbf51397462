package policy

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// WithPublic makes services public that carry no annotations, such as
// "grpc.health.v1.Health": anybody may call them, with or without a token. It is a
// fault to name a service that carries annotations in any of the given files, their
// imports and the linked files. If none of these files declares the service, all methods
// of that service name are public.
func WithPublic(services ...string) Option {
	return func(c *compiler) { c.public = append(c.public, services...) }
}

// publicService adds the public rules of a service that WithPublic names. None of its
// descriptors may carry annotations.
func (c *compiler) publicService(name string, files Files) {
	if !protoreflect.FullName(name).IsValid() {
		c.argumentFault(Place{}, "WithPublic", name, "%q is not the full name of a service, such as grpc.health.v1.Health", name)
		return
	}
	copies := c.declared.services(protoreflect.FullName(name))
	if len(copies) == 0 {
		if c.declared.declares(protoreflect.FullName(name)) {
			c.argumentFault(Place{}, "WithPublic", name, "%s is not a service", name)
			return
		}
		all := "/" + name + "/*"
		c.table.rules[all] = &Rule{Procedure: all, Public: true}
		return
	}
	for _, service := range copies {
		if !c.annotated(service) {
			continue
		}
		c.argumentFault(servicePlace(service), "WithPublic", name, "service %s carries annotations of its own, which would be ignored: do not name the service here, or remove the annotations", name)
		if slices.Contains(files, service.ParentFile()) {
			c.service(service) // as if WithPublic did not name it
		}
		return
	}
	methods := copies[0].Methods()
	for i := range methods.Len() {
		path := procedure(methods.Get(i))
		c.table.rules[path] = &Rule{Procedure: path, Method: methods.Get(i), Public: true}
	}
}

// annotated reports whether a service, or one of its methods, has one of our options, or may
// have it.
func (c *compiler) annotated(service protoreflect.ServiceDescriptor) bool {
	seen := c.declared.find(service.ParentFile())
	option, err := serviceRule(service, seen)
	annotated := option != nil || err != nil
	for i := range service.Methods().Len() {
		option, err := methodRule(service.Methods().Get(i), seen)
		annotated = annotated || option != nil || err != nil
	}
	return annotated
}

// services returns all copies of a service, first from the files of the finder.
func (f *finder) services(name protoreflect.FullName) (copies []protoreflect.ServiceDescriptor) {
	// A registry would keep out a file, with all its services, that has the path of another file or
	// declares a name again.
	for _, file := range f.files {
		for i := range file.Services().Len() {
			if service := file.Services().Get(i); service.FullName() == name {
				copies = append(copies, service)
			}
		}
	}
	linked, _ := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if service, ok := linked.(protoreflect.ServiceDescriptor); ok {
		copies = append(copies, service)
	}
	return copies
}

// declares reports whether a declaration of any kind has the name, as far as the files fit together.
func (f *finder) declares(name protoreflect.FullName) bool {
	known := new(protoregistry.Files)
	for _, file := range f.files {
		_ = known.RegisterFile(file)
	}
	_, err := known.FindDescriptorByName(name)
	if err != nil {
		_, err = protoregistry.GlobalFiles.FindDescriptorByName(name)
	}
	return err == nil
}
