package grpcguard_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestOthersDenial makes sure that the denial of another call, which a handler returns, does not pass for a
// refusal of the handler's own call.
func TestOthersDenial(t *testing.T) {
	t.Parallel()
	guard := harness.Expiring(t, time.Hour)
	_, kept := guard.Admit(t.Context(), catalogue.Procedure("Token", catalogue.Unary), noHeader{})
	_, inProcess := grpcguard.Unary(guard)(t.Context(), new(message), &grpc.UnaryServerInfo{FullMethod: catalogue.Procedure("Field", catalogue.Unary)}, unary)
	own, err := status.New(codes.Aborted, "the handler's own").WithDetails(kept.ErrorInfo(), &errdetails.ErrorInfo{Domain: "handler"}, &errdetails.RetryInfo{})
	if err != nil {
		t.Fatal(err)
	}
	garbled := status.FromProto(&spb.Status{Code: int32(codes.Aborted), Message: "garbled", Details: []*anypb.Any{
		{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte("garbled")}, {TypeUrl: "type.googleapis.com/google.rpc.RetryInfo"},
	}})
	for name, test := range map[string]struct {
		err     error
		code    codes.Code
		text    string
		details int
	}{
		"kept":                  {kept, codes.Unknown, "another call was refused: " + kept.Error(), 0},
		"zero":                  {new(interceptor.Denial), codes.Unknown, "another call was refused: " + catalogue.Failed.Text, 0},
		"nil":                   {(*interceptor.Denial)(nil), codes.Unknown, "another call was refused: " + catalogue.Failed.Text, 0},
		"wrapped":               {fmt.Errorf("read: %w", kept), codes.Unknown, "another call was refused: read: " + kept.Error(), 0},
		"joined":                {errors.Join(errors.New("read"), kept), codes.Unknown, "another call was refused: read\n" + kept.Error(), 0},
		"received":              {grpcguard.DenialFrom(refused(t, codes.Unauthenticated, challenging(`Bearer realm="a"`))), codes.Unknown, "another call was refused: " + kept.Error(), 0},
		"with a code":           {statusError{own, kept}, codes.Aborted, "the handler's own", 2},
		"garbled":               {statusError{garbled, kept}, codes.Aborted, "garbled", 1},
		"of a call in process":  {inProcess, codes.Unauthenticated, kept.Error(), 0},
		"of package clientauth": {connect.NewError(connect.CodeInternal, kept), codes.Internal, kept.Error(), 0},
		"with both codes":       {errors.Join(statusError{own, kept}, connect.NewError(connect.CodeInternal, kept)), codes.Aborted, "the handler's own\ninternal: " + kept.Error(), 2},
	} {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any"))
		for _, service := range []string{"Public", "Token", "Field"} {
			_, unaryErr := grpcguard.Unary(guard)(ctx, &message{OrganizationId: acme}, &grpc.UnaryServerInfo{FullMethod: catalogue.Procedure(service, catalogue.Unary)},
				func(context.Context, any) (any, error) { return nil, test.err })
			stream := &fakeStream{ctx: ctx, messages: []catalogue.Message{{Organization: acme}}}
			streamErr := grpcguard.Stream(guard)(nil, stream, &grpc.StreamServerInfo{FullMethod: catalogue.Procedure(service, catalogue.Bidi)},
				func(_ any, stream grpc.ServerStream) error {
					_ = stream.RecvMsg(new(message))
					return test.err
				})
			for kind, err := range map[string]error{"unary": unaryErr, "stream": streamErr} {
				denial, found := errors.AsType[*interceptor.Denial](err)
				got := status.Convert(err)
				if found || got.Code() != test.code || got.Message() != test.text || len(got.Details()) != test.details {
					t.Errorf("%s, %s, %s: %v, %q, %v, with %v", name, service, kind, got.Code(), got.Message(), got.Details(), denial)
				}
				for _, detail := range got.Details() {
					if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() != "handler" {
						t.Errorf("%s, %s, %s: the client gets %v", name, service, kind, info)
					}
				}
			}
		}
	}
}

// A statusError is a status of a handler that wraps a denial.
type statusError struct {
	status *status.Status
	denial *interceptor.Denial
}

func (e statusError) Error() string              { return e.status.Message() }
func (e statusError) GRPCStatus() *status.Status { return e.status }
func (e statusError) Unwrap() error              { return e.denial }

type noHeader struct{}

func (noHeader) Values(string) []string { return nil }
