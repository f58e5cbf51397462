package main

import (
	"slices"

	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// frameworkServices are services that few servers list, and no module declares.
var frameworkServices = []string{healthService, grpcreflect.ReflectV1ServiceName, grpcreflect.ReflectV1AlphaServiceName}

// checkNames finds services in the document that nothing has: a server would not start. All servers were read. Without a
// buf.yaml or INPUT, b or input is nil.
func (f *findings) checkNames(b *bufFile, servers []*side, input *side) {
	listed := map[string]bool{}
	for _, s := range servers {
		for service := range s.services {
			listed[service] = true
		}
	}
	for _, o := range options {
		for n, name := range *o.list(f.document) {
			// See checkDocument for what is not a name.
			if o.scopes || listed[name] || slices.Contains(frameworkServices, name) || !protoreflect.FullName(name).IsValid() {
				continue
			}
			isPublic := o.member == "public"
			given, declared := input != nil && input.has(name), b != nil && b.declares(name)
			member := o.element(n)
			place := f.document.Place(member)
			switch {
			case len(servers) > 0 && isPublic:
				f.note(place, "%s: no server lists %s", member, name)
			case len(servers) > 0:
				f.add(place, "%s: no server lists %s: remove the name, or check the server that serves it too", member, name)
			case isPublic && (given || declared): // the server may have the service of another module
			case isPublic && b != nil:
				f.note(place, "%s: no module declares %s", member, name)
			case isPublic: // buf.yaml cannot be read
			case input != nil && !given:
				f.add(place, "%s: %s does not declare %s: correct or remove the name, or build %[2]s of all modules", member, input.name, name)
			case b != nil && !b.HasDeps && !given && !declared:
				f.add(place, "%s: no module declares %s: correct or remove the name", member, name)
			}
		}
	}
}
