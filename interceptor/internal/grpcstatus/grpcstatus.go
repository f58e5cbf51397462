// Package grpcstatus turns errors of grpc-go into errors of connect-go.
package grpcstatus

import (
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ConnectError returns the code, the text and the details of a status in an error's chain. It returns nil without a
// status, and for a status with the code OK.
func ConnectError(err error) *connect.Error {
	answer, ok := status.FromError(err)
	if !ok || answer.Code() == codes.OK {
		return nil
	}
	result := connect.NewError(connect.Code(answer.Code()), errors.New(answer.Message()))
	for _, detail := range answer.Proto().GetDetails() {
		if detail, err := connect.NewErrorDetail(detail); err == nil {
			result.AddDetail(detail)
		}
	}
	return result
}
