package unguarded

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A Procedure is one that a server may have.
type Procedure struct {
	Name   string
	Stream bool                          // of any kind
	Method protoreflect.MethodDescriptor // nil if none is linked

	wellKnown bool
}

// wellKnown are the procedures of services that frameworks bring along, under the names under which
// they are served. connectrpc.com/grpcreflect and connectrpc.com/grpchealth link none of them, or
// link them under names of their own.
var wellKnown = map[string][]Procedure{
	"grpc.health.v1.Health":                    {{Name: "Check"}, {Name: "List"}, {Name: "Watch", Stream: true}},
	"grpc.reflection.v1.ServerReflection":      {{Name: "ServerReflectionInfo", Stream: true}},
	"grpc.reflection.v1alpha.ServerReflection": {{Name: "ServerReflectionInfo", Stream: true}},
	"grpc.channelz.v1.Channelz": {
		{Name: "GetTopChannels"}, {Name: "GetServers"}, {Name: "GetServer"}, {Name: "GetServerSockets"},
		{Name: "GetChannel"}, {Name: "GetSubchannel"}, {Name: "GetSocket"},
	},
	"envoy.service.status.v3.ClientStatusDiscoveryService": {{Name: "StreamClientStatus", Stream: true}, {Name: "FetchClientStatus"}},
	"xds.service.orca.v3.OpenRcaService":                   {{Name: "StreamCoreMetrics", Stream: true}},
}

// Nowhere is a procedure of no service. A handler for all that is unknown takes it for a stream.
var Nowhere = Procedure{Name: "/protoauthz.guardtest.Nowhere/Nothing", Stream: true}

// procedures returns those of the table, of all linked services and of the well-known ones, sorted.
func procedures(table *policy.Table) []Procedure {
	all := map[string]Procedure{}
	for service, methods := range wellKnown {
		for _, method := range methods {
			name := "/" + service + "/" + method.Name
			all[name] = Procedure{Name: name, Stream: method.Stream, wellKnown: true}
		}
	}
	add := func(method protoreflect.MethodDescriptor) {
		name := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
		all[name] = Procedure{name, method.IsStreamingClient() || method.IsStreamingServer(), method, all[name].wellKnown}
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			for j := range file.Services().Get(i).Methods().Len() {
				add(file.Services().Get(i).Methods().Get(j))
			}
		}
		return true
	})
	for _, rule := range table.Rules() {
		if rule.Method != nil {
			add(rule.Method)
		}
	}
	sorted := make([]Procedure, 0, len(all))
	for _, procedure := range all {
		sorted = append(sorted, procedure)
	}
	slices.SortFunc(sorted, func(a, b Procedure) int { return cmp.Compare(a.Name, b.Name) })
	return sorted
}

// service is the full name of the procedure's service.
func (p Procedure) service() string {
	service, _, _ := strings.Cut(p.Name[1:], "/")
	return service
}
