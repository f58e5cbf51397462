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

// A Server is one that knows its services: a [grpc.Server], for example.
type Server interface {
	GetServiceInfo() map[string]grpc.ServiceInfo
}

// Check returns an error that names every procedure of a server that the table does not
// cover, and nil if there is none. Their calls are refused, so call it once all services are
// registered, and do not start if it fails. It is about rules: it cannot tell whether the
// server has the interceptors.
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

// remedy says what to do for a service without rules.
func remedy(service string) string {
	public := fmt.Sprintf("or policy.WithPublic(%q)", service)
	descriptor, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return "no .proto file of its service is linked: give policy.Compile its descriptor, " + public
	}
	return "give policy.Compile the file " + descriptor.ParentFile().Path() + ", " + public
}
