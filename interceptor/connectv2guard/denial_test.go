package connectv2guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	connectv1 "connectrpc.com/connect"
	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestOthersDenial makes sure that the denial of another call, which a handler returns, does not pass for a
// refusal of the handler's own call.
func TestOthersDenial(t *testing.T) {
	t.Parallel()
	guard := harness.Expiring(t, time.Hour)
	_, kept := guard.Admit(t.Context(), catalogue.Procedure("Token", catalogue.Unary), http.Header{})
	inProcess := connectv2guard.Interceptor(guard)(nil)(t.Context(), specOf("Field", catalogue.Unary), nil)
	own := connect.NewError(connect.CodeAborted, "the handler's own").WithCause(kept)
	unreadable := &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte{0xff}}
	for _, message := range []proto.Message{kept.ErrorInfo(), unreadable, &errdetails.ErrorInfo{Domain: "handler"}} {
		detail, err := connectproto.NewErrorDetail(message)
		if err != nil {
			t.Fatal(err)
		}
		own = own.WithDetail(detail)
	}
	for name, test := range map[string]struct {
		err     error
		code    connect.Code
		details int
	}{
		"kept":                  {kept, connect.CodeUnknown, 0},
		"zero":                  {new(interceptor.Denial), connect.CodeUnknown, 0},
		"nil":                   {(*interceptor.Denial)(nil), connect.CodeUnknown, 0},
		"wrapped":               {fmt.Errorf("read: %w", kept), connect.CodeUnknown, 0},
		"joined":                {errors.Join(errors.New("read"), kept), connect.CodeUnknown, 0},
		"received":              {connectv2guard.DenialFrom(receivedError(t)), connect.CodeUnknown, 0},
		"of package clientauth": {connectv1.NewError(connectv1.CodeInternal, kept), connect.CodeInternal, 0},
		"with both codes":       {errors.Join(own, connectv1.NewError(connectv1.CodeInternal, kept)), connect.CodeAborted, 1},
		"with a code":           {own, connect.CodeAborted, 1},
		"with a code, wrapped":  {fmt.Errorf("wrapped: %w", own), connect.CodeAborted, 1},
		"of another process":    {own.WithRemote(), connect.CodeAborted, 1},
		"of a call in process":  {inProcess, connect.CodeUnauthenticated, 0},
	} {
		for _, service := range []string{"Public", "Token", "Field"} {
			for _, method := range catalogue.Methods {
				info, err := callHandler(t.Context(), service, method, &fakeStream{in: []string{acme}}, func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
					_ = stream.Receive(new(message))
					return test.err
				}, connectv2guard.Interceptor(guard))
				denial, found := errors.AsType[*interceptor.Denial](err)
				if err == nil || found || connect.CodeOf(err) != test.code || info.ResponseHeader().Has("WWW-Authenticate") {
					t.Errorf("%s, %s, %s: %v, with %v", name, service, method.Name, err, denial)
				}
				coded, ok := errors.AsType[*connect.Error](err)
				if !ok {
					continue
				}
				if details := coded.Details(); len(details) != test.details || coded.IsRemote() != (name == "of another process") {
					t.Errorf("%s, %s, %s: %d details, remote %t", name, service, method.Name, len(details), coded.IsRemote())
				}
				for _, detail := range coded.Details() {
					message, err := connectproto.UnmarshalErrorDetail(detail)
					if info, ok := message.(*errdetails.ErrorInfo); err != nil || !ok || info.GetDomain() != "handler" {
						t.Errorf("%s, %s, %s: the client gets %v, %v", name, service, method.Name, message, err)
					}
				}
			}
		}
	}
}

// receivedError is the refusal of another process, as a client receives it.
func receivedError(t *testing.T) error {
	t.Helper()
	detail, err := connectproto.NewErrorDetail(&errdetails.ErrorInfo{
		Reason: "SCOPE_INSUFFICIENT", Domain: "protoauthz", Metadata: map[string]string{"required_scopes": "read:a c d", "any_scopes": "c d", "challenge": `Bearer realm="a"`},
	})
	if err != nil {
		t.Fatal(err)
	}
	return connect.NewError(connect.CodePermissionDenied, "no").WithDetail(detail).WithRemote()
}

// TestDenialFrom makes sure that DenialFrom finds the refusal in an error of either version, and none in other errors.
func TestDenialFrom(t *testing.T) {
	t.Parallel()
	ofV1 := connectv1.NewError(connectv1.CodePermissionDenied, errors.New("no"))
	detail, err := connectv1.NewErrorDetail(connectv2guard.DenialFrom(receivedError(t)).ErrorInfo())
	if err != nil {
		t.Fatal(err)
	}
	ofV1.AddDetail(detail)
	for name, err := range map[string]error{"v2": receivedError(t), "wrapped": fmt.Errorf("call: %w", receivedError(t)), "v1": ofV1} {
		got := connectv2guard.DenialFrom(err)
		if got.Reason() != interceptor.ReasonScopeInsufficient || !slices.Equal(got.Scopes(), []string{"read:a"}) || !slices.Equal(got.AnyScopes(), []string{"c", "d"}) || got.Challenge() != `Bearer realm="a"` {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, err := range map[string]error{"nil": nil, "an error": errors.New("no"), "no details": connect.NewError(connect.CodePermissionDenied, "no")} {
		if got := connectv2guard.DenialFrom(err); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
