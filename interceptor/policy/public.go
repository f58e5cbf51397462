package policy

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// WithPublic opens whole services that carry no annotations, such as
// "grpc.health.v1.Health": anybody may call them, with or without a token. It is
// a fault to name a service that does carry annotations, in any copy of its file
// among the given files, the files that these import, and the linked ones. A service
// that none of these files declares is opened by its name alone.
func WithPublic(services ...string) Option {
	return func(c *compiler) {
		for _, name := range services {
			if !slices.Contains(c.public, name) {
				c.public = append(c.public, name)
			}
		}
	}
}

// publicService opens a service by name. Its descriptors, where there are any,
// prove that the service carries no annotations.
func (c *compiler) publicService(name string, files Files) {
	if !protoreflect.FullName(name).IsValid() {
		c.fault("WithPublic", "%q is not the full name of a service, such as grpc.health.v1.Health", name)
		return
	}
	copies := c.declared.services(protoreflect.FullName(name))
	if len(copies) == 0 {
		if c.declared.declares(protoreflect.FullName(name)) {
			c.fault("WithPublic", "%s is not a service", name)
			return
		}
		// Nothing is known of it but the name.
		all := "/" + name + "/*"
		c.table.rules[all] = &Rule{Procedure: all, Public: true}
		return
	}
	for _, service := range copies {
		if !c.annotated(service) {
			continue
		}
		c.faultAt(servicePlace(service), FaultOption, "WithPublic", "service %s carries annotations of its own, which would be ignored: do not name the service here, or remove the annotations", name)
		if slices.Contains(files, service.ParentFile()) {
			c.service(service) // by its own rules, as if it were not named
		}
		return
	}
	methods := copies[0].Methods()
	for i := range methods.Len() {
		path := procedure(methods.Get(i))
		c.table.rules[path] = &Rule{Procedure: path, Method: methods.Get(i), Public: true}
	}
}

// annotated reports whether a service, or one of its methods, has one of our options, or may have one.
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

// services returns all copies of a service, what is given first.
func (f *finder) services(name protoreflect.FullName) (copies []protoreflect.ServiceDescriptor) {
	// Each file by itself: a registry keeps out a file that has the path of another file, or declares
	// something again, and all services of the file with it.
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

// declares reports whether anything has a name, as far as the files fit together.
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
