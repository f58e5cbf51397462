package unguarded

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A Procedure is a procedure that a server may serve.
type Procedure struct {
	Name   string
	Stream bool                          // of any kind
	Method protoreflect.MethodDescriptor // nil if the descriptor is not linked
}

// wellKnown are the procedures that frameworks bring along, by the names under which they are served. The
// value tells whether the procedure is a stream. connectrpc.com/grpcreflect and
// connectrpc.com/grpchealth do not link their descriptors, or link them under other names.
var wellKnown = map[string]bool{
	"/grpc.health.v1.Health/Check":                                             false,
	"/grpc.health.v1.Health/List":                                              false,
	"/grpc.health.v1.Health/Watch":                                             true,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":                true,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo":           true,
	"/grpc.channelz.v1.Channelz/GetTopChannels":                                false,
	"/grpc.channelz.v1.Channelz/GetServers":                                    false,
	"/grpc.channelz.v1.Channelz/GetServer":                                     false,
	"/grpc.channelz.v1.Channelz/GetServerSockets":                              false,
	"/grpc.channelz.v1.Channelz/GetChannel":                                    false,
	"/grpc.channelz.v1.Channelz/GetSubchannel":                                 false,
	"/grpc.channelz.v1.Channelz/GetSocket":                                     false,
	"/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus": true,
	"/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus":  false,
	"/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics":                    true,
}

// UnknownProcedure belongs to no service. grpc-go's handler for unknown services serves it as a stream.
var UnknownProcedure = Procedure{Name: "/protoauthz.guardtest.Nowhere/Nothing", Stream: true}

// procedures returns the procedures of the table, of linked services and of well-known services, in order.
func procedures(table *policy.Table) []Procedure {
	all := map[string]Procedure{}
	for name, stream := range wellKnown {
		all[name] = Procedure{Name: name, Stream: stream}
	}
	add := func(method protoreflect.MethodDescriptor) {
		name := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
		all[name] = Procedure{name, method.IsStreamingClient() || method.IsStreamingServer(), method}
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
	return slices.SortedFunc(maps.Values(all), func(a, b Procedure) int { return cmp.Compare(a.Name, b.Name) })
}

// Message returns a message whose required fields are set, on all levels, and no others: a server does
// not read a message that lacks a required field.
func Message(descriptor protoreflect.MessageDescriptor) *dynamicpb.Message {
	message, budget := dynamicpb.NewMessage(descriptor), maxMessages
	fill(message, &budget)
	return message
}

// maxMessages ends a message that requires itself, or more messages than can be sent.
const maxMessages = 1000

func fill(message protoreflect.Message, budget *int) {
	required := message.Descriptor().RequiredNumbers()
	for i := range required.Len() {
		field := message.Descriptor().Fields().ByNumber(required.Get(i))
		switch {
		case field.Message() == nil:
			message.Set(field, message.NewField(field))
		case *budget > 0:
			*budget--
			fill(message.Mutable(field).Message(), budget)
		}
	}
}
