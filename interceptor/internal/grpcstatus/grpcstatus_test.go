package grpcstatus_test

import (
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor/internal/grpcstatus"
)

// TestConnectError makes sure that code, text and details are the same.
func TestConnectError(t *testing.T) {
	t.Parallel()
	answer, err := status.New(codes.Aborted, "no").WithDetails(&errdetails.RetryInfo{}, &errdetails.ErrorInfo{Reason: "R"})
	if err != nil {
		t.Fatal(err)
	}
	got := grpcstatus.ConnectError(answer.Err())
	if got.Code() != connect.CodeAborted || got.Message() != "no" || len(got.Details()) != 2 || got.Details()[1].Type() != "google.rpc.ErrorInfo" {
		t.Errorf("%v, %v", got, got.Details())
	}
	if got := grpcstatus.ConnectError(fmt.Errorf("call: %w", answer.Err())); got.Code() != connect.CodeAborted || len(got.Details()) != 2 {
		t.Errorf("wrapped: %v", got)
	}
	for name, err := range map[string]error{"nil": nil, "no status": errors.New("no"), "OK": ok{}} {
		if got := grpcstatus.ConnectError(err); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// An ok is an error whose status is OK.
type ok struct{}

func (ok) Error() string              { return "ok" }
func (ok) GRPCStatus() *status.Status { return status.New(codes.OK, "") }
