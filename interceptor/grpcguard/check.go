package grpcguard

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A Server lists its services, as a [grpc.Server] does.
type Server interface {
	GetServiceInfo() map[string]grpc.ServiceInfo
}

// Check returns an error that names every procedure of a server for which the table has no rule,
// or nil. A guard with the table refuses calls of such procedures. Call Check after all services are
// registered, and do not start the server if it returns an error.
//
// Check does not tell whether the server has the guard: grpcguardtest.AssertGuarded does, in a test.
func Check(server Server, table *policy.Table) error {
	remedies := map[string]string{}
	for service, info := range server.GetServiceInfo() {
		for _, method := range info.Methods {
			procedure := "/" + service + "/" + method.Name
			if _, ok := table.Lookup(procedure); !ok {
				remedies[procedure] = remedy(service)
			}
		}
	}
	var faults []error
	for _, procedure := range slices.Sorted(maps.Keys(remedies)) {
		faults = append(faults, fmt.Errorf("grpcguard: %s has no rule: %s", procedure, remedies[procedure]))
	}
	return errors.Join(faults...)
}

// remedy tells the user how to give a service rules.
func remedy(service string) string {
	public := fmt.Sprintf("or policy.WithPublic(%q)", service)
	descriptor, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return "no .proto file of its service is linked: give policy.Compile its descriptor, " + public
	}
	return "give policy.Compile the file " + descriptor.ParentFile().Path() + ", " + public
}
