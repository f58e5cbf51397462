package grpcclientauth

import (
	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor/internal/downstream"
	"github.com/protoauthz/protoauthz/interceptor/internal/grpcstatus"
)

// forHandler returns the error that a handler may return as its own.
func (c *call) forHandler(method string, err error) error {
	if refused := downstream.Refused(grpcstatus.ConnectError(err), method, c.sent.Load()); refused != nil {
		return refusedError{refused}
	}
	return err
}

// A refusedError is a status without details for handlers of grpc-go, and an error with a code for handlers of
// connect-go.
type refusedError struct{ err *connect.Error }

// GRPCStatus returns the status that the client of a handler gets.
func (r refusedError) GRPCStatus() *status.Status {
	return status.New(codes.Code(r.err.Code()), r.err.Message())
}

// Error implements error.
func (r refusedError) Error() string { return r.GRPCStatus().Err().Error() }

// Unwrap returns the error of connect-go, which wraps the denial.
func (r refusedError) Unwrap() error { return r.err }
