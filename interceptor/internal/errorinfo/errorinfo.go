// Package errorinfo reads the detail by which a client tells the refusal of a guard from other errors.
package errorinfo

import (
	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Domain is the domain of the google.rpc.ErrorInfo of a guard.
const Domain = "protoauthz"

// Find returns the first google.rpc.ErrorInfo of the [Domain] among the details of an error, or nil.
func Find(err *connect.Error) *errdetails.ErrorInfo {
	for _, detail := range err.Details() {
		if detail.Type() != name {
			continue // any other detail is not decoded
		}
		message, _ := detail.Value()
		if info, _ := message.(*errdetails.ErrorInfo); info.GetDomain() == Domain {
			return info
		}
	}
	return nil
}

var name = string(new(errdetails.ErrorInfo).ProtoReflect().Descriptor().FullName())
